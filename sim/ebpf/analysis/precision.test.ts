/**
 * How much the analysis sees: accesses that it leaves to be checked when they happen cost time in each packet, and ways that
 * it takes for possible are asked of packets. These numbers may change where it learns something, and should be seen to.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../../../kernel/package-file.ts';
import type { BpfObject } from '../bpf-object.ts';
import { programLayout } from '../context/program-layout.ts';
import { helperAt } from '../helpers/helper-at.ts';
import { Machine } from '../machine.ts';
import { loadObject } from '../object.ts';
import { testObject } from '../test-support/assemble.ts';
import { RANDOM_MAPS, randomProgram } from '../test-support/random-program.ts';
import { VERDICT } from './access.ts';
import { analyse } from './analysis.ts';
import { frozenData } from './frozen-data.ts';
import { reachOf } from './reach.ts';

/** Loads and stores, those of them that are left open, and ways of jumps that some input may go. */
interface Seen {
  accesses: number;
  open: number;
  wrong: number;
  ways: number;
  unset: number;
  doubtful: number;
  unwritten: number;
}

function seenIn(object: BpfObject, into: Seen): Seen {
  const machine = new Machine(object, {});
  for (const program of object.programs) {
    if (program.hook === undefined) continue;
    const hook = program.hook === 'xdp' ? 'xdp' : 'tc';
    const facts = analyse({
      program,
      maps: object.maps,
      layout: programLayout(hook, program),
      helperAt: (slot) => helperAt(object, program, slot),
      enteredWith: 'context',
      frozen: frozenData(machine),
    });
    for (const { verdict } of facts.accesses.values()) {
      into.accesses++;
      if (verdict === VERDICT.open) into.open++;
      else if (verdict === VERDICT.violation) into.wrong++;
    }
    into.unset += facts.unset.size;
    into.unwritten += facts.readsUnwritten.size;
    for (const one of facts.doubtful) into.doubtful += one;
    for (const ways of reachOf(machine, program, hook).ways) into.ways += (ways & 1) + (ways >> 1);
  }
  return into;
}

const NOTHING = (): Seen => ({
  accesses: 0,
  open: 0,
  wrong: 0,
  ways: 0,
  unset: 0,
  doubtful: 0,
  unwritten: 0,
});

function shown({ accesses, open, ways, doubtful }: Seen): string {
  return `${open} of ${accesses} accesses open, ${ways} ways, ${doubtful} sums doubtful`;
}

it('of built-in programs', () => {
  const seen = [
    'icmp_echo',
    'router',
    'redirect_map',
    'port_filter',
    'account',
    'meta_mark',
    'tcp_filter',
  ].map((name) => {
    const object = loadObject(new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`))));
    return `${name}: ${shown(seenIn(object, NOTHING()))}`;
  });
  expect(seen).toEqual([
    'icmp_echo: 0 of 122 accesses open, 78 ways, 4 sums doubtful',
    'router: 6 of 81 accesses open, 29 ways, 1 sums doubtful',
    'redirect_map: 0 of 33 accesses open, 8 ways, 1 sums doubtful',
    'port_filter: 0 of 23 accesses open, 43 ways, 2 sums doubtful',
    'account: 0 of 6 accesses open, 2 ways, 0 sums doubtful',
    'meta_mark: 0 of 9 accesses open, 5 ways, 0 sums doubtful',
    'tcp_filter: 1 of 17 accesses open, 33 ways, 3 sums doubtful',
  ]);
});

it('of random programs', () => {
  const seen = NOTHING();
  for (let seed = 0; seed < 60; seed++)
    seenIn(testObject({ main: randomProgram(seed).text }, RANDOM_MAPS), seen);
  expect(seen).toEqual({
    accesses: 2948,
    open: 87,
    wrong: 0,
    ways: 771,
    unset: 0,
    doubtful: 150,
    unwritten: 38,
  });
});
