/** GENEVE's options (RFC 8926 §3.5): class, type, and a length in words of 4 bytes. */
import { readU16, toHex } from './bytes.ts';
import type { Tail } from './declaration/tail.ts';
import { bytesNode, type TreeNode } from './dissection.ts';

export type GeneveOption =
  | {
      readonly class: number;
      /** With the critical bit, 0x80. */
      readonly type: number;
      /** 3 bits beside the length. */
      readonly reserved: number;
      /** A multiple of 4 bytes up to 124. */
      readonly data: Uint8Array;
    }
  /** Bytes that are no options: a length beyond the header. */
  | { readonly class: 'rest'; readonly data: Uint8Array };

/** Bytes of class, type and length. */
const HEAD = 4;
/** Bytes that the six bits of the header's length can count. */
const MOST = 252;

function decode(bytes: Uint8Array, offset: number, end: number): GeneveOption[] {
  const options: GeneveOption[] = [];
  let at = offset;
  while (at < end) {
    const length = at + HEAD <= end ? HEAD + (bytes[at + 3]! & 0x1f) * 4 : Number.POSITIVE_INFINITY;
    if (at + length > end) {
      options.push({ class: 'rest', data: bytes.slice(at, end) });
      break;
    }
    options.push({
      class: readU16(bytes, at),
      type: bytes[at + 2]!,
      reserved: bytes[at + 3]! >> 5,
      data: bytes.slice(at + HEAD, at + length),
    });
    at += length;
  }
  return options;
}

function encode(options: readonly GeneveOption[]): Uint8Array {
  const bytes: number[] = [];
  for (const option of options) {
    if (option.class === 'rest') {
      bytes.push(...option.data);
      continue;
    }
    const words = option.data.length / 4;
    if (!Number.isInteger(words) || words > 31) {
      throw new RangeError(
        `a GENEVE option with ${option.data.length} bytes of data: a multiple of 4 up to 124 is possible`,
      );
    }
    bytes.push(
      option.class >> 8,
      option.class & 0xff,
      option.type,
      (option.reserved << 5) | words,
      ...option.data,
    );
  }
  if (bytes.length % 4 !== 0 || bytes.length > MOST) {
    throw new RangeError(
      `GENEVE options of ${bytes.length} bytes: a multiple of 4 up to ${MOST} is possible`,
    );
  }
  return Uint8Array.from(bytes);
}

function dissect(bytes: Uint8Array, offset: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = [];
  let at = offset;
  for (const option of decode(bytes, offset, end)) {
    const name = `option${nodes.length + 1}`;
    if (option.class === 'rest') {
      nodes.push(bytesNode(name, 'Malformed options', bytes, at, end - at));
      break;
    }
    const length = HEAD + option.data.length;
    const critical = (option.type & 0x80) === 0 ? '' : ', critical';
    const label = `Option: class 0x${option.class.toString(16).padStart(4, '0')}, type ${option.type & 0x7f}${critical}`;
    nodes.push({ name, label, offset: at, length, text: toHex(option.data), children: [] });
    at += length;
  }
  return nodes;
}

export const GENEVE_OPTIONS: Tail<'options', readonly GeneveOption[]> = {
  name: 'options',
  preset: [],
  offset: 0,
  decode,
  encode,
  dissect,
};
