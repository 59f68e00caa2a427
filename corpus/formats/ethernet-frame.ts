/** Captured packets as the Ethernet frames that a program is fed with. */
import type { CaptureBatch } from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';
import { LinkHeader, NEXT } from './link-header.ts';
import { readLinkHeader } from './link-layer.ts';
import { linkTypeName } from './link-type.ts';

const HEADER_SIZE = 14;
const ETHERTYPE_AT = 12;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

const link = new LinkHeader();

/**
 * A copy of one packet, as an Ethernet frame without frame check sequence.
 *
 * A packet of another link type gets an Ethernet header in the place of its own, with both addresses zero and the
 * EtherType of what it carries.
 * @throws {CaptureError} where the link type is unknown, or the packet carries nothing that has an EtherType
 */
export function ethernetFrame(batch: CaptureBatch, index: number): Uint8Array {
  const offset = batch.offset[index]!;
  const { linkType } = batch.section.interfaces[batch.interface[index]!]!;
  const frame = asEthernet(batch.bytes, offset, offset + batch.frameLength(index), linkType);
  if (frame !== undefined) return frame;
  throw new CaptureError(
    batch.base + offset,
    'a packet that an Ethernet frame can carry',
    linkTypeName(linkType) + (link.reason === '' ? '' : `: ${link.reason}`),
  );
}

/** The same for a packet in `bytes[start..end)`; undefined where there is no such frame. */
export function asEthernet(
  bytes: Uint8Array,
  start: number,
  end: number,
  linkType: number,
): Uint8Array | undefined {
  if (!readLinkHeader(bytes, start, end, linkType, link) || link.next === NEXT.nothing) return undefined;
  const packet = bytes.slice(link.at, link.end);
  if (link.next === NEXT.ethernet) return packet;
  const version = packet[0]! >> 4;
  const etherType = link.next === NEXT.ip ? (version === 6 ? ETH_P_IPV6 : ETH_P_IP) : link.next;
  const frame = new Uint8Array(HEADER_SIZE + packet.length);
  frame[ETHERTYPE_AT] = etherType >> 8;
  frame[ETHERTYPE_AT + 1] = etherType & 0xff;
  frame.set(packet, HEADER_SIZE);
  return frame;
}
