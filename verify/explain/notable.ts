/** What is unusual about a packet: after shrinking, only what the divergence needs is left of it. */
import { isTpid } from '../../sim/packet/vlan.ts';
import { CHECKSUM, CHECKSUM_LAYERS, CHECKSUM_STATUSES, verifyChecksums } from '../oracle/checksums.ts';

/**
 * Half sentences: "it has IPv4 options", the outermost first. A low TTL counts only where nothing else is unusual:
 * the simplest packets have one.
 */
export function notable(packet: Uint8Array): string[] {
  const found = features(packet);
  const telling = found.filter((feature) => !/^its (TTL|hop limit) is/.test(feature));
  return telling.length > 0 ? telling : found;
}

function features(packet: Uint8Array): string[] {
  const found: string[] = [];
  if (packet.length < 14) return [`it ends within the Ethernet header (${bytesText(packet.length)})`];
  if ((packet[0]! & 1) !== 0) found.push('its destination MAC is a group address');
  if ((packet[6]! & 1) !== 0) found.push('its source MAC is a group address');
  let at = 12;
  let tags = 0;
  const type = (): number => (packet[at]! << 8) | (packet[at + 1] ?? 0);
  while (at + 6 <= packet.length && isTpid(type())) {
    at += 4;
    tags++;
  }
  if (tags > 0) found.push(tags === 1 ? 'it has a VLAN tag' : `it has ${tags} VLAN tags`);
  const start = at + 2;
  if (at + 2 <= packet.length && type() === 0x0800) notableIpv4(packet, start, found);
  else if (at + 2 <= packet.length && type() === 0x86dd) notableIpv6(packet, start, found);
  verifyChecksums(packet, 0, packet.length, {
    checksum({ layer, depth, status }) {
      if (status !== CHECKSUM.bad && status !== CHECKSUM.illegal && status !== CHECKSUM.absent) return;
      const where = depth === 0 ? '' : ` (the ${depth + 1}. of its kind)`;
      found.push(`its ${CHECKSUM_LAYERS[layer]} checksum${where} is ${CHECKSUM_STATUSES[status]}`);
    },
  });
  return found;
}

function notableIpv4(packet: Uint8Array, start: number, found: string[]): void {
  const left = packet.length - start;
  if (left < 20) {
    found.push(`it ends after ${bytesText(left)} of the IPv4 header`);
    return;
  }
  const version = packet[start]! >> 4;
  const ihl = packet[start]! & 0x0f;
  if (version !== 4) found.push(`its IPv4 header says version ${version}`);
  if (ihl < 5) found.push(`its ihl is ${ihl}, below 5`);
  if (ihl > 5) found.push(`it has IPv4 options (ihl ${ihl})`);
  const fragment = (packet[start + 6]! << 8) | packet[start + 7]!;
  const isLater = (fragment & 0x1fff) !== 0;
  if (isLater) found.push('it is a later fragment');
  else if ((fragment & 0x2000) !== 0) found.push('it is a first fragment');
  const total = (packet[start + 2]! << 8) | packet[start + 3]!;
  if (total > left) found.push(`its IPv4 total length ${total} goes beyond the frame`);
  else if (total < ihl * 4) found.push(`its IPv4 total length ${total} is below its header’s`);
  else if (total < left) found.push(follows(left - total, 'IPv4'));
  if (packet[start + 8]! <= 1) found.push(`its TTL is ${packet[start + 8]}`);
  if (!isLater && ihl >= 5) upperLayer(packet[start + 9]!, left - ihl * 4, found);
}

function notableIpv6(packet: Uint8Array, start: number, found: string[]): void {
  const left = packet.length - start;
  if (left < 40) {
    found.push(`it ends after ${bytesText(left)} of the IPv6 header`);
    return;
  }
  const version = packet[start]! >> 4;
  if (version !== 6) found.push(`its IPv6 header says version ${version}`);
  const payload = (packet[start + 4]! << 8) | packet[start + 5]!;
  if (payload > left - 40) found.push(`its IPv6 payload length ${payload} goes beyond the frame`);
  else if (payload < left - 40) found.push(follows(left - 40 - payload, 'IPv6'));
  const next = packet[start + 6]!;
  if (next === 0 || next === 43 || next === 44 || next === 60) found.push('it has IPv6 extension headers');
  if (packet[start + 7]! <= 1) found.push(`its hop limit is ${packet[start + 7]}`);
  upperLayer(next, left - 40, found);
}

const UPPER: Readonly<Record<number, readonly [name: string, header: number]>> = {
  1: ['ICMP', 8],
  6: ['TCP', 20],
  17: ['UDP', 8],
  58: ['ICMPv6', 8],
};

function upperLayer(protocol: number, left: number, found: string[]): void {
  const upper = UPPER[protocol];
  if (upper === undefined || left >= upper[1]) return;
  found.push(`it ends after ${bytesText(Math.max(0, left))} of the ${upper[0]} header`);
}

function follows(size: number, packet: string): string {
  return `${bytesText(size)} ${size === 1 ? 'follows' : 'follow'} its ${packet} packet`;
}

/** "1 byte", "2 bytes" */
function bytesText(size: number): string {
  return `${size} ${size === 1 ? 'byte' : 'bytes'}`;
}
