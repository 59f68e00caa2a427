/** Frames that no kernel gives a program: what becomes of them is no fault. */
import { expect, it } from 'vitest';
import { NO_SOLVER } from '../../sim/ebpf/symbolic/solver.ts';
import { proveProgram } from './prove.ts';
import { programOf } from './test-support/asking-programs.ts';

/** Frames of fewer bytes than this are answered with an action that there is not. */
const below = (bytes: number): ReturnType<typeof programOf> =>
  programOf('test', {
    text: `r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr9 = r7\nr9 += ${bytes}\nif r9 > r8 goto short
      r0 = 2\nexit\nshort:\nr0 = 77\nexit`,
  });
const SAID = 'no frame is shorter than 14 bytes where it is said what leaves or is returned';
const proved = async (bytes: number): Promise<unknown[]> => {
  const { properties, assumptions } = await proveProgram(below(bytes), { solver: NO_SOLVER });
  const action = properties.find(({ invariant }) => invariant === 'action/unknown');
  return [action?.status ?? 'none', assumptions.includes(SAID)];
};

it('are below 14 bytes', async () => {
  expect(await proved(14)).toEqual(['proved', true]);
  expect(await proved(15)).toEqual(['refuted', false]);
});
