/**
 * The extensions of ICMP messages (RFC 4884): where they begin, and their header. Errors have them behind the packet that they quote,
 * extended echo requests (RFC 8335) right behind the message's header.
 */
import { readU16, toHex } from './bytes.ts';
import { sum } from './checksum.ts';
import { protocol } from './declaration/declare.ts';
import { constant, hex, reserved } from './declaration/field.ts';
import type { Header, ValueOf } from './declaration/protocol.ts';
import type { Tail } from './declaration/tail.ts';
import { bytesNode, type Follower, type TreeNode } from './dissection.ts';

/** Bytes of the header of a message of ICMP. */
const HEADER = 8;
/** Of the structure's header. */
const STRUCTURE = 4;
/** Where extensions follow, at least so much is quoted, zeros behind a shorter packet (RFC 4884 §3). */
const LEAST_QUOTED = 128;

/** Where in an error the extensions begin. @param stated bytes that the message says are quoted; 0: it says nothing */
function structureAt(bytes: Uint8Array, at: number, end: number, stated: number): number | undefined {
  const start = at + HEADER + (stated === 0 ? LEAST_QUOTED : stated);
  if (stated === 0) return isUnannounced(bytes, start, end) ? start : undefined;
  return stated >= LEAST_QUOTED && start <= end ? start : undefined;
}

/** Who does not state a length has them behind 128 bytes (RFC 4884 §5.5): only a right checksum tells them from what is quoted. */
function isUnannounced(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < STRUCTURE || bytes[start] !== 0x20 || bytes[start + 1] !== 0) return false;
  if (bytes[start + 2] === 0 && bytes[start + 3] === 0) return false;
  return sum(bytes, start, end - start) === 0xffff;
}

/** Does a structure of the version that is known begin here? */
function isStructure(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start >= STRUCTURE && bytes[start]! >> 4 === 2;
}

/**
 * What an ICMP error quotes, and the extensions behind it.
 * @param stated bytes that the message says are quoted; 0 where it says nothing, absent where it cannot
 */
export function quotedBy(
  { bytes, offset, length, end, context }: Header<unknown>,
  quoted: 'ipv4' | 'ipv6',
  stated?: number,
): Follower {
  const { isCutOff, unverifiable } = context;
  const isPart = isCutOff === true || unverifiable !== undefined;
  const start =
    stated === undefined || (stated === 0 && isPart) ? undefined : structureAt(bytes, offset, end, stated);
  const follower = { protocol: quoted, offset: offset + length, end: start ?? end, context: {} };
  if (start === undefined || !isStructure(bytes, start, end)) return follower;
  return { ...follower, behind: { protocol: ICMP_EXTENSION.name, offset: start, end, context } };
}

/** What follows the header of an extended echo request. */
export function extendedBy({ bytes, offset, length, end, context }: Header<unknown>): Follower {
  const start = offset + length;
  const protocol = isStructure(bytes, start, end) ? ICMP_EXTENSION.name : 'data';
  return { protocol, offset: start, end, context };
}

/** IANA "ICMP Extension Object Classes and Class Sub-types". */
const CLASSES: Readonly<Record<number, string>> = {
  1: 'MPLS Label Stack',
  2: 'Interface Information',
  3: 'Interface Identification',
  4: 'Node Identification',
};

export type ExtensionObject =
  | { readonly class: number; readonly subtype: number; readonly data: Uint8Array }
  /** Bytes that are no object: a length below that of its header, or beyond the message. */
  | { readonly class: 'rest'; readonly data: Uint8Array };

/** Bytes of length, class and sub-type, which the length counts (RFC 4884 §8). */
const OBJECT = 4;

function decodeObjects(bytes: Uint8Array, offset: number, end: number): ExtensionObject[] {
  const objects: ExtensionObject[] = [];
  let at = offset;
  while (at < end) {
    const length = at + OBJECT <= end ? readU16(bytes, at) : 0;
    if (length < OBJECT || at + length > end) {
      objects.push({ class: 'rest', data: bytes.slice(at, end) });
      break;
    }
    const data = bytes.slice(at + OBJECT, at + length);
    objects.push({ class: bytes[at + 2]!, subtype: bytes[at + 3]!, data });
    at += length;
  }
  return objects;
}

/** @throws {RangeError} where an object is longer than its length can count */
function encodeObjects(objects: readonly ExtensionObject[]): Uint8Array {
  const bytes: number[] = [];
  for (const object of objects) {
    if (object.class === 'rest') {
      bytes.push(...object.data);
      continue;
    }
    const length = OBJECT + object.data.length;
    if (length > 0xffff) throw new RangeError(`an object of ${length} bytes: at most 65535 can be counted`);
    bytes.push(length >> 8, length & 0xff, object.class, object.subtype, ...object.data);
  }
  return Uint8Array.from(bytes);
}

function dissectObjects(bytes: Uint8Array, offset: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = [];
  let at = offset;
  for (const object of decodeObjects(bytes, offset, end)) {
    const name = `object${nodes.length + 1}`;
    if (object.class === 'rest') {
      nodes.push(bytesNode(name, 'Malformed object', bytes, at, end - at));
      break;
    }
    const length = OBJECT + object.data.length;
    const label = `Object: ${objectName(object)}, type ${object.subtype}`;
    nodes.push({ name, label, offset: at, length, text: toHex(object.data), children: [] });
    at += length;
  }
  return nodes;
}

function objectName(object: ExtensionObject): string {
  if (object.class === 'rest') return 'malformed';
  return CLASSES[object.class] ?? `class ${object.class}`;
}

const OBJECTS: Tail<'objects', readonly ExtensionObject[]> = {
  name: 'objects',
  preset: [],
  offset: 4,
  decode: decodeObjects,
  encode: encodeObjects,
  dissect: dissectObjects,
};

export const ICMP_EXTENSION = protocol({
  name: 'icmpext',
  label: 'ICMP Multi-Part Extensions',
  source: 'RFC 4884 §7',
  fields: {
    version: constant(4, 'Version', 2, { filter: 'icmp.ext.version', scapy: 'version' }),
    reserved: reserved(12),
    /** Over the structure alone, not over the message; 0: none was transmitted. */
    checksum: hex(16, 'Checksum', {
      filter: 'icmp.ext.checksum',
      scapy: 'chksum',
      computed: { what: 'checksum', algorithm: 'internet', covers: 'message', zeroIsNone: true },
    }),
  },
  tail: OBJECTS,
  // It goes to the end of the message: of one that is cut off nobody knows all.
  covered: ({ offset, end, context }) =>
    context.isCutOff === true ? Number.POSITIVE_INFINITY : end - offset,
  summary: ({ objects }) => objects.map(objectName).join(', '),
});

export type IcmpExtensionHeader = ValueOf<typeof ICMP_EXTENSION>;
