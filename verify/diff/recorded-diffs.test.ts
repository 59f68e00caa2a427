/**
 * What `diff` says of built-in programs with one instruction changed, and of programs that are not alike: classes, what decides
 * them, examples, what is in words, and what is not compared. In the machine alone, recorded as text.
 */
import { describe, expect, it } from 'vitest';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { NamedWorld } from '../../sim/runtime/program.ts';
import { builtIn, changedPrograms } from '../test-support/changed-object.ts';
import { diffText } from '../test-support/diff-text.ts';
import { type DiffOptions, diff } from './diff.ts';
import type { BuildPair } from './pair.ts';

const engine = createWasmEngine();

async function diffed(
  pair: BuildPair,
  worlds: readonly NamedWorld[],
  more: Partial<DiffOptions> = {},
): Promise<string> {
  const report = await diff({
    ...{ pair, engine, worlds, seed: 'recorded', runs: 400 },
    ...{ guided: false, sweeps: false, maxClasses: 3, shrinkSeconds: 600 },
    ...more,
  });
  return diffText(report).join('\n');
}

/** Mutants of each program, spread evenly over all that it has. */
const MUTANTS = 4;

describe('one changed instruction', () => {
  it.each([
    'icmp_echo',
    'port_filter',
    'proto_count_hash',
    'layer_coop',
    'meta_mark',
    'redirect_map',
    'xdp_trace_drop',
    'account',
    'router',
  ])('%s', async (name) => {
    const { program, worlds } = builtIn(name);
    const sections: string[] = [];
    for (const { title, program: changed } of changedPrograms(program, worlds, MUTANTS))
      sections.push(`## ${title}\n${await diffed({ old: program, new: changed }, worlds)}\n`);
    await expect(sections.join('\n')).toMatchFileSnapshot(`recorded/${name}.txt`);
  });
});

describe('programs that are not alike', () => {
  it.each([
    ['proto_count', 'proto_count_hash', {}],
    ['tcp_filter', 'icmp_filter', { maxClasses: 1 }],
    ['icmp_drop', 'icmp_echo', { guided: true, runs: 100 }],
    ['redirect_map', 'xdp_pass', { guided: true, runs: 100 }],
  ])('%s, %s', async (old, next, more) => {
    const { program, worlds } = builtIn(old);
    await expect(
      `${await diffed({ old: program, new: builtIn(next).program }, worlds, more)}\n`,
    ).toMatchFileSnapshot(`recorded/${old}-${next}.txt`);
  });

  it('stops where it is told to, and shrinks nothing in no time', async () => {
    const { program, worlds } = builtIn('icmp_drop');
    const pair = { old: program, new: builtIn('icmp_echo').program };
    const stop = new AbortController();
    const seen: [packets: number, classes: number][] = [];
    const onProgress = (packets: number, classes: number): void => {
      seen.push([packets, classes]);
      stop.abort();
    };
    const more = { runs: 100_000, shrinkSeconds: 0, signal: stop.signal, onProgress };
    await expect(`${await diffed(pair, worlds, more)}\n${seen}\n`).toMatchFileSnapshot(
      'recorded/stopped.txt',
    );
  });
});
