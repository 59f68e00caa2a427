/** Checksums and invariants must be silent on programs that do right, whatever packets they meet: each here does one thing properly. */
import { describe, expect, it } from 'vitest';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { NO_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { INVARIANTS } from '../invariants/index.ts';
import { bytes, ipv4, PASSED, slowSum, u16 } from '../test-support/packets.ts';
import { FramePair } from './frame-pair.ts';
import { ChecksumJudge } from './judge.ts';

const PACKETS = 20_000;

const word = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;

/** RFC 1624 eq. 3, as every proper program does it. */
function updated(checksum: number, from: number, to: number): number {
  return ~slowSum([...u16(~checksum & 0xffff), ...u16(~from & 0xffff), ...u16(to)]) & 0xffff;
}

/** The data of a whole, right UDP datagram over IPv4 longer or shorter by so many bytes; all that says so is brought in line. */
function resized(packet: Uint8Array, by: number): Uint8Array | undefined {
  if (packet.length < 50 || word(packet, 12) !== 0x0800 || packet[14] !== 0x45 || packet[23] !== 17) {
    return undefined;
  }
  const total = word(packet, 16);
  const isWhole = (word(packet, 20) & 0x3fff) === 0 && total <= packet.length - 14;
  if (!isWhole || word(packet, 38) !== total - 20 || total + by < 36 || total + by > 9000) return undefined;
  const end = 14 + total;
  const out = bytes(packet.subarray(0, Math.min(end, end + by)), new Uint8Array(Math.max(0, by)).fill(7));
  out.set(u16(total + by), 16);
  out.set(u16(updated(word(packet, 24), total, total + by)), 24);
  out.set(u16(total - 20 + by), 38);
  const pseudo = [...packet.subarray(26, 34), 0, 17];
  const wasRight = slowSum([...pseudo, ...u16(total - 20), ...packet.subarray(34, end)]) === 0xffff;
  if (word(packet, 40) === 0) return out;
  if (!wasRight) return undefined;
  out.set([0, 0], 40);
  out.set(u16(~slowSum([...pseudo, ...u16(total - 20 + by), ...out.subarray(34)]) & 0xffff || 0xffff), 40);
  return out;
}

/** Programs that do their one thing right; undefined where they leave a packet alone. */
const PROPER: Record<string, (packet: Uint8Array) => Uint8Array | undefined> = {
  'pushes a VLAN tag': (packet) =>
    packet.length < 14 ? undefined : bytes(packet.subarray(0, 12), [0x81, 0, 0, 5], packet.subarray(12)),
  'pops a VLAN tag': (packet) =>
    packet.length >= 18 && (word(packet, 12) === 0x8100 || word(packet, 12) === 0x88a8)
      ? bytes(packet.subarray(0, 12), packet.subarray(16))
      : undefined,
  'swaps MAC addresses': (packet) =>
    packet.length < 12
      ? undefined
      : bytes(packet.subarray(6, 12), packet.subarray(0, 6), packet.subarray(12)),
  'wraps IPv4 in IPv4': (packet) =>
    packet.length >= 34 && word(packet, 12) === 0x0800
      ? bytes(packet.subarray(0, 14), ipv4(4, packet.slice(14)))
      : undefined,
  'takes IPv4 and IPv6 out of IPv4': (packet) => {
    if (packet.length < 35 || word(packet, 12) !== 0x0800 || packet[14] !== 0x45) return undefined;
    const version = packet[34]! >> 4;
    if (packet[23] !== (version === 4 ? 4 : 41) || (version !== 4 && version !== 6)) return undefined;
    return bytes(packet.subarray(0, 12), u16(version === 4 ? 0x0800 : 0x86dd), packet.subarray(34));
  },
  'cuts off the tail': (packet) => (packet.length > 20 ? packet.slice(0, packet.length - 6) : undefined),
  'grows the tail by zeros': (packet) => bytes(packet, new Uint8Array(10)),
  'appends a trailer': (packet) => bytes(packet, [1, 2, 3, 4]),
  'makes the data of UDP shorter': (packet) => resized(packet, -4),
  'makes the data of UDP longer': (packet) => resized(packet, 6),
  'decrements the TTL': (packet) => {
    if (packet.length < 34 || word(packet, 12) !== 0x0800) return undefined;
    const out = packet.slice();
    out[22] = (out[22]! - 1) & 0xff;
    out.set(u16(updated(word(packet, 24), word(packet, 22), word(out, 22))), 24);
    return out;
  },
  'rewrites the UDP destination port of whole packets': (packet) => {
    if (packet.length < 42 || word(packet, 12) !== 0x0800 || packet[14] !== 0x45 || packet[23] !== 17) {
      return undefined;
    }
    if ((word(packet, 20) & 0x3fff) !== 0) return undefined;
    const out = packet.slice();
    out.set(u16(5353), 36);
    const checksum = word(packet, 40);
    if (checksum !== 0) out.set(u16(updated(checksum, word(packet, 36), 5353) || 0xffff), 40);
    return out;
  },
};

/** What these do is right for checksums alone: a tail that is cut off leaves lengths behind that say more. */
const CHECKSUMS_ONLY: ReadonlySet<string> = new Set(['cuts off the tail']);

describe('the oracle is silent on a program that', () => {
  for (const [name, program] of Object.entries(PROPER)) {
    it(name, () => {
      const generator = new PacketGenerator();
      const batch = new PacketBatch(PACKETS);
      generator.fill(batch, seedFromText(name), 0, PACKETS, NO_LIMITS);
      const judge = new ChecksumJudge();
      const pair = new FramePair();
      const faults: string[] = [];
      let changed = 0;
      for (let index = 0; index < batch.count; index++) {
        const offset = batch.offset[index]!;
        const length = batch.length[index]!;
        const packet = batch.bytes.slice(offset, offset + length);
        const left = program(packet);
        if (left === undefined) continue;
        changed++;
        if (!pair.set(batch.bytes, offset, length, left, 0, left.length)) continue;
        const fault = judge.judgePair(pair);
        for (const invariant of CHECKSUMS_ONLY.has(name) ? [] : INVARIANTS) {
          const breach = invariant.judge(pair, PASSED);
          if (breach?.severity !== 'error') continue;
          faults.push(`${index}: ${breach.sentence} ${Buffer.from(packet).toString('hex')}`);
        }
        if (fault !== undefined) {
          faults.push(`${index}: ${fault.layer} ${fault.kind} ${Buffer.from(packet).toString('hex')}`);
        }
      }
      expect(changed).toBeGreaterThan(20);
      expect(faults.slice(0, 3)).toEqual([]);
    });
  }
});
