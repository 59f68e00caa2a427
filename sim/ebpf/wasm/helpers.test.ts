import { describe, expect, it } from 'vitest';
import type { MapType } from '../../runtime/maps.ts';
import type { BpfMap } from '../bpf-object.ts';
import { testMap } from '../test-support/assemble.ts';
import { action, both } from '../test-support/both.ts';

/** A program that looks its packet's first bytes up in a map, and updates or deletes by the byte behind. */
function mapProgram(map: BpfMap): string {
  const { keySize, valueSize } = map;
  const copies = (from: number, size: number): string =>
    Array.from(
      { length: size },
      (_, at) => `r2 = *(u8 *)(r7 + ${at})\n*(u8 *)(r10 - ${from - at}) = r2`,
    ).join('\n');
  return `
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = 0
    r2 = r7
    r2 += 40
    if r2 > r8 goto out
    ${copies(64, keySize)}
    ${copies(128, valueSize)}
    r6 = *(u8 *)(r7 + 39)
    r1 = map[m]
    r2 = r10
    r2 += -64
    if r6 > 3 goto delete
    r3 = r10
    r3 += -128
    r4 = r6
    call bpf_map_update_elem
    *(u64 *)(r7 + 16) = r0
    goto look
    delete:
    if r6 > 4 goto look
    call bpf_map_delete_elem
    *(u64 *)(r7 + 16) = r0
    look:
    r1 = map[m]
    r2 = r10
    r2 += -64
    call bpf_map_lookup_elem
    if r0 == 0 goto missing
    r1 = *(u${valueSize === 4 ? 32 : 64} *)(r0 + 0)
    *(u64 *)(r7 + 24) = r1
    r1 += 1
    *(u${valueSize === 4 ? 32 : 64} *)(r0 + 0) = r1
    r0 = 1
    exit
    missing:
    r0 = 2
    out:
    exit`;
}

/** 200 operations over few keys. */
function operations(keySize: number): Uint8Array[] {
  let state = 12345;
  const next = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 16;
  };
  return Array.from({ length: 200 }, () => {
    const packet = new Uint8Array(64);
    packet[keySize - 1] = keySize <= 4 ? 0 : next() % 2;
    packet[0] = next() % 7;
    for (let at = 24; at < 32; at++) packet[at] = next();
    packet[39] = next() % 6;
    return packet;
  });
}

describe('maps from WebAssembly', () => {
  const kinds: readonly (readonly [MapType, number, number])[] = [
    ['ARRAY', 4, 8],
    ['PERCPU_ARRAY', 4, 16],
    ['HASH', 1, 8],
    ['HASH', 4, 8],
    ['HASH', 6, 4],
    ['HASH', 13, 8],
    ['HASH', 40, 24],
    ['PERCPU_HASH', 8, 8],
    ['LRU_HASH', 7, 8],
    ['LRU_PERCPU_HASH', 16, 8],
  ];
  for (const [type, keySize, valueSize] of kinds) {
    it(`look up, update and delete in ${type} with keys of ${keySize} and values of ${valueSize} bytes`, () => {
      const map = testMap('m', type, { keySize, valueSize, maxEntries: 5 });
      const outcomes = both(mapProgram(map), { maps: [map], packets: operations(keySize) });
      expect(new Set(outcomes.map((outcome) => outcome.action))).toEqual(new Set([1, 2]));
    });
  }

  for (const valueSize of [8, 24, 5000]) {
    it(`change large arrays with values of ${valueSize} bytes as the interpreter does`, () => {
      const maxEntries = valueSize > 1000 ? 2000 : 70_000;
      const map = testMap('m', 'ARRAY', { keySize: 4, valueSize, maxEntries });
      const packets = operations(4).map((packet, index) => {
        // Keys all over the array, its ends and beyond among them.
        const key =
          index % 10 === 0 ? [0, maxEntries - 1, maxEntries][(index / 10) % 3]! : (index * 7919) % maxEntries;
        new DataView(packet.buffer).setUint32(0, key, true);
        return packet;
      });
      // Values on the stack are of 24 bytes at most: larger ones are changed through the pointer only.
      const text = mapProgram(valueSize > 24 ? { ...map, valueSize: 8 } : map);
      const program = valueSize > 24 ? text.replace('if r6 > 3 goto delete', 'goto look') : text;
      const outcomes = both(program, { maps: [map], packets });
      expect(new Set(outcomes.map((outcome) => outcome.action))).toEqual(new Set([1, 2]));
    });
  }
});

describe('redirects from WebAssembly', () => {
  const text = (type: string): string => `
    r6 = r1
    r2 = *(u32 *)(r6 + 16)
    r1 = map[${type}]
    r3 = 2
    call bpf_redirect_map
    exit`;
  for (const [type, target] of [
    ['DEVMAP', 7],
    ['DEVMAP_HASH', 7],
    ['CPUMAP', 1],
  ] as const) {
    it(`bpf_redirect_map on ${type}: the target on a hit, the flags' action on a miss`, () => {
      const entry = { key: Uint8Array.of(1, 0, 0, 0), value: Uint8Array.of(7, 0, 0, 0) };
      const maps = [testMap('m', type, { maxEntries: 3 })];
      const program = text('m').replace('*(u32 *)(r6 + 16)', '*(u32 *)(r6 + 12)');
      // The ingress device, 1, is the key.
      expect(both(program, { maps, world: { maps: { m: [entry] } } })[0]).toMatchObject({
        action: 4,
        redirect: target,
      });
      expect(both(program, { maps })[0]).toMatchObject({ action: 2, redirect: 0 });
      const beyond = program.replace('r1 = map', 'r2 += 100\nr1 = map');
      expect(both(beyond, { maps })[0]).toMatchObject({ action: 2, redirect: 0 });
    });
  }

  it('bpf_redirect, and its target only where the program redirects after all', () => {
    const program = 'r1 = 9\nr2 = 0\ncall bpf_redirect\nexit';
    expect(both(program)[0]).toMatchObject({ action: 4, redirect: 9 });
    expect(both(program.replace('exit', 'r0 = 2\nexit'))[0]).toMatchObject({ action: 2, redirect: 0 });
    expect(both(program.replace('r2 = 0', 'r2 = 1'))[0]).toMatchObject({ action: 0, redirect: 0 });
  });
});

describe('clock, random numbers, CPU from WebAssembly', () => {
  const store = (helper: string): string => `
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = 0
    r2 = r7
    r2 += 8
    if r2 > r8 goto out
    call ${helper}
    *(u64 *)(r7 + 0) = r0
    out:
    r0 = 1
    exit`;
  const packets = Array.from({ length: 5 }, () => new Uint8Array(20));
  for (const helper of [
    'bpf_ktime_get_ns',
    'bpf_get_prandom_u32',
    'bpf_get_smp_processor_id',
    'bpf_jiffies64',
  ]) {
    it(helper, () => {
      const outcomes = both(store(helper), {
        packets,
        world: { time: 0x1234_5678_9abc_def0n, randomSeed: 77, cpu: 3 },
      });
      const values = new Set(outcomes.map((outcome) => outcome.bytes.slice(0, 16)));
      expect(values.size).toBe(helper === 'bpf_get_prandom_u32' ? 5 : 1);
    });
  }
});

describe('moving packets from WebAssembly', () => {
  for (const helper of ['head', 'tail', 'meta']) {
    it(`bpf_xdp_adjust_${helper} by anything`, () => {
      const text = `
        r6 = r1
        r7 = *(u32 *)(r1 + 0)
        r8 = *(u32 *)(r1 + 4)
        r0 = 0
        r2 = r7
        r2 += 8
        if r2 > r8 goto out
        r9 = *(s32 *)(r7 + 0)
        r1 = r6
        r2 = r9
        call bpf_xdp_adjust_${helper}
        r9 = r0
        r7 = *(u32 *)(r6 + 0)
        r8 = *(u32 *)(r6 + 4)
        r2 = r7
        r2 += 8
        if r2 > r8 goto out
        *(u64 *)(r7 + 0) = r9
        r1 = r6
        r2 = 4
        call bpf_xdp_adjust_${helper}
        out:
        exit`;
      const deltas = [
        0,
        1,
        -1,
        4,
        -4,
        14,
        50,
        51,
        86,
        87,
        -64,
        -216,
        -217,
        -252,
        -256,
        3000,
        3456,
        3500,
        2 ** 31 - 1,
        -(2 ** 31),
      ];
      const packets = deltas.map((delta) => {
        const packet = new Uint8Array(100).fill(7);
        new DataView(packet.buffer).setInt32(0, delta, true);
        return packet;
      });
      const outcomes = both(text, { packets });
      expect(new Set(outcomes.map((outcome) => outcome.bytes.length)).size).toBeGreaterThan(
        helper === 'meta' ? 2 : 3,
      );
    });
  }
});

describe('bpf_csum_diff from WebAssembly', () => {
  const sum = (from: number, to: number, seed: number): string => `
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = 0
    r2 = r7
    r2 += 80
    if r2 > r8 goto out
    r1 = r7
    r1 += 3
    r2 = ${from}
    r3 = r7
    r3 += 40
    r4 = ${to}
    w5 = ${seed}
    call bpf_csum_diff
    *(u64 *)(r7 + 0) = r0
    out:
    r0 = 1
    exit`;
  const packets = [
    new Uint8Array(80),
    new Uint8Array(80).fill(0xff),
    Uint8Array.from({ length: 80 }, (_, index) => (index * 151) & 0xff),
    Uint8Array.from({ length: 80 }, (_, index) => (index < 40 ? 0xff : 0)),
  ];
  for (const seed of [0, 1, 0xffff, -1, 0x7fff_ffff]) {
    it(`with seed ${seed}, sizes from 0 to 37`, () => {
      for (const [from, to] of [
        [0, 0],
        [0, 4],
        [4, 0],
        [4, 4],
        [20, 36],
        [37, 1],
        [3, 7],
        [0, 37],
        [35, 0],
      ] as const) {
        expect(action(sum(from, to, seed), { packets })).toBe(1);
      }
    });
  }
});

describe('helpers in JavaScript from WebAssembly', () => {
  it('get 64-bit arguments whole, and print for the right packet', () => {
    const text = `
      *(u64 *)(r10 - 8) = 0
      *(u32 *)(r10 - 16) = 0x786c6c25
      *(u32 *)(r10 - 12) = 0x00782520
      r1 = r10
      r1 += -16
      r2 = 8
      r3 = 0x123456789abcdef0 ll
      r4 = 5
      r5 = 0
      call bpf_trace_printk
      exit`;
    const outcomes = both(text, { packets: [new Uint8Array(20), new Uint8Array(30)] });
    expect(outcomes.map((outcome) => outcome.lines)).toEqual([
      ['123456789abcdef0 5'],
      ['123456789abcdef0 5'],
    ]);
  });

  it('a map found in a map of maps', () => {
    const inner = testMap('inner', 'ARRAY', { maxEntries: 2 });
    const outer = testMap('outer', 'ARRAY_OF_MAPS', { inner, initial: [{ key: 1, name: 'inner' }] });
    const text = `
      *(u32 *)(r10 - 4) = 1
      r1 = map[outer]
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto out
      r1 = r0
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto out
      r1 = 5
      *(u64 *)(r0 + 0) = r1
      r0 = 11
      exit
      out:
      r0 = 3
      exit`;
    expect(action(text, { maps: [inner, outer] })).toBe(11);
    expect(
      action(text.replace('*(u32 *)(r10 - 4) = 1', '*(u32 *)(r10 - 4) = 0'), { maps: [inner, outer] }),
    ).toBe(3);
  });

  it('a sample from a ring buffer', () => {
    const ring = testMap('ring', 'RINGBUF');
    const text = `
      r1 = map[ring]
      r2 = 16
      r3 = 0
      call bpf_ringbuf_reserve
      if r0 == 0 goto out
      *(u64 *)(r0 + 8) = 5
      r1 = r0
      r2 = 0
      call bpf_ringbuf_submit
      r0 = 9
      out:
      exit`;
    expect(action(text, { maps: [ring] })).toBe(9);
  });
});
