import { describe, expect, it } from 'vitest';
import { bytesOf } from '../../corpus/test-support/captures.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { type Datagram, type DatagramLimits, Datagrams, type FragmentPlace } from './datagrams.ts';

/** 24 bytes. */
const DATA = bytesOf('0001020304050607 08090a0b0c0d0e0f 1011121314151617');
const IPV4 = '45000000 abcd 0000 4011 0000 0a000001 0a000002';
const ADDRESSES6 = '20010db8000000000000000000000001 20010db8000000000000000000000002';

/** A packet at offset 3 of an arena, behind a link-layer header of 2 bytes. */
function fragment(
  header: string,
  data: Uint8Array,
  offset: number,
  more: boolean,
): [Uint8Array, FragmentPlace] {
  const head = bytesOf(`ffffff eeee ${header}`);
  const arena = Uint8Array.from([...head, ...data, 0xdd, 0xdd]);
  const version = head[5]! >> 4;
  return [arena, { version, start: 2, end: arena.length - 5, offset, more }];
}

function ipv4(
  from: number,
  to: number,
  header: string = IPV4,
  data: Uint8Array = DATA,
): [Uint8Array, FragmentPlace] {
  return fragment(header, data.subarray(from, to), from, to < DATA.length);
}

function collect(limits?: DatagramLimits): {
  datagrams: Datagrams<string>;
  given: string[];
  add: (piece: [Uint8Array, FragmentPlace], name: string) => Datagram<string> | undefined;
} {
  const given: string[] = [];
  const datagrams = new Datagrams<string>((name) => given.push(name), limits);
  let packet = 0;
  return {
    datagrams,
    given,
    add: ([arena, place], name) => datagrams.add(arena, 3, place, ++packet, name),
  };
}

describe('datagrams put together from fragments', () => {
  it('come out whole with the last fragment that was missing, in any order, and twice sent', () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 1, 2, 0],
      [0, 2, 2, 1],
    ]) {
      const { add, given } = collect();
      const results = order.map((index) => add(ipv4(index * 8, index * 8 + 8), `${index}`));
      expect(results.slice(0, -1).every((result) => result === undefined)).toBe(true);
      const datagram = results.at(-1)!;
      expect(toHex(datagram.bytes)).toBe(
        toHex(bytesOf(`4500002c abcd 0000 4011 baf1 0a000001 0a000002 ${toHex(DATA)}`)),
      );
      expect(datagram.deferred).toEqual(order.map(String));
      expect(given).toEqual([]);
    }
  });

  it('say which packet each byte came with', () => {
    const { add } = collect();
    add(ipv4(0, 16), 'first');
    expect(add(ipv4(16, 24), 'last')?.origins).toEqual([
      { packet: 1, from: 20, to: 36, at: 22 },
      { packet: 2, from: 36, to: 44, at: 22 },
    ]);
  });

  it('keep the options and "don’t fragment" of the first fragment’s header', () => {
    const { add } = collect();
    const first = '46000000 abcd 6000 4011 0000 0a000001 0a000002 94040000';
    add(ipv4(16, 24), 'last');
    expect(toHex(add(ipv4(0, 16, first), 'first')!.bytes)).toBe(
      toHex(bytesOf(`46000030 abcd 4000 4011 e5e8 0a000001 0a000002 94040000 ${toHex(DATA)}`)),
    );
  });

  it('keep extension headers before the fragment header over IPv6, and take those behind it as data', () => {
    const { add } = collect();
    const header = (next: string): string =>
      `60000000 0000 00 40 ${ADDRESSES6} 2c00000000000000 ${next}000000 00001234`;
    add(fragment(header('3c'), DATA.subarray(0, 8), 0, true), 'first');
    // RFC 8200 §4.5: the next header of the first fragment counts.
    const datagram = add(fragment(header('11'), DATA.subarray(8), 8, false), 'last')!;
    expect(toHex(datagram.bytes)).toBe(
      toHex(bytesOf(`60000000 0020 00 40 ${ADDRESSES6} 3c00000000000000 ${toHex(DATA)}`)),
    );
  });

  it('are told apart by addresses, identification and protocol', () => {
    for (const other of [
      IPV4.replace('abcd', 'abce'),
      IPV4.replace('4011', '4006'),
      IPV4.replace('0a000002', '0a000003'),
    ]) {
      const { add } = collect();
      add(ipv4(0, 16), 'first');
      expect(add(ipv4(16, 24, other), 'of another')).toBeUndefined();
    }
  });

  it('are given up where fragments overlap with other bytes, end twice, or are no multiple of 8', () => {
    const changed = DATA.map((byte) => byte ^ 1);
    for (const wrong of [
      ipv4(8, 16, IPV4, changed),
      fragment(IPV4, DATA.subarray(0, 8), 0, false),
      fragment(IPV4, DATA.subarray(16, 24), 32, false),
    ]) {
      const { add, given, datagrams } = collect();
      add(ipv4(0, 16), 'first');
      add(wrong, 'wrong');
      expect(add(ipv4(16, 24), 'last')).toBeUndefined();
      datagrams.end();
      expect(given).toEqual(['first', 'wrong', 'last']);
    }
    const { add, given } = collect();
    add(fragment(IPV4, DATA.subarray(0, 7), 0, true), 'uneven');
    add(fragment(IPV4, DATA, 65_528, false), 'beyond 65535');
    expect(given).toEqual(['uneven', 'beyond 65535']);
  });

  it('take no more memory than is allowed: the oldest are given up', () => {
    const { add, given } = collect({ bytes: 1 << 20, datagrams: 2 });
    for (const id of ['0001', '0002', '0003', '0004']) add(ipv4(0, 16, IPV4.replace('abcd', id)), id);
    expect(given).toEqual(['0001', '0002']);
    const small = collect({ bytes: 40, datagrams: 100 });
    for (const id of ['0001', '0002', '0003']) small.add(ipv4(0, 16, IPV4.replace('abcd', id)), id);
    expect(small.given).toEqual(['0001']);
  });
});
