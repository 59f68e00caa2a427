/** IPv4 options (RFC 791 §3.1; numbers: IANA "IP Option Numbers"). */
import { ipv4FromText, ipv4ToText } from './addresses.ts';
import { isZero, toHex } from './bytes.ts';
import { bytesNode, type TreeNode } from './dissection.ts';

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

const NAMES: Readonly<Record<number, string>> = {
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
};

export type Ipv4Option =
  | { readonly type: 0 | 1 }
  /** Everything with a length: `data` is what stands behind type and length. */
  | { readonly type: number; readonly data: Uint8Array }
  /** Bytes that are no options: a length below 2 or beyond the header, or what stands behind the end of the list. */
  | { readonly type: 'rest'; readonly data: Uint8Array };

/** Record route and source routes as addresses. */
export function routeOption(type: number, pointer: number, addresses: readonly string[]): Ipv4Option {
  const data = new Uint8Array(1 + addresses.length * 4);
  data[0] = pointer;
  for (const [index, address] of addresses.entries()) data.set(ipv4FromText(address), 1 + index * 4);
  return { type, data };
}

/** Reads the list; never fails: what is no option comes back as `rest`. */
export function decodeIpv4Options(bytes: Uint8Array, offset: number, end: number): Ipv4Option[] {
  const options: Ipv4Option[] = [];
  let at = offset;
  while (at < end) {
    const type = bytes[at]!;
    if (type === IPOPT.NOP) {
      options.push({ type });
      at += 1;
    } else if (type === IPOPT.EOL) {
      options.push({ type });
      at += 1;
      // Up to three zeros behind the end are the padding to a word (RFC 791 §3.1), anything else is kept.
      if (end - at > 3 || !isZero(bytes, at, end - at))
        options.push({ type: 'rest', data: bytes.slice(at, end) });
      break;
    } else {
      const length = at + 1 < end ? bytes[at + 1]! : 0;
      if (length < 2 || at + length > end) {
        options.push({ type: 'rest', data: bytes.slice(at, end) });
        break;
      }
      options.push({ type, data: bytes.slice(at + 2, at + length) });
      at += length;
    }
  }
  return options;
}

/**
 * The list as bytes, padded with zeros to a multiple of 4.
 * @throws {RangeError} when it takes more than the 40 bytes that ihl can count
 */
export function encodeIpv4Options(options: readonly Ipv4Option[]): Uint8Array {
  const bytes: number[] = [];
  for (const option of options) {
    if (option.type === 'rest') bytes.push(...option.data);
    else if ('data' in option) bytes.push(option.type, option.data.length + 2, ...option.data);
    else bytes.push(option.type);
  }
  while (bytes.length % 4 !== 0) bytes.push(0);
  if (bytes.length > 40) throw new RangeError(`IPv4 options of ${bytes.length} bytes: at most 40 fit`);
  return Uint8Array.from(bytes);
}

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
      // "If the pointer is greater than the length, the source route is empty" (RFC 791 §3.1).
      return bytes[at + 2]! > length ? destinationAt : at + 3 + (((length - 3) >> 2) - 1) * 4;
    }
    at += length;
  }
  return destinationAt;
}

/** One node an option; the padding behind the list is a node of its own. */
export function dissectIpv4Options(bytes: Uint8Array, offset: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = [];
  let at = offset;
  for (const option of decodeIpv4Options(bytes, offset, end)) {
    const name = `option${nodes.length + 1}`;
    if (option.type === 'rest') {
      nodes.push(
        bytesNode(name, isZero(bytes, at, end - at) ? 'Padding' : 'Malformed options', bytes, at, end - at),
      );
      return nodes;
    }
    const label = `Option: ${NAMES[option.type] ?? `type ${option.type}`}`;
    const length = 'data' in option ? option.data.length + 2 : 1;
    const text = 'data' in option ? optionText(option.type, option.data) : '';
    nodes.push({ name, label, offset: at, length, text, children: [] });
    at += length;
  }
  if (at < end) nodes.push(bytesNode('optionPadding', 'Padding', bytes, at, end - at));
  return nodes;
}

function optionText(type: number, data: Uint8Array): string {
  const isRoute = type === IPOPT.RR || type === IPOPT.LSRR || type === IPOPT.SSRR;
  if (!isRoute || data.length % 4 !== 1) return toHex(data);
  const addresses: string[] = [];
  for (let at = 1; at < data.length; at += 4) addresses.push(ipv4ToText(data, at));
  return `pointer ${data[0]}: ${addresses.join(', ')}`;
}
