/**
 * What bytes look like that nothing announces: tunnels on ports of their own, and frames behind cookies of unknown
 * length. Only what can hardly be something else is taken for a packet.
 */
import { readU16 } from './bytes.ts';
import { ETHERTYPE } from './numbers.ts';
import { isTpid } from './vlan.ts';

/**
 * The version of the IP packet that starts at `at`, 0 where there is none: version, header length and length fit.
 * @param exactly must it end where the bytes end?
 */
export function looksLikeIp(bytes: Uint8Array, at: number, end: number, exactly: boolean): 0 | 4 | 6 {
  const left = end - at;
  if (left < 20) return 0;
  const version = bytes[at]! >> 4;
  if (version === 4) {
    const headerLength = (bytes[at]! & 0x0f) * 4;
    const total = readU16(bytes, at + 2);
    if (headerLength < 20 || total < headerLength) return 0;
    return (exactly ? total === left : total <= left) ? 4 : 0;
  }
  if (version !== 6 || left < 40) return 0;
  const total = 40 + readU16(bytes, at + 4);
  return (exactly ? total === left : total <= left) ? 6 : 0;
}

/**
 * Do these bytes look like what a tunnel carries over UDP: a packet of IP that takes all of the datagram's data, or VXLAN?
 * @param size of the data, by the datagram's length; not all of it need be there
 */
export function looksCarried(data: Uint8Array, size: number): boolean {
  const there = data.subarray(0, Math.max(0, size));
  const [first = 0] = there;
  if (first >> 4 === 4)
    return (
      there.length >= 4 && readU16(there, 2) === size && size >= (first & 0x0f) * 4 && (first & 0x0f) >= 5
    );
  if (first >> 4 === 6) return there.length >= 6 && 40 + readU16(there, 4) === size;
  return looksLikeTunnel(there, 0, there.length) !== 'data';
}

/** Does an Ethernet frame with IP or ARP in it start at `start`? */
export function looksLikeFrame(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start + 12;
  while (at + 6 <= end && isTpid(readU16(bytes, at))) at += 4;
  if (at + 2 > end) return false;
  switch (readU16(bytes, at)) {
    case ETHERTYPE.IPV4:
      return looksLikeIp(bytes, at + 2, end, false) === 4;
    case ETHERTYPE.IPV6:
      return looksLikeIp(bytes, at + 2, end, false) === 6;
    case ETHERTYPE.ARP:
      return end - at >= 30 && readU16(bytes, at + 2) === 1 && readU16(bytes, at + 4) === ETHERTYPE.IPV4;
    default:
      return false;
  }
}

/** The name of the protocol in a UDP datagram whose ports say nothing, or `data`. */
export function looksLikeTunnel(bytes: Uint8Array, at: number, end: number): string {
  const version = looksLikeIp(bytes, at, end, true);
  if (version !== 0) return version === 4 ? 'ipv4' : 'ipv6';
  if (end - at < 8 || readU16(bytes, at + 1) !== 0 || bytes[at + 7] !== 0) return 'data';
  const next = bytes[at + 3]!;
  // VXLAN: the I flag and nothing else; with the P flag a number says what follows.
  if (bytes[at] === 0x08) return next === 0 && looksLikeFrame(bytes, at + 8, end) ? 'vxlan' : 'data';
  if (bytes[at] !== 0x0c) return 'data';
  if (next === 3) return looksLikeFrame(bytes, at + 8, end) ? 'vxlangpe' : 'data';
  const inner = looksLikeIp(bytes, at + 8, end, false);
  return inner !== 0 && next === (inner === 4 ? 1 : 2) ? 'vxlangpe' : 'data';
}
