/**
 * How a protocol shows itself to people: its header as a list of named fields, each with its range of bytes, and
 * what follows it. Trees and differences are made of these; hot paths use views and layers instead.
 */
import { toHex, writeU16 } from './bytes.ts';
import type { Space } from './declaration/field.ts';
import type { DecodeError } from './decoding.ts';

export interface TreeNode {
  /** What paths are made of: `checksum` in `icmp.checksum`. Siblings' names differ. */
  readonly name: string;
  /** What people read: `Header Checksum`. */
  readonly label: string;
  /** The bytes that it was read from. */
  readonly offset: number;
  readonly length: number;
  /** The value in text, with the name of a number behind it: `6 (TCP)`. A layer: its summary. */
  readonly text: string;
  /** The bits of the word that hold the value, drawn: `.... 0101`. */
  readonly bits?: string;
  /** What a reader should know: `should be 0x1234`. */
  readonly note?: string;
  readonly children: readonly TreeNode[];
}

/** One protocol's part of a packet. */
export interface Dissection {
  /** One line: addresses, ports, type. */
  readonly summary: string;
  /** Bytes of the header, as far as they are there. */
  readonly length: number;
  readonly fields: readonly TreeNode[];
  /** Why nothing further can be told. */
  readonly problem?: DecodeError;
  /** What follows, by the name of its protocol; absent at the end of what is known. */
  readonly next?: Follower;
}

export interface Follower {
  /** The name of its protocol, `data` where there is none; or the number by which it was announced. */
  readonly protocol?: string;
  readonly announced?: {
    readonly space: Space;
    readonly number: number;
    /** Where the number announces nobody: the source port, behind the destination port. */
    readonly otherwise?: number;
    /** Where that announces nobody either: the name of what it looks like. */
    readonly guess?: () => string;
  };
  /** What lies between this header and the next, if anything does. */
  readonly gap?: string;
  readonly offset: number;
  readonly end: number;
  readonly context?: Context;
  /** What comes behind it and all that it carries: an ICMP error's extensions, behind the packet that it quotes. */
  readonly behind?: Follower;
}

/** What the layer below knows and the layer above needs. */
export interface Context {
  /** The IP version around it, where one is directly around it. */
  readonly version?: 4 | 6;
  /** The pseudo-header's sum for an upper layer of so many bytes; absent where it cannot be known. */
  readonly pseudoHeader?: (protocol: number, length: number) => number;
  /** Why no checksum of the upper layer can be judged: it is a fragment. */
  readonly unverifiable?: string;
  /** Does a routing header hide the final destination, which a pseudo-header needs? */
  readonly isDestinationHidden?: boolean;
  /** Are fewer bytes there than the IP header says? What states a length of its own may be whole still. */
  readonly isCutOff?: boolean;
  /**
   * Is it a packet as a kernel hands it to who captures? TCP in IP with a length of 0 then ends with the frame: segments longer than
   * the field can state (BIG TCP), or left to the network card to divide. On the wire there are none.
   */
  readonly isCaptured?: boolean;
}

/** A node over bytes that have no table: payload, padding, what could not be decoded. */
export function bytesNode(
  name: string,
  label: string,
  bytes: Uint8Array,
  offset: number,
  length: number,
): TreeNode {
  const shown = toHex(bytes, offset, Math.min(length, 16)) + (length > 16 ? '…' : '');
  const text = `${length} ${length === 1 ? 'byte' : 'bytes'}${length > 0 ? `: ${shown}` : ''}`;
  return { name, label, offset, length, text, children: [] };
}

/**
 * What to say of a checksum: that it is right, or what its sender would have written there.
 * @param message a copy of what is summed; `fieldAt` is where the checksum lies in it
 * @param finished the checksum that goes with a sum over everything else
 */
export function checksumNote(
  message: Uint8Array,
  fieldAt: number,
  sum: (message: Uint8Array) => number,
  finished: (sum: number) => number,
): string {
  if (sum(message) === 0xffff) return 'correct';
  writeU16(message, fieldAt, 0);
  return `should be 0x${finished(sum(message)).toString(16).padStart(4, '0')}`;
}

/** The protocol of a packet that nothing announces: the first four bits tell IP versions apart (RFC 4928 §3). */
export function protocolByVersion(bytes: Uint8Array, at: number, end: number): 'ipv4' | 'ipv6' | 'data' {
  const version = at < end ? bytes[at]! >> 4 : 0;
  if (version === 4) return 'ipv4';
  return version === 6 ? 'ipv6' : 'data';
}
