/** Filters over captured packets of any link type. */
import { announcedProtocol } from '../../sim/packet/protocols.ts';
import { LinkHeader, NEXT } from '../formats/link-header.ts';
import { readLinkHeader } from '../formats/link-layer.ts';
import { LINKTYPE } from '../formats/link-type.ts';
import type { PacketFilter } from './filter.ts';

const header = new LinkHeader();

const CAPTURED = { isCaptured: true };

/**
 * Does a captured packet match?
 * @param linkType of the interface; headers in front of what Ethernet would carry have no names in filters
 */
export type CapturedFilter = (bytes: Uint8Array, start: number, end: number, linkType: number) => boolean;

export function capturedFilter(filter: PacketFilter): CapturedFilter {
  return (bytes, start, end, linkType) => {
    if (linkType === LINKTYPE.ETHERNET) return filter.matches(bytes, start, end, 'ethernet', CAPTURED);
    readLinkHeader(bytes, start, end, linkType, header);
    const first = firstProtocol(bytes, header.at, header.next);
    return filter.matches(bytes, header.at, header.end, first, CAPTURED);
  };
}

function firstProtocol(bytes: Uint8Array, at: number, next: number): string {
  if (next === NEXT.ethernet) return 'ethernet';
  if (next === NEXT.ip) return bytes[at]! >> 4 === 6 ? 'ipv6' : 'ipv4';
  return next === NEXT.nothing ? 'data' : announcedProtocol('etherType', next);
}
