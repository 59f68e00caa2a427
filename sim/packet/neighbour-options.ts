/** The options of neighbour discovery messages (RFC 4861 §4.6); their length counts units of 8 bytes. */
import { ipv6ToText, macFromText, macToText } from './addresses.ts';
import { readU32, toHex, writeU32 } from './bytes.ts';
import { bytesNode, type TreeNode } from './dissection.ts';

export const ND_OPTION = {
  SOURCE_LINK_LAYER_ADDRESS: 1,
  TARGET_LINK_LAYER_ADDRESS: 2,
  PREFIX_INFORMATION: 3,
  REDIRECTED_HEADER: 4,
  MTU: 5,
  NONCE: 14,
  ROUTE_INFORMATION: 24,
  RDNSS: 25,
  DNSSL: 31,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  1: 'Source Link-layer Address',
  2: 'Target Link-layer Address',
  3: 'Prefix Information',
  4: 'Redirected Header',
  5: 'MTU',
  14: 'Nonce',
  24: 'Route Information',
  25: 'Recursive DNS Server',
  31: 'DNS Search List',
};

export type NeighbourOption =
  /** `data` is what stands behind type and length: 6 bytes, or 8 more for each further unit. */
  | { readonly type: number; readonly data: Uint8Array }
  /** Bytes that are no options: a length of 0 ("MUST silently discard", RFC 4861 §4.6) or beyond the message. */
  | { readonly type: 'rest'; readonly data: Uint8Array };

/** Source or target link-layer address, of an Ethernet device. @throws {SyntaxError} */
export function linkLayerAddressOption(type: 1 | 2, mac: string): NeighbourOption {
  return { type, data: macFromText(mac) };
}

/** The MTU of the link (RFC 4861 §4.6.4). */
export function mtuOption(mtu: number): NeighbourOption {
  const data = new Uint8Array(6);
  writeU32(data, 2, mtu);
  return { type: ND_OPTION.MTU, data };
}

/** Reads the list; never fails: what is no option comes back as `rest`. */
export function decodeNeighbourOptions(bytes: Uint8Array, offset: number, end: number): NeighbourOption[] {
  const options: NeighbourOption[] = [];
  let at = offset;
  while (at < end) {
    const length = at + 1 < end ? bytes[at + 1]! * 8 : 0;
    if (length === 0 || at + length > end) {
      options.push({ type: 'rest', data: bytes.slice(at, end) });
      break;
    }
    options.push({ type: bytes[at]!, data: bytes.slice(at + 2, at + length) });
    at += length;
  }
  return options;
}

/** @throws {RangeError} when an option is no multiple of 8 bytes from 8 to 2040 */
export function encodeNeighbourOptions(options: readonly NeighbourOption[]): Uint8Array {
  const bytes: number[] = [];
  for (const option of options) {
    if (option.type === 'rest') {
      bytes.push(...option.data);
      continue;
    }
    const length = option.data.length + 2;
    if (length % 8 !== 0 || length > 2040) {
      throw new RangeError(
        `a neighbour discovery option of ${length} bytes: a multiple of 8 up to 2040 is possible`,
      );
    }
    bytes.push(option.type, length / 8, ...option.data);
  }
  return Uint8Array.from(bytes);
}

/** One node an option. */
export function dissectNeighbourOptions(bytes: Uint8Array, offset: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = [];
  let at = offset;
  for (const option of decodeNeighbourOptions(bytes, offset, end)) {
    const name = `option${nodes.length + 1}`;
    if (option.type === 'rest') {
      nodes.push(bytesNode(name, 'Malformed options', bytes, at, end - at));
      break;
    }
    const label = `Option: ${NAMES[option.type] ?? `type ${option.type}`}`;
    const length = option.data.length + 2;
    nodes.push({ name, label, offset: at, length, text: optionText(option.type, option.data), children: [] });
    at += length;
  }
  return nodes;
}

function optionText(type: number, data: Uint8Array): string {
  switch (type) {
    case ND_OPTION.SOURCE_LINK_LAYER_ADDRESS:
    case ND_OPTION.TARGET_LINK_LAYER_ADDRESS:
      return data.length === 6 ? macToText(data) : toHex(data);
    case ND_OPTION.PREFIX_INFORMATION:
      return data.length === 30 ? `${ipv6ToText(data, 14)}/${data[0]}` : toHex(data);
    case ND_OPTION.MTU:
      return data.length === 6 ? `${readU32(data, 2)}` : toHex(data);
    default:
      return toHex(data);
  }
}
