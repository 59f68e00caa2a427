/** Which sequences of instructions lose an update, and which do not, as small programs on the value of a map. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { type WrittenData, writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { lostUpdates } from './lost-updates.ts';

/** r0 = a value of the map, r6 = the context. */
const LOOKUP = `r6 = r1
  *(u32 *)(r10 - 4) = 0
  r1 = map[counts]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto out`;
/** Where the first instruction behind `LOOKUP` stands. */
const FIRST = 8;
const END = `goto out
  out:
  r0 = 2
  exit`;
const LOST = `r1 = *(u64 *)(r0 + 0)
  r1 += 1
  *(u64 *)(r0 + 0) = r1`;

function programOf(
  text: string,
  maps: readonly BpfMap[],
  hooks: readonly Hook[] = ['xdp'],
  data: WrittenData = {},
): Program {
  const entries = hooks.map((hook) => ({ function: 'main', hook }));
  return { name: 'p', entries, object: writeElf({ main: text }, maps, data) };
}

const ofType = (type: MapType): BpfMap => testMap('counts', type, { valueSize: 32 });

/** Instructions that lose an update, counted from the first behind the lookup. */
function lostBy(body: string, map: BpfMap = ofType('HASH'), hooks?: readonly Hook[]): number[] {
  return lostUpdates(programOf([LOOKUP, body, END].join('\n'), [map], hooks)).map(
    ({ summary }) => Number(/\(instruction (\d+)\)$/.exec(summary)?.[1]) - FIRST,
  );
}

describe('an update is lost', () => {
  it.each<[what: string, body: string, at: number]>([
    ['that adds a constant', LOST, 2],
    ['of 32 bits', LOST.replaceAll('u64', 'u32').replace('r1 += 1', 'w1 += 1'), 2],
    ['of 16 bits', LOST.replaceAll('u64', 'u16'), 2],
    ['of a byte', LOST.replaceAll('u64', 'u8'), 2],
    ['behind the first field', LOST.replaceAll('+ 0)', '+ 24)'), 2],
    ['that takes a register away', LOST.replace('r1 += 1', 'r1 -= r6'), 2],
    ['that adds a register', LOST.replace('r1 += 1', 'r1 += r6'), 2],
    ['that is added to an amount', 'r2 = 5\n r1 = *(u64 *)(r0 + 8)\n r2 += r1\n *(u64 *)(r0 + 8) = r2', 3],
    [
      'that is added to in another register',
      `${LOST.split('\n')[0]}\n r2 = r1\n r2 += 1\n *(u64 *)(r0 + 0) = r2`,
      3,
    ],
    [
      'that is moved once it was added to',
      `${LOST.split('\n')[0]}\n r1 += 1\n r2 = r1\n *(u64 *)(r0 + 0) = r2`,
      3,
    ],
    ['that is added to twice', LOST.replace('r1 += 1', 'r1 += 1\n r1 += 2'), 3],
    [
      'with other registers set meanwhile',
      LOST.replace('r1 += 1', 'r3 = 7\n r4 = 9 ll\n r5 = *(u64 *)(r0 + 8)\n r1 += 1'),
      6,
    ],
    ['with another jump before', `if r6 == 5 goto out\n ${LOST}`, 3],
    ['on one side of a jump', LOST.replace('r1 += 1', 'r1 += 1\n if r1 == 5 goto out'), 3],
    ['through another register', `r7 = r0\n ${LOST.replaceAll('r0', 'r7')}`, 3],
    ['whose pointer goes by another name', `r7 = r0\n ${LOST.replace('(r0 + 0) = r1', '(r7 + 0) = r1')}`, 3],
    [
      'whose pointer goes by another name, and further on',
      `r7 = r0\n r7 += 8\n ${LOST.replace('u64 *)(r0 + 0)', 'u64 *)(r0 + 8)').replace('(r0 + 0) = r1', '(r7 + 0) = r1')}`,
      4,
    ],
    [
      'whose pointer was put aside',
      `*(u64 *)(r10 - 16) = r0\n ${LOST.replace('r1 += 1', 'r1 += 1\n r0 = *(u64 *)(r10 - 16)')}`,
      4,
    ],
    [
      'that is put aside before it is added to',
      LOST.replace('r1 += 1', '*(u64 *)(r10 - 16) = r1\n r1 = 7\n r1 = *(u64 *)(r10 - 16)\n r1 += 1'),
      5,
    ],
    [
      'that is put aside behind the addition',
      LOST.replace('r1 += 1', 'r1 += 1\n *(u64 *)(r10 - 16) = r1\n r2 = *(u64 *)(r10 - 16)')
        .replace('= r1', '= r1')
        .replace(/r1$/, 'r2'),
      4,
    ],
    [
      'whose pointers differ where ways meet',
      `r7 = r0\n if r6 == 5 goto join\n r7 += 8\n join:\n ${LOST.replaceAll('r0', 'r7')}`,
      5,
    ],
    [
      'that was loaded before ways meet, each through its pointer',
      `r7 = r0\n if r6 == 5 goto one\n r7 += 8\n r1 = *(u64 *)(r7 + 0)\n goto join\n one:\n r1 = *(u64 *)(r7 + 0)\n join:\n r1 += 1\n *(u64 *)(r7 + 0) = r1`,
      7,
    ],
    ['that is clamped', LOST.replace('r1 += 1', 'r1 += r6\n if r1 < 9 goto join\n r1 = 9\n join:'), 4],
    [
      'that gives way to what is greater',
      `r7 = r6\n ${LOST.replace('+= 1', '+= 1\n if r7 > r1 goto join\n r7 = r1\n join:').replace('= r1', '= r7')}`,
      5,
    ],
    [
      'of 32 bits that is compared, and clamped',
      LOST.replaceAll('u64', 'u32').replace(
        'r1 += 1',
        'r1 += 1\n r1 <<= 32\n r1 >>= 32\n if r1 < 9 goto join\n r1 = 9\n join:',
      ),
      6,
    ],
    ['that is one way only', LOST.replace('r1 += 1', 'if r6 == 5 goto join\n r1 += 1\n join:'), 3],
    [
      'that goes round',
      LOST.replace('r1 += 1', 'r2 = 0\n again:\n r1 += 1\n r2 += 1\n if r2 < 4 goto again'),
      5,
    ],
    [
      'behind a jump back',
      `goto first\n join:\n *(u64 *)(r0 + 0) = r1\n goto out\n first:\n ${LOST.split('\n').slice(0, 2).join('\n')}\n goto join`,
      1,
    ],
    [
      'behind a long jump',
      `${LOST.split('\n').slice(0, 2).join('\n')}\n if r6 == 5 goto other\n join:\n *(u64 *)(r0 + 0) = r1\n goto out\n other:\n gotol join`,
      3,
    ],
    [
      'behind a wide constant that one way has',
      LOST.replace('r1 += 1', 'r1 += 1\n if r6 != 5 goto join\n r3 = 5 ll\n join:'),
      5,
    ],
    [
      'across a call',
      `r7 = r0\n r8 = *(u64 *)(r7 + 0)\n call bpf_ktime_get_ns\n r8 += r0\n *(u64 *)(r7 + 0) = r8`,
      4,
    ],
    [
      'that was loaded before the lock',
      `r7 = r0\n r8 = *(u64 *)(r7 + 0)\n r1 = r7\n call 93\n r8 += 1\n *(u64 *)(r7 + 0) = r8\n r1 = r7\n call 94`,
      5,
    ],
    [
      'that is stored behind the lock',
      `r7 = r0\n r1 = r7\n call 93\n r8 = *(u64 *)(r7 + 0)\n r1 = r7\n call 94\n r8 += 1\n *(u64 *)(r7 + 0) = r8`,
      7,
    ],
    [
      'where another way has unlocked and left',
      `r7 = r0\n r1 = r7\n call 93\n if r6 == 5 goto on\n r1 = r7\n call 94\n goto out\n on:\n r1 = r7\n call 94\n ${LOST.replaceAll('r0', 'r7')}`,
      11,
    ],
    [
      'behind a stretch under a lock',
      `r7 = r0\n r1 = r7\n call 93\n r1 = r7\n call 94\n ${LOST.replaceAll('r0', 'r7')}`,
      7,
    ],
  ])('%s', (_what, body, at) => {
    expect(lostBy(body)).toEqual([at]);
  });

  it('in a function that is called', () => {
    const body = `r7 = r1\n r1 = r0\n call own\n goto out`;
    const own = `own:\n r7 = r1\n r2 = *(u64 *)(r7 + 0)\n r2 += 1\n *(u64 *)(r7 + 0) = r2\n exit`;
    const text = [LOOKUP, body, END, own].join('\n');
    const found = lostUpdates(programOf(text, [ofType('HASH')]));
    expect(found.map(({ summary }) => /\(instruction (\d+)\)$/.exec(summary)?.[1])).toEqual([
      `${FIRST + 10}`,
    ]);
  });

  it('twice where there are two', () => {
    expect(lostBy(`${LOST}\n ${LOST.replaceAll('+ 0)', '+ 8)')}`)).toEqual([2, 5]);
  });
});

describe('no update is lost', () => {
  const [load, add, store] = LOST.split('\n') as [string, string, string];
  it.each<[what: string, ...lines: string[]]>([
    ['where the store goes to another place', load, add, '*(u64 *)(r0 + 8) = r1'],
    ['where the store has another size', load, add, '*(u32 *)(r0 + 0) = r1'],
    ['where nothing is added', load, store],
    ['where something else is done to it', load, 'r1 ^= 1', store],
    ['where something else is done to it in between', load, add, 'r1 ^= 1', store],
    ['where another register is stored', 'r2 = 4', load, add, '*(u64 *)(r0 + 0) = r2'],
    ['where a constant is stored', load, add, '*(u64 *)(r0 + 0) = 1'],
    ['where the register was set anew', load, add, 'r1 = 5', store],
    ['where the register was set anew, to 64 bits', load, add, 'r1 = 5 ll', store],
    ['where the register was moved into', load, add, 'r1 = r6', store],
    ['where the amount is a register that was loaded from elsewhere', 'r1 = *(u32 *)(r6 + 0)', add, store],
    ['where it was loaded from the stack', load, 'r1 = *(u32 *)(r10 - 4)', add, store],
    ['where it is an addition in one step', load, add, 'lock *(u64 *)(r0 + 0) += r1'],
    ['where it was loaded with its sign', load.replace('u64', 's32'), add, store.replace('u64', 'u32')],
    [
      'where what was put aside is written over',
      '*(u64 *)(r10 - 16) = r0',
      load,
      add,
      '*(u64 *)(r10 - 16) = r6',
      'r0 = *(u64 *)(r10 - 16)',
      store,
    ],
    [
      'where a part of what was put aside is written over',
      load,
      add,
      '*(u64 *)(r10 - 16) = r1',
      '*(u8 *)(r10 - 9) = r6',
      'r1 = *(u64 *)(r10 - 16)',
      store,
    ],
    ['where another part is loaded', load, add, '*(u64 *)(r10 - 16) = r1', 'r1 = *(u32 *)(r10 - 12)', store],
    [
      'where the pointer moves on in a loop',
      'r7 = r0',
      'r8 = 0',
      'r1 = 0',
      'again:',
      '*(u64 *)(r7 + 0) = r1',
      'r1 = *(u64 *)(r7 + 0)',
      'r1 += 1',
      'r7 += 8',
      'r8 += 1',
      'if r8 < 2 goto again',
    ],
    ['where the pointer has moved', load, add, 'r0 += 8', store],
    ['where the pointer has moved before the addition', load, 'r0 += 8', add, store],
    ['where the pointer is another one', load, add, 'r0 = r6', store],
    ['where the pointer was loaded', load, add, 'r0 = *(u64 *)(r10 - 16)', store],
    ['where the pointer is a constant', load, add, 'r0 = 9 ll', store],
    [
      'where what is loaded overwrites its pointer',
      'r0 = *(u64 *)(r0 + 0)',
      'r0 += 1',
      '*(u64 *)(r0 + 0) = r0',
    ],
    ['where the sum overwrites the pointer', load, 'r0 += r1', '*(u64 *)(r0 + 0) = r0'],
    [
      'across a call that overwrites the pointer',
      'r8 = *(u64 *)(r0 + 0)',
      'r8 += 1',
      'call bpf_ktime_get_ns',
      'r0 = r6',
      '*(u64 *)(r0 + 0) = r8',
    ],
    [
      'across a call that overwrites the sum',
      'r7 = r0',
      'r1 = *(u64 *)(r7 + 0)',
      'r1 += 1',
      'call bpf_ktime_get_ns',
      'r1 = r6',
      '*(u64 *)(r7 + 0) = r1',
    ],
    [
      'under a lock',
      'r7 = r0',
      'r1 = r7',
      'call 93',
      load.replace('r0', 'r7'),
      add,
      store.replace('r0', 'r7'),
      'r1 = r7',
      'call 94',
    ],
    [
      'where the sum is gone on all ways that come together',
      load,
      add,
      'r2 = 7',
      'if r6 == 5 goto join',
      'r2 = r1',
      'r2 ^= 1',
      'join:',
      '*(u64 *)(r0 + 0) = r2',
    ],
    [
      'where the sum is on the way that stores nothing',
      load,
      'if r6 == 5 goto join',
      add,
      'if r1 == 7 goto out',
      'goto out',
      'join:',
      store,
    ],
    [
      'where the pointer is another one on the way with the sum',
      'r7 = r0',
      load.replace('r0', 'r7'),
      'if r6 == 5 goto join',
      add,
      'r7 += 8',
      'join:',
      store.replace('r0', 'r7'),
    ],
    ['where the greater one is kept', load, 'if r1 > r6 goto join', 'r1 = r6', 'join:', store],
    [
      'where all ways lead from a lock',
      'r7 = r0',
      'r1 = r7',
      'call 93',
      load.replace('r0', 'r7'),
      add,
      'if r1 < 9 goto join',
      'r1 = 9',
      'join:',
      store.replace('r0', 'r7'),
      'r1 = r7',
      'call 94',
    ],
    ['where the upper half is what is left', load, add, 'r1 <<= 32', 'r1 >>= 32', store],
    ['where an atomic operation overwrites the sum', load, add, 'r1 = fetch_add *(u64 *)(r0 + 8)', store],
  ])('%s', (_what, ...lines) => {
    expect(lostBy(lines.join('\n'))).toEqual([]);
  });

  it.each<MapType>(['ARRAY', 'HASH', 'LRU_HASH', 'LPM_TRIE'])('but in maps that CPUs share: %s', (type) => {
    expect(lostBy(LOST, ofType(type))).toEqual([2]);
  });

  it.each<MapType>(['PERCPU_ARRAY', 'PERCPU_HASH', 'LRU_PERCPU_HASH'])('in a map of each CPU: %s', (type) => {
    expect(lostBy(LOST, ofType(type))).toEqual([]);
  });
});

describe('a slot of the running CPU', () => {
  const cpu = 'call bpf_get_smp_processor_id\n r0 &= 3';
  const keyed = (key: string): string =>
    `${cpu}\n r1 = 0\n *(u32 *)(r10 - 8) = ${key}\n r1 = map[counts]\n r2 = r10\n r2 += -8
    call bpf_map_lookup_elem\n if r0 == 0 goto out\n ${LOST}`;

  it('loses nothing, whether its number is the key or an index', () => {
    expect(lostBy(keyed('r0'))).toEqual([]);
    expect(lostBy(`r7 = r0\n ${cpu}\n r0 <<= 3\n r7 += r0\n ${LOST.replaceAll('r0', 'r7')}`)).toEqual([]);
  });

  it('is none where something else is the key, or the pointer was there before', () => {
    expect(lostBy(keyed('r1'))).toEqual([12]);
    // The number was the key until something else was written over it.
    const low = keyed('r0').replace('- 8) = r0', '- 4) = r0').replace('+= -8', '+= -4');
    const over = (at: number): string => low.replace('r1 = map', `*(u64 *)(r10 - ${at}) = 7\n r1 = map`);
    expect(lostBy(over(8))).toEqual([13]);
    expect(lostBy(over(16))).toEqual([]);
    const filled = 'r1 = r6\n r2 = 0\n r3 = r10\n r3 += -8\n r4 = 4\n call bpf_skb_load_bytes\n r1 = map';
    expect(lostBy(keyed('r0').replace('r1 = map', filled), undefined, ['tc-ingress'])).toEqual([18]);
    const beside = filled.replace('r3 += -8', 'r3 += -16');
    expect(lostBy(keyed('r0').replace('r1 = map', beside), undefined, ['tc-ingress'])).toEqual([]);
    // Two CPUs may come to the same slot.
    expect(lostBy(keyed('r0').replace('r1 = 0', 'r0 ^= r6'))).toEqual([12]);
    expect(lostBy(`r7 = r0\n ${cpu}\n ${LOST.replaceAll('r0', 'r7')}`)).toEqual([5]);
  });
});

describe('a slot of the receive queue', () => {
  const by = (body: string, hook: Hook = 'xdp'): (readonly [string, boolean])[] =>
    lostUpdates(programOf([LOOKUP, body, END].join('\n'), [ofType('ARRAY')], [hook])).map(
      ({ severity, summary }) => [severity, summary.includes('serves a receive queue')] as const,
    );
  const keyed = (queue: string): string =>
    `${queue}\n *(u32 *)(r10 - 8) = r7\n r1 = map[counts]\n r2 = r10\n r2 += -8
    call bpf_map_lookup_elem\n if r0 == 0 goto out\n ${LOST}`;
  const QUEUE = 'r7 = *(u32 *)(r6 + 16)';

  it('is a note, which says when two CPUs are there at once', () => {
    expect(by(keyed(QUEUE))).toEqual([['info', true]]);
    expect(by(keyed(`${QUEUE}\n r7 <<= 1\n r7 += 1`))).toEqual([['info', true]]);
  });

  it('is none where the key is another field, or more than the queue, or at TC', () => {
    expect(by(keyed('r7 = *(u32 *)(r6 + 12)'))).toEqual([['warning', false]]);
    expect(by(keyed(`${QUEUE}\n r8 = 5\n r7 ^= r8`))).toEqual([['warning', false]]);
    expect(by(keyed(QUEUE), 'tc-ingress')).toEqual([['warning', false]]);
  });

  it('is nothing where the CPU has a place there', () => {
    const both = `${QUEUE}\n call bpf_get_smp_processor_id\n r7 <<= 8\n r7 += r0`;
    expect(by(keyed(both))).toEqual([]);
  });
});

describe('what is said of it', () => {
  const shared = ofType('ARRAY');

  it('is a warning that names the program, the map and the instruction', () => {
    expect(lostUpdates(programOf([LOOKUP, LOST, END].join('\n'), [shared]))).toEqual([
      {
        invariant: 'counter/lost-update',
        severity: 'warning',
        summary:
          'p: counter/lost-update: a value of map counts is loaded, added to and stored, without an atomic operation (instruction 10)',
        confirmedBy: [],
      },
    ]);
  });

  it('says of a lock that it came too late', () => {
    const body = `r7 = r0\n r8 = *(u64 *)(r7 + 0)\n r1 = r7\n call 93\n r8 += 1\n *(u64 *)(r7 + 0) = r8\n r1 = r7\n call 94`;
    const [found] = lostUpdates(programOf([LOOKUP, body, END].join('\n'), [shared]));
    expect(found?.summary).toContain(
      'a value of map counts is loaded before the lock is taken, and stored with what was added under it (',
    );
  });

  it('says of a global variable that it is one', () => {
    const text = `r0 = map[.bss]+0\n ${LOST}\n r0 = 2\n exit`;
    const data = { '.bss': { seen: [0, 0, 0, 0, 0, 0, 0, 0] } };
    const [found, ...others] = lostUpdates(programOf(text, [], ['xdp'], data));
    expect(others).toEqual([]);
    expect(found?.summary).toMatch(/: a global variable \(.*\.bss\) is loaded, .*\(instruction 4\)$/);
  });

  it('is said once where two hooks run the same function, at each', () => {
    expect(lostBy(LOST, shared, ['xdp', 'tc-ingress'])).toEqual([2]);
    expect(lostBy(LOST, shared, ['tc-ingress'])).toEqual([2]);
  });

  it('is found in what the program tail-calls, unless that is tested by itself', () => {
    const jumps = testMap('jumps', 'PROG_ARRAY');
    const jump = 'r2 = map[jumps]\n r3 = 0\n call bpf_tail_call\n r0 = 2\n exit';
    const object = writeElf({ main: jump, next: [LOOKUP, LOST, END].join('\n') }, [shared, jumps]);
    const program: Program = { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
    expect(lostUpdates(program)).toEqual([]);
    const slots = { jumps: [{ key: new Uint8Array(4), name: 'next' }] };
    const worlds = [{ name: 'stated', world: { slots } }];
    expect(lostUpdates(program, { worlds }).map(({ summary }) => summary)).toEqual([
      expect.stringMatching(/: in next, which it tail-calls, a value of map counts is loaded/),
    ]);
    expect(lostUpdates(program, { worlds, testedApart: new Set(['next']) })).toEqual([]);
  });

  it('is nothing without an object, of one that cannot be read, or where it has no such function', () => {
    const program = programOf([LOOKUP, LOST, END].join('\n'), [shared]);
    const { object: _, ...none } = program;
    expect(lostUpdates(none)).toEqual([]);
    expect(lostUpdates({ ...program, object: program.object!.subarray(0, 70) })).toEqual([]);
    expect(lostUpdates({ ...program, entries: [{ function: 'other', hook: 'xdp' }] })).toEqual([]);
    const both = [{ function: 'other', hook: 'xdp' } as const, ...program.entries];
    expect(lostUpdates({ ...program, entries: both }).length).toBe(1);
  });
});
