/** What a proof knows of room that a program has given away itself, and of clocks that it reads twice. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { type ProgramProof, proveProgram } from './prove.ts';
import { frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

const END = 'r0 = 2\nexit\nout:\nr0 = 1\nexit';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

function proofOf(text: string): Promise<ProgramProof> {
  const limits = { shortest: 0, longest: 41, mostMetadata: 4 };
  return proveProgram(programOf('program', { text: `${text}\n${END}` }), { solver, limits });
}

/** What becomes of the jumps to `out` behind those of the frame's length, in the order of the text. */
async function ways(text: string): Promise<string[]> {
  const { branches } = await proofOf(`${frame(40)}\n${text}`);
  return branches
    .filter(({ taken }) => taken)
    .map(({ status }) => status)
    .slice(1);
}

describe('the room in front of a frame', () => {
  const move = (what: string, by: number): string =>
    `r1 = r6\nr2 = ${by}\ncall bpf_xdp_adjust_${what}\nif r0 != 0 goto out`;
  const ROOM = 'there are 256 bytes of room in front of the frame';

  it('is enough for what the program has cut off itself, and may not be for more', async () => {
    expect(await ways(`${move('head', 8)}\n${move('head', -4)}\n${move('head', -4)}`)).toEqual([
      'unreachable',
      'unreachable',
      'unreachable',
    ]);
    expect(await ways(`${move('head', 8)}\n${move('head', -8)}\n${move('head', -4)}`)).toEqual([
      'unreachable',
      'unreachable',
      'undecided',
    ]);
    expect(await ways(`${move('head', 8)}\n${move('head', -12)}`)).toEqual(['unreachable', 'undecided']);
    expect(await ways(move('head', -4))).toEqual(['undecided']);
  });

  it('is taken for granted only where there was none before', async () => {
    expect((await proofOf(`r6 = r1\n${move('head', 8)}\n${move('head', -8)}`)).assumptions).not.toContain(
      ROOM,
    );
    expect((await proofOf(`r6 = r1\n${move('head', 8)}\n${move('head', -9)}`)).assumptions).toContain(ROOM);
  });

  it('was there where it has been found once', async () => {
    expect(await ways(`${move('head', -16)}\n${move('head', 16)}\n${move('head', -12)}`)).toEqual([
      'undecided',
      'unreachable',
      'unreachable',
    ]);
    // Metadata lies in it, too, and moves along.
    expect(await ways(`${move('head', 4)}\n${move('meta', -4)}\n${move('head', -4)}`)).toEqual([
      'unreachable',
      'undecided',
      'undecided',
    ]);
  });
});

describe('a clock that is read twice', () => {
  const twice = (first: string, second: string): string => `call bpf_${first}\nr9 = r0\ncall bpf_${second}
    if r0 < r9 goto out`;

  it.each(['ktime_get_ns', 'ktime_get_boot_ns', 'ktime_get_coarse_ns', 'jiffies64'])(
    '%s never goes back',
    async (clock) => {
      expect(await ways(twice(clock, clock))).toEqual(['unreachable']);
      const later = `call bpf_${clock}\nr9 = r0\ncall bpf_${clock}\nif r0 == r9 goto out`;
      expect(await ways(later)).toEqual(['reached']);
    },
  );

  it('says nothing of another one, and the one that is set says nothing of itself', async () => {
    expect(await ways(twice('ktime_get_ns', 'ktime_get_boot_ns'))).not.toEqual(['unreachable']);
    expect(await ways(twice('ktime_get_tai_ns', 'ktime_get_tai_ns'))).not.toEqual(['unreachable']);
  });
});
