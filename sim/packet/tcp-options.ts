/** TCP options (RFC 9293 §3.1; IANA "TCP Option Kind Numbers"). */
import { isZero, readU16, readU32, toHex } from './bytes.ts';
import { bytesNode, type TreeNode } from './dissection.ts';

export const TCPOPT = {
  EOL: 0,
  NOP: 1,
  MSS: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
  MD5: 19,
  USER_TIMEOUT: 28,
  AO: 29,
  MPTCP: 30,
  FAST_OPEN: 34,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  0: 'End of Option List',
  1: 'No-Operation',
  2: 'Maximum segment size',
  3: 'Window scale',
  4: 'SACK permitted',
  5: 'SACK',
  8: 'Timestamps',
  19: 'MD5 signature',
  28: 'User timeout',
  29: 'Authentication',
  30: 'Multipath TCP',
  34: 'Fast Open cookie',
};

export type TcpOption =
  | { readonly kind: 0 | 1 }
  /** Everything with a length: `data` is what stands behind kind and length. */
  | { readonly kind: number; readonly data: Uint8Array }
  /** Bytes that are no options: a length below 2 or beyond the header, or what stands behind the end of the list. */
  | { readonly kind: 'rest'; readonly data: Uint8Array };

/** Maximum segment size in bytes (RFC 9293 §3.7.1). */
export function mssOption(size: number): TcpOption {
  return { kind: TCPOPT.MSS, data: Uint8Array.of(size >>> 8, size) };
}

/** Reads the list; never fails: what is no option comes back as `rest`. */
export function decodeTcpOptions(bytes: Uint8Array, offset: number, end: number): TcpOption[] {
  const options: TcpOption[] = [];
  let at = offset;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === TCPOPT.NOP) {
      options.push({ kind });
      at += 1;
    } else if (kind === TCPOPT.EOL) {
      options.push({ kind });
      at += 1;
      // Up to three zeros behind the end are the padding to a word (RFC 9293 §3.1), anything else is kept.
      if (end - at > 3 || !isZero(bytes, at, end - at))
        options.push({ kind: 'rest', data: bytes.slice(at, end) });
      break;
    } else {
      const length = at + 1 < end ? bytes[at + 1]! : 0;
      if (length < 2 || at + length > end) {
        options.push({ kind: 'rest', data: bytes.slice(at, end) });
        break;
      }
      options.push({ kind, data: bytes.slice(at + 2, at + length) });
      at += length;
    }
  }
  return options;
}

/**
 * The list as bytes, padded with zeros to a multiple of 4.
 * @throws {RangeError} when it takes more than the 40 bytes that the data offset can count
 */
export function encodeTcpOptions(options: readonly TcpOption[]): Uint8Array {
  const bytes: number[] = [];
  for (const option of options) {
    if (option.kind === 'rest') bytes.push(...option.data);
    else if ('data' in option) bytes.push(option.kind, option.data.length + 2, ...option.data);
    else bytes.push(option.kind);
  }
  while (bytes.length % 4 !== 0) bytes.push(0);
  if (bytes.length > 40) throw new RangeError(`TCP options of ${bytes.length} bytes: at most 40 fit`);
  return Uint8Array.from(bytes);
}

/** One node an option; the padding behind the list is a node of its own. */
export function dissectTcpOptions(bytes: Uint8Array, offset: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = [];
  let at = offset;
  for (const option of decodeTcpOptions(bytes, offset, end)) {
    const name = `option${nodes.length + 1}`;
    if (option.kind === 'rest') {
      nodes.push(
        bytesNode(name, isZero(bytes, at, end - at) ? 'Padding' : 'Malformed options', bytes, at, end - at),
      );
      return nodes;
    }
    const label = `Option: ${NAMES[option.kind] ?? `kind ${option.kind}`}`;
    const length = 'data' in option ? option.data.length + 2 : 1;
    const text = 'data' in option ? optionText(option.kind, option.data) : '';
    nodes.push({ name, label, offset: at, length, text, children: [] });
    at += length;
  }
  if (at < end) nodes.push(bytesNode('optionPadding', 'Padding', bytes, at, end - at));
  return nodes;
}

function optionText(kind: number, data: Uint8Array): string {
  if (kind === TCPOPT.MSS && data.length === 2) return `${readU16(data, 0)} bytes`;
  if (kind === TCPOPT.WINDOW_SCALE && data.length === 1) return `shift ${data[0]}`;
  if (kind === TCPOPT.TIMESTAMPS && data.length === 8) return `${readU32(data, 0)}, echo ${readU32(data, 4)}`;
  if (kind === TCPOPT.SACK && data.length > 0 && data.length % 8 === 0) {
    const blocks: string[] = [];
    for (let at = 0; at < data.length; at += 8) blocks.push(`${readU32(data, at)}–${readU32(data, at + 4)}`);
    return blocks.join(', ');
  }
  return toHex(data);
}
