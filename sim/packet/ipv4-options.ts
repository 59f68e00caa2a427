/** IPv4 options (RFC 791 §3.1; numbers: IANA "IP Option Numbers"). */
import { ipv4FromText, ipv4ToText } from './addresses.ts';
import { toHex } from './bytes.ts';
import { type Option, optionList, zerosTo } from './declaration/tail.ts';

export const IPOPT = {
  EOL: 0,
  NOP: 1,
  RR: 7,
  TIMESTAMP: 68,
  SEC: 130,
  LSRR: 131,
  CIPSO: 134,
  SID: 136,
  SSRR: 137,
  RA: 148,
} as const;

/** Up to the 40 bytes that ihl can count. */
export const IPV4_OPTIONS = optionList({
  of: 'IPv4',
  single: [IPOPT.EOL, IPOPT.NOP],
  last: IPOPT.EOL,
  unit: 1,
  uncounted: 0,
  names: {
    0: 'End of Options List',
    1: 'No Operation',
    7: 'Record Route',
    68: 'Timestamp',
    130: 'Security',
    131: 'Loose Source Route',
    134: 'Commercial Security',
    136: 'Stream ID',
    137: 'Strict Source Route',
    148: 'Router Alert',
  },
  show: optionText,
  pad: zerosTo(4),
  most: 40,
});

/** Record route and source routes as addresses. */
export function routeOption(type: number, pointer: number, addresses: readonly string[]): Option {
  const data = new Uint8Array(1 + addresses.length * 4);
  data[0] = pointer;
  for (const [index, address] of addresses.entries()) data.set(ipv4FromText(address), 1 + index * 4);
  return { type, data };
}

/** Of a route, to its first address. */
const FIRST_POINTER = 4;

/**
 * Where the destination lies that counts for the pseudo-header: the last address of a source route that is not
 * used up, else the header's own (RFC 1122 §4.1.3.2; the kernel's `inet->opt->faddr`).
 */
export function finalDestinationAt(bytes: Uint8Array, headerAt: number, headerLength: number): number {
  const destinationAt = headerAt + 16;
  const end = headerAt + headerLength;
  let at = headerAt + 20;
  while (at < end) {
    const type = bytes[at]!;
    if (type === IPOPT.EOL) break;
    if (type === IPOPT.NOP) {
      at += 1;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) break;
    if ((type === IPOPT.LSRR || type === IPOPT.SSRR) && length >= 7) {
      const isUsable = hasAddressLeft(length, bytes[at + 2]!);
      return isUsable ? at + length - 4 : destinationAt;
    }
    at += length;
  }
  return destinationAt;
}

/**
 * "If the pointer is greater than the length, the source route is empty", it is 4 at the least, and addresses follow one another
 * from there to the end (RFC 791 §3.1). Of anything else the kernel takes no address: it drops the packet
 * (net/ipv4/ip_options.c, `__ip_options_compile` and `ip_options_rcv_srr`).
 */
function hasAddressLeft(length: number, pointer: number): boolean {
  const isWhole = length % 4 === 3 && pointer % 4 === 0;
  return isWhole && pointer >= FIRST_POINTER && pointer < length;
}

function optionText(type: number, data: Uint8Array): string {
  const isRoute = type === IPOPT.RR || type === IPOPT.LSRR || type === IPOPT.SSRR;
  if (!isRoute || data.length % 4 !== 1) return toHex(data);
  const addresses: string[] = [];
  for (let at = 1; at < data.length; at += 4) addresses.push(ipv4ToText(data, at));
  return `pointer ${data[0]}: ${addresses.join(', ')}`;
}
