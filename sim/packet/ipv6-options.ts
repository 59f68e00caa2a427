/** The options of hop-by-hop and destination headers (RFC 8200 §4.2; IANA "Destination Options and Hop-by-Hop Options"). */
import { readU16, readU32, toHex } from './bytes.ts';
import { optionList } from './declaration/tail.ts';

export const IPV6_OPTION = {
  PAD1: 0x00,
  PADN: 0x01,
  TUNNEL_LIMIT: 0x04,
  ROUTER_ALERT: 0x05,
  JUMBO: 0xc2,
  HOME_ADDRESS: 0xc9,
} as const;

/** Behind the two bytes of an extension header; with these the list fills a multiple of 8 bytes. */
export const IPV6_OPTIONS = optionList({
  of: 'IPv6',
  single: [IPV6_OPTION.PAD1],
  unit: 1,
  uncounted: 2,
  names: {
    0: 'Pad1',
    1: 'PadN',
    4: 'Tunnel Encapsulation Limit',
    5: 'Router Alert',
    38: 'Quick-Start',
    99: 'RPL',
    109: 'MPL',
    194: 'Jumbo Payload',
    201: 'Home Address',
  },
  unknown: (type) => `type 0x${type.toString(16).padStart(2, '0')}`,
  show: optionText,
  pad: padding,
  offset: 6,
  most: 2046,
});

function padding(length: number): Uint8Array {
  const missing = (8 - ((length + 2) % 8)) % 8;
  const bytes = new Uint8Array(missing);
  if (missing > 1) {
    bytes[0] = IPV6_OPTION.PADN;
    bytes[1] = missing - 2;
  }
  return bytes;
}

/**
 * The length that a jumbo payload option states, or 0 where a hop-by-hop header has none (RFC 2675 §2).
 * @param offset where the options start
 */
export function jumboLength(bytes: Uint8Array, offset: number, end: number): number {
  const at = optionAt(bytes, offset, end, IPV6_OPTION.JUMBO, 4);
  return at < 0 ? 0 : readU32(bytes, at);
}

/**
 * Where the home address of Mobile IPv6 lies, with which checksums are made instead of the source (RFC 6275 §11.3.1);
 * −1 where there is none.
 */
export function homeAddressAt(bytes: Uint8Array, offset: number, end: number): number {
  return optionAt(bytes, offset, end, IPV6_OPTION.HOME_ADDRESS, 16);
}

/** Where the data of an option lies; −1 where there is none of this type and size. */
function optionAt(bytes: Uint8Array, offset: number, end: number, type: number, size: number): number {
  let at = offset;
  while (at + 1 < end) {
    if (bytes[at] === type && bytes[at + 1] === size && at + 2 + size <= end) return at + 2;
    at += bytes[at] === IPV6_OPTION.PAD1 ? 1 : 2 + bytes[at + 1]!;
  }
  return -1;
}

function optionText(type: number, data: Uint8Array): string {
  if (type === IPV6_OPTION.JUMBO && data.length === 4) return `${readU32(data, 0)} bytes`;
  if (type === IPV6_OPTION.ROUTER_ALERT && data.length === 2) return `value ${readU16(data, 0)}`;
  return toHex(data);
}
