/** Builds that are equal on some kernels, and not on others: as each of them, and for which it holds. */
import { expect, it } from 'vitest';
import type { KernelVersion } from '../../../sim/ebpf/kernel-versions.ts';
import { NO_SOLVER } from '../../../sim/ebpf/symbolic/solver.ts';
import { proveProgram } from '../prove.ts';
import { programOf } from '../test-support/asking-programs.ts';
import { type AgainstProof, proveAgainst } from './against.ts';

const GROWS = 'r2 = 8\ncall bpf_xdp_adjust_tail\nr0 = 2\nexit';
const PASSES = 'r0 = 2\nexit';
const limits = { shortest: 0, longest: 64, mostMetadata: 0 };

const proofOf = (old: string, next: string, asKernel?: KernelVersion): Promise<AgainstProof> =>
  proveAgainst(
    { old: programOf('old', { text: old }), new: programOf('new', { text: next }) },
    { solver: NO_SOLVER, limits, ...(asKernel === undefined ? {} : { asKernel }) },
  );

it('differ where one of them does what only newer kernels do', async () => {
  expect((await proofOf(GROWS, PASSES)).suspects[0]?.what).toBe('the length of the packet');
  const old = await proofOf(GROWS, PASSES, '5.4');
  expect(old).toMatchObject({
    isEqual: true,
    kernels: { helpers: ['bpf_xdp_adjust_tail'], before: '5.8' },
  });
});

it('are equal for the kernels that are like the one that was asked about, and for all where they call nothing that differs', async () => {
  const both = await proofOf(GROWS, `r6 = 1\n${GROWS}`);
  expect(both).toMatchObject({ isEqual: true, kernels: { helpers: ['bpf_xdp_adjust_tail'], from: '5.8' } });
  const none = await proofOf(PASSES, 'r0 = 3\nr0 -= 1\nexit');
  expect([none.isEqual, none.kernels]).toEqual([true, undefined]);
});

it('are confirmed in a machine of that version, as the paths of one program are', async () => {
  const tells = programOf('tells', { text: 'r2 = 8\ncall bpf_xdp_adjust_tail\nr0 += 30\nexit' });
  const actions = async (more: { asKernel?: KernelVersion }): Promise<object> => {
    const { paths } = await proveProgram(tells, { solver: NO_SOLVER, limits, ...more });
    return paths.map(({ confirmed, reason }) => [confirmed, reason]);
  };
  expect(await actions({ asKernel: '5.4' })).toEqual([[true, undefined]]);
  // One of them is of frames that have no room to grow.
  expect(await actions({})).toEqual([
    [true, undefined],
    [true, undefined],
  ]);
});
