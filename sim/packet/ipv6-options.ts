/** The options of hop-by-hop and destination headers (RFC 8200 §4.2; IANA "Destination Options and Hop-by-Hop Options"). */
import { isZero, readU16, readU32, toHex } from './bytes.ts';
import { bytesNode, type TreeNode } from './dissection.ts';

export const IPV6_OPTION = {
  PAD1: 0x00,
  PADN: 0x01,
  TUNNEL_LIMIT: 0x04,
  ROUTER_ALERT: 0x05,
  JUMBO: 0xc2,
  HOME_ADDRESS: 0xc9,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  0: 'Pad1',
  1: 'PadN',
  4: 'Tunnel Encapsulation Limit',
  5: 'Router Alert',
  38: 'Quick-Start',
  99: 'RPL',
  109: 'MPL',
  194: 'Jumbo Payload',
  201: 'Home Address',
};

export type Ipv6Option =
  | { readonly type: 0 }
  /** PadN included: `data` is what stands behind type and length. */
  | { readonly type: number; readonly data: Uint8Array }
  /** Bytes that are no options: a length beyond the header. */
  | { readonly type: 'rest'; readonly data: Uint8Array };

/** Reads the list; never fails: what is no option comes back as `rest`. */
export function decodeIpv6Options(bytes: Uint8Array, offset: number, end: number): Ipv6Option[] {
  const options: Ipv6Option[] = [];
  let at = offset;
  while (at < end) {
    const type = bytes[at]!;
    if (type === IPV6_OPTION.PAD1) {
      options.push({ type: 0 });
      at += 1;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! + 2 : 0;
    if (length === 0 || at + length > end) {
      options.push({ type: 'rest', data: bytes.slice(at, end) });
      break;
    }
    options.push({ type, data: bytes.slice(at + 2, at + length) });
    at += length;
  }
  return options;
}

/** The list as bytes, padded with Pad1 or PadN so that, with the two bytes before it, it fills a multiple of 8. */
export function encodeIpv6Options(options: readonly Ipv6Option[]): Uint8Array {
  const bytes: number[] = [];
  for (const option of options) {
    if (option.type === 'rest') bytes.push(...option.data);
    else if ('data' in option) bytes.push(option.type, option.data.length, ...option.data);
    else bytes.push(option.type);
  }
  const padding = (8 - ((bytes.length + 2) % 8)) % 8;
  if (padding === 1) bytes.push(IPV6_OPTION.PAD1);
  if (padding > 1) bytes.push(IPV6_OPTION.PADN, padding - 2, ...new Array<number>(padding - 2).fill(0));
  return Uint8Array.from(bytes);
}

/**
 * The length that a jumbo payload option states, or 0 where a hop-by-hop header has none (RFC 2675 §2).
 * @param offset where the options start
 */
export function jumboLength(bytes: Uint8Array, offset: number, end: number): number {
  let at = offset;
  while (at + 1 < end) {
    const type = bytes[at]!;
    if (type === IPV6_OPTION.PAD1) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1]!;
    if (type === IPV6_OPTION.JUMBO && length === 4 && at + 6 <= end) return readU32(bytes, at + 2);
    at += 2 + length;
  }
  return 0;
}

/** One node an option. */
export function dissectIpv6Options(bytes: Uint8Array, offset: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = [];
  let at = offset;
  for (const option of decodeIpv6Options(bytes, offset, end)) {
    const name = `option${nodes.length + 1}`;
    if (option.type === 'rest') {
      nodes.push(
        bytesNode(name, isZero(bytes, at, end - at) ? 'Padding' : 'Malformed options', bytes, at, end - at),
      );
      break;
    }
    const label = `Option: ${NAMES[option.type] ?? `type 0x${option.type.toString(16).padStart(2, '0')}`}`;
    const length = 'data' in option ? option.data.length + 2 : 1;
    const text = 'data' in option ? optionText(option.type, option.data) : '';
    nodes.push({ name, label, offset: at, length, text, children: [] });
    at += length;
  }
  return nodes;
}

function optionText(type: number, data: Uint8Array): string {
  if (type === IPV6_OPTION.JUMBO && data.length === 4) return `${readU32(data, 0)} bytes`;
  if (type === IPV6_OPTION.ROUTER_ALERT && data.length === 2) return `value ${readU16(data, 0)}`;
  return toHex(data);
}
