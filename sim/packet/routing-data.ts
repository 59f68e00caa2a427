/** What an IPv6 routing header holds behind "segments left", by its type: addresses on the way, and what belongs to them. */
import { ipv6ToText } from './addresses.ts';
import { readU16 } from './bytes.ts';
import type { Tail } from './declaration/tail.ts';
import { bytesNode, type TreeNode } from './dissection.ts';

export const SEGMENT_ROUTING = 4;
/** Where the type and the segments that are left lie, in front of the data. */
const TYPE_BEFORE = 2;
const LEFT_BEFORE = 1;
const FIXED = 4;
const ADDRESS = 16;

/** Bytes, of which trees show what the type says that they are. */
export const ROUTING_DATA: Tail<'data', Uint8Array> = {
  name: 'data',
  preset: new Uint8Array(FIXED),
  offset: FIXED,
  decode: (bytes, at, end) => bytes.slice(at, end),
  encode: (value) => value,
  dissect: (bytes, at, end) => {
    if (end - at < FIXED) return [bytesNode('data', 'Type-specific data', bytes, at, end - at)];
    switch (bytes[at - TYPE_BEFORE]) {
      case 0: // Source route (RFC 8200 deprecates it, RFC 5095).
      case 2: // Mobile IPv6 (RFC 6275 §6.4).
        return listed(bytes, at, end);
      case SEGMENT_ROUTING:
        return segments(bytes, at, end);
      default:
        return [bytesNode('data', 'Type-specific data', bytes, at, end - at)];
    }
  },
};

/** RFC 8754 §2: the list begins with the last segment; TLVs follow it. */
function segments(bytes: Uint8Array, at: number, end: number): TreeNode[] {
  const last = bytes[at]!;
  const left = bytes[at - LEFT_BEFORE]!;
  const nodes = [
    numberNode('lastEntry', 'Last Entry', at, 1, String(last)),
    numberNode('flags', 'Flags', at + 1, 1, hex(bytes[at + 1]!, 2)),
    numberNode('tag', 'Tag', at + 2, 2, hex(readU16(bytes, at + 2), 4)),
  ];
  const listEnd = Math.min(end, at + FIXED + (last + 1) * ADDRESS);
  return [
    ...nodes,
    ...addresses(bytes, at + FIXED, listEnd, 'Segment', (index) =>
      [...(index === 0 ? ['the last one'] : []), ...(index === left ? ['the active one'] : [])].join(', '),
    ),
    ...rest(bytes, listEnd, end, 'TLVs'),
  ];
}

function listed(bytes: Uint8Array, at: number, end: number): TreeNode[] {
  const listEnd = end - ((end - at - FIXED) % ADDRESS);
  return [
    bytesNode('reserved', 'Reserved', bytes, at, FIXED),
    ...addresses(bytes, at + FIXED, listEnd, 'Address', () => ''),
    ...rest(bytes, listEnd, end, 'Rest'),
  ];
}

/** Whole addresses, numbered from 0 as "segments left" counts them. */
function addresses(
  bytes: Uint8Array,
  from: number,
  to: number,
  label: string,
  note: (index: number) => string,
): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let at = from; at + ADDRESS <= to; at += ADDRESS) {
    const index = nodes.length;
    const said = note(index);
    nodes.push({
      name: `${label.toLowerCase()}${index}`,
      label: `${label} ${index}`,
      offset: at,
      length: ADDRESS,
      text: ipv6ToText(bytes.subarray(at, at + ADDRESS)),
      children: [],
      ...(said === '' ? {} : { note: said }),
    });
  }
  const whole = from + nodes.length * ADDRESS;
  return [...nodes, ...rest(bytes, whole, to, 'Segment that is cut off')];
}

function rest(bytes: Uint8Array, from: number, to: number, label: string): TreeNode[] {
  return from < to ? [bytesNode('rest', label, bytes, from, to - from)] : [];
}

function numberNode(name: string, label: string, offset: number, length: number, text: string): TreeNode {
  return { name, label, offset, length, text, children: [] };
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
