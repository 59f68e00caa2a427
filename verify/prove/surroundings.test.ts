/** Routes and sockets that are made for a path: the routing table, or the table of sockets, answers as the path wants. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Answer } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { addressFromText, macFromText } from '../../sim/packet/addresses.ts';
import { AF_INET, AF_INET6, FIB_PARAMETER, type FibLookup } from '../../sim/runtime/fib.ts';
import { createFib } from '../../sim/runtime/fib-lookup.ts';
import type { Socket, World } from '../../sim/runtime/world.ts';
import { fibPreferences, fibWorld } from './fib-world.ts';
import { socketsFor } from './socket-world.ts';

const object = testObject({ main: 'exit' });
const pool = new TermPool();
const inputs = new Inputs(pool, new Machine(object, {}), 'xdp', object.programs[0]!);
const NOTHING = new Evaluator(new Map());
const known = (bytes: ArrayLike<number>): Term[] => Array.from(bytes, (byte) => pool.constant(8, byte));

/** What a helper answered, as far as anybody looks at it here. */
function answer(helper: string, more: Partial<Answer>): Answer {
  return {
    ...{ helper, name: `${helper}.0`, question: { shape: '', numbers: [], read: [] }, ordinal: 0 },
    ...{ result: undefined, read: [], written: [], arguments: [], open: { through: [] }, ...more },
  };
}

const MACS = ['02:00:00:00:00:33', '02:00:00:00:00:44'] as const;

/** `struct bpf_fib_lookup` as a program passes it, and as the helper leaves it. */
function parameters(family: number, source: string, destination: string, ifindex: number): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  bytes[0] = family;
  view.setUint16(FIB_PARAMETER.totalLength, 1300, true);
  bytes.fill(9, FIB_PARAMETER.tos, FIB_PARAMETER.source);
  view.setUint32(FIB_PARAMETER.ifindex, ifindex, true);
  bytes.set(addressFromText(source), FIB_PARAMETER.source);
  bytes.set(addressFromText(destination), FIB_PARAMETER.destination);
  return bytes;
}

function told(given: Uint8Array, egress: number): Uint8Array {
  const bytes = given.slice();
  new DataView(bytes.buffer).setUint32(FIB_PARAMETER.ifindex, egress, true);
  bytes.set(macFromText(MACS[0]), FIB_PARAMETER.sourceMac);
  bytes.set(macFromText(MACS[1]), FIB_PARAMETER.destinationMac);
  return bytes;
}

/** What the routing table of the world answers. */
function looked(world: World, given: Uint8Array): FibLookup & { readonly result: number } {
  const size = given[0] === AF_INET ? 4 : 16;
  const view = new DataView(given.buffer);
  const lookup: FibLookup = {
    family: given[0] as FibLookup['family'],
    ...{ l4Protocol: 0, sport: 0, dport: 0, tos: 0, mtu: 0, metric: 0 },
    totalLength: view.getUint16(FIB_PARAMETER.totalLength, true),
    ifindex: view.getUint32(FIB_PARAMETER.ifindex, true),
    source: given.slice(FIB_PARAMETER.source, FIB_PARAMETER.source + size),
    destination: given.slice(FIB_PARAMETER.destination, FIB_PARAMETER.destination + size),
    ...{ sourceMac: new Uint8Array(6), destinationMac: new Uint8Array(6) },
  };
  const result = createFib(world).lookup(lookup);
  return { ...lookup, result };
}

const fib = (given: Uint8Array, egress: number, result: number | bigint): Answer =>
  answer('bpf_fib_lookup', {
    result: pool.constant(64, result),
    read: [known(given)],
    written: [known(told(given, egress))],
  });

describe.each([
  ['IPv4', AF_INET, '10.1.2.4', '203.0.113.5'],
  ['IPv6', AF_INET6, '2001:db8:1::3', '2001:db8:2::5'],
] as const)('a route over %s', (_, family, source, destination) => {
  const given = parameters(family, source, destination, 0x0102);

  it('is answered with the device and the addresses that the path wants', () => {
    for (const egress of [0x0102, 7, 0x01_0304]) {
      const world = fibWorld(fib(given, egress, 0), NOTHING);
      const { result, ifindex, sourceMac, destinationMac } = looked(world, given);
      expect([result, ifindex]).toEqual([0, egress]);
      expect([sourceMac, destinationMac]).toEqual([macFromText(MACS[0]), macFromText(MACS[1])]);
      expect(world.devices!.map((one) => one.ifindex)).toEqual([...new Set([0x0102, egress])]);
      for (const { ifindex: number, name, mtu } of world.devices!)
        expect([name, mtu]).toEqual([`dev${number}`, 1500]);
    }
  });

  it.each([1, 2, 3, 4, 5, 7, 8])('is answered with %i', (code) => {
    const world = fibWorld(fib(given, 0x0505, code), NOTHING);
    expect(looked(world, given).result).toBe(code);
    expect(world.neighbours).toBeUndefined();
    expect(world.devices!.map((one) => one.forwarding)).toEqual([code !== 5, true]);
    // Where it goes the path does not say, whatever is left of what it was told.
    expect(world.devices!.map((one) => one.ifindex)).toEqual([0x0102, 3]);
    expect([...world.devices![0]!.mac]).toEqual([2, 0, 0, 0, 0, 2]);
    expect([...world.devices![1]!.mac]).toEqual([2, 0, 0, 0, 0, 3]);
    // An int in the lower half of the register.
    expect(fibWorld(fib(given, 0x0505, (7n << 32n) | BigInt(code)), NOTHING)).toEqual(world);
  });

  it('that a frame of this length alone does not fit', () => {
    const world = fibWorld(fib(given, 3, 8), NOTHING);
    const shorter = given.slice();
    new DataView(shorter.buffer).setUint16(FIB_PARAMETER.totalLength, 1299, true);
    expect([looked(world, given).result, looked(world, shorter).result]).toEqual([8, 7]);
  });

  it('is no world where the path did not say what it asked', () => {
    const whole = fib(given, 3, 0);
    for (const part of [{ result: undefined }, { read: [] }, { written: [] }]) {
      expect(fibWorld({ ...whole, ...part }, NOTHING)).toEqual({});
      expect(fibPreferences(inputs, inputs.start(0), { ...whole, ...part })).toEqual([]);
    }
  });
});

describe('what a path leaves open of a route', () => {
  const unknown = (name: string, size: number): Term[] =>
    Array.from({ length: size }, (_, at) => pool.unknown(8, `${name}${at}`));
  const [given, out] = [unknown('in', 64), unknown('out', 64)];
  const result = pool.unknown(64, 'result');
  const open = answer('bpf_fib_lookup', { result, read: [given], written: [out] });
  const wishes = fibPreferences(inputs, inputs.start(0), open);

  /** Do the values meet the wish? */
  const meets = (wish: Term, ...values: readonly (readonly [Term, number])[]): boolean =>
    new Evaluator(new Map(values.map(([term, value]) => [term, BigInt(value)]))).isTrue(wish);
  const bytes = (terms: readonly Term[], at: number, values: readonly number[]) =>
    values.map((value, index) => [terms[at + index]!, value] as const);

  it('is wished for as usual: the device, the answer and where it goes', () => {
    expect(wishes.map((one) => one.length)).toEqual([1, 8, 1, 1, 1, 2, 2]);
    expect(meets(wishes[0]![0]!, [inputs.ingressIfindex, 2])).toBe(true);
    const answers = [0, 4, 7, 1, 2, 3, 5, 8];
    for (const [index, one] of answers.entries())
      expect(answers.map((value) => meets(wishes[1]![index]!, [result, value]))).toEqual(
        answers.map((value) => value === one),
      );
    expect(meets(wishes[2]![0]!, ...bytes(out, 8, [3, 0, 0, 0]))).toBe(true);
    expect(meets(wishes[3]![0]!, ...bytes(out, 52, [2, 0, 0, 0, 0, 3]))).toBe(true);
    expect(meets(wishes[4]![0]!, ...bytes(out, 58, [2, 0, 0, 0, 0, 0x99]))).toBe(true);
    expect(meets(wishes[0]![0]!, [inputs.ingressIfindex, 3])).toBe(false);
    expect(meets(wishes[2]![0]!, ...bytes(out, 8, [3, 0, 0, 1]))).toBe(false);
    for (const [wish, at, last] of [
      [3, 52, 3],
      [4, 58, 0x99],
    ] as const) {
      expect(meets(wishes[wish]![0]!, ...bytes(out, at, [2, 0, 0, 0, 0, last + 1]))).toBe(false);
      expect(meets(wishes[wish]![0]!, ...bytes(out, at, [3, 0, 0, 0, 0, last]))).toBe(false);
    }
  });

  it('is wished for with addresses that are forwarded, of IPv4 or else of IPv6', () => {
    expect(meets(wishes[5]![0]!, ...bytes(given, 32, [10, 1, 2, 3]))).toBe(true);
    for (const [wish, at, right] of [
      [wishes[5]![0]!, 32, [10, 1, 2, 3]],
      [wishes[6]![0]!, 16, [10, 1, 2, 4]],
      [wishes[5]![1]!, 32, [0x20, 0x01]],
      [wishes[6]![1]!, 16, [0x20, 0x01]],
    ] as const)
      for (const index of right.keys()) {
        const wrong = right.map((byte, place) => (place === index ? byte ^ 1 : byte));
        expect(meets(wish, ...bytes(given, at, wrong))).toBe(false);
      }
    expect(meets(wishes[5]![1]!, ...bytes(given, 32, [0x20, 0x01, 9, 9]))).toBe(true);
    expect(meets(wishes[5]![1]!, ...bytes(given, 32, [0x20, 0x02, 9, 9]))).toBe(false);
    expect(meets(wishes[5]![1]!, ...bytes(given, 32, [0x21, 0x01, 9, 9]))).toBe(false);
    expect(meets(wishes[6]![0]!, ...bytes(given, 16, [10, 1, 2, 4]))).toBe(true);
    expect(meets(wishes[6]![1]!, ...bytes(given, 16, [0x20, 0x01, 9, 9]))).toBe(true);
    expect(meets(wishes[6]![1]!, ...bytes(given, 16, [0x20, 0x02, 9, 9]))).toBe(false);
    expect(meets(wishes[6]![1]!, ...bytes(given, 16, [0x21, 0x01, 9, 9]))).toBe(false);
  });
});

describe('sockets', () => {
  const TUPLE4 = Uint8Array.of(192, 0, 2, 1, 10, 0, 0, 9, 0x1f, 0x90, 0x01, 0xbb);
  const TUPLE6 = new Uint8Array(36);
  TUPLE6.set(addressFromText('2001:db8::1'), 0);
  TUPLE6.set(addressFromText('2001:db8::9'), 16);
  TUPLE6.set([0x1f, 0x90, 0x01, 0xbb], 32);

  /** A lookup, whether it finds something, and fields of what it finds by their offset: values of four bytes. */
  function lookup(
    helper: string,
    tuple: Uint8Array,
    more: {
      readonly ordinal?: number;
      readonly isNull?: 0 | 1;
      readonly fields?: Readonly<Record<number, number>>;
    } = {},
  ): { readonly answer: Answer; readonly values: ReadonlyMap<Term, bigint> } {
    const { ordinal = 0, isNull = 0, fields = {} } = more;
    const name = `${helper}.${ordinal}`;
    const found = pool.unknown(1, `${name}.null`);
    const values = new Map<Term, bigint>([[found, BigInt(isNull)]]);
    for (const [offset, value] of Object.entries(fields))
      for (let at = 0; at < 4; at++)
        values.set(pool.unknown(8, `${name}.${Number(offset) + at}`), BigInt((value >>> (8 * at)) & 0xff));
    return {
      answer: answer(helper, { name, read: [known(tuple)], open: { isNull: found, through: [] } }),
      values,
    };
  }

  function opened(...lookups: readonly ReturnType<typeof lookup>[]): Socket[] {
    const state = inputs.start(0);
    state.answers = lookups.map((one) => one.answer);
    return socketsFor(state, new Evaluator(new Map(lookups.flatMap((one) => [...one.values]))));
  }

  // Offsets in `struct bpf_sock` (include/uapi/linux/bpf.h).
  const [DEVICE, MARK, STATE] = [0, 16, 72];

  it.each([
    ['bpf_sk_lookup_tcp', 'tcp'],
    ['bpf_skc_lookup_tcp', 'tcp'],
    ['bpf_sk_lookup_udp', 'udp'],
  ] as const)('%s: at the destination of the tuple', (helper, protocol) => {
    expect(opened(lookup(helper, TUPLE4))).toEqual([{ protocol, local: '10.0.0.9:443' }]);
    expect(opened(lookup(helper, TUPLE6))).toEqual([{ protocol, local: '[2001:db8::9]:443' }]);
    expect(opened(lookup(helper, TUPLE4, { isNull: 1 }))).toEqual([]);
  });

  it('are connected, marked and bound as the path wants', () => {
    const fields = { [STATE]: 1, [MARK]: 0x01020304, [DEVICE]: 0x0105 };
    expect(opened(lookup('bpf_sk_lookup_tcp', TUPLE4, { fields }))).toEqual([
      {
        ...{ protocol: 'tcp', local: '10.0.0.9:443', remote: '192.0.2.1:8080' },
        ...{ mark: 0x01020304, ifindex: 0x0105 },
      },
    ]);
    expect(opened(lookup('bpf_sk_lookup_tcp', TUPLE6, { fields: { [STATE]: 1 } }))).toEqual([
      { protocol: 'tcp', local: '[2001:db8::9]:443', remote: '[2001:db8::1]:8080' },
    ]);
    // One that listens has no other end.
    expect(opened(lookup('bpf_sk_lookup_tcp', TUPLE4, { fields: { [STATE]: 10 } }))).toEqual([
      { protocol: 'tcp', local: '10.0.0.9:443' },
    ]);
  });

  it('are one for each lookup that finds one, as far as there can be such', () => {
    const other = TUPLE4.slice();
    other[11] = 0xbc;
    const [tcp, udp, second] = [
      lookup('bpf_sk_lookup_tcp', TUPLE4),
      lookup('bpf_sk_lookup_udp', TUPLE4),
      lookup('bpf_sk_lookup_tcp', other, { ordinal: 1 }),
    ];
    expect(opened(tcp, udp, second).map(({ protocol, local }) => `${protocol} ${local}`)).toEqual([
      'tcp 10.0.0.9:443',
      'udp 10.0.0.9:443',
      'tcp 10.0.0.9:444',
    ]);
    // Two that listen at one place.
    expect(opened(tcp, lookup('bpf_sk_lookup_tcp', TUPLE4, { ordinal: 1 }))).toHaveLength(1);
  });

  it('are nothing that other helpers find, or of which nothing is open', () => {
    expect(opened(lookup('bpf_map_lookup_elem', TUPLE4))).toEqual([]);
    const one = lookup('bpf_sk_lookup_tcp', TUPLE4);
    expect(opened({ ...one, answer: { ...one.answer, open: { through: [] } } })).toEqual([]);
  });

  it('at port 0 cannot be', () => {
    const none = TUPLE4.slice();
    none.fill(0, 10);
    expect(opened(lookup('bpf_sk_lookup_tcp', none))).toEqual([]);
  });
});
