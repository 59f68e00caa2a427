/** A path that reads behind headers of any length, behind those of one. */
import { describe, expect, it } from 'vitest';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { NO_SOLVER } from '../../sim/ebpf/symbolic/solver.ts';
import { type Term, termText } from '../../sim/ebpf/symbolic/term.ts';
import { atEachPlace, narrowedTo } from './one-place.ts';
import { type FollowedPaths, followPaths } from './paths.ts';
import { programOf } from './test-support/asking-programs.ts';

/** Returns the byte behind two headers, the length of each of which a byte says, where that before it is 7. */
const followed: Promise<FollowedPaths> = followPaths(
  programOf('behind', {
    text: `
      r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r0 = 2
      r4 = r2
      r4 += 34
      if r4 > r3 goto out
      r5 = *(u8 *)(r2 + 14)
      r5 &= 15
      r5 <<= 2
      r2 += r5
      r4 = r2
      r4 += 22
      if r4 > r3 goto out
      r5 = *(u8 *)(r2 + 20)
      r5 &= 3
      r2 += r5
      r4 = r2
      r4 += 24
      if r4 > r3 goto out
      r6 = *(u8 *)(r2 + 22)
      if r6 != 7 goto out
      r0 = *(u8 *)(r2 + 23)
    out:
      exit`,
  }),
  { solver: NO_SOLVER },
);

const actionOf = ({ end }: PathState): Term | undefined => (end?.kind === 'exit' ? end.action : undefined);

async function reading(): Promise<FollowedPaths & { readonly state: PathState }> {
  const all = await followed;
  const [state] = all.paths
    .map((one) => one.state)
    .filter((one) => actionOf(one)?.operation !== 'const' && one.open.length > 0);
  return { ...all, state: state! };
}

describe('one of the places where a path may have read', () => {
  it('is that of the same packet with a longer header, and no solver is asked', async () => {
    const { state, inputs, feasibility } = await reading();
    const { pool } = state;
    const asked = feasibility.counts.queries;
    expect(termText(actionOf(state)!)).toContain('ite');
    for (let words = 0; words < 16; words++) {
      const length = pool.equal(inputs.frameByte(14), pool.constant(8, 0x40 | words));
      const path = (await narrowedTo(inputs, state, length, feasibility))!;
      const evaluator = new Evaluator(path.values!);
      expect(evaluator.value(inputs.frameByte(14))).toBe(BigInt(0x40 | words));
      for (const one of [state, path])
        expect(one.constraints.every(({ condition }) => evaluator.isTrue(condition))).toBe(true);
      // Only where the second header ends is still open.
      expect(path.open.length).toBe(2);
      const both = pool.equal(inputs.frameByte(14 + 4 * words + 6), pool.constant(8, 2));
      const known = (await narrowedTo(inputs, path, both, feasibility))!;
      expect(termText(actionOf(known)!)).not.toContain('ite');
      expect(new Evaluator(known.values!).value(inputs.frameByte(14 + 4 * words + 2 + 8))).toBe(7n);
    }
    expect(feasibility.counts.queries).toBe(asked);
  });

  it('is none where the path says otherwise', async () => {
    const { state, inputs, feasibility } = await reading();
    const { pool } = state;
    const other = pool.equal(
      pool.concat([pool.constant(8, 0), inputs.frameByte(14)]),
      pool.constant(16, 256),
    );
    expect(await narrowedTo(inputs, state, other, feasibility)).toBeUndefined();
  });

  it('is each of those behind one header, and some of the many behind two', async () => {
    const { state, inputs, feasibility } = await reading();
    const paths: PathState[] = [];
    for await (const path of atEachPlace(inputs, state, feasibility)) paths.push(path);
    expect(paths).toHaveLength(24);
    const words = paths
      .slice(0, 12)
      .map(({ values }) => Number(new Evaluator(values!).value(inputs.frameByte(14)) & 15n));
    expect(words).toEqual([0, 1, 3, 4, 5, 7, 8, 10, 11, 12, 14, 15]);
  });
});
