/** Frames beyond the limit: what only they reach is reached by them, and never unreachable for that no shorter one does. */
import { describe, expect, it } from 'vitest';
import { NO_SOLVER } from '../../sim/ebpf/symbolic/solver.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { proofAid } from './aid.ts';
import { followPaths } from './paths.ts';
import { proveProgram } from './prove.ts';
import { programOf } from './test-support/asking-programs.ts';

const OPTIONS = { solver: NO_SOLVER, limits: { shortest: 0, longest: 64, mostMetadata: 0 } };

/** Frames of at least so many bytes go on to `then`. */
const from = (bytes: number, then: string): string => `
  r6 = r1
  r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r9 = r7
  r9 += ${bytes}
  if r9 > r8 goto out
  ${then}
  out:
  r0 = 2
  exit`;
const program = (text: string): ReturnType<typeof programOf> => programOf('test', { text });

describe('a way that only longer frames take', () => {
  const UNKNOWN = program(from(600, 'r2 = *(u8 *)(r7 + 500)\nif r2 != 9 goto out\nr0 = 77\nexit'));

  it('is reached, and so is what lies behind it', async () => {
    const { paths, longer, branches } = await followPaths(UNKNOWN, OPTIONS);
    expect((await branches()).map(({ status }) => status)).toEqual(Array(4).fill('reached'));
    expect([paths.length, longer.length]).toEqual([1, 2]);
    for (const { witness } of longer) expect(witness?.stimulus.packet.length).toBeGreaterThanOrEqual(600);
  });

  it('gives packets to others, too', async () => {
    const { cases, impossible, paths } = await proofAid(UNKNOWN, OPTIONS);
    const lengths = cases.map(({ stimuli }) => stimuli[0]!.packet.length);
    expect(impossible).toEqual([]);
    expect(lengths.filter((length) => length >= 600)).toHaveLength(2);
    // No more packets than paths, and as many where each has one.
    expect([cases.length, paths]).toEqual([3, 3]);
    const short = await proofAid(program(from(20, 'r0 = 1\nexit')), OPTIONS);
    expect([short.cases.length, short.paths]).toEqual([2, 2]);
  });

  it('is judged by what it returns', async () => {
    const { properties } = await proveProgram(UNKNOWN, OPTIONS);
    const action = properties.find(({ invariant }) => invariant === 'action/unknown');
    expect(action?.status).toBe('refuted');
  });

  it('is not proved where it changes the frame', async () => {
    const changes = program(from(600, '*(u8 *)(r7 + 599) = 1'));
    const { properties } = await proveProgram(changes, OPTIONS);
    const lengths = properties.find(({ invariant }) => invariant === 'lengths');
    expect(lengths?.status).toBe('undecided');
    expect(lengths?.reason).toBe(
      'frames of more than 64 bytes are changed on a path of their own: --max-length',
    );
  });

  it('is unreachable where no frame is as long as that', async () => {
    const { branches } = await followPaths(program(from(5000, 'r0 = 77\nexit')), OPTIONS);
    expect((await branches()).map(({ status }) => status)).toEqual(['reached', 'unreachable']);
  });

  it('is undecided, with all that lies behind it, where nobody could follow it to its end', async () => {
    const sums = `
      r3 = 0
      r4 = 0
      again:
      r9 = r7
      r9 += r4
      r9 += 1
      if r9 > r8 goto done
      r5 = *(u8 *)(r9 - 1)
      r3 += r5
      r4 += 1
      if r4 < 2000 goto again
      done:
      if r3 != 400000 goto out
      r0 = 77
      exit`;
    const { branches } = await followPaths(program(from(14, sums)), { ...OPTIONS, paths: 100 });
    const last = (await branches()).at(-1);
    expect([last?.status, last?.reason]).toEqual([
      'undecided',
      'frames of more than 64 bytes may go this way',
    ]);
  });
});

describe('a frame that cannot grow', () => {
  it('is one that is nearly as long as can be', async () => {
    const grows = program(
      from(14, 'r1 = r6\nr2 = 64\ncall bpf_xdp_adjust_tail\nif r0 == 0 goto out\nr0 = 1\nexit'),
    );
    const { longer, branches } = await followPaths(grows, OPTIONS);
    expect((await branches()).map(({ status }) => status)).toEqual(Array(4).fill('reached'));
    expect(longer.map(({ confirmed }) => confirmed)).toContain(true);
  });
});

describe('a frame in several buffers', () => {
  const inSection = (section: string, text: string): Program => ({
    name: 'test',
    entries: [{ function: 'main', hook: 'xdp', frags: section === 'xdp.frags' }],
    object: writeElf({ main: text }, [], {}, { section }),
  });
  const statuses = async (section: string, text: string): Promise<string[]> =>
    (await (await followPaths(inSection(section, text), OPTIONS)).branches()).map(({ status }) => status);
  const LONG = 'call bpf_xdp_get_buff_len\nif r0 > 4000 goto out\nr0 = 1\nexit\nout:\nr0 = 2\nexit';

  it('may go where only the length of the whole frame leads', async () => {
    expect(await statuses('xdp.frags', LONG)).toEqual(['undecided', 'reached']);
    // Other programs get none.
    expect(await statuses('xdp', LONG)).toEqual(['unreachable', 'reached']);
  });

  it('leaves nothing proved of what a program does then', async () => {
    const { properties } = await proveProgram(inSection('xdp.frags', LONG), OPTIONS);
    const action = properties.find(({ invariant }) => invariant === 'action/unknown');
    expect([action?.status, action?.reason]).toEqual([
      'undecided',
      'frames of more than 3,520 bytes, which lie in several buffers, were not followed',
    ]);
  });

  it('is like one that fills its first buffer to what looks no further', async () => {
    const text = from(5000, 'r0 = 77\nexit');
    expect(await statuses('xdp.frags', text)).toEqual(['reached', 'unreachable']);
  });
});
