/**
 * The contract of a WebAssembly twin: it does what its helper does. Every twin is run beside the imported function and the
 * interpreter, over arguments at the boundaries of what the helper looks at. A twin without cases here fails.
 */
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../packet/packet-batch.ts';
import type { MapType } from '../../runtime/maps.ts';
import type { World } from '../../runtime/world.ts';
import type { BpfMap } from '../bpf-object.ts';
import { MAX_LOOPS, MAX_TAIL_CALLS } from '../limits.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { comparable, compileAndRun, interpret, type RunDetails } from '../test-support/run-both.ts';
import { HELPERS } from './index.ts';
import { TWINS } from './twins.ts';

interface TwinCase extends Pick<RunDetails, 'budget'> {
  readonly about: string;
  readonly programs: string | Readonly<Record<string, string>>;
  readonly maps?: readonly BpfMap[];
  readonly world?: World;
  /** What the packets hold: numbers of 64 bits, each in its eight bytes. Default: one packet of zeros. */
  readonly arguments?: readonly (readonly (number | bigint)[])[];
  /** Bytes of packets, and of metadata in front of them. */
  readonly lengths?: readonly number[];
  readonly metadata?: readonly number[];
}

/** Where `call` leaves r0 in the packet. */
const RESULT = 56;
const LENGTH = 64;

/** Arguments are at r7, the context in r6, and there are 64 bytes; r0 is noted in the last eight. */
function call(body: string): string {
  return `
    r6 = r1
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = 1
    r2 = r7
    r2 += ${LENGTH}
    if r2 > r8 goto out
    ${body}
    *(u64 *)(r7 + ${RESULT}) = r0
    r0 = 2
    out:
    exit`;
}

const U32 = [0, 1, 2, 3, 4, 5, 6, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
const U64 = [...U32.map((one) => BigInt(one)), 1n << 32n, (1n << 32n) + 1n, 1n << 63n, (1n << 64n) - 1n];

/** Copies `size` bytes from `from` in the packet to `to` from r10. */
function copy(from: number, to: number, size: number): string {
  const lines: string[] = [];
  for (let at = 0; at < size; at++)
    lines.push(`r1 = *(u8 *)(r7 + ${from + at})`, `*(u8 *)(r10 - ${-to - at}) = r1`);
  return lines.join('\n');
}

/** Looks up the key at the packet's begin, writes to what it finds, and asks for the old value. */
function lookup(keySize: number): string {
  return call(`
    ${copy(0, -64, keySize)}
    r1 = map[m]
    r2 = r10
    r2 += -64
    call bpf_map_lookup_elem
    if r0 == 0 goto none
    r1 = *(u32 *)(r0 + 0)
    r2 = *(u32 *)(r7 + 40)
    *(u32 *)(r0 + 0) = r2
    r0 = r1
    r0 += 1000
    none:`);
}

function update(flags: number): string {
  return call(`
    ${copy(0, -64, 4)}
    ${copy(32, -56, 8)}
    r1 = map[m]
    r2 = r10
    r2 += -64
    r3 = r10
    r3 += -56
    r4 = ${flags}
    call bpf_map_update_elem`);
}

/** Keys at the boundaries of an array of so many elements, and a value that differs each time. */
function indices(entries: number): number[][] {
  const keys = [0, 1, entries - 1, entries, entries + 1, ...U32, 0, entries - 1];
  return keys.map((key, index) => [key, 0, 0, 0, 77 + index, 500 + index]);
}

function lookups(): TwinCase[] {
  const cases: TwinCase[] = [];
  const array = (type: MapType, valueSize: number, maxEntries: number): void => {
    const maps = [testMap('m', type, { valueSize, maxEntries })];
    const about = `${type} of ${maxEntries} values of ${valueSize} bytes`;
    cases.push({ about, programs: lookup(4), maps, arguments: indices(maxEntries) });
  };
  array('ARRAY', 8, 1);
  array('ARRAY', 4, 5);
  array('ARRAY', 24, 70_000);
  array('ARRAY', 5000, 2000);
  array('PERCPU_ARRAY', 8, 3);
  for (const [type, keySize] of [
    ['HASH', 1],
    ['HASH', 4],
    ['HASH', 13],
    ['HASH', 32],
    ['PERCPU_HASH', 8],
  ] as const) {
    const maps = [testMap('m', type, { keySize, valueSize: 8, maxEntries: 40 })];
    const keys = Array.from({ length: 40 }, (_, index) => {
      const key = new Uint8Array(keySize).fill(index % 3 === 0 ? index : 0xff - index);
      key[keySize - 1] = index;
      return key;
    });
    const entries = keys
      .filter((_, index) => index % 2 === 0)
      .map((key, index) => ({ key, value: Uint8Array.of(index, 1, 2, 3, 4, 5, 6, 7) }));
    const bytes = keys.map((key) => {
      const padded = new Uint8Array(32);
      padded.set(key);
      const view = new DataView(padded.buffer);
      return [0, 8, 16, 24].map((at) => view.getBigUint64(at, true));
    });
    const about = `${type} with keys of ${keySize} bytes, half of them there`;
    cases.push({ about, programs: lookup(keySize), maps, world: { maps: { m: entries } }, arguments: bytes });
  }
  return cases;
}

function updates(): TwinCase[] {
  const types: readonly (readonly [MapType, number])[] = [
    ['ARRAY', 5],
    ['ARRAY', 70_000],
    ['PERCPU_ARRAY', 2],
  ];
  return types.flatMap(([type, maxEntries]) =>
    [0, 2].map((flags) => ({
      about: `${type} of ${maxEntries} with flags ${flags}`,
      programs: update(flags),
      maps: [testMap('m', type, { valueSize: 8, maxEntries })],
      arguments: indices(maxEntries),
    })),
  );
}

function clock(name: string): TwinCase[] {
  const packets = [[0], [0], [0]];
  return [0n, 1n, (1n << 32n) - 1n, 1n << 32n, (1n << 64n) - 1n].flatMap((time) =>
    [0n, 1n, 0x1_0000_0001n].map((tick) => ({
      about: `${time}, ${tick} more each packet`,
      programs: call(`call ${name}`),
      world: { time, tick },
      arguments: packets,
    })),
  );
}

function redirectMap(): TwinCase[] {
  const kinds: readonly (readonly [MapType, number])[] = [
    ['DEVMAP', 4],
    ['DEVMAP_HASH', 4],
    ['CPUMAP', 4],
  ];
  const keys = U64.map((key) => [key]);
  return kinds.flatMap(([type, maxEntries]) =>
    [0, 1, 2, 3].map((flags) => ({
      about: `${type}, action ${flags} on a miss`,
      programs: `
        r6 = r1
        r7 = *(u32 *)(r1 + 0)
        r8 = *(u32 *)(r1 + 4)
        r0 = 1
        r2 = r7
        r2 += ${LENGTH}
        if r2 > r8 goto out
        r2 = *(u64 *)(r7 + 0)
        r1 = map[m]
        r3 = ${flags}
        call bpf_redirect_map
        out:
        exit`,
      maps: [testMap('m', type, { maxEntries })],
      world: {
        maps: {
          m: [0, 1, 3].map((key) => ({
            key: Uint8Array.of(key, 0, 0, 0),
            value: Uint8Array.of(40 + key, 0, 0, 0),
          })),
        },
      },
      arguments: keys,
    })),
  );
}

/** Moves bounds there and back again; what is gained is seen in the outcome. */
function adjust(which: string): TwinCase[] {
  const deltas = [
    0,
    1,
    -1,
    2,
    3,
    4,
    -3,
    -4,
    -8,
    14,
    46,
    49,
    50,
    51,
    86,
    87,
    100,
    -31,
    -32,
    -33,
    -60,
    -64,
    -216,
    -217,
    -251,
    -252,
    -253,
    -255,
    -256,
    -257,
    1000,
    3000,
    3455,
    3456,
    3457,
    4096,
    0x0fff_ffff,
    0x1000_0000,
    0x1000_0001,
    -0x1000_0000,
    -0x1000_0001,
    2 ** 31 - 1,
    -(2 ** 31),
  ];
  const programs = `
    r6 = r1
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = 1
    r2 = r7
    r2 += 16
    if r2 > r8 goto out
    r2 = *(u64 *)(r7 + 0)
    r9 = *(u64 *)(r7 + 8)
    r1 = r6
    call bpf_xdp_adjust_${which}
    if r0 != 0 goto out
    r1 = r6
    r2 = r9
    call bpf_xdp_adjust_${which}
    out:
    exit`;
  const pairs = deltas.flatMap((delta) => [
    [delta, 0],
    [delta, -delta],
    [delta, 4],
  ]);
  return [
    {
      about: 'every length, with and without metadata',
      programs,
      arguments: pairs,
      lengths: [16, 64, 100, 1514],
      metadata: [0, 4, 32, 216],
    },
  ];
}

function checksumDifference(): TwinCase[] {
  // The sizes and the seed follow the bytes that are summed up.
  const programs = (change: string): string =>
    call(`
      r1 = r7
      r2 = *(u64 *)(r7 + 32)
      r3 = r7
      r3 += 3
      r4 = *(u64 *)(r7 + 40)
      ${change}
      r5 = *(u64 *)(r7 + 48)
      call bpf_csum_diff`);
  const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 20, 37, 60];
  const seeds = [0, 1, 0xffff, 0x1_0000, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0001];
  const fillings = [0n, (1n << 64n) - 1n, 0x0123_4567_89ab_cdefn, 0xffff_0000_ffff_0000n, 1n];
  const rows = (froms: readonly number[], tos: readonly number[]): (number | bigint)[][] =>
    froms.flatMap((from) =>
      tos.flatMap((to) =>
        fillings.flatMap((one) =>
          seeds.map((seed) => [one, ~one, one, one >> 3n, from, to, seed] as (number | bigint)[]),
        ),
      ),
    );
  return [
    { about: 'all sizes', programs: programs(''), arguments: rows(sizes, sizes) },
    { about: 'nothing taken off', programs: programs('r1 = 0\nr2 = 0'), arguments: rows([0], sizes) },
    { about: 'nothing put on', programs: programs('r3 = 0\nr4 = 0'), arguments: rows(sizes, [0]) },
  ];
}

function tailCall(): TwinCase[] {
  const programs = testMap('programs', 'PROG_ARRAY', {
    maxEntries: 3,
    initial: [
      { key: 0, name: 'main' },
      { key: 2, name: 'other' },
    ],
  });
  const more = testMap('more', 'PROG_ARRAY', { maxEntries: 6, initial: [{ key: 5, name: 'other' }] });
  const count = testMap('count', 'ARRAY', { maxEntries: 1 });
  const main = `
    r6 = r1
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = 1
    r2 = r7
    r2 += ${LENGTH}
    if r2 > r8 goto out
    *(u32 *)(r10 - 4) = 0
    r1 = map[count]
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    r1 = r6
    r2 = map[programs]
    r3 = *(u64 *)(r7 + 0)
    call bpf_tail_call
    r0 = 3
    out:
    exit`;
  const other = 'r0 = *(u32 *)(r1 + 12)\nr0 += 40\nexit';
  return [
    {
      about: `every index, and itself more than ${MAX_TAIL_CALLS} times`,
      programs: { main, other },
      maps: [programs, count],
      arguments: U64.map((index) => [index]),
    },
    {
      about: 'one of two maps: which, the packet says',
      programs: {
        main: main.replace(
          'r2 = map[programs]',
          'r2 = map[programs]\nr3 = *(u64 *)(r7 + 8)\nif r3 == 0 goto chosen\nr2 = map[more]\nchosen:',
        ),
        other,
      },
      maps: [programs, count, more],
      arguments: U64.flatMap((index) => [
        [index, 0],
        [index, 1],
      ]),
    },
  ];
}

function loop(): TwinCase[] {
  const programs = (stop: string): string => `
    r6 = r1
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = 1
    r2 = r7
    r2 += ${LENGTH}
    if r2 > r8 goto out
    r1 = *(u64 *)(r7 + 8)
    *(u64 *)(r10 - 8) = r1
    *(u64 *)(r10 - 16) = 0
    r1 = *(u64 *)(r7 + 0)
    r2 = callback
    r3 = r10
    r3 += -16
    r4 = 0
    call bpf_loop
    r1 = *(u64 *)(r10 - 16)
    *(u64 *)(r7 + ${RESULT}) = r0
    *(u64 *)(r7 + 48) = r1
    r0 = 2
    out:
    exit
    callback:
    r4 = *(u64 *)(r2 + 0)
    r4 += r1
    *(u64 *)(r2 + 0) = r4
    r3 = *(u64 *)(r2 + 8)
    ${stop}
    exit`;
  // The last round is the one whose number is in the packet.
  const rounds = [
    [0, 5],
    [1, 5],
    [2, 0],
    [7, 6],
    [7, 7],
    [MAX_LOOPS - 1, 3],
    [MAX_LOOPS, 3],
    [MAX_LOOPS + 1, 3],
    [0xffff_ffff, 3],
    [(1n << 32n) + 2n, 5],
  ];
  const stop = 'r0 = 0\nif r1 != r3 goto more\nr0 = 1\nmore:';
  return [
    { about: 'rounds up to the limit and beyond', programs: programs(stop), arguments: rounds },
    { about: 'a callback that returns 2', programs: programs('r0 = 2'), arguments: rounds },
    { about: 'a callback that returns 1 << 32', programs: programs('r0 = 1\nr0 <<= 32'), arguments: rounds },
    // Each round takes four of the budget.
    ...[39, 40, 41, 43, 44].map((budget) => ({
      about: `a budget of ${budget}`,
      programs: programs('r0 = 0'),
      arguments: [
        [9, 99],
        [10, 99],
        [11, 99],
      ],
      budget,
    })),
  ];
}

const CASES: Readonly<Record<string, readonly TwinCase[]>> = {
  bpf_map_lookup_elem: lookups(),
  bpf_map_update_elem: updates(),
  bpf_ktime_get_ns: clock('bpf_ktime_get_ns'),
  bpf_ktime_get_boot_ns: clock('bpf_ktime_get_boot_ns'),
  bpf_ktime_get_coarse_ns: clock('bpf_ktime_get_coarse_ns'),
  bpf_ktime_get_tai_ns: clock('bpf_ktime_get_tai_ns'),
  bpf_get_smp_processor_id: [0, 1, 255, 0x7fff_ffff].map((cpu) => ({
    about: `CPU ${cpu}`,
    programs: call('call bpf_get_smp_processor_id'),
    world: { cpu },
  })),
  bpf_get_prandom_u32: [...U32, 0x9e37_79b9].map((randomSeed) => ({
    about: `seed ${randomSeed}`,
    programs: call('call bpf_get_prandom_u32\nr9 = r0\ncall bpf_get_prandom_u32\nr9 <<= 32\nr0 |= r9'),
    world: { randomSeed },
    arguments: [[0], [0], [0]],
  })),
  bpf_redirect: [
    {
      about: 'any device',
      programs: `
        r7 = *(u32 *)(r1 + 0)
        r8 = *(u32 *)(r1 + 4)
        r0 = 1
        r2 = r7
        r2 += ${LENGTH}
        if r2 > r8 goto out
        r1 = *(u64 *)(r7 + 0)
        r2 = 0
        call bpf_redirect
        out:
        exit`,
      arguments: U64.map((index) => [index]),
    },
  ],
  bpf_redirect_map: redirectMap(),
  bpf_xdp_adjust_head: adjust('head'),
  bpf_xdp_adjust_tail: adjust('tail'),
  bpf_xdp_adjust_meta: adjust('meta'),
  bpf_csum_diff: checksumDifference(),
  bpf_tail_call: tailCall(),
  bpf_loop: loop(),
};

function packetOf(length: number, numbers: readonly (number | bigint)[]): Uint8Array {
  const bytes = new Uint8Array(Math.max(length, 8 * numbers.length)).map((_, at) => at);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries())
    view.setBigUint64(8 * index, BigInt.asUintN(64, BigInt(number)), true);
  return bytes.subarray(0, length);
}

function batchOf({ arguments: rows = [[0]], lengths = [LENGTH], metadata = [0] }: TwinCase): PacketBatch {
  const batch = new PacketBatch(rows.length * lengths.length * metadata.length);
  for (const length of lengths) {
    for (const meta of metadata) {
      for (const row of rows)
        batch.push({ packet: packetOf(length, row), metadata: new Uint8Array(meta).fill(0xaa) });
    }
  }
  return batch;
}

const leaving = new Set(
  [...HELPERS.values()].filter(({ effects }) => effects.leavesProgram === true).map(({ name }) => name),
);

describe('WebAssembly twins of helpers', () => {
  it('all have cases here, and stand beside a helper', () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.keys(TWINS).sort());
    const names = new Set([...HELPERS.values()].map(({ name }) => name));
    expect(Object.keys(TWINS).filter((name) => !names.has(name))).toEqual([]);
  });

  for (const [name, cases] of Object.entries(CASES)) {
    it(`${name} does what the imported function does`, () => {
      for (const one of cases) {
        const programs = typeof one.programs === 'string' ? { main: one.programs } : one.programs;
        const batch = batchOf(one);
        const details: RunDetails = { world: one.world ?? {}, ...(one.budget && { budget: one.budget }) };
        // Objects of their own: machines fill in what maps hold.
        const object = () => testObject(programs, one.maps);
        const twin = compileAndRun(object(), batch, details);
        const expected = comparable(interpret(object(), batch, details));
        expect([...twin.inlined!], `${one.about}: the twin is compiled`).toContain(name);
        expect(comparable(twin), one.about).toEqual(expected);
        // An imported function cannot leave the compiled program: of such a helper there is only the twin.
        if (leaving.has(name)) continue;
        const imported = compileAndRun(object(), batch, { ...details, withoutTwins: true });
        expect([...imported.inlined!]).toEqual([]);
        expect(comparable(imported), one.about).toEqual(expected);
      }
    });
  }
});
