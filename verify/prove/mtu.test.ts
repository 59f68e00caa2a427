/** Ways behind `bpf_check_mtu`: reached in worlds whose devices have the MTU, by frames that fit, and by ones that do not. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Hook } from '../../sim/runtime/actions.ts';
import { followPaths } from './paths.ts';
import { programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

afterAll(endZ3);

const asking = (ifindex: number, difference: number, then: string): string => `*(u32 *)(r10 - 4) = 0
  r2 = ${ifindex}
  r3 = r10
  r3 += -4
  r4 = ${difference}
  r5 = 0
  call bpf_check_mtu
  ${then}
  r0 = 2
  exit
  out:
  r0 = 1
  exit`;

async function statuses(text: string, hook: Hook): Promise<string[]> {
  const solver = (await createZ3Solver())!;
  const limits = { shortest: hook === 'xdp' ? 0 : 14, longest: 128, mostMetadata: 0 };
  const { branches } = await followPaths(programOf('test', { text, hook }), { solver, limits });
  return (await branches()).map(({ status }) => status);
}

describe.each(['xdp', 'tc-ingress'] as const)('at %s, a frame for its own device', (hook) => {
  it('fits or does not, and nothing else', async () => {
    const text = asking(0, 0, 'if r0 == 0 goto out\nif r0 == 1 goto out');
    expect(await statuses(text, hook)).toEqual(['reached', 'reached', 'reached', 'unreachable']);
  });

  it('does not fit where the program says what it is told, also with a frame beyond the limit', async () => {
    const text = asking(0, 36, 'if r0 == 0 goto out\nr1 = *(u32 *)(r10 - 4)\nif r1 > 1279 goto out');
    expect(await statuses(text, hook)).toEqual(['reached', 'reached', 'reached', 'reached']);
  });
});

it.each([2, 3])('another device need not be there: %i', async (ifindex) => {
  const text = asking(ifindex, 0, 'if r0 == 0 goto out\nif r0 == 1 goto out');
  for (const hook of ['xdp', 'tc-ingress'] as const)
    expect(await statuses(text, hook)).toEqual(['reached', 'reached', 'reached', 'reached']);
});
