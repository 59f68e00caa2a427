/** Which write is to blame for a wrong checksum, whatever has it. */
import { describe, expect, it } from 'vitest';
import { type Writers, writeToBlame } from './origin.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  pseudo,
  tcp,
  u16,
  udp,
  withChecksum,
} from './test-support/packets.ts';

/** The instructions that wrote these bytes last, the later ones of later steps. */
function writers(...written: readonly (readonly [from: number, to: number])[]): Writers {
  const all = written.map((range, index) => ({
    range,
    write: { step: index + 1, instruction: index, source: undefined },
  }));
  return {
    resize: undefined,
    lastIn: (from, to) =>
      all.findLast(({ range: [first, end] }) => Math.max(first, from) < Math.min(end, to))?.write,
  };
}

const blamed = (field: string, packet: Uint8Array, by: Writers): number | undefined =>
  writeToBlame({ field, expected: undefined }, packet, packet, by)?.instruction;

const MESSAGE = data(24);
const SOURCE6 = [22, 38] as const;
const NAMES: readonly [name: string, next: number][] = [
  ['vrrp', 112],
  ['dccp', 33],
  ['pim', 103],
  ['udplite', 136],
  ['ospf3', 89],
];
/** DCCP's data offset, UDP-Lite's coverage, VRRP's version are such that all of it is covered. */
const whole = (next: number): Uint8Array => {
  const message = new Uint8Array(MESSAGE);
  if (next === 33) message.set([4, 0], 4);
  if (next === 136) message.set([0, 0], 4);
  if (next === 112) message[0] = 0x31;
  return message;
};

describe('a checksum is blamed', () => {
  it.each(NAMES)('on who wrote an address, where its pseudo-header holds it: %s', (name, next) => {
    const packet = ethernet(0x86dd, ipv6(next, whole(next)));
    expect(blamed(`${name}.checksum`, packet, writers(SOURCE6))).toBe(0);
    // Nobody wrote what it depends on: an address of the frame, the hop limit.
    expect(blamed(`${name}.checksum`, packet, writers([SOURCE6[0], 24], [54, 56]))).toBe(1);
  });

  it('on who wrote the message, where there is no pseudo-header', () => {
    const sctp = ethernet(0x0800, ipv4(132, MESSAGE));
    expect(blamed('sctp.checksum', sctp, writers([26, 30], [34, 36], [30, 34]))).toBe(1);
    expect(blamed('sctp.checksum', sctp, writers([34, 36], [44, 46], [36, 38]))).toBe(1);
    const ospf = ethernet(0x0800, ipv4(89, bytes(2, 1, u16(24), data(20))));
    expect(blamed('ospf.checksum', ospf, writers([30, 34], [36, 38], [26, 30]))).toBe(1);
  });

  it('on who said how far the message goes, or what it is, where nobody wrote any of it', () => {
    const sctp = ethernet(0x86dd, ipv6(132, MESSAGE));
    expect(blamed('sctp.checksum', sctp, writers([18, 20]))).toBe(0);
    const segment = withChecksum(tcp(data(8)), 16, pseudo(6, 28));
    // The IPv4 checksum is written after every change, and says nothing.
    const by = writers([23, 24], [24, 26]);
    expect(blamed('tcp.checksum', ethernet(0x0800, ipv4(6, segment)), by)).toBe(0);
  });

  it('on who wrote the field itself before all others', () => {
    const packet = ethernet(0x86dd, ipv6(112, whole(112)));
    expect(blamed('vrrp.checksum', packet, writers([60, 62], SOURCE6))).toBe(0);
  });

  it('on who changed what it covers last, where it was right up to then', () => {
    const [a, b, c, d] = [1, 2, 9, 7].map((last) => [10, 11, 1, last]);
    const from = (source: readonly number[], destination: readonly number[]): Uint8Array =>
      ethernet(0x0800, ipv4(17, udp(data(4), source, destination), { source, destination }));
    const came = from(a!, b!);
    const sum = from(a!, c!).slice(40, 42);
    const left = from(d!, c!);
    left.set(sum, 40);
    const blame = (by: Writers, packet: Uint8Array = left): number | undefined =>
      writeToBlame({ field: 'udp.checksum', expected: undefined }, came, packet, by)?.instruction;
    expect(blame(writers([40, 42], [30, 34], [24, 26], [26, 30]))).toBe(3);
    // As wrong as it came, up to then.
    const [bad, worse] = [came, left].map((packet) => packet.with(40, packet[40]! + 1));
    const by = writers([40, 42], [30, 34], [26, 30]);
    const shown = { field: 'udp.checksum', expected: undefined };
    expect(writeToBlame(shown, bad!, worse!, by)?.instruction).toBe(2);
    expect(writeToBlame(shown, came, worse!, by)?.instruction).toBe(0);
    // It was wrong before that.
    expect(blame(writers([30, 34], [26, 30], [40, 42]))).toBe(2);
    const wrong = left.slice();
    wrong.set([1, 2], 40);
    expect(blame(writers([40, 42], [30, 34], [26, 30]), wrong)).toBe(0);
    const kept = left.slice();
    kept.set(came.slice(40, 42), 40);
    expect(blame(writers([40, 42], [30, 34], [26, 30]), kept)).toBe(0);
  });
});
