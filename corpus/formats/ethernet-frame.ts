/** Captured packets as the Ethernet frames that a program is fed with. */
import type { CaptureBatch } from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';
import { LINKTYPE, linkTypeName } from './link-type.ts';

const HEADER_SIZE = 14;
const ETHERTYPE_AT = 12;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

/**
 * A copy of one packet, as an Ethernet frame without frame check sequence.
 *
 * A packet that begins with its IP header (link types RAW, IPV4, IPV6) gets an Ethernet header in front, with both
 * addresses zero and the EtherType of its version.
 * @throws {CaptureError} for any other link type
 */
export function ethernetFrame(batch: CaptureBatch, index: number): Uint8Array {
  const { linkType, fcsLength } = batch.section.interfaces[batch.interface[index]!]!;
  const offset = batch.offset[index]!;
  const captured = batch.length[index]!;
  // A packet that was cut has lost its frame check sequence first.
  const fcs = captured === batch.original[index]! ? (fcsLength ?? 0) : 0;
  const packet = batch.bytes.subarray(offset, offset + Math.max(captured - fcs, 0));
  switch (linkType) {
    case LINKTYPE.ETHERNET:
      return packet.slice();
    case LINKTYPE.RAW:
    case LINKTYPE.IPV4:
    case LINKTYPE.IPV6: {
      const isIpv6 = linkType === LINKTYPE.IPV6 || (linkType === LINKTYPE.RAW && packet[0]! >> 4 === 6);
      const etherType = isIpv6 ? ETH_P_IPV6 : ETH_P_IP;
      const frame = new Uint8Array(HEADER_SIZE + packet.length);
      frame[ETHERTYPE_AT] = etherType >> 8;
      frame[ETHERTYPE_AT + 1] = etherType & 0xff;
      frame.set(packet, HEADER_SIZE);
      return frame;
    }
    default:
      throw new CaptureError(
        batch.base + offset,
        'an Ethernet frame or an IP packet (LINKTYPE_ETHERNET, _RAW, _IPV4, _IPV6)',
        linkTypeName(linkType),
      );
  }
}
