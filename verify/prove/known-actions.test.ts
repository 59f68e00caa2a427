/** Programs that compute what they return: each action that it may be is looked at, and whether it is one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { proveProgram } from './prove.ts';
import { frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

/** @param text with a byte of the frame in r0 */
async function said(text: string, hook: Hook = 'xdp'): Promise<Record<string, string>> {
  const program = programOf('test', {
    ...{ text: `${frame(20, hook)}\nr0 = *(u8 *)(r7 + 14)\n${text}\nexit\nout:\nr0 = 1\nexit`, hook },
    maps: [testMap('config', 'ARRAY', { keySize: 4, valueSize: 4, maxEntries: 1 })],
  });
  const limits = { shortest: 0, longest: 60, mostMetadata: 0 };
  const { properties } = await proveProgram(program, { solver, limits });
  return Object.fromEntries(
    properties.map(({ invariant, status, reason }) => [invariant, `${status}: ${reason}`]),
  );
}

const PROVED = 'proved: undefined';
const FROM_MAP = `*(u32 *)(r10 - 8) = 0
  r1 = map[config]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r0 = *(u32 *)(r0 + 0)`;

describe('a number that is computed', () => {
  it('is an action where the solver finds no other', async () => {
    expect((await said('r0 &= 2'))['action/unknown']).toBe(PROVED);
    expect((await said('r0 *= r0\nr0 %= 5'))['action/unknown']).toBe(PROVED);
    // 0 or 2 of the sign of a number, as compilers write it.
    expect((await said('r0 += -7\nr0 s>>= 62\nr0 &= 2', 'tc-ingress'))['action/unknown']).toBe(PROVED);
    expect((await said('r0 &= 8\nr0 += -1', 'tc-ingress'))['action/unknown']).toBe(PROVED);
  });

  it('is none where a packet shows it', async () => {
    expect((await said('r0 &= 7'))['action/unknown']).toMatch(/^refuted: the program returns [567]$/);
    expect((await said('r0 &= 8\nr0 += -2', 'tc-ingress'))['action/unknown']).toBe(
      'refuted: the program returns -2',
    );
  });

  it('may be a redirect, which needs a target', async () => {
    expect((await said('r0 &= 4'))['redirect/no-target']).toMatch(
      /^refuted: the program returns XDP_REDIRECT/,
    );
    expect(await said('r0 &= 2')).not.toHaveProperty('redirect/no-target');
  });

  it('is for user space to say where a map holds it', async () => {
    const all = await said(FROM_MAP);
    expect(all['action/unknown']).toBe(
      'undecided: a path returns what map config holds, which may be no action',
    );
    expect(all['redirect/no-target']).toMatch(/^undecided/);
    const bounded = await said(`${FROM_MAP}\nr0 &= 3`);
    expect(bounded['action/unknown']).toBe(PROVED);
    expect(bounded).not.toHaveProperty('redirect/no-target');
  });
});
