/** Tries of prefixes: what a lookup of one prefix says of another, and what cannot be followed beside changes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { type ProgramProof, proveProgram } from './prove.ts';
import { END, frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

const LIMITS = { shortest: 0, longest: 40, mostMetadata: 0 };
const NETS = testMap('nets', 'LPM_TRIE', { maxEntries: 4, keySize: 8, valueSize: 4 });

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

/** The address is 4 bytes of the frame from `at` on. */
const call = (name: string, bits: number, at: number = 14): string => `*(u32 *)(r10 - 8) = ${bits}
  r1 = *(u32 *)(r7 + ${at})
  *(u32 *)(r10 - 4) = r1
  *(u32 *)(r10 - 12) = 1
  r1 = map[nets]
  r2 = r10
  r2 += -8
  r3 = r10
  r3 += -12
  r4 = 0
  call bpf_map_${name}_elem`;

function proofOf(text: string): Promise<ProgramProof> {
  return proveProgram(programOf('nets', { text: `${frame(22)}\n${text}\n${END}`, maps: [NETS] }), {
    solver,
    limits: LIMITS,
  });
}

/** What becomes of each way of each jump behind the first. */
function ways({ branches }: ProgramProof): string[] {
  return branches.slice(2).map(({ status }) => status);
}

function reasons({ paths }: ProgramProof): (string | undefined)[] {
  return paths.flatMap(({ state }) => (state.end?.kind === 'not followed' ? [state.end.reason] : []));
}

const OPEN = expect.stringContaining('a prefix that');

describe('two lookups of one address', () => {
  it('find under the longer prefix whatever the shorter one finds', async () => {
    const proof = await proofOf(`${call('lookup', 24)}
      if r0 == 0 goto out
      ${call('lookup', 32)}
      if r0 == 0 goto out`);
    expect(ways(proof)).toEqual(['reached', 'reached', 'unreachable', 'reached']);
    expect(proof.paths.every(({ confirmed }) => confirmed)).toBe(true);
  });

  it('find nothing under the shorter prefix where the longer one finds none', async () => {
    const proof = await proofOf(`${call('lookup', 32)}
      if r0 != 0 goto out
      ${call('lookup', 24)}
      if r0 != 0 goto out`);
    expect(ways(proof)).toEqual(['reached', 'reached', 'unreachable', 'reached']);
    expect(proof.paths.every(({ confirmed }) => confirmed)).toBe(true);
    const other = await proofOf(`${call('lookup', 32)}
      if r0 == 0 goto out
      ${call('lookup', 24)}
      if r0 == 0 goto out`);
    expect(ways(other)).toEqual(Array(4).fill('reached'));
  });

  it('of others say nothing of each other, unless one covers the other', async () => {
    const proof = await proofOf(`${call('lookup', 32, 18)}
      if r0 != 0 goto out
      ${call('lookup', 24)}
      if r0 == 0 goto out
      r1 = *(u32 *)(r7 + 14)
      r2 = *(u32 *)(r7 + 18)
      if r1 == r2 goto out`);
    expect(ways(proof)).toEqual(['reached', 'reached', 'reached', 'reached', 'unreachable', 'reached']);
    expect(proof.paths.every(({ confirmed }) => confirmed)).toBe(true);
  });

  it('may find one value, into which nothing is written then', async () => {
    const both = `${call('lookup', 24)}
      if r0 == 0 goto out
      r9 = r0
      ${call('lookup', 32)}
      if r0 == 0 goto out`;
    const read = await proofOf(`${both}\nr1 = *(u32 *)(r0 + 0)\nr2 = *(u32 *)(r9 + 0)\nif r1 == r2 goto out`);
    expect(reasons(read)).toEqual([]);
    const written = await proofOf(
      `${both}\n*(u32 *)(r0 + 0) = 5\nr2 = *(u32 *)(r9 + 0)\nif r2 == 5 goto out`,
    );
    expect(reasons(written)).toEqual([expect.stringContaining('a store into a value')]);
  });
});

describe('a prefix that is changed', () => {
  it('is found again by itself', async () => {
    const proof = await proofOf(`${call('update', 24)}
      if r0 != 0 goto out
      ${call('lookup', 24)}
      if r0 == 0 goto out`);
    expect(reasons(proof)).toEqual([]);
    expect(ways(proof)).toEqual(['reached', 'reached', 'unreachable', 'reached']);
    const missing = await proofOf(`${call('lookup', 24)}
      if r0 != 0 goto out
      ${call('update', 24)}
      if r0 != 0 goto out
      ${call('delete', 24)}
      if r0 != 0 goto out
      ${call('lookup', 24)}
      if r0 != 0 goto out`);
    expect(reasons(missing)).toEqual([]);
    expect(ways(missing).slice(4)).toEqual(['unreachable', 'reached', 'unreachable', 'reached']);
  });

  it.each([
    ['is taken out, and looked up below others', [call('delete', 24), call('lookup', 24)]],
    ['is put in, and a longer one looked up', [call('update', 24), call('lookup', 32)]],
    ['was looked up, which may have found a shorter one', [call('lookup', 24), call('delete', 24)]],
    [
      'is put in where a longer one was looked up',
      [call('lookup', 32), call('update', 24), call('lookup', 32)],
    ],
  ])('%s: that is not followed', async (_, calls) => {
    const proof = await proofOf(calls.map((one) => `${one}\nif r0 == 77 goto out`).join('\n'));
    expect(reasons(proof)).toContainEqual(OPEN);
    expect(proof.properties.map(({ status }) => status)).not.toContain('proved');
    expect(proof.assumptions.join()).not.toContain('cover');
  });
});
