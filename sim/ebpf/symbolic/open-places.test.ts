/** What is read behind a header of any length: one path for all lengths, until something needs to know where it lay. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { DEFAULT_EXPLORE_LIMITS, explore } from './explore.ts';
import { Feasibility } from './feasibility.ts';
import { Inputs } from './inputs.ts';
import type { PathState } from './path-state.ts';
import { NO_SOLVER } from './solver.ts';
import { termText } from './term.ts';
import { TermPool } from './term-pool.ts';

/** Reads 16 bits of the frame behind a header whose length a byte says, and goes on where they are 7. */
const reading = (mask: number, after: string): string => `
  r9 = r1
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r0 = 2
  r4 = r2
  r4 += 34
  if r4 > r3 goto out
  r5 = *(u8 *)(r2 + 14)
  r5 &= ${mask}
  r5 <<= 2
  r2 += r5
  r4 = r2
  r4 += 22
  if r4 > r3 goto out
  r6 = *(u16 *)(r2 + 16)
  *(u64 *)(r10 - 8) = r6
  if r6 != 7 goto out
  ${after}
out:
  exit`;

async function pathsOf(text: string, areFeasible = true): Promise<PathState[]> {
  const object = testObject({ main: text }, [testMap('held', 'ARRAY')]);
  const inputs = new Inputs(new TermPool(), new Machine(object, {}), 'xdp', object.programs[0]!);
  const paths: PathState[] = [];
  const { cut } = await explore(inputs, 0, new Feasibility(NO_SOLVER), {
    limits: { ...DEFAULT_EXPLORE_LIMITS, deadline: Number.POSITIVE_INFINITY },
    now: () => 0,
    onPath: (state) => void paths.push(state),
    stopped: () => false,
  });
  expect(cut).toBeUndefined();
  if (areFeasible)
    expect(paths.filter(({ doubt, values }) => doubt !== undefined || values === undefined)).toEqual([]);
  return paths;
}

const conditionsOf = (state: PathState): string =>
  state.constraints.map(({ condition }) => termText(condition)).join(' ');

describe('places that a path does not know', () => {
  it('are one path, with nothing asked that the program does not ask', async () => {
    const paths = await pathsOf(reading(15, 'r0 = 1'));
    expect(paths.map(({ end }) => end?.kind)).toEqual(['exit', 'exit', 'exit', 'exit']);
    const [taken] = paths.filter(({ open, end }) => open.length > 0 && end?.kind === 'exit');
    expect(taken?.open.map(({ byte }) => byte.operation)).toEqual(['ite', 'ite']);
    for (const state of paths) {
      const asked = state.constraints.filter(({ origin }) => origin !== undefined);
      expect(asked).toHaveLength(state.trail().length);
    }
  });

  it('are a path each once the frame changes, as if it had known from the start', async () => {
    const paths = await pathsOf(reading(15, '*(u16 *)(r2 + 14) = r6\nr0 = *(u64 *)(r10 - 8)'));
    const changed = paths.filter(({ packet }) => !packet.bytes.isEmpty);
    expect(changed).toHaveLength(16);
    expect(paths).toHaveLength(3 + 16);
    for (const state of changed) {
      const { open, end } = state;
      expect(open).toEqual([]);
      expect(end?.kind === 'exit' ? termText(end.action) : end).not.toContain('ite');
      expect(conditionsOf(state)).not.toContain('ite');
    }
    const written = changed.map(({ packet }) => packet.bytes.written()[0]! - Number(packet.data.value));
    expect(written.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, words) => 4 * words + 14));
  });

  it('are known where a condition says so later', async () => {
    const paths = await pathsOf(reading(15, 'if r5 != 24 goto out\n*(u16 *)(r2 + 14) = r6\nr0 = r6'));
    const changed = paths.filter(({ packet }) => !packet.bytes.isEmpty);
    expect([paths.length, changed.length]).toEqual([5, 1]);
    const { packet, pool, end } = changed[0]!;
    const at = Number(packet.data.value) + 24 + 14;
    expect([0, 1].map((one) => termText(packet.bytes.byte(pool, at + one)!))).toEqual(['p40', 'p41']);
    expect(end?.kind === 'exit' ? termText(end.action) : end).not.toContain('ite');
  });

  it('are a path each for helpers that change the frame', async () => {
    const paths = await pathsOf(reading(15, 'r1 = r9\nr2 = 4\ncall bpf_xdp_adjust_tail\nr0 = 3'));
    const moved = paths.filter(({ packet }) => packet.generation > 0);
    const words = moved.map(({ knowledge, pool }) =>
      knowledge.only(pool.extract(pool.unknown(8, 'p14'), 0, 4)),
    );
    expect([new Set(words).size, words.includes(undefined)]).toEqual([16, false]);
    for (const state of moved) expect(conditionsOf(state)).not.toContain('ite');
  });

  it('are a path each where there are too many of them', async () => {
    const paths = await pathsOf(reading(127, 'r0 = 1'));
    expect(paths.filter(({ open }) => open.length > 0)).toEqual([]);
    expect(paths.length).toBeGreaterThan(20);
  });

  it('are a path each where a byte that lies there says in too many places where another does', async () => {
    const next = (most: number): string => `
      r7 = *(u8 *)(r2 + 18)
      r7 &= ${most}
      r2 += r7
      r4 = r2
      r4 += 22
      if r4 > r3 goto out
      r0 = *(u8 *)(r2 + 16)`;
    const far = await pathsOf(reading(15, next(15)), false);
    const read = far.filter(({ end }) => end?.kind === 'exit' && end.action.operation !== 'const');
    // One for each length, and for each number of the byte there.
    expect(read).toHaveLength(16 * 16);
    for (const { open, end } of read) {
      expect(open).toEqual([]);
      expect(end?.kind === 'exit' ? termText(end.action) : end).not.toContain('ite');
    }
    // Where it may lie in few places, nothing has to be known.
    const near = await pathsOf(reading(15, next(3)), false);
    expect(near.filter(({ end }) => end?.kind === 'exit' && end.action.operation !== 'const')).toHaveLength(
      1,
    );
  });

  it('are a path each once the frame was written', async () => {
    const text = reading(15, 'r0 = 1').replace('r5 = *', '*(u8 *)(r2 + 0) = r0\nr5 = *');
    const paths = await pathsOf(text);
    expect(paths.filter(({ open }) => open.length > 0)).toEqual([]);
    expect(paths.length).toBeGreaterThan(16);
  });
});
