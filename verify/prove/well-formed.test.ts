/** Packets that are made right in lengths and checksums: what was damaged is right again, and nothing else is changed. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Assignment, Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { readU16 } from '../../sim/packet/bytes.ts';
import { CHECKSUM_STATUSES, verifyChecksums } from '../oracle/checksums.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import type { TermFrame } from './frame-layout.ts';
import { OTHER_PROTOCOLS, otherChecksum } from './other-checksums.ts';
import { laidIn, makeRight, preferring, wellFormed } from './well-formed.ts';

const object = testObject({ main: 'exit' });
const pool = new TermPool();
const limits = { shortest: 0, longest: 300, mostMetadata: 0 };
const inputs = new Inputs(pool, new Machine(object, {}), 'xdp', object.programs[0]!, limits);
const FRAME: TermFrame = { byte: (at) => inputs.frameByte(at), length: pool.zeroExtend(64, inputs.length) };

function edited(packet: Uint8Array, edits: Readonly<Record<number, number>>): Uint8Array {
  const copy = packet.slice();
  for (const [at, byte] of Object.entries(edits)) copy[Number(at)] = byte;
  return copy;
}

/** The values that a packet is made of. */
function valuesOf(packet: Uint8Array): Map<Term, bigint> {
  const values = new Map<Term, bigint>([[inputs.length, BigInt(packet.length)]]);
  for (const [at, byte] of packet.entries()) values.set(inputs.frameByte(at), BigInt(byte));
  return values;
}

function packetOf(values: Assignment): Uint8Array {
  const length = Number(values.get(inputs.length));
  return Uint8Array.from({ length }, (_, at) => Number(values.get(inputs.frameByte(at)) ?? 0n));
}

/** The packet that a path over these bytes gets; undefined where the path asks for something else. */
function made(packet: Uint8Array, edit: (state: PathState) => void = () => {}): Uint8Array | undefined {
  const state = inputs.start(0);
  state.values = new Map([...state.values!, ...valuesOf(packet)]);
  edit(state);
  const values = wellFormed(inputs, state);
  return values === undefined ? undefined : packetOf(values);
}

/** Sets what the packet is to keep as a path knows it. */
const knows =
  (...bytes: readonly (readonly [at: number, value: number])[]) =>
  (state: PathState): void => {
    for (const [at, value] of bytes)
      state.knowledge.add(pool.equal(inputs.frameByte(at), pool.constant(8, value)), undefined);
  };

const statuses = (packet: Uint8Array): string[] => {
  const found: string[] = [];
  verifyChecksums(packet, 0, packet.length, {
    checksum: ({ status }) => found.push(CHECKSUM_STATUSES[status]!),
  });
  return found;
};

const { TCP, UDP } = RIGHT_PACKETS as Record<string, Uint8Array> as { TCP: Uint8Array; UDP: Uint8Array };
const IPV6 = RIGHT_PACKETS['UDP over IPv6']!;
const KINDS = [
  'an ICMP echo',
  'an ICMP echo of odd length',
  'TCP',
  'UDP',
  'one VLAN tag',
  'two VLAN tags',
  'ICMPv6',
  'UDP over IPv6',
  'IP in IP',
  '6in4',
  '4in6',
];

describe('a packet', () => {
  it.each(KINDS)('of %s is right as it is, and right again where a byte was changed', (name) => {
    const packet = RIGHT_PACKETS[name]!;
    expect(made(packet)).toEqual(packet);
    for (let at = packet.length - 3; at < packet.length; at++) {
      const right = made(edited(packet, { [at]: packet[at]! ^ 0x55 }));
      if (right === undefined || statuses(right).join() !== statuses(packet).join())
        expect.fail(`byte ${at}`);
    }
  });

  it('of TCP gets the length of the frame, a data offset of 20 bytes, and checksums', () => {
    for (const damage of [
      { 16: 0xff, 17: 0xff },
      { 17: 20 },
      { 46: 0x40 },
      { 46: 0xf0 },
      { 24: 1 },
      { 50: 1 },
      { 16: 9, 17: 9, 24: 1, 46: 0x70, 51: 3 },
    ])
      expect([damage, made(edited(TCP, damage))]).toEqual([damage, TCP]);
  });

  it('of UDP gets its length', () => {
    for (const damage of [{ 38: 0xff }, { 39: 0 }, { 39: 9 }, { 17: 1 }, { 40: 7 }])
      expect([damage, made(edited(UDP, damage))]).toEqual([damage, UDP]);
    for (const damage of [{ 58: 0xff }, { 59: 0 }, { 59: 9 }, { 60: 1 }])
      expect([damage, made(edited(IPV6, damage))]).toEqual([damage, IPV6]);
  });

  it('has lengths that are possible where the path allows no others', () => {
    const padded = edited(UDP, { 38: 0xff });
    // The path wants padding behind the packet: UDP ends where IP does.
    const total = readU16(UDP, 16) - 4;
    const short = made(edited(padded, { 17: total }), knows([16, 0], [17, total]))!;
    expect([readU16(short, 16), readU16(short, 38)]).toEqual([total, total - 20]);
    // A UDP length that the path bounds to less than there is.
    const less = made(padded, (state) => {
      const length = pool.concat([inputs.frameByte(38), inputs.frameByte(39)]);
      state.knowledge.add(pool.not(pool.less(pool.constant(16, 12), length)), undefined);
      const bytes: [Term, bigint][] = [
        [inputs.frameByte(38), 0n],
        [inputs.frameByte(39), 3n],
      ];
      state.values = new Map([...state.values!, ...bytes]);
    })!;
    expect(readU16(less, 38)).toBeGreaterThanOrEqual(8);
    expect(readU16(less, 38)).toBeLessThanOrEqual(12);
  });

  it('has a length behind any header, and no extension header that is not there', () => {
    const gre = edited(UDP, { 16: 0, 17: 0, 23: 47, 24: 0, 25: 0 });
    expect(readU16(made(gre)!, 16)).toBe(UDP.length - 14);
    const bare = edited(IPV6, { 18: 0x7f, 20: 0 }).subarray(0, 54);
    const whole = made(bare)!;
    expect([readU16(whole, 18), whole[20]]).toEqual([0, 59]);
    expect(made(bare, knows([20, 0]))![20]).toBe(0);
    // One that is there stays.
    const options = edited(IPV6, { 20: 0, 54: 17, 55: 0 });
    expect(made(options)![20]).toBe(0);
  });

  it('keeps what the path asks for', () => {
    const wrong = edited(TCP, { 17: 41 });
    const kept = made(wrong, knows([16, 0], [17, 41]))!;
    expect(readU16(kept, 16)).toBe(41);
    // A checksum that the path wants to be another one.
    expect(made(edited(TCP, { 24: 1, 25: 2 }), knows([24, 1], [25, 2]))).toBeUndefined();
    expect(made(TCP, knows([24, TCP[24]!], [25, TCP[25]!]))).toEqual(TCP);
  });

  it('is none where nothing is known under which the path is taken', () => {
    expect(
      made(TCP, (state) => {
        state.values = undefined;
      }),
    ).toBeUndefined();
  });
});

describe('wishes', () => {
  it('are met as far as the path lets them', () => {
    const state = inputs.start(0);
    const [a, b] = [inputs.frameByte(1), inputs.frameByte(2)];
    const is = (term: Term, value: number): Term => pool.equal(term, pool.constant(8, value));
    state.knowledge.add(pool.less(a, pool.constant(8, 10)), undefined);
    const wished = preferring(state, new Map([[a, 3n]]), [is(a, 20), is(b, 7), is(a, 5)]);
    expect([wished.get(a), wished.get(b)]).toEqual([5n, 7n]);
    const values = new Map([[a, 5n]]);
    expect(preferring(state, values, [is(a, 5)])).toBe(values);
  });
});

describe('checksums', () => {
  const NONE: ReadonlySet<Term> = new Set();
  const rightened = (packet: Uint8Array, suspect?: number, free: readonly number[] = []): Uint8Array => {
    const values = valuesOf(packet);
    const { checksums } = laidIn(inputs.start(0), values, FRAME);
    const chosen = suspect === undefined ? undefined : checksums[suspect];
    makeRight(
      values,
      FRAME,
      checksums,
      chosen,
      free.length === 0 ? NONE : new Set(free.map((at) => inputs.frameByte(at))),
    );
    return packetOf(values);
  };

  it('are put into their fields, the innermost first', () => {
    for (const name of KINDS) {
      const packet = RIGHT_PACKETS[name]!;
      const values = valuesOf(packet);
      const { checksums } = laidIn(inputs.start(0), values, FRAME);
      const damaged = packet.slice();
      for (const { start, at, isAbsent } of checksums) if (!isAbsent) damaged.set([0x12, 0x34], start + at);
      expect([name, rightened(damaged)]).toEqual([name, packet]);
    }
  });

  it('come out by the last free word of a suspect, which keeps its field', () => {
    const damaged = edited(TCP, { 50: 0x77, 51: 0x88 });
    const right = rightened(damaged, 1, [60, 61, 62, 63, 65]);
    expect([right[50], right[51], right[60], right[61]]).toEqual([0x77, 0x88, TCP[60], TCP[61]]);
    expect(statuses(right)).toEqual(['good', 'good']);
    expect(edited(right, { 62: TCP[62]!, 63: TCP[63]! })).toEqual(damaged);
    // Half of a word is none, and the field itself is no other one.
    expect(rightened(damaged, 1, [61, 62, 65])).toEqual(TCP);
    expect(rightened(damaged, 1, [50, 51])).toEqual(TCP);
    // Others than the suspect get it into their fields.
    expect(rightened(damaged, 0, [60, 61])).toEqual(TCP);
  });

  it('of UDP that are absent stay so, and come out as 0xffff where they would be 0', () => {
    const absent = edited(UDP, { 40: 0, 41: 0 });
    expect(rightened(absent)).toEqual(absent);
    // One word of the data makes the sum what it needs for 0.
    const [high, low] = [UDP[40]!, UDP[41]!];
    const sum = readU16(UDP, 42) + ((high << 8) | low);
    const word = sum > 0xffff ? sum - 0xffff : sum;
    const zero = rightened(edited(UDP, { 42: word >> 8, 43: word & 0xff }));
    expect([zero[40], zero[41]]).toEqual([0xff, 0xff]);
    expect(statuses(zero)).toEqual(['good', 'good']);
  });
});

describe('checksums of other protocols', () => {
  it.each([
    ['SCTP', 132, [42, 43, 44, 45], 34, 14],
    ['DCCP over all of it', 33, [39, 40, 41], 34, 14],
    ['DCCP over IPv6', 33, [59, 60, 61], 54, 14],
  ] as const)('%s', (name, protocol, places, transportAt, networkAt) => {
    const packet = RIGHT_PACKETS[name]!;
    const found = otherChecksum(packet, networkAt, transportAt, protocol)!;
    expect([...found.keys()].sort((a, b) => a - b)).toEqual([...places]);
    for (const [at, byte] of found)
      if (packet[at] !== byte) expect.fail(`byte ${at}: ${byte}, not ${packet[at]}`);
    // Whatever stands there before.
    const damaged = packet.slice();
    for (const at of places.slice(-2)) damaged[at]! ^= 0xff;
    expect([...otherChecksum(damaged, networkAt, transportAt, protocol)!]).toEqual([...found]);
  });

  it('are none of others, of packets that are cut off, or too short for a header', () => {
    const sctp = RIGHT_PACKETS.SCTP!;
    for (const protocol of [6, 17, 50, 131, 133, 137])
      expect(otherChecksum(sctp, 14, 34, protocol)).toBeUndefined();
    expect(otherChecksum(sctp.subarray(0, sctp.length - 1), 14, 34, 132)).toBeUndefined();
    expect(otherChecksum(sctp, 14, sctp.length - 12, 132)).toBeDefined();
    expect(otherChecksum(sctp, 14, sctp.length - 11, 132)).toBeUndefined();
    expect(OTHER_PROTOCOLS).toEqual([50, 132, 136, 33, 17, 6]);
  });

  it('are put into packets, as well', () => {
    const sctp = RIGHT_PACKETS.SCTP!;
    expect(made(edited(sctp, { 42: 1, 43: 2, 44: 3, 45: 4 }))).toEqual(sctp);
    const lite = edited(UDP, { 23: 136 });
    const right = made(edited(lite, { 40: 1, 41: 2 }))!;
    expect([right[38], right[39]]).toEqual([0, 0]);
    expect(statuses(right)).toEqual(['good', 'good']);
  });
});

describe('the IP version', () => {
  const damaged = edited(UDP, { 14: 0x05 });

  it('is the one that the EtherType names, behind tags, too', () => {
    expect(made(damaged)?.[14]).toBe(0x45);
    const tagged = RIGHT_PACKETS['one VLAN tag']!;
    expect(made(edited(tagged, { 18: 0 }))?.[18]).toBe(tagged[18]! >> 4 === 6 ? 0x60 : 0x45);
    expect(made(edited(IPV6, { 14: 0x45 }))?.[14]).toBe(0x60);
  });

  it('stays where the path asks for another one, and with it the header’s length', () => {
    expect(made(damaged, knows([14, 0x05]))?.[14]).toBe(0x05);
    expect(made(edited(UDP, { 14: 0x46 }))?.[14]).toBe(0x46);
  });
});
