/** Checksums of protocols that no proof covers, made right in packets that are tried: SCTP, UDP-Lite, DCCP. */
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { finish, pseudoHeader4, pseudoHeader6, sum } from '../../sim/packet/checksum.ts';
import { sctpChecksum } from '../../sim/packet/crc32c.ts';
import { IPPROTO } from '../../sim/packet/numbers.ts';

const SCTP = 132;
const UDP_LITE = 136;
const DCCP = 33;
const ESP = 50;

/** What a program that takes everything for TCP or UDP may write into, most telling first. */
export const OTHER_PROTOCOLS: readonly number[] = [ESP, SCTP, UDP_LITE, DCCP, IPPROTO.UDP, IPPROTO.TCP];

/** @returns the bytes of the checksum by their offset in the frame; undefined where it is no whole packet of these */
export function otherChecksum(
  packet: Uint8Array,
  networkAt: number,
  transportAt: number,
  protocol: number,
): ReadonlyMap<number, number> | undefined {
  const version = packet[networkAt]! >>> 4;
  const end =
    version === 4
      ? networkAt + readU16(packet, networkAt + 2)
      : networkAt + 40 + readU16(packet, networkAt + 4);
  const size = end - transportAt;
  if (end > packet.length || size < 12) return undefined;
  const copy = packet.slice();
  if (protocol === SCTP) {
    copy.fill(0, transportAt + 8, transportAt + 12);
    const crc = sctpChecksum(copy, transportAt, size);
    return new Map([0, 1, 2, 3].map((index) => [transportAt + 8 + index, (crc >>> (8 * index)) & 0xff]));
  }
  if (protocol !== UDP_LITE && protocol !== DCCP) return undefined;
  const changed = new Map<number, number>();
  const set = (at: number, value: number): void => {
    copy[at] = value;
    changed.set(at, value);
  };
  // All of it is covered.
  if (protocol === UDP_LITE) for (const at of [4, 5]) set(transportAt + at, 0);
  else set(transportAt + 5, copy[transportAt + 5]! & 0xf0);
  writeU16(copy, transportAt + 6, 0);
  const pseudo =
    version === 4
      ? pseudoHeader4(copy, networkAt + 12, networkAt + 16, protocol, size)
      : pseudoHeader6(copy, networkAt + 8, networkAt + 24, protocol, size);
  const right = finish(sum(copy, transportAt, size, pseudo)) || 0xffff;
  set(transportAt + 6, right >>> 8);
  set(transportAt + 7, right & 0xff);
  return changed;
}
