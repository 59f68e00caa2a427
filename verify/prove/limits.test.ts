/** Where a proof ends before it is through: by time, by number, or since somebody ends it; and what it says then. */
import { describe, expect, it } from 'vitest';
import { NO_SOLVER } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { proveAgainst } from './against/against.ts';
import { proofAid } from './aid.ts';
import { followPaths } from './paths.ts';
import { proveProgram } from './prove.ts';
import { frame, programOf } from './test-support/asking-programs.ts';

const LIMITS = { shortest: 0, longest: 30, mostMetadata: 0 };
/** Four paths, over three jumps. */
const PROGRAM = programOf('test', {
  text: `${frame(20)}
    r1 = *(u8 *)(r7 + 14)
    if r1 == 5 goto out
    r1 = *(u8 *)(r7 + 15)
    if r1 > 9 goto out
    r0 = 2
    exit
    out:
    r0 = 1
    exit`,
});
const OPTIONS = { solver: NO_SOLVER, limits: LIMITS };

/** A clock that goes on by so many milliseconds each time that somebody looks. */
function clock(step: number): () => number {
  let time = 0;
  return () => {
    time += step;
    return time;
  };
}

describe('following paths', () => {
  it('comes to their ends, and reaches every way that they take', async () => {
    const { paths, cut, doubt, reached, branches } = await followPaths(PROGRAM, {
      ...OPTIONS,
      now: clock(1),
    });
    expect([paths.length, cut, doubt, reached]).toEqual([4, undefined, undefined, 6]);
    expect((await branches()).map(({ status }) => status)).toEqual(Array(6).fill('reached'));
  });

  it('ends after a minute, or after the time that it is given', async () => {
    const slow = await followPaths(PROGRAM, { ...OPTIONS, now: clock(30_000) });
    expect([slow.cut, slow.doubt]).toEqual([
      'the time was up',
      'not every path was followed: the time was up',
    ]);
    expect(
      (await followPaths(PROGRAM, { ...OPTIONS, now: clock(30_000), time: 10_000_000 })).cut,
    ).toBeUndefined();
    expect((await followPaths(PROGRAM, { ...OPTIONS, now: clock(1_000) })).cut).toBeUndefined();
    expect((await followPaths(PROGRAM, { ...OPTIONS, now: clock(1_000), time: 2_000 })).cut).toBe(
      'the time was up',
    );
  });

  it('ends after so many paths, and leaves ways open that none has shown', async () => {
    const { paths, doubt, branches } = await followPaths(PROGRAM, { ...OPTIONS, paths: 2 });
    expect([paths.length, doubt]).toEqual([2, 'not every path was followed: after 2 paths']);
    const open = (await branches()).filter(({ status }) => status === 'undecided');
    expect(open.length).toBeGreaterThan(0);
    for (const { reason } of open) expect(reason).toBe(doubt);
  });

  it('ends where somebody says so', async () => {
    const { paths, cut } = await followPaths(PROGRAM, { ...OPTIONS, stopped: () => true });
    expect([paths.length, cut]).toEqual([0, 'it was interrupted']);
  });

  it('doubts everything where a path could not be followed', async () => {
    const text = 'r1 = map[ports]\nr2 = 0\nr3 = 8\ncall bpf_redirect_map\nexit';
    const program = programOf('broadcast', { text, maps: [testMap('ports', 'DEVMAP')] });
    const { doubt, paths } = await followPaths(program, OPTIONS);
    expect(paths).toHaveLength(1);
    expect(doubt).toBe('a path ends before the program does: a redirect to all devices of a map');
  });
});

describe('proving properties', () => {
  it('says how far it is, and how long it took', async () => {
    const seen: string[] = [];
    let looks = 0;
    const { seconds } = await proveProgram(PROGRAM, {
      ...{ ...OPTIONS, now: () => 1_000 * ++looks, time: 1_000_000 },
      onProgress: ({ paths, waiting, reached }) => seen.push(`${paths} ${waiting} ${reached}`),
    });
    expect(seen).toEqual(['4 3 6', '4 2 6', '4 1 6', '4 0 6']);
    // From the first look at the clock behind that for the end to the last.
    expect(seconds).toBe(looks - 2);
  });

  it('ends when its time is up, and leaves open what it did not come to', async () => {
    let time = 0;
    const options = {
      ...OPTIONS,
      now: () => time,
      onProgress: () => {
        time += 40_000;
      },
    };
    const statuses = async (more: object) => {
      time = 0;
      const { properties } = await proveProgram(PROGRAM, { ...options, ...more });
      return [...new Set(properties.map(({ status, reason }) => `${status} ${reason}`))];
    };
    expect(await statuses({})).toEqual(['undecided 1 path was not judged: the time was up']);
    expect(await statuses({ time: 200_000 })).toEqual(['proved undefined']);
    expect(await statuses({ time: 10_000 })).toEqual(['undecided 3 paths were not judged: the time was up']);
  });

  it('is of those that are asked for', async () => {
    const { properties } = await proveProgram(PROGRAM, {
      ...OPTIONS,
      isOn: (name) => name.startsWith('uninitialized'),
    });
    expect(properties.map(({ invariant }) => invariant)).toEqual([
      'uninitialized/decision',
      'uninitialized/frame',
    ]);
  });
});

describe('two builds', () => {
  const pair = { old: PROGRAM, new: PROGRAM };

  it('are equal where each of their paths is, and say how long it took', async () => {
    const progress: string[] = [];
    const onProgress = ({ paths, pairs }: { paths: number; pairs: number }) =>
      progress.push(`${paths} ${pairs}`);
    const proof = await proveAgainst(pair, { ...OPTIONS, now: clock(1_000), time: 10_000_000, onProgress });
    const { isEqual, suspects, open, paths, pairs, seconds } = proof;
    expect([isEqual, suspects, open, paths, pairs]).toEqual([true, [], undefined, 4, 4]);
    expect(Number.isInteger(seconds) && seconds > 10).toBe(true);
    // Once more for frames beyond the limit.
    expect(progress).toEqual([...Array(2)].flatMap(() => ['1 1', '2 2', '3 3', '4 4']));
  });

  it('are open where the proof ends before', async () => {
    const late = 'not every path was followed: the time was up';
    const { isEqual, open } = await proveAgainst(pair, { ...OPTIONS, now: clock(30_000) });
    expect([isEqual, open]).toEqual([false, late]);
    expect((await proveAgainst(pair, { ...OPTIONS, paths: 2 })).open).toBe(
      'not every path was followed: after 2 paths',
    );
    const ended = await proveAgainst(pair, { ...OPTIONS, stopped: () => true });
    expect([ended.isEqual, ended.open]).toEqual([false, 'not every path was followed: it was interrupted']);
  });
});

describe('packets of paths for other commands', () => {
  it('are one for each path, with its condition', async () => {
    const { cases, paths, beyond, impossible, doubt } = await proofAid(PROGRAM, OPTIONS);
    expect({ paths, beyond, impossible, doubt }).toEqual({
      paths: 4,
      beyond: 0,
      impossible: [],
      doubt: undefined,
    });
    const notes = cases.map(({ note }) => note!.kept![0]!);
    expect(notes.sort()).toEqual([
      'frame.len < 20',
      'frame.len >= 20 && frame[14] != 5 && frame[15] < 10',
      'frame.len >= 20 && frame[14] != 5 && frame[15] >= 10',
      'frame.len >= 20 && frame[14] == 5',
    ]);
    for (const one of cases) expect([one.program, one.stimuli.length, one.world]).toEqual(['test', 1, {}]);
    const simple = await proofAid(programOf('pass', { text: 'r0 = 2\nexit' }), OPTIONS);
    expect(simple.cases.map(({ note }) => note!.kept)).toEqual([['always']]);
  });

  it('share the time that there is', async () => {
    const entries = [PROGRAM.entries[0]!, { ...PROGRAM.entries[0]!, frags: true }];
    const { doubt } = await proofAid({ ...PROGRAM, entries }, { ...OPTIONS, now: clock(1_000), time: 3_000 });
    expect(doubt).toBe('not every path was followed: the time was up');
    expect((await proofAid(PROGRAM, { ...OPTIONS, now: clock(1_000), time: 900_000 })).doubt).toBeUndefined();
  });
});
