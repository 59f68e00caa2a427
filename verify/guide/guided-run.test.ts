/** Kept cases as cases to replay, named by what they were kept for. */
import { expect, it } from 'vitest';
import type { Program } from '../../sim/runtime/program.ts';
import type { Guidance } from './guide.ts';
import { guidedCases } from './guided-run.ts';
import { withCases } from './own-packets.ts';
import type { Reached } from './ways.ts';

const program: Program = {
  name: 'test',
  entries: [{ function: 'main', hook: 'xdp' }],
  hints: { bytes: [] } as never,
};
const reached = (more: Partial<Reached>): Reached => ({ function: 'main', instruction: 12, ...more });

it('are numbered, and named by line, by instruction, or as an end', () => {
  const reasons: readonly (readonly Reached[])[] = [
    [reached({ file: 'bpf/parts/syn_limit.bpf.c', line: 42 }), reached({ file: 'other.c', line: 7 })],
    [reached({ file: 'a.c', line: 1 })],
    [reached({})],
    [],
  ];
  const world = { cpu: 1 };
  const stimuli = [{ packet: new Uint8Array(20) }];
  const guidance = { cases: reasons.map((one) => ({ world, stimuli, reached: one })) } as unknown as Guidance;
  const cases = [...guidedCases(program, guidance)];
  expect(cases.map(({ path }) => path)).toEqual([
    'guided case 1: syn_limit.bpf.c:42',
    'guided case 2: a.c:1',
    'guided case 3: main, instruction 12',
    'guided case 4: an end of the program',
  ]);
  for (const one of cases) expect(one.case).toEqual({ program: 'test', world, stimuli });
});

it('of a program for which nothing was looked for are the given ones alone, as a guidance that cost nothing', () => {
  const one = { world: {}, stimuli: [] };
  expect(withCases(program, undefined, [one])).toEqual({
    cases: [{ ...one, reached: [] }],
    branches: { reached: 0, total: 0 },
    ...{ missing: [], hints: program.hints, runs: 0, instructions: 0, share: 0 },
  });
  const found = { ...withCases(program, undefined, [one]), runs: 5, share: 1 };
  expect(withCases(program, found, [one, one])).toEqual({
    ...found,
    cases: Array(3).fill({ ...one, reached: [] }),
  });
});
