/** What fits into a map on a path: entries that come and go, worlds that are full, and worlds that nobody can make. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { followPaths } from './paths.ts';
import { type ProgramProof, proveProgram } from './prove.ts';
import { type Asking, frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

const LIMITS = { shortest: 0, longest: 40, mostMetadata: 0 };

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

function proofOf(asking: Asking): Promise<ProgramProof> {
  return proveProgram(programOf('room', asking), { solver, limits: LIMITS });
}

/** What becomes of each way of each jump behind the first, in the order of the text. */
function ways({ branches }: ProgramProof): string[] {
  return branches.slice(2).map(({ status }) => status);
}

const HELD = testMap('held', 'HASH', { maxEntries: 4, keySize: 4, valueSize: 4 });
/** The key is 4 bytes of the frame from `at` on. */
const call = (name: string, at: number): string => `r1 = *(u32 *)(r7 + ${at})
  *(u32 *)(r10 - 4) = r1
  *(u32 *)(r10 - 8) = 1
  r1 = map[held]
  r2 = r10
  r2 += -4
  r3 = r10
  r3 += -8
  r4 = 0
  call bpf_map_${name}_elem`;
const END = `r0 = 2
  exit
  out:
  r0 = 1
  exit`;

describe('a hash map', () => {
  it('has room for another entry once one is taken out, and for none where one was there already', async () => {
    const text = `${frame(22)}
      ${call('delete', 14)}
      if r0 != 0 goto out
      ${call('update', 18)}
      if r0 != 0 goto out
      ${END}`;
    const proof = await proofOf({ text, maps: [HELD] });
    expect(ways(proof)).toEqual(['reached', 'reached', 'unreachable', 'reached']);
    expect(proof.properties.find((one) => one.invariant === 'action/unknown')?.status).toBe('proved');
  });

  it('may have been full before an entry that is not there is taken out and put in', async () => {
    const text = `${frame(22)}
      ${call('delete', 14)}
      ${call('update', 14)}
      if r0 != 0 goto out
      ${END}`;
    const proof = await proofOf({ text, maps: [HELD] });
    expect(ways(proof)).toEqual(['reached', 'reached']);
    expect(proof.paths.every(({ confirmed }) => confirmed)).toBe(true);
  });

  it('holds no more entries than it has room for', async () => {
    const text = `${frame(22)}
      ${call('lookup', 14)}
      if r0 == 0 goto out
      r1 = *(u32 *)(r7 + 14)
      r2 = *(u32 *)(r7 + 18)
      if r1 == r2 goto out
      ${call('lookup', 18)}
      if r0 != 0 goto out
      ${call('update', 18)}
      if r0 == 0 goto out
      ${END}`;
    const small = await proofOf({ text, maps: [{ ...HELD, maxEntries: 1 }] });
    expect(ways(small).slice(4)).toEqual(['unreachable', 'reached', 'unreachable', 'reached']);
    expect(ways(await proofOf({ text, maps: [HELD] })).slice(4)).toEqual(Array(4).fill('reached'));
  });
});

describe.each(['QUEUE', 'STACK'] as const)('a %s', (type) => {
  const jobs = testMap('held', type, { maxEntries: 2, keySize: 0, valueSize: 8 });
  const own = (name: string): string => `r1 = map[held]
    r2 = r10
    r2 += -8
    call bpf_map_${name}_elem
    if r0 != 0 goto out`;
  const push = (flags: number): string => `*(u64 *)(r10 - 8) = 7
    r3 = ${flags}
    ${own('push')}`;

  it('lets the oldest go where it is full and BPF_EXIST is given', async () => {
    // Is what is taken out first another one behind the push?
    const text = `${frame(22)}
      ${own('peek')}
      r9 = *(u64 *)(r10 - 8)
      if r9 == 7 goto out
      ${push(2)}
      ${own('peek')}
      r1 = *(u64 *)(r10 - 8)
      if r1 == r9 goto out
      r0 = 77
      exit
      out:
      r0 = 1
      exit`;
    const proof = await proofOf({ text, maps: [jobs] });
    const action = proof.properties.find((one) => one.invariant === 'action/unknown');
    expect(action).toMatchObject({ status: 'refuted' });
    expect(action?.witness?.world.maps?.held).toHaveLength(type === 'QUEUE' ? 2 : 1);
    expect(proof.assumptions.join()).not.toContain('room');
    expect(proof.paths.every(({ confirmed }) => confirmed)).toBe(true);
  });

  it('takes nothing without it', async () => {
    const proof = await proofOf({ text: `${frame(22)}\n${push(0)}\n${END}`, maps: [jobs] });
    expect(ways(proof)).toEqual(['reached', 'reached']);
    const replacing = await proofOf({ text: `${frame(22)}\n${push(2)}\n${END}`, maps: [jobs] });
    expect(ways(replacing)).toEqual(['unreachable', 'reached']);
  });
});

const NETS = testMap('held', 'LPM_TRIE', { maxEntries: 4, keySize: 8, valueSize: 4 });

describe('a trie', () => {
  it('has no prefix that is longer than its addresses', async () => {
    const text = `${frame(19)}
      r9 = *(u8 *)(r7 + 14)
      *(u32 *)(r10 - 8) = r9
      *(u32 *)(r10 - 4) = 1
      r1 = map[held]
      r2 = r10
      r2 += -8
      call bpf_map_lookup_elem
      if r0 == 0 goto out
      if r9 > 32 goto out
      if r9 > 31 goto out
      ${END}`;
    const proof = await proofOf({ text, maps: [NETS] });
    expect(ways(proof)).toEqual(['reached', 'reached', 'unreachable', 'reached', 'reached', 'reached']);
  });
});

describe('a world that nobody can make', () => {
  it('leaves its path without a packet, and no other', async () => {
    // What a trie holds under which prefixes, terms do not count.
    const one = { ...NETS, maxEntries: 1 };
    const text = `${frame(22)}
      *(u32 *)(r10 - 8) = 32
      ${[14, 18]
        .map(
          (at) => `r1 = *(u32 *)(r7 + ${at})
            *(u32 *)(r10 - 4) = r1
            r1 = map[held]
            r2 = r10
            r2 += -8
            call bpf_map_lookup_elem
            if r0 == 0 goto out`,
        )
        .join('\n')}
      ${END}`;
    const { paths, doubt } = await followPaths(programOf('room', { text, maps: [one] }), {
      solver,
      limits: LIMITS,
    });
    const without = paths.filter(({ witness }) => witness === undefined);
    expect(without.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^no such world can be made: .*map held of the world/),
    ]);
    expect(paths.filter(({ confirmed }) => confirmed)).toHaveLength(paths.length - 1);
    expect(doubt).toBeUndefined();
  });
});
