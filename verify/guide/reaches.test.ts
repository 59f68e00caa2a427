/**
 * What guidance reaches of built-in objects, which it takes for a stranger's, and for how many instructions: where a change
 * makes it see less, or search longer, these numbers show it.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { programByName } from '../../sim/programs/index.ts';
import { guide } from './guide.ts';

const EFFORT = 150_000;

/** Name: branches that some packet of its cases takes, of all; cases; packets in them; instructions, in thousands. */
function reached(name: string): string {
  const entries = programByName(name)!.entries.map(({ model: _, ...entry }) => entry);
  const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
  const { branches, cases, instructions, missing } = guide(
    { name, entries, object },
    { seed: 'reach', effort: EFFORT },
  );
  const packets = cases.reduce((sum, { stimuli }) => sum + stimuli.length, 0);
  const worlds = new Set(cases.map(({ world }) => world)).size;
  return `${name}: ${branches.reached}/${branches.total}, ${missing.length} missing, ${cases.length} cases in ${worlds} worlds, ${packets} packets, ${Math.round(instructions / 1000)}k`;
}

it('takes branches of built-in programs', () => {
  const names = [
    'router',
    'redirect_map',
    'port_filter',
    'icmp_echo',
    'tcp_filter',
    'account',
    'layer_coop',
    'meta_mark',
  ];
  expect(names.map(reached)).toEqual([
    'router: 28/29, 1 missing, 13 cases in 3 worlds, 13 packets, 148k',
    'redirect_map: 8/8, 0 missing, 4 cases in 3 worlds, 4 packets, 72k',
    'port_filter: 43/43, 0 missing, 21 cases in 1 worlds, 21 packets, 130k',
    'icmp_echo: 76/78, 2 missing, 34 cases in 1 worlds, 34 packets, 71k',
    'tcp_filter: 33/33, 0 missing, 17 cases in 1 worlds, 17 packets, 113k',
    'account: 2/2, 0 missing, 2 cases in 1 worlds, 2 packets, 28k',
    'layer_coop: 31/34, 3 missing, 24 cases in 1 worlds, 86 packets, 113k',
    'meta_mark: 4/5, 1 missing, 2 cases in 1 worlds, 2 packets, 80k',
  ]);
});
