/** What single conditions are in words: fields by the names of filters, unknowns by what they stand for. */
import { describe, expect, it } from 'vitest';
import { parseBtf } from '../../sim/ebpf/btf.ts';
import { SK_BUFF } from '../../sim/ebpf/context/sk-buff.ts';
import { Machine } from '../../sim/ebpf/machine.ts';
import { byteAnywhere } from '../../sim/ebpf/symbolic/byte-anywhere.ts';
import { contextWord } from '../../sim/ebpf/symbolic/context-fields.ts';
import { ELSEWHERE, Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { BtfBuilder } from '../../sim/ebpf/test-support/btf-builder.ts';
import { areOpposite, joinWords, type Word, wordsOf } from './words.ts';

const object = testObject({ main: 'exit' }, [
  testMap('flows', 'HASH'),
  testMap('slots', 'ARRAY'),
  testMap('tables', 'HASH_OF_MAPS', { inner: testMap('inner', 'HASH') }),
]);
const machine = new Machine(object, {});
const pool = new TermPool();
const inputs = new Inputs(pool, machine, 'xdp', object.programs[0]!, {
  shortest: 0,
  longest: 100,
  mostMetadata: 8,
});
const ORIGIN = { program: 0, slot: 1 };

const byte = (at: number): Term => inputs.frameByte(at);
/** Bytes of the frame in the network's order. */
const field = (at: number, size: number): Term =>
  pool.concat(Array.from({ length: size }, (_, index) => byte(at + index)));
const is = (term: Term, value: number | bigint): Term => pool.equal(term, pool.constant(term.width, value));
const bits = (at: number, low: number, width: number): Term => pool.extract(byte(at), low, width);
const tunnelBytes = (...at: number[]): Term =>
  pool.concat(at.map((one) => pool.unknown(8, `bpf_skb_get_tunnel_key.0.1.${one}`)));
const fibBytes = (...at: number[]): Term =>
  pool.concat(at.map((one) => pool.unknown(8, `bpf_fib_lookup.0.1.${one}`)));
const socketBytes = (of: string, ...at: number[]): Term =>
  pool.concat(at.map((one) => pool.unknown(8, `${of}.${one}`)));
const less = (term: Term, value: number | bigint): Term => pool.less(term, pool.constant(term.width, value));

/** `a - times * b * (a / b)` */
const rest = (a: Term, b: Term, times: number): Term =>
  pool.sum(32, 0n, [
    [a, 1n],
    [pool.multiply(b, pool.divide('udiv', a, b)), BigInt(-times)],
  ]);

/** The words for conditions on a path that knows the others. */
function words(known: readonly Term[], ...conditions: readonly Term[]): Word[] {
  const state = inputs.start(0);
  for (const one of known) state.knowledge.add(one, undefined);
  for (const one of conditions) state.knowledge.add(one, ORIGIN);
  return wordsOf(inputs, state);
}
const text = (known: readonly Term[], ...conditions: readonly Term[]): string =>
  joinWords(words(known, ...conditions));

/** Where what lies 4 bytes in front of the metadata begins, from the frame on. */
const inFront: Term = pool.sum(32, -4n, [[pool.zeroExtend(32, inputs.metaWords), -4n]]);
const IPV4 = [is(field(12, 2), 0x0800), is(bits(14, 0, 4), 5)];
const SHORT = [is(field(12, 2), 0x0800), is(bits(14, 0, 4), 2), is(byte(23), 17)];
const OPTIONS = [is(field(12, 2), 0x0800), is(bits(14, 0, 4), 7)];
const IPV6 = [is(field(12, 2), 0x86dd)];
const tagged = (count: number, ...rest: readonly Term[]): Term[] => [
  is(field(12, 2), 0x8100),
  ...Array.from({ length: count - 1 }, (_, tag) => is(field(16 + 4 * tag, 2), 0x88a8)),
  ...rest,
];

/** Bytes behind an IPv4 header of any length, in the network's order. */
const behind = (at: number, size: number, other: Term = pool.constant(64, 0)): Term => {
  const header = pool.zeroExtend(64, pool.concat([bits(14, 0, 4), pool.constant(2, 0)]));
  const address = pool.addConst(pool.add(header, other), inputs.data + 14 + at);
  return pool.concat(
    Array.from({ length: size }, (_, index) => byteAnywhere(inputs, pool.addConst(address, index))!),
  );
};

const wide = (term: Term, width = 32): Term => pool.zeroExtend(width, term);
const signedLess = (a: Term, b: Term): Term => pool.lessSigned(a, b);
const five = (width: number): Term => pool.constant(width, 5);
const minus = pool.constant(8, -5);
const [a, b] = [pool.unknown(64, 'a'), pool.unknown(64, 'b')];
const product = pool.multiply(byte(40), byte(41));

describe('words for bytes behind headers of any length', () => {
  const TCP = [is(field(12, 2), 0x0800), is(byte(23), 6)];
  const UDP = [is(field(12, 2), 0x0800), is(byte(23), 17)];

  it('name the fields of the header that follows', () => {
    expect(text(TCP, is(behind(2, 2), 80))).toBe('tcp.dstport == 80');
    expect(text(UDP, pool.not(is(behind(0, 2), 53)))).toBe('udp.srcport != 53');
    expect(text(TCP, is(pool.extract(behind(13, 1), 1, 1), 1))).toBe('tcp.flags.syn == 1');
    // Where the length is known, the bytes lie in one place.
    expect(text([...TCP, ...IPV4], is(field(36, 2), 80))).toBe('tcp.dstport == 80');
  });

  it('say where others lie', () => {
    expect(text(TCP, is(behind(40, 1), 71))).toBe('frame[ip.ihl * 4 + 54] == 71');
    expect(text([], is(behind(2, 1), 80))).toBe('frame[(frame[14] & 0xf) * 4 + 16] == 80');
    const header = pool.zeroExtend(64, pool.concat([pool.extract(behind(12, 1), 4, 4), pool.constant(2, 0)]));
    expect(text(TCP, less(behind(0, 2, header), 5))).toMatch(
      /^frame\[ip\.ihl \* 4 \+ tcp\.\w+ \* 4 \+ 14…ip\.ihl \* 4 \+ tcp\.\w+ \* 4 \+ 15\] < 5$/,
    );
  });
});

describe('a condition says', () => {
  it.each<readonly [string, Term]>([
    // Fields of the header that is there in any case, whole and byte by byte.
    ['eth.type == 0x806', is(field(12, 2), 0x0806)],
    ['eth.type != 0x806', pool.not(is(field(12, 2), 0x0806))],
    ['eth.src == 02:00:00:00:00:01', is(field(6, 6), 0x020000000001n)],
    ['eth.type[0] == 0x8', is(byte(12), 8)],
    ['eth.type[1] != 0x8', pool.not(is(byte(13), 8))],
    ['eth.dst[0] == 0x2 && eth.dst[5] == 0x7', pool.and(is(byte(0), 2), is(byte(5), 7))],
    ['!(eth.dst[0] == 0x2 && eth.dst[5] == 0x7)', pool.not(pool.and(is(byte(0), 2), is(byte(5), 7)))],
    ['frame.len < 50', less(inputs.length, 50)],
    ['frame.len >= 50', pool.not(less(inputs.length, 50))],
    ['frame.len >= 51', pool.less(pool.constant(16, 50), inputs.length)],
    ['frame.len < 51', pool.not(pool.less(pool.constant(16, 50), inputs.length))],
    ['ifindex == 5', is(inputs.ingressIfindex, 5)],
    ['metadata.len == 4', is(inputs.metaWords, 1)],
    ['metadata.len < 8', less(inputs.metaWords, 2)],
    ['metadata.len >= 200', pool.not(less(pool.shiftLeft(wide(inputs.metaWords), 2), 197))],
    ['metadata.len < 200', less(pool.shiftLeft(wide(inputs.metaWords), 2), 200)],
    // By addresses: what lies in front of the frame, counted from its begin.
    ['metadata.len >= 8', less(inFront, 0xffff_fff8)],
    ['metadata.len < 8', pool.not(less(inFront, 0xffff_fff8))],
    ['metadata.len >= 4', less(inFront, 0xffff_fffc)],
    // One of several numbers, or none, as a switch asks.
    ['frame[40] is none of 0, 43, 60', pool.all([60, 0, 43].map((one) => pool.not(is(byte(40), one))))],
    ['frame[40] is one of 0, 43, 60', pool.any([60, 0, 43].map((one) => is(byte(40), one)))],
    ['frame[40] == 8 || frame[41] == 8', pool.or(is(byte(40), 8), is(byte(41), 8))],
    // Sockets, and what is or is not there.
    ['skb.sk.state == 6', is(socketBytes('given.socket', 75, 74, 73, 72), 6)],
    ['bpf_skc_lookup_tcp#2.state != 6', pool.not(is(socketBytes('bpf_skc_lookup_tcp.1', 75, 74, 73, 72), 6))],
    ['skb.sk.dst_port == 0x50', is(socketBytes('given.socket', 48, 49), 80)],
    ['skb.sk[200] == 1', is(socketBytes('given.socket', 200), 1)],
    ['bpf_skc_lookup_tcp#2 == NULL', pool.unknown(1, 'bpf_skc_lookup_tcp.1.null')],
    ['bpf_skc_lookup_tcp#2 != NULL', pool.not(pool.unknown(1, 'bpf_skc_lookup_tcp.1.null'))],
    ['skb.sk == NULL', pool.unknown(1, 'given.no_socket')],
    ['skb.vlan_proto == 0x88a8', pool.unknown(1, 'skb.vlan_service')],
    ['skb.vlan_proto == 0x8100', pool.not(pool.unknown(1, 'skb.vlan_service'))],
    ['skb.cb[2] == 7', is(pool.unknown(32, 'skb.cb2'), 7)],
    ['skb.napi_id == 7', is(pool.unknown(32, 'given.napi_id'), 7)],
    // Bytes behind it have no other name.
    ['frame[14] == 8', is(byte(14), 8)],
    ['frame[40] == frame[41]', pool.equal(byte(40), byte(41))],
    ['frame[40] != frame[41]', pool.not(pool.equal(byte(40), byte(41)))],
    ['frame[40] < frame[41]', pool.less(byte(40), byte(41))],
    ['frame[40] >= frame[41]', pool.not(pool.less(byte(40), byte(41)))],
    ['frame[40] == 8 || frame[50] == 9', pool.or(is(byte(40), 8), is(byte(50), 9))],
    ['!(frame[40] == 8 || frame[50] == 9)', pool.not(pool.or(is(byte(40), 8), is(byte(50), 9)))],
    // Signed numbers.
    ['signed frame[40] < 5', signedLess(byte(40), five(8))],
    ['signed frame[40] < -5', signedLess(byte(40), minus)],
    ['signed frame[40] >= -5', pool.not(signedLess(byte(40), minus))],
    ['signed frame[40] >= -4', signedLess(minus, byte(40))],
    ['signed frame[40] < -4', pool.not(signedLess(minus, byte(40)))],
    ['signed frame[40] >= signed frame[41]', pool.not(signedLess(byte(40), byte(41)))],
    // One that is made longer with its sign is a signed one already.
    ['signed frame[40] < -5', signedLess(pool.signExtend(16, byte(40)), pool.constant(16, -5))],
    // Bounds that a compiler has made one comparison of.
    ['1 <= frame[40] <= 8', less(pool.addConst(byte(40), -1), 8)],
    ['!(1 <= frame[40] <= 8)', pool.not(less(pool.addConst(byte(40), -1), 8))],
    ['frame[40] >= 250', less(pool.addConst(byte(40), -250), 6)],
    ['frame[40] + 5 < 8', less(pool.addConst(byte(40), 5), 8)],
    ['only for drivers that take no metadata', pool.unknown(1, ELSEWHERE.noMetadata.name)],
    ['frame[40] == 8 && frame[50] < 9', pool.and(is(byte(40), 8), less(byte(50), 9))],
    ['!(frame[40] == 8 && frame[50] < 9)', pool.not(pool.and(is(byte(40), 8), less(byte(50), 9)))],
    ['signed frame[40] < signed frame[41]', signedLess(byte(40), byte(41))],
    // From 1024 on numbers are hexadecimal.
    ['(frame[40] ‖ frame[50]) < 1023', less(pool.concat([byte(40), byte(50)]), 1023)],
    ['(frame[40] ‖ frame[50]) < 0x400', less(pool.concat([byte(40), byte(50)]), 1024)],
    // What is computed.
    ['frame[40] < 5', pool.less(wide(byte(40)), five(32))],
    ['frame[40] * 4 < 5', pool.less(pool.shiftLeft(wide(byte(40)), 2), five(32))],
    ['frame[40] * 256 < 0x7d0', less(pool.concat([byte(40), pool.constant(8, 0)]), 2000)],
    [
      '(frame[40] + frame[41]) * 4 < 5',
      pool.less(pool.shiftLeft(wide(pool.add(byte(40), byte(41))), 2), five(32)),
    ],
    [
      'swapped(frame[80…83]) % swapped(frame[90…93]) < 5',
      pool.less(rest(pool.swapBytes(field(80, 4)), pool.swapBytes(field(90, 4)), 1), five(32)),
    ],
    [
      'swapped(frame[80…83]) - 2 * (swapped(frame[90…93]) * (swapped(frame[80…83]) / swapped(frame[90…93]))) < 5',
      pool.less(rest(pool.swapBytes(field(80, 4)), pool.swapBytes(field(90, 4)), 2), five(32)),
    ],
    ['swapped(eth.type) < 5', pool.less(pool.swapBytes(field(12, 2)), five(16))],
    [
      '2 * frame[40] - frame[41] + 3 < 9',
      less(
        pool.sum(8, 3n, [
          [byte(40), 2n],
          [byte(41), -1n],
        ]),
        9,
      ),
    ],
    ['-2 * frame[40] - 3 < 9', less(pool.sum(8, -3n, [[byte(40), -2n]]), 9)],
    ['frame[40] * frame[41] < 5', pool.less(product, five(8))],
    [
      'a * b / 2000 < 5',
      pool.less(pool.divide('udiv', pool.multiply(a, b), pool.constant(64, 2000)), five(64)),
    ],
    ['a / (a * b) < 5', pool.less(pool.divide('udiv', a, pool.multiply(b, a)), five(64))],
    ['(signed a / signed b) < 5', pool.less(pool.divide('sdiv', a, b), five(64))],
    ['((a << (b & 0x3f)) & 0x7) == 5', is(pool.extract(pool.shift('shl', a, b), 0, 3), 5)],
    [
      '(frame[40] ^ frame[41]) * frame[42] < 5',
      pool.less(pool.multiply(pool.xor(byte(40), byte(41)), byte(42)), five(8)),
    ],
    ['frame[40] * frame[41] + frame[42] < 5', less(pool.add(product, byte(42)), 5)],
    ['2 * (frame[40] * frame[41]) < 5', less(pool.sum(8, 0n, [[product, 2n]]), 5)],
    // Bytes that lie one behind the other.
    ['frame[40…42] < 0x7d0', less(field(40, 3), 2000)],
    ['swapped(frame[40…42]) < 0x7d0', less(pool.concat([byte(42), byte(41), byte(40)]), 2000)],
    ['(frame[40…41] ‖ frame[50]) < 9', less(pool.concat([byte(40), byte(41), byte(50)]), 9)],
    ['eth.src[2…5] < 9', less(field(8, 4), 9)],
    // Bits, as a C program would take them out.
    ['(frame[40] & 0x7) < 5', pool.less(bits(40, 0, 3), five(3))],
    ['(frame[40] >> 2 & 0x7) < 5', pool.less(bits(40, 2, 3), five(3))],
    ['(frame[40] >> 4) < 5', pool.less(bits(40, 4, 4), five(4))],
    ['(frame[40] >> 3 & 0x1) == 1', is(bits(40, 3, 1), 1)],
    ['(frame[40] >> 7) == 0', is(bits(40, 7, 1), 0)],
    // Unknowns by what they stand for.
    ['key 1 is in map flows', is(pool.unknown(1, 'map0.0.there'), 1)],
    ['key 3 is not in map slots', is(pool.unknown(1, 'map1.2.there'), 0)],
    ['map flows is full', is(pool.unknown(1, 'full0.0'), 1)],
    ['map slots is not full', is(pool.unknown(1, 'full1.2.3'), 0)],
    ['flows[key 2][3] == 5', is(pool.unknown(8, 'map0.1.3'), 5)],
    ['slots[key 1][12] == 5', is(pool.unknown(8, 'map1.0.12'), 5)],
    ['tables[key 3] == slots', is(pool.unknown(16, 'map2.2.inner'), 1)],
    ['tables[key 1] == map 77', is(pool.unknown(16, 'map2.0.inner'), 77)],
    ['bpf_x#2.arg4[7] == 5', is(pool.unknown(8, 'bpf_x.1.3.7'), 5)],
    [
      'bpf_x#2.arg4[7…8] == 5',
      pool.and(is(pool.unknown(8, 'bpf_x.1.3.7'), 0), is(pool.unknown(8, 'bpf_x.1.3.8'), 5)),
    ],
    // Members of structs that helpers write, in the order of the machine.
    ['bpf_fib_lookup#1.ifindex < 5', less(fibBytes(11, 10, 9, 8), 5)],
    ['bpf_fib_lookup#1.arg2[60] == 5', is(fibBytes(60), 5)],
    ['bpf_skb_get_tunnel_key#1.tunnel_id < 5', less(tunnelBytes(3, 2, 1, 0), 5)],
    [
      'bpf_skb_get_tunnel_key#1.tunnel_id == 2',
      pool.all([0, 1, 2, 3].map((at) => is(tunnelBytes(at), at === 0 ? 2 : 0))),
    ],
    ['swapped(bpf_skb_get_tunnel_key#1.tunnel_id) < 5', less(tunnelBytes(0, 1, 2, 3), 5)],
    ['bpf_skb_get_tunnel_key#1.tunnel_tos == 5', is(tunnelBytes(20), 5)],
    ['bpf_skb_get_tunnel_key#1.arg2[9] == 5', is(tunnelBytes(9), 5)],
    [
      'frame[14…15] == 0x800 && frame[60] == 9',
      pool.all([is(byte(14), 8), is(byte(60), 9), is(byte(15), 0)]),
    ],
    ['signed a < 0', is(pool.extract(a, 63, 1), 1)],
    ['signed a >= 0', is(pool.extract(a, 63, 1), 0)],
    ['skb.family == 5', is(pool.unknown(32, 'fixed.family'), 5)],
    ['bpf_x#3 == 5', is(pool.unknown(32, 'bpf_x.2'), 5)],
    ['flag == 1', is(pool.unknown(1, 'flag'), 1)],
    ['flag == 0', is(pool.unknown(1, 'flag'), 0)],
    ['(flag == 1 ? a : b)', pool.ite(pool.unknown(1, 'flag'), pool.unknown(1, 'a'), pool.unknown(1, 'b'))],
    [
      '!((flag == 1 ? a : b))',
      pool.not(pool.ite(pool.unknown(1, 'flag'), pool.unknown(1, 'a'), pool.unknown(1, 'b'))),
    ],
  ])('%s', (expected, condition) => expect(text([], condition)).toBe(expected));

  it('what it is computed of where that takes more than 120 letters', () => {
    const name = (size: number): string => 'x'.repeat(size);
    const said = (size: number): string => {
      const [{ text: whole }] = words(
        [],
        pool.less(pool.multiply(pool.unknown(8, name(size)), byte(40)), five(8)),
      ) as [Word];
      return whole.replace(' < 5', '');
    };
    // frame[40] * xxx
    expect(said(108)).toBe(`frame[40] * ${name(108)}`);
    expect(said(109)).toBe(`computed(frame[40], ${name(109)})`);
  });

  it('what it is computed of, where nobody would read it to its end', () => {
    const nested = (rounds: number): Term => {
      let one = byte(40);
      for (let round = 0; round < rounds; round++) {
        one = pool.multiply(pool.xor(one, byte(41 + (round % 5))), one);
      }
      return one;
    };
    expect(text([], less(nested(1), 5))).toBe('frame[40] * (frame[40] ^ frame[41]) < 5');
    // Written out, this would fill more memory than there is.
    expect(text([], less(nested(200), 5))).toBe('computed(frame[40], frame[41], frame[42], 3 more) holds');
    expect(text([], pool.not(is(nested(200), 5)))).toBe(
      'computed(frame[40], frame[41], frame[42], 3 more) does not hold',
    );
  });

  it('what the kernel concludes from the frame by the name of the field of the context', () => {
    const skb = new Inputs(pool, new Machine(object, {}), 'tc-ingress', object.programs[0]!, inputs.limits);
    const state = skb.start(0);
    const half = (at: number): Term => pool.extract(contextWord(skb, state, at), 0, 16);
    const said = (condition: Term): string => {
      const path = skb.start(0);
      path.knowledge.add(condition, ORIGIN);
      return joinWords(wordsOf(skb, path));
    };
    expect(said(is(half(SK_BUFF.protocol), 0x0008))).toBe('skb.protocol == 0x800');
    expect(said(pool.not(is(half(SK_BUFF.protocol), 0xdd86)))).toBe('skb.protocol != 0x86dd');
    expect(said(less(half(SK_BUFF.protocol), 0xdd86))).toBe('swapped(skb.protocol) < 0xdd86');
    expect(said(is(half(SK_BUFF.pktType), 3))).toBe('skb.pkt_type == 3');
  });

  it('as words which term it is about, where it is about one', () => {
    expect(words([], is(field(12, 2), 0x0806))[0]).toEqual({
      ...{ text: 'eth.type == 0x806', subject: 'eth.type', relation: '==', value: 0x0806n, shown: '0x806' },
    });
    expect(words([], pool.not(is(byte(13), 8)))[0]).toMatchObject({
      subject: 'eth.type[1]',
      relation: '!=',
      value: 8n,
    });
    expect(words([], pool.not(less(inputs.length, 50)))[0]).toMatchObject({ relation: '>=', value: 50n });
    expect(words([], pool.less(pool.constant(16, 50), inputs.length))[0]).toMatchObject({
      relation: '>=',
      value: 51n,
    });
    for (const open of [pool.less(byte(40), byte(41)), pool.or(is(byte(40), 8), is(byte(50), 9))])
      expect(words([], open)[0]!.subject).toBeUndefined();
  });

  it('nothing of what the path took for granted', () => {
    expect(words([is(byte(50), 1)], is(byte(40), 1)).map((one) => one.text)).toEqual(['frame[40] == 1']);
  });
});

describe('fields have the names of the headers that a path knows', () => {
  const [TTL, PORT] = [(at: number): Term => is(byte(at), 7), (at: number): Term => is(field(at, 2), 80)];

  it.each<readonly [string, readonly Term[], Term]>([
    ['ip.ttl == 7', IPV4, TTL(22)],
    ['frame[14] == 69', [is(field(12, 2), 0x0800)], is(byte(14), 0x45)],
    ['ip.flags.df == 1', IPV4, is(bits(20, 6, 1), 1)],
    ['ip.flags.df == 0', IPV4, is(bits(20, 6, 1), 0)],
    ['ip.src == 10.0.0.1', IPV4, is(field(26, 4), 0x0a000001)],
    ['ip.ttl < ip.proto', IPV4, pool.less(byte(22), byte(23))],
    // The fragment field, as C has it, whose mask goes over two bytes.
    ['(ip.frag_off & 0x3fff) == 0', IPV4, pool.and(is(byte(21), 0), is(bits(20, 0, 6), 0))],
    ['(ip.frag_off & 0x3fff) != 0', IPV4, pool.not(pool.and(is(byte(21), 0), is(bits(20, 0, 6), 0)))],
    ['ip.frag_offset == 185', IPV4, pool.and(is(bits(20, 0, 5), 0), is(byte(21), 185))],
    ['(ip.frag_off[0] & 0x3f) == 0', IPV4, is(bits(20, 0, 6), 0)],
    ['ip.ttl == 9 && (ip.frag_off[0] & 0x3f) == 0', IPV4, pool.and(is(bits(20, 0, 6), 0), is(byte(22), 9))],
    // Bits in two bytes that are one field.
    ['vlan.id == 99', tagged(1), pool.and(is(byte(15), 99), is(bits(14, 0, 4), 0))],
    ['vlan.id != 300', tagged(1), pool.not(pool.and(is(bits(14, 0, 4), 1), is(byte(15), 44)))],
    // A header that says it is shorter than it is: what lies in front keeps its name.
    ['ip.proto == 17 && ip.checksum == 0x35', SHORT, pool.and(is(byte(23), 17), is(field(24, 2), 53))],
    ['ipv6.hlim == 7', IPV6, TTL(21)],
    ['ipv6.nxt == 7', IPV6, TTL(20)],
    ['arp.opcode == 2', [is(field(12, 2), 0x0806)], is(field(20, 2), 2)],
    ['tcp.dstport == 80', [...IPV4, is(byte(23), 6)], PORT(36)],
    ['tcp.dstport < 8080', [...IPV4, is(byte(23), 6)], less(field(36, 2), 8080)],
    ['ipv6.src == 2001:db8::1', IPV6, is(field(22, 16), 0x20010db8000000000000000000000001n)],
    ['udp.dstport == 80', [...IPV4, is(byte(23), 17)], PORT(36)],
    ['icmp.type == 7', [...IPV4, is(byte(23), 1)], TTL(34)],
    ['frame[34] == 7', [...IPV4, is(byte(23), 47)], TTL(34)],
    ['udp.dstport == 80', [...OPTIONS, is(byte(23), 17)], PORT(44)],
    ['udp.dstport == 80', [...IPV6, is(byte(20), 17)], PORT(56)],
    ['tcp.dstport == 80', [...IPV6, is(byte(20), 6)], PORT(56)],
    ['icmpv6.type == 7', [...IPV6, is(byte(20), 58)], TTL(54)],
    // Without the length of the header nobody knows where the ports are, or without the protocol whose they are.
    ['frame[36…37] == 80', [is(field(12, 2), 0x0800), is(byte(23), 6)], PORT(36)],
    ['frame[36…37] == 80', IPV4, PORT(36)],
    ['frame[22] == 7', [is(field(12, 2), 0x0801)], TTL(22)],
    ['frame[22] == 7', [], TTL(22)],
    // Behind tags.
    ['vlan.id < 7', tagged(1), less(pool.concat([bits(14, 0, 4), byte(15)]), 7)],
    ['vlan.etype == 0x50', tagged(1), PORT(16)],
    ['ip.ttl == 7', tagged(1, is(field(16, 2), 0x0800)), TTL(26)],
    ['ip.ttl == 7', tagged(2, is(field(20, 2), 0x0800)), TTL(30)],
    ['ipv6.hlim == 7', tagged(2, is(field(20, 2), 0x86dd)), TTL(29)],
    [
      'udp.dstport == 80',
      tagged(1, is(field(16, 2), 0x0800), is(bits(18, 0, 4), 5), is(byte(27), 17)),
      PORT(40),
    ],
    ['udp.dstport == 80', tagged(1, is(field(16, 2), 0x86dd), is(byte(24), 17)), PORT(60)],
  ])('%s', (expected, known, condition) => expect(text(known, condition)).toBe(expected));

  it('as far as the frame may reach', () => {
    // Eight headers of options end at byte 74, and the longest frame has 100: TCP’s last word is beyond.
    const long = [is(field(12, 2), 0x0800), is(bits(14, 0, 4), 15), is(byte(23), 6)];
    expect(text(long, is(field(74, 2), 80))).toBe('tcp.srcport == 80');
    const deep = tagged(6, is(field(36, 2), 0x0800), is(bits(38, 0, 4), 15), is(byte(47), 6));
    expect(text(deep, is(field(98, 2), 80))).toBe('tcp.srcport == 80');
    expect(text(deep, is(field(100, 2), 80))).toBe('frame[100…101] == 80');
    // A tag whose type would be beyond the frame’s end.
    const end = tagged(21);
    expect(text(end, is(field(96, 2), 5))).toBe('vlan.etype == 0x5');
  });

  it('in programs that nobody has asked about before', () => {
    const other = new Inputs(pool, machine, 'xdp', object.programs[0]!);
    for (const _ of [1, 2]) {
      const state = other.start(0);
      state.knowledge.add(TTL(8), ORIGIN);
      expect(wordsOf(other, state).map((one) => one.text)).toEqual(['eth.src[2] == 0x7']);
    }
  });

  it('that are the same for paths with the same headers', () => {
    const first = text(IPV4, TTL(22));
    expect([first, text([], TTL(22)), text(IPV4, TTL(22)), text(OPTIONS, TTL(22))]).toEqual([
      'ip.ttl == 7',
      'frame[22] == 7',
      'ip.ttl == 7',
      'ip.ttl == 7',
    ]);
  });
});

describe('what is in maps has the names of the C source', () => {
  const blob = new BtfBuilder();
  const u8 = blob.int('u8', 1);
  const u16 = blob.int('u16', 2);
  const u32 = blob.int('u32', 4);
  const u64 = blob.int('u64', 8);
  const key = blob.struct('key', 12, [
    ['source', u32, 0],
    ['destination', u32, 32],
    ['port', u16, 64],
    ['mark', u16, 80],
  ]);
  const flow = blob.struct('flow', 24, [
    ['packets', u64, 0],
    ['rate', u32, 64],
    ['next', u32, 96],
    ['mac', blob.array(u8, 6), 128],
    ['kind', u8, 176],
  ]);
  const variables = new Map([
    ['enabled', { offset: 0, size: 4, typeId: u32 }],
    ['config', { offset: 8, size: 24, typeId: flow }],
    ['plain', { offset: 32, size: 2, typeId: undefined }],
  ]);
  const typed = {
    ...testObject({ main: 'exit' }, [
      testMap('flows', 'HASH', { keySize: 12, valueSize: 24, keyType: key, valueType: flow }),
      testMap('counts', 'ARRAY', { keyType: u32, valueType: u64 }),
      testMap('routes', 'LPM_TRIE', { keySize: 8, valueSize: 4, valueType: u32 }),
      testMap('.bss', 'ARRAY', {
        valueSize: 34,
        global: { bytes: new Uint8Array(34), readOnly: false, variables },
      }),
      testMap('ports', 'QUEUE', { valueType: u64 }),
      testMap('blobs', 'HASH'),
    ]),
    btf: parseBtf(blob.bytes()),
  };
  const own = new Inputs(pool, new Machine(typed, {}), 'xdp', typed.programs[0]!, inputs.limits);
  const ip = (at: number, size: number): Term[] =>
    Array.from({ length: size }, (_, index) => byte(at + index));
  const number = (value: number, size: number): Term[] =>
    Array.from({ length: size }, (_, index) => pool.constant(8, (value >> (8 * index)) & 0xff));
  const KEYS: readonly (readonly [map: number, key: readonly Term[]])[] = [
    [0, [...ip(26, 4), ...ip(30, 4), ...ip(36, 2), ...number(7, 2)]],
    [0, [...ip(30, 4), ...number(1, 4), byte(35), byte(34), ...number(0, 2)]],
    [1, number(3, 4)],
    [1, [byte(23), ...number(0, 3)]],
    [2, [...number(24, 4), ...ip(30, 4)]],
    [4, []],
    [5, ip(60, 4)],
    // Prefixes that are shorter than the address, of which the rest is 0, or not; one that is all constant.
    [2, [...number(24, 4), ...ip(60, 3), ...number(0, 1)]],
    [2, [...number(16, 4), ...ip(60, 3), ...number(0, 1)]],
    [2, [...number(24, 4), ...ip(60, 3), ...number(7, 1)]],
    [2, [...number(32, 4), ...number(0x0100000a, 4)]],
    [
      5,
      Array.from({ length: 4 }, (_, index) =>
        pool.multiply(byte(70 + index), pool.unknown(8, 'x'.repeat(30))),
      ),
    ],
  ];
  const valueByte = (map: number, ordinal: number, at: number): Term =>
    map === 3 ? own.globalByte(map, at) : pool.unknown(8, `map${map}.${ordinal}.${at}`);
  const value = (map: number, ordinal: number, at: number, size: number): Term =>
    pool.concat(Array.from({ length: size }, (_, index) => valueByte(map, ordinal, at + size - 1 - index)));
  const said = (...conditions: readonly Term[]): string => {
    const state = own.start(0);
    for (const one of [...IPV4, is(byte(23), 17)]) state.knowledge.add(one, undefined);
    state.entries = KEYS.map(([map, asked]) => ({
      ...{ map, key: asked, wasThere: pool.true, isThere: pool.true, block: 0 },
    }));
    for (const one of conditions) state.knowledge.add(one, ORIGIN);
    return joinWords(wordsOf(own, state));
  };
  const swappedBytes = (at: number, size: number): Term => pool.swapBytes(field(at, size));
  const FIRST = 'flows[ip.src, ip.dst, udp.dstport, 7]';

  it.each<readonly [string, Term]>([
    // Numbers, and parts of them.
    [`${FIRST}.packets < 5000`, less(value(0, 0, 0, 8), 5000)],
    [`${FIRST}.rate == 5000`, is(value(0, 0, 8, 4), 5000)],
    [`${FIRST}.rate != 5000`, pool.not(is(value(0, 0, 8, 4), 5000))],
    [`(${FIRST}.packets & 0xffffffff) < 9`, less(value(0, 0, 0, 4), 9)],
    [`(${FIRST}.packets >> 32) < 9`, less(value(0, 0, 4, 4), 9)],
    [`(${FIRST}.packets >> 8 & 0xffff) < 9`, less(value(0, 0, 1, 2), 9)],
    [`(${FIRST}.packets >> 56) == 0x9`, is(valueByte(0, 0, 7), 9)],
    [`(${FIRST}.next ‖ ${FIRST}.rate) < 9`, less(value(0, 0, 8, 8), 9)],
    [`swapped(${FIRST}.rate) < 9`, less(pool.swapBytes(value(0, 0, 8, 4)), 9)],
    [`${FIRST}.rate < frame.len`, pool.less(value(0, 0, 8, 4), wide(inputs.length))],
    [`${FIRST}.kind == 3`, is(valueByte(0, 0, 22), 3)],
    // Bytes.
    [`${FIRST}.mac == 0x102030405`, is(pool.swapBytes(value(0, 0, 16, 6)), 0x0102030405)],
    [`${FIRST}.mac[2] == 0x9`, is(valueByte(0, 0, 18), 9)],
    [`swapped(${FIRST}.mac[0…3]) < 9`, less(value(0, 0, 16, 4), 9)],
    [`eth.src == ${FIRST}.mac`, pool.equal(field(6, 6), pool.swapBytes(value(0, 0, 16, 6)))],
    [`${FIRST}[23] == 9`, is(valueByte(0, 0, 23), 9)],
    // Fields of the packet that are compared with numbers of the map, as memory has both.
    [`ip.src == ${FIRST}.rate`, pool.equal(field(26, 4), pool.swapBytes(value(0, 0, 8, 4)))],
    // Bytes of the frame that are no field, in the order of the number, or of the frame.
    [`${FIRST}.packets == swapped(frame[60…67])`, pool.equal(swappedBytes(60, 8), value(0, 0, 0, 8))],
    [
      `${FIRST}.packets != swapped(frame[60…67])`,
      pool.not(pool.equal(swappedBytes(60, 8), value(0, 0, 0, 8))),
    ],
    [`${FIRST}.packets == frame[60…67]`, pool.equal(field(60, 8), value(0, 0, 0, 8))],
    [
      `frame[60…63] == frame[70…73] && frame[65] == frame[75]`,
      pool.and(pool.equal(field(60, 4), field(70, 4)), pool.equal(byte(65), byte(75))),
    ],
    [
      'swapped(frame[60…63]) == (frame[70] << (frame[71] & 0x1f))',
      pool.equal(swappedBytes(60, 4), pool.shift('shl', wide(byte(70), 32), wide(bits(71, 0, 5), 32))),
    ],
    [`(${FIRST}.packets & 0xffffffff) == 0xffffffff`, is(value(0, 0, 0, 4), 0xffffffff)],
    [`frame[60…67] == 0 && ${FIRST}.packets == 0`, is(pool.or(value(0, 0, 0, 8), swappedBytes(60, 8)), 0)],
    // Other keys.
    ['flows[ip.dst, 1, swapped(udp.srcport), 0].rate < 9', less(value(0, 1, 8, 4), 9)],
    ['counts[3] < 9', less(value(1, 0, 0, 8), 9)],
    ['counts[ip.proto] < 9', less(value(1, 1, 0, 8), 9)],
    ['routes[ip.dst/24] < 9', less(value(2, 0, 0, 4), 9)],
    ['ports[element 1] < 9', less(value(4, 0, 0, 8), 9)],
    ['swapped(blobs[frame[60…63]][0…3]) < 9', less(value(5, 0, 0, 4), 9)],
    // A key that is too long to be read, and one that was not asked for.
    ['blobs[key 2][0] < 9', less(valueByte(5, 1, 0), 9)],
    ['blobs[key 3][0] < 9', less(valueByte(5, 2, 0), 9)],
    // Variables.
    ['enabled == 1', is(value(3, 0, 0, 4), 1)],
    ['config.rate < 9', less(value(3, 0, 16, 4), 9)],
    ['plain == 9', is(value(3, 0, 32, 2), 9)],
    ['(enabled >> 8 & 0xff) == 0x9', is(valueByte(3, 0, 1), 9)],
    // What is there.
    ['ip.src, ip.dst, udp.dstport, 7 is in map flows', pool.unknown(1, 'map0.0.there')],
    ['ip.dst/24 is not in map routes', pool.not(pool.unknown(1, 'map2.0.there'))],
    ['frame[60…62]/24 is in map routes', pool.unknown(1, 'map2.1.there')],
    ['frame[60…62]/16 is in map routes', pool.unknown(1, 'map2.2.there')],
    ['(frame[60…62] ‖ 7)/24 is in map routes', pool.unknown(1, 'map2.3.there')],
    ['0xa000001/32 is in map routes', pool.unknown(1, 'map2.4.there')],
    ['queue ports has at least 1 element', pool.unknown(1, 'map4.0.there')],
    ['queue ports has fewer than 2 elements', pool.not(pool.unknown(1, 'map4.1.there'))],
  ])('%s', (expected, condition) => expect(said(condition)).toBe(expected));

  it('in what is too long to be written, each once', () => {
    let one = value(0, 0, 0, 8);
    for (let round = 0; round < 200; round++)
      one = pool.multiply(pool.xor(one, wide(value(0, 0, 8, 4), 64)), one);
    one = pool.add(one, wide(field(26, 4), 64));
    expect(said(less(one, 5))).toBe(`computed(${FIRST}.packets, ${FIRST}.rate, ip.src) holds`);
  });
});

describe('conditions are opposite', () => {
  const opposite = (one: string, other: string): boolean => areOpposite({ text: one }, { text: other });
  it.each([
    ['a == 1', 'a != 1'],
    ['a < b', 'a >= b'],
    ['key 1 is in map flows', 'key 1 is not in map flows'],
    ['map flows is full', 'map flows is not full'],
    ['queue ports has at least 1 element', 'queue ports has fewer than 1 element'],
    ['computed(a) holds', 'computed(a) does not hold'],
    ['a is none of 1, 2', 'a is one of 1, 2'],
    ['a == 1 && b == 2', '!(a == 1 && b == 2)'],
  ])('%s, and %s', (one, other) => {
    expect([opposite(one, other), opposite(other, one)]).toEqual([true, true]);
    expect(opposite(one, one)).toBe(false);
  });

  it.each([
    ['a == 1', 'a != 2'],
    ['a == 1', 'b != 1'],
    ['a < 1', 'a >= 2'],
    ['a == 1 && b == 2', 'a != 1 && b == 2'],
  ])('not %s, and %s', (one, other) => expect(opposite(one, other)).toBe(false));
});

describe('names', () => {
  it('of headers are known where a TC program has looked at skb->protocol alone', () => {
    const tc = new Inputs(pool, machine, 'tc-ingress', object.programs[0]!);
    const said = (protocol: number): string => {
      const state = tc.start(0);
      const word = contextWord(tc, state, SK_BUFF.protocol);
      state.knowledge.add(pool.equal(word, pool.constant(32, protocol)), undefined);
      state.knowledge.add(is(bits(14, 0, 4), 5), undefined);
      state.knowledge.add(is(byte(23), 6), ORIGIN);
      state.knowledge.add(bits(47, 1, 1), ORIGIN);
      return joinWords(wordsOf(tc, state));
    };
    expect(said(0x0008)).toBe('ip.proto == 6 && tcp.flags.syn == 1');
    expect(said(0x0608)).not.toContain('ip.proto');
  });

  it('of bounds that a call brings along are left out, and those that a program asks for are not', () => {
    const program = testObject({ main: 'call bpf_get_prandom_u32\nr0 += 1\nexit' });
    const own = new Inputs(pool, new Machine(program, {}), 'xdp', program.programs[0]!);
    const state = own.start(0);
    const result = pool.unknown(32, 'bpf_get_prandom_u32.0');
    state.knowledge.add(pool.not(signedLess(result, pool.constant(32, -4095))), { program: 0, slot: 0 });
    state.knowledge.add(pool.not(less(result, 7)), { program: 0, slot: 1 });
    expect(joinWords(wordsOf(own, state))).toBe('bpf_get_prandom_u32#1 >= 7');
  });
});
