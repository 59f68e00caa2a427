/** Metadata as long as a kernel gives it: what only much of it reaches is reached, and no limit makes a way unreachable. */
import { afterAll, describe, expect, it } from 'vitest';
import { proofAid } from './aid.ts';
import { followPaths, type ProveOptions } from './paths.ts';
import { proveProgram } from './prove.ts';
import { programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

const OPTIONS: ProveOptions = { solver: (await createZ3Solver())! };
afterAll(endZ3);

/** @param ask of a helper, and a jump to `failed` */
const program = (ask: string): ReturnType<typeof programOf> =>
  programOf('test', {
    text: `r6 = r1\n${ask}\nr0 = 2\nexit${ask.includes('failed') ? '\nfailed:\nr0 = 1\nexit' : ''}`,
  });
const meta = (by: number): string => `r1 = r6\nr2 = ${by}\ncall bpf_xdp_adjust_meta`;
const head = (by: number): string => `r1 = r6\nr2 = ${by}\ncall bpf_xdp_adjust_head`;
const statuses = async (text: string, options: ProveOptions = OPTIONS): Promise<string[]> => {
  const { branches } = await followPaths(program(text), options);
  return (await branches()).map(({ status }) => status);
};

describe('what fails since the room in front of a frame is taken', () => {
  it.each([
    ['more metadata', `${meta(-4)}\nif r0 != 0 goto failed`],
    ['a header in front', `${head(-40)}\nif r0 != 0 goto failed`],
    ['a second header', `${head(-8)}\n${head(-8)}\nif r0 != 0 goto failed`],
  ])('is reached: %s', async (_, text) => {
    expect(await statuses(text)).toEqual(['reached', 'reached']);
    expect((await proofAid(program(text), OPTIONS)).impossible).toEqual([]);
  });

  it('is reached on kernels that take 32 bytes of metadata, too', async () => {
    const old = { ...OPTIONS, asKernel: '6.1' } as const;
    expect(await statuses(`${meta(-4)}\nif r0 != 0 goto failed`, old)).toEqual(['reached', 'reached']);
  });

  it('takes no path for each length of the metadata', async () => {
    const write = 'r7 = *(u32 *)(r6 + 8)\nr8 = *(u32 *)(r6 + 0)\nr9 = r7\nr9 += 4\nif r9 > r8 goto failed';
    const text = `${meta(-4)}\nif r0 != 0 goto failed\n${write}\n*(u32 *)(r7 + 0) = 7\n${head(-4)}`;
    const { paths } = await followPaths(program(text), OPTIONS);
    expect(paths.length).toBeLessThan(12);
    const wrong = paths.filter(({ confirmed, witness }) => witness !== undefined && !confirmed);
    expect(wrong).toEqual([]);
  });
});

describe('what no engine here has', () => {
  it('leaves a way open: a driver that takes no metadata', async () => {
    const text = `${meta(-4)}\nif r0 == -524 goto failed`;
    const { branches } = await followPaths(program(text), OPTIONS);
    expect((await branches()).map(({ status, reason }) => [status, reason])).toEqual([
      ['undecided', 'only drivers that take no metadata go this way'],
      ['reached', undefined],
    ]);
    const { impossible, cases, paths } = await proofAid(program(text), OPTIONS);
    expect([impossible, cases.length === paths]).toEqual([[], true]);
  });

  it('leaves a way open: less room in front of the frame', async () => {
    const none = 'r7 = *(u32 *)(r6 + 8)\nr8 = *(u32 *)(r6 + 0)\nif r7 != r8 goto failed';
    const text = `${none}\n${head(-8)}\nif r0 s< -1 goto failed`;
    expect(
      (await statuses(text, { ...OPTIONS, limits: { shortest: 14, longest: 64, mostMetadata: 216 } })).slice(
        2,
      ),
    ).toEqual(['undecided', 'reached']);
  });

  it('does not keep what never comes from being unreachable', async () => {
    expect(await statuses(`${head(4)}\nif r0 == -13 goto failed`)).toEqual(['unreachable', 'reached']);
    expect(await statuses(`${meta(-4)}\nif r0 s> 0 goto failed`)).toEqual(['unreachable', 'reached']);
  });
});

it('names the limit of what it assumes, where a program can see it', async () => {
  const assumptions = async (text: string): Promise<readonly string[]> =>
    (await proveProgram(program(text), OPTIONS)).assumptions;
  expect(await assumptions(meta(-4))).toContain('metadata has at most 216 bytes');
  expect(await assumptions('r7 = *(u32 *)(r6 + 8)')).toContain('metadata has at most 216 bytes');
  expect((await assumptions('r0 = 0')).filter((one) => one.includes('metadata'))).toEqual([]);
});
