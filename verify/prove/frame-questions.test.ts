/** When a frame that left breaks a promise: of pairs of frames that are known, each question has one answer. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term } from '../../sim/ebpf/symbolic/term.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { addressFromText } from '../../sim/packet/addresses.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { layoutOf, type TermFrame } from './frame-layout.ts';
import {
  changesLengths,
  type FrameCase,
  fragmentQuestions,
  lengthQuestions,
  type Question,
  ttlAndReplyQuestions,
} from './frame-questions.ts';
import { frameOf, guide, pool } from './test-support/known-frames.ts';

const object = testObject({ main: 'exit' });
const inputs = new Inputs(pool, new Machine(object, {}), 'xdp', object.programs[0]!);
const [PASS, TX, REDIRECT] = [2, 3, 4];

type Edits = Readonly<Record<number, number | readonly number[]>>;
/** The packet with bytes changed at offsets. */
function edited(packet: Uint8Array, edits: Edits): Uint8Array {
  const copy = packet.slice();
  for (const [at, bytes] of Object.entries(edits))
    copy.set(typeof bytes === 'number' ? [bytes] : bytes, Number(at));
  return copy;
}

function caseOf(before: Uint8Array, after: Uint8Array): FrameCase {
  const [was, is] = [frameOf(before), frameOf(after)];
  return { before: was, after: is, came: layoutOf(guide, was), left: layoutOf(guide, is) };
}

/** The sentences of questions whose answer is yes. */
const broken = (questions: readonly Question[]): string[] =>
  questions
    .filter((one) => one.broken === pool.true)
    .map(({ invariant, sentence }) => `${invariant}: ${sentence}`);

function ending(action: number): PathState {
  const state = inputs.start(0);
  state.end = { kind: 'exit', action: pool.constant(64, action) };
  return state;
}

function asked(before: Uint8Array, after: Uint8Array, action: number): string[] {
  return broken(ttlAndReplyQuestions(inputs, ending(action), caseOf(before, after), () => {}));
}

const IPV4 = RIGHT_PACKETS.TCP!;
const IPV6 = RIGHT_PACKETS['UDP over IPv6']!;
const NEXT_HOP: Edits = { 0: [2, 9, 9, 9, 9, 9] };

describe.each([
  ['TTL', IPV4, 22, 26],
  ['hop limit', IPV6, 21, 22],
] as const)('a %s', (name, packet, at, addresses) => {
  const from = (then: number, now: number, action: number, more: Edits = {}): string[] =>
    asked(edited(packet, { [at]: then }), edited(packet, { ...more, [at]: now }), action);
  const expired = `ttl/expired: a ${name} may come to 0 in a packet that goes on`;
  const wrapped = `ttl/wrapped: a ${name} of 0 may become 255`;
  const step = `ttl/step: a ${name} may be lowered by more than one`;

  it.each([
    [64, 63, []],
    [64, 65, []],
    [1, 0, [expired]],
    [64, 0, [expired, step]],
    [0, 0, []],
    [0, 255, [wrapped]],
    [0, 254, []],
    [1, 255, []],
    [64, 62, [step]],
    [64, 1, [step]],
  ])('that was %i and is %i', (then, now, said) => {
    expect(from(then, now, REDIRECT, NEXT_HOP)).toEqual(said);
    // A step is counted where a packet is routed.
    const others = said.filter((one) => one !== step);
    expect(from(then, now, PASS, NEXT_HOP)).toEqual(others);
    expect(from(then, now, TX, NEXT_HOP)).toEqual(others);
    expect(from(then, now, REDIRECT)).toEqual(others);
  });

  it('of a packet to another address is no matter of routes', () => {
    const last = addresses + (name === 'TTL' ? 7 : 31);
    expect(from(64, 62, REDIRECT, { ...NEXT_HOP, [addresses]: packet[addresses]! ^ 1 })).toEqual([]);
    expect(from(64, 62, REDIRECT, { ...NEXT_HOP, [last]: packet[last]! ^ 1 })).toEqual([]);
    expect(from(64, 62, REDIRECT, { ...NEXT_HOP, [last + 1]: packet[last + 1]! ^ 1 })).toEqual([step]);
    expect(from(64, 62, REDIRECT, { 5: packet[5]! ^ 1 })).toEqual([step]);
    expect(from(64, 62, REDIRECT, { 6: packet[6]! ^ 1 })).toEqual([]);
  });
});

describe('TTLs', () => {
  it('are held against those of the same packet, from the innermost outwards', () => {
    const nested = RIGHT_PACKETS['IP in IP']!;
    const inner = edited(nested, { 22: 50, 42: 60 });
    const alone = (ttl: number): Uint8Array =>
      edited(Uint8Array.from([...inner.subarray(0, 14), ...inner.subarray(34)]), { 22: ttl });
    const expired = ['ttl/expired: a TTL may come to 0 in a packet that goes on'];
    expect(asked(inner, alone(0), PASS)).toEqual(expired);
    expect(asked(edited(inner, { 42: 0 }), alone(0), PASS)).toEqual([]);
    expect(asked(alone(60), edited(inner, { 42: 0 }), PASS)).toEqual(expired);
    // A new header around it says what it wants, but not that it is dead, unless what is inside is.
    const dead = ['ttl/zero: the TTL of a new header may be 0'];
    expect(asked(alone(60), edited(inner, { 22: 9 }), PASS)).toEqual([]);
    expect(asked(alone(60), edited(inner, { 22: 0 }), PASS)).toEqual(dead);
    expect(asked(alone(1), edited(inner, { 22: 0, 42: 1 }), PASS)).toEqual([]);
    expect(asked(inner, edited(inner, { 22: 0, 42: 0 }), PASS)).toEqual([...expired, ...expired]);
  });

  it('of a packet that is left alone inside count for the header around it', () => {
    const nested = edited(RIGHT_PACKETS['IP in IP']!, { 22: 0 });
    const alone = (ttl: number): Uint8Array =>
      edited(Uint8Array.from([...nested.subarray(0, 14), ...nested.subarray(34)]), { 22: ttl });
    const around = (ttl: number): string[] => {
      const [was, is] = [frameOf(alone(ttl), 14), frameOf(edited(nested, { 42: ttl }), 34)];
      const frames = { before: was, after: is, came: layoutOf(guide, was), left: layoutOf(guide, is) };
      expect(frames.came.ips).toEqual([]);
      return broken(ttlAndReplyQuestions(inputs, ending(PASS), frames, () => {}));
    };
    expect(around(1)).toEqual([]);
    expect(around(2)).toEqual(['ttl/zero: the TTL of a new header may be 0']);
  });

  it('of a packet that has moved are no step', () => {
    const tagged = Uint8Array.from([...IPV4.subarray(0, 12), 0x81, 0, 0, 1, ...IPV4.subarray(12)]);
    expect(asked(edited(IPV4, { 22: 64 }), edited(tagged, { ...NEXT_HOP, 26: 60 }), REDIRECT)).toEqual([]);
    expect(asked(edited(IPV4, { 22: 64 }), edited(tagged, { ...NEXT_HOP, 26: 0 }), REDIRECT)).toHaveLength(1);
  });

  it('are not asked about in frames that are broken, or on paths without an end', () => {
    const [before, after] = [edited(IPV4, { 22: 64 }), edited(IPV4, { 22: 0 })];
    expect(asked(before, after, PASS)).toHaveLength(1);
    expect(asked(edited(before, { 14: 0x44 }), after, PASS)).toEqual([]);
    expect(asked(before, edited(after, { 14: 0x44 }), PASS)).toEqual([]);
    const state = inputs.start(0);
    expect(ttlAndReplyQuestions(inputs, state, caseOf(before, after), () => {})).toEqual([]);
  });

  it('that come from elsewhere are taken for right, and said to be', () => {
    const said: string[] = [];
    const frames = caseOf(edited(IPV4, { 22: 64 }), edited(IPV4, { 22: 9 }));
    const fromMap = (name: string): FrameCase => {
      const byte = (at: number): Term => (at === 22 ? pool.unknown(8, name) : frames.after.byte(at));
      return { ...frames, after: { ...frames.after, byte } };
    };
    const questions = (name: string): number =>
      ttlAndReplyQuestions(inputs, ending(PASS), fromMap(name), (one) => said.push(one)).length;
    expect(questions('map0.0.1')).toBe(0);
    expect(said).toEqual(['TTLs and addresses that come from maps, globals and helpers are valid ones']);
    for (const own of ['p22', 'p0', 'length']) expect(questions(own)).toBe(2);
    expect(said).toHaveLength(1);
    for (const other of ['p22.1', 'xp22', 'lengths']) expect(questions(other)).toBe(0);
  });
});

describe('a reply', () => {
  const group = 'reply/group-source: a packet to a group may be answered with the group as its source';
  const zero = 'reply/zero-source: a reply may have the source address 0';
  const packetOf = (source: string, destination: string): Uint8Array => {
    const [a, b] = [addressFromText(source), addressFromText(destination)];
    return a.length === 4
      ? edited(IPV4, { 26: [...a], 30: [...b] })
      : edited(IPV6, { 22: [...a], 38: [...b] });
  };
  const answered = (to: readonly [string, string], by: readonly [string, string], action = TX): string[] =>
    asked(packetOf(...to), packetOf(...by), action);

  it.each([
    ['224.0.0.5', true],
    ['239.255.255.250', true],
    ['255.255.255.255', true],
    ['223.255.255.255', false],
    ['240.0.0.1', false],
    ['255.255.255.254', false],
    ['10.0.0.2', false],
  ])('from %s, to which the packet went: is it a group? %s', (address, is) => {
    const pair = [
      ['10.0.0.1', address],
      [address, '10.0.0.1'],
    ] as const;
    expect(answered(...pair)).toEqual(is ? [group] : []);
    expect(answered(...pair, REDIRECT)).toEqual(is ? [group] : []);
    expect(answered(...pair, PASS)).toEqual([]);
  });

  it.each([
    ['ff02::1', true],
    ['fe80::1', false],
    ['2001:db8::2', false],
  ])('from %s over IPv6: is it a group? %s', (address, is) => {
    expect(answered(['2001:db8::1', address], [address, '2001:db8::1'])).toEqual(is ? [group] : []);
  });

  it('is one that goes back to the source, with another source', () => {
    expect(answered(['10.0.0.1', '224.0.0.5'], ['224.0.0.5', '10.0.0.9'])).toEqual([]);
    expect(answered(['10.0.0.1', '224.0.0.5'], ['224.0.0.6', '10.0.0.1'])).toEqual([]);
    // A packet of a group’s to itself.
    expect(answered(['224.0.0.5', '224.0.0.5'], ['224.0.0.5', '224.0.0.5'])).toEqual([]);
  });

  it('from address 0 is wrong, unless the packet went there', () => {
    expect(answered(['10.0.0.1', '10.0.0.2'], ['0.0.0.0', '10.0.0.1'])).toEqual([zero]);
    expect(answered(['10.0.0.1', '0.0.0.0'], ['0.0.0.0', '10.0.0.1'])).toEqual([]);
    expect(answered(['10.0.0.1', '10.0.0.2'], ['0.0.0.1', '10.0.0.1'])).toEqual([]);
    expect(answered(['2001:db8::1', '2001:db8::2'], ['::', '2001:db8::1'])).toEqual([zero]);
  });

  it('from an address that a table was found to have is taken for right, and that is said', () => {
    const maps = [testMap('hosts', 'HASH'), testMap('slots', 'ARRAY')];
    const tables = testObject({ main: 'exit' }, maps);
    const over = new Inputs(pool, new Machine(tables, {}), 'xdp', tables.programs[0]!);
    const frames = caseOf(packetOf('10.0.0.1', '10.0.0.2'), packetOf('10.0.0.3', '10.0.0.1'));
    const bytes = (from: number): Term[] => [0, 1, 2, 3].map((at) => pool.unknown(8, `p${from + at}`));
    const zeros = [0, 0, 0, 0].map(() => pool.constant(8, 0));
    const questions = (source: readonly Term[], map: number, key: readonly Term[], wasThere = pool.true) => {
      const said: string[] = [];
      const byte = (at: number): Term => source[at - 26] ?? frames.after.byte(at);
      const state = ending(TX);
      state.entries = [{ map, key, wasThere, isThere: wasThere, block: 0 }];
      const all = ttlAndReplyQuestions(over, state, { ...frames, after: { ...frames.after, byte } }, (one) =>
        said.push(one),
      );
      return [all.some((one) => one.invariant === 'reply/zero-source'), said.length];
    };
    expect(questions(bytes(42), 0, bytes(42))).toEqual([false, 1]);
    expect(questions(bytes(42), 0, [pool.constant(8, 1), ...bytes(42)])).toEqual([false, 1]);
    for (const other of [
      questions(bytes(42), 0, bytes(43)),
      questions(bytes(42), 0, bytes(42), pool.false),
      questions(bytes(42), 1, bytes(42)),
      questions(zeros, 0, zeros),
    ])
      expect(other).toEqual([true, 0]);
  });

  it('of the other version of IP is none', () => {
    expect(asked(packetOf('10.0.0.1', '10.0.0.2'), packetOf('::', '2001:db8::1'), TX)).toEqual([]);
  });

  it('whose source comes from elsewhere is taken for right, but not that of a group', () => {
    const said: string[] = [];
    const frames = caseOf(packetOf('10.0.0.1', '10.0.0.2'), packetOf('0.0.0.0', '10.0.0.1'));
    const byte = (at: number): Term => (at === 29 ? pool.unknown(8, 'map0.0.1') : frames.after.byte(at));
    const after: TermFrame = { ...frames.after, byte };
    const questions = ttlAndReplyQuestions(inputs, ending(TX), { ...frames, after }, (one) => said.push(one));
    expect(questions.map(({ invariant }) => invariant)).toEqual(['reply/group-source']);
    expect(said).toHaveLength(1);
  });
});

describe('lengths', () => {
  const changes = (before: Uint8Array, after: Uint8Array): boolean => changesLengths(caseOf(before, after));
  const flip = (packet: Uint8Array, at: number): Uint8Array => edited(packet, { [at]: packet[at]! ^ 0x10 });

  it('stay as they came where no length, and no place of a header, was changed', () => {
    for (const packet of [IPV4, IPV6, RIGHT_PACKETS['IP in IP']!, RIGHT_PACKETS.UDP!])
      expect(changes(packet, packet.slice())).toBe(false);
    for (const at of [0, 12 - 1, 15, 18, 22, 24, 26, 34, 38, 47])
      expect([at, changes(IPV4, flip(IPV4, at))]).toEqual([at, false]);
    for (const at of [16, 17, 46]) expect([at, changes(IPV4, flip(IPV4, at))]).toEqual([at, true]);
    for (const at of [15, 16, 17, 21, 22]) expect([at, changes(IPV6, flip(IPV6, at))]).toEqual([at, false]);
    for (const at of [18, 19, 58, 59]) expect([at, changes(IPV6, flip(IPV6, at))]).toEqual([at, true]);
    const udp = RIGHT_PACKETS.UDP!;
    for (const at of [38, 39]) expect([at, changes(udp, flip(udp, at))]).toEqual([at, true]);
    for (const at of [34, 40, 42]) expect([at, changes(udp, flip(udp, at))]).toEqual([at, false]);
  });

  const tagged = (tags: number): Uint8Array =>
    Uint8Array.from([
      ...IPV4.subarray(0, 12),
      ...Array.from({ length: tags }, () => [0x81, 0, 0, 1]).flat(),
      ...IPV4.subarray(12),
    ]);

  it.each<[what: string, packet: Uint8Array, at: number, bytes: readonly number[], kept: number]>([
    ['another EtherType', IPV4, 12, [0x86, 0xdd], 14],
    ['an EtherType that is not IP’s', IPV4, 12, [0x88, 0xb5], 14],
    ['another EtherType behind a tag', tagged(1), 16, [0x86, 0xdd], 18],
    ['another EtherType behind two tags', tagged(2), 20, [0x86, 0xdd], 22],
    ['another EtherType behind three tags', tagged(3), 24, [0x86, 0xdd], 26],
    ['another protocol', IPV4, 23, [17], 26],
    ['another next header', IPV6, 20, [6], 22],
    ['another protocol around a packet', RIGHT_PACKETS['IP in IP']!, 23, [41], 26],
  ])('are not what they were under %s, though all behind it stayed', (_what, packet, at, bytes, kept) => {
    const before = frameOf(packet, kept);
    const after = frameOf(edited(packet, { [at]: [...bytes] }), kept);
    const frames = { before, after, came: layoutOf(guide, before), left: layoutOf(guide, after) };
    expect(changesLengths(frames)).toBe(true);
    expect(changesLengths({ ...frames, after: before, left: frames.came })).toBe(false);
  });

  it('are changed where the frame is, or its headers', () => {
    expect(changes(IPV4, tagged(1))).toBe(true);
    expect(changes(IPV4, tagged(1).subarray(0, IPV4.length))).toBe(true);
    expect(changes(IPV4, IPV4.subarray(0, IPV4.length - 1))).toBe(true);
    // TCP that has become UDP, an option more, the other version.
    expect(changes(IPV4, edited(IPV4, { 23: 17 }))).toBe(true);
    expect(changes(IPV4, edited(IPV4, { 14: 0x46 }))).toBe(true);
    expect(changes(IPV4, edited(IPV4, { 23: 99 }))).toBe(true);
    expect(changes(IPV4, edited(IPV4, { 12: [0x86, 0xdd] }))).toBe(true);
  });

  const wrong = (before: Uint8Array, after: Uint8Array): string[] =>
    broken(lengthQuestions(pool, caseOf(before, after)));
  const total = (packet: Uint8Array, length: number): Uint8Array =>
    packet[12] === 8
      ? edited(packet, { 16: [length >> 8, length & 0xff] })
      : edited(packet, { 18: [(length - 40) >> 8, (length - 40) & 0xff] });
  const longer = (packet: Uint8Array, by: number): Uint8Array =>
    Uint8Array.from({ length: packet.length + by }, (_, at) => packet[at] ?? 0);
  const beyond = 'lengths: an IP packet may claim more than there is';
  const behind = 'lengths: bytes may lie behind the packet that no length counts';
  const short = 'lengths: the UDP length may be less than the IP packet has room for';
  const extension = 'lengths: an IPv6 extension header may go beyond the packet';
  const offset = 'lengths: the TCP data offset may go beyond the segment';

  it('of right packets are right', () => {
    for (const [name, packet] of Object.entries(RIGHT_PACKETS))
      expect([name, wrong(packet, packet)]).toEqual([name, []]);
  });

  it('may say too much, or too little', () => {
    const whole = IPV4.length - 14;
    expect(wrong(IPV4, longer(IPV4, 3))).toEqual([behind]);
    expect(wrong(IPV4, total(longer(IPV4, 3), whole + 3))).toEqual([]);
    const left = wrong(IPV4, total(IPV4, whole - 1));
    expect(left).toEqual([behind]);
    // What lay behind it when it came may stay.
    expect(wrong(longer(IPV4, 5), longer(IPV4, 5))).toEqual([]);
    expect(wrong(longer(IPV4, 5), longer(IPV4, 6))).toEqual([behind]);
    expect(wrong(longer(IPV4, 5), longer(IPV4, 4))).toEqual([]);
    const cut = wrong(IPV4, IPV4.subarray(0, IPV4.length - 1));
    expect(cut).toHaveLength(1);
    expect(cut[0]).toMatch(/^lengths: (the frame may leave with|an IP packet may claim)/);
    // What came cut off may leave so.
    const came = IPV4.subarray(0, IPV4.length - 1);
    expect(wrong(came, came)).toEqual([]);
    expect(beyond).toContain('claim');
  });

  it('of short frames are padded', () => {
    // 60 bytes that are on the wire in any case.
    const small = total(IPV4.subarray(0, 54), 40);
    const padded = (size: number): Uint8Array => longer(small, size - 54);
    expect(wrong(small, padded(60))).toEqual([]);
    expect(wrong(small, padded(61))).toEqual([behind]);
  });

  it('of UDP are those of its packet', () => {
    const udp = RIGHT_PACKETS.UDP!;
    const stated = (packet: Uint8Array, by: number): Uint8Array => edited(packet, { 39: packet[39]! + by });
    expect(wrong(udp, stated(udp, -1))).toEqual([short]);
    expect(wrong(stated(udp, -1), stated(udp, -1))).toEqual([]);
    expect(wrong(stated(udp, -2), stated(udp, -1))).toEqual([]);
    expect(wrong(stated(udp, -1), stated(udp, -2))).toEqual([short]);
    expect(wrong(udp, stated(udp, 1))[0]).toMatch(/^lengths: the frame may leave with/);
  });

  it('of TCP’s header are within the segment', () => {
    const words = (packet: Uint8Array, count: number): Uint8Array => edited(packet, { 46: count << 4 });
    const room = Math.floor((IPV4.length - 34) / 4);
    expect(wrong(IPV4, words(IPV4, 4))).toEqual([offset]);
    expect(wrong(IPV4, words(IPV4, 5))).toEqual([]);
    expect(wrong(IPV4, words(IPV4, room))).toEqual([]);
    if (room < 15) expect(wrong(IPV4, words(IPV4, room + 1))).toEqual([offset]);
    expect(wrong(words(IPV4, 4), words(IPV4, 3))).toEqual([]);
  });

  it('of an IPv6 extension header are within the packet', () => {
    const extended = RIGHT_PACKETS['hop-by-hop and destination options']!;
    const eights = (count: number): Uint8Array => edited(extended, { 55: count });
    const room = Math.floor((extended.length - 54) / 8) - 1;
    expect(extended[20]).toBe(0);
    expect(wrong(extended, eights(room))).toEqual([]);
    expect(wrong(extended, eights(room + 1))).toEqual([extension]);
    expect(changes(extended, eights(room + 1))).toBe(true);
    // What came so may leave so, and behind another number the same byte is no length.
    expect(wrong(eights(200), eights(200))).toEqual([]);
    expect(wrong(eights(200), eights(201))).toEqual([]);
    const other = (packet: Uint8Array): Uint8Array => edited(packet, { 20: 99 });
    expect(wrong(other(extended), other(eights(200)))).toEqual([]);
    expect(wrong(other(eights(200)), eights(200))).toEqual([extension]);
  });

  it('are those of the packet behind a tag that is taken off, however many tags there are', () => {
    const pops = (tags: number, came: Edits, more: Edits = {}): string[] => {
      const before = edited(tagged(tags), came);
      const after = Uint8Array.from([...before.subarray(0, 12), ...before.subarray(16)]);
      return broken(lengthQuestions(pool, caseOf(before, edited(after, more))));
    };
    // The header behind the tags, and what is wrong with it: another version, too long a packet, half a header.
    for (const tags of [2, 4]) {
      const ip = 14 + 4 * tags;
      for (const came of [{}, { [ip]: 0x65 }, { [ip + 2]: 0x7f }, { [ip]: 0x42 }])
        expect([tags, came, pops(tags, came)]).toEqual([tags, came, []]);
      const makes = 'lengths: the frame may leave with';
      expect(pops(tags, {}, { [ip - 4]: 0x65 })).toEqual([`${makes} an IPv4 packet of another version`]);
      expect(pops(tags, {}, { [ip - 2]: 0x7f })).toEqual([`${makes} a truncated packet`]);
      // Another EtherType makes another packet of the same bytes.
      expect(pops(tags, {}, { [ip - 6]: [0x86, 0xdd] })).toEqual([
        `${makes} an IPv6 packet of another version`,
      ]);
    }
  });

  it('are those of what a tunnel carried, which nobody has looked at when it came', () => {
    const udp = RIGHT_PACKETS.UDP!;
    const carried = (inside: Uint8Array, outer: Edits = {}): Uint8Array => {
      const data = Uint8Array.from([8, 0, 0, 0, 0, 0, 42, 0, ...inside]);
      const whole = total(Uint8Array.from([...udp.subarray(0, 42), ...data]), 28 + data.length);
      return edited(whole, { 38: [(8 + data.length) >> 8, (8 + data.length) & 0xff], ...outer });
    };
    const takenOff = (inside: Uint8Array, outer: Edits = {}, more: Edits = {}): string[] => {
      const before = carried(inside, outer);
      return broken(lengthQuestions(pool, caseOf(before, edited(before.subarray(50), more))));
    };
    const other = edited(IPV4, { 14: 0x65 });
    for (const inside of [IPV4, other, edited(IPV4, { 16: 0x7f })]) expect(takenOff(inside)).toEqual([]);
    // What the program writes is its own, and a fragment holds a part of what it carries.
    const makes = 'lengths: the frame may leave with';
    expect(takenOff(IPV4, {}, { 14: 0x65 })).toEqual([`${makes} an IPv4 packet of another version`]);
    expect(takenOff(edited(IPV4, { 16: 0x7f }), { 20: 0x20 })).toHaveLength(1);
    expect(takenOff(IPV4, { 20: 0x20 })).toEqual([]);
  });

  it('are asked about where the front is cut off a frame that has no tags', () => {
    const before = Uint8Array.from([1, 2, 3, 4, ...edited(IPV4, { 14: 0x65 })]);
    expect(broken(lengthQuestions(pool, caseOf(before, before.subarray(4))))).toEqual([
      'lengths: the frame may leave with an IPv4 packet of another version',
    ]);
  });

  it('are not asked about where the frame came broken', () => {
    expect(lengthQuestions(pool, caseOf(edited(IPV4, { 14: 0x44 }), IPV4))).toEqual([]);
    for (const { broken: one } of lengthQuestions(pool, caseOf(IPV4, longer(IPV4, 3))))
      expect(isConst(one)).toBe(true);
  });
});

describe('fragments', () => {
  const changes = (before: Uint8Array, after: Uint8Array): number =>
    broken(fragmentQuestions(pool, caseOf(before, after))).length;
  const word = (packet: Uint8Array, bits: number): Uint8Array =>
    edited(packet, { 20: [bits >> 8, bits & 0xff] });

  it.each([
    [0x0000, 0x0000, 0],
    [0x0000, 0x4000, 0],
    [0x4000, 0x0000, 0],
    [0x0000, 0x8000, 0],
    [0x0000, 0x2000, 1],
    [0x2000, 0x0000, 1],
    [0x0000, 0x0001, 1],
    [0x1000, 0x0000, 1],
    [0x0100, 0x0100, 0],
  ])('that were %i and are %i: %i changes', (before, after, count) => {
    expect(changes(word(IPV4, before), word(IPV4, after))).toBe(count);
  });

  it('are none in a header that is new, and none of IPv6', () => {
    const nested = RIGHT_PACKETS['IP in IP']!;
    const alone = Uint8Array.from([...nested.subarray(0, 14), ...nested.subarray(34)]);
    expect(changes(alone, nested)).toBe(0);
    expect(changes(alone, word(nested, 0x2000))).toBe(1);
    expect(changes(IPV6, edited(IPV6, { 20: [17, 9] }))).toBe(0);
    expect(changes(IPV6, word(IPV4, 0x2000))).toBe(0);
    expect(changes(edited(IPV4, { 14: 0x44 }), word(IPV4, 1))).toBe(0);
    expect(changes(IPV4, edited(word(IPV4, 1), { 14: 0x44 }))).toBe(0);
  });
});
