/**
 * IPv6 extension headers (RFC 8200 §4): how the chain is stepped through, and each header as a view and a value.
 * ESP (RFC 4303) and "no next header" end the chain: what follows cannot be read.
 */
import { NO_BYTES, readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { pseudoHeader6 } from './checksum.ts';
import { type Decoded, decoded, tooShort, wrongValue } from './decoding.ts';
import {
  bytesNode,
  type Context,
  type Dissection,
  type Field,
  type Follower,
  failed,
  readFields,
  type TreeNode,
} from './dissection.ts';
import { protocolOfNumber } from './followers.ts';
import { decodeIpv6Options, dissectIpv6Options, encodeIpv6Options, type Ipv6Option } from './ipv6-options.ts';
import { IPPROTO, protocolName } from './numbers.ts';

/** What all extension headers but the fragment header begin with; a length in units of 8 bytes beyond the first 8. */
export const EXTENSION = { nextHeader: 0, length: 1, body: 2, headerLength: 8 } as const;

/** The routing header (RFC 8200 §4.4). */
export const ROUTING = { type: 2, segmentsLeft: 3, data: 4 } as const;

/** The fragment header (RFC 8200 §4.5). */
export const FRAGMENT = {
  nextHeader: 0,
  reserved: 1,
  offsetAndFlags: 2,
  identification: 4,
  headerLength: 8,
} as const;

/** The authentication header (RFC 4302 §2); its length counts units of 4 bytes beyond the first 8. */
export const AH = {
  nextHeader: 0,
  length: 1,
  reserved: 2,
  spi: 4,
  sequence: 8,
  icv: 12,
  headerLength: 12,
} as const;

/** Is this next-header number one of a header with a chain behind it? */
export function isExtensionHeader(nextHeader: number): boolean {
  switch (nextHeader) {
    case IPPROTO.HOPOPTS:
    case IPPROTO.ROUTING:
    case IPPROTO.FRAGMENT:
    case IPPROTO.AH:
    case IPPROTO.DSTOPTS:
    case IPPROTO.MH:
    case IPPROTO.HIP:
    case IPPROTO.SHIM6:
      return true;
    default:
      return false;
  }
}

/** The length in bytes that an extension header claims. At least 2 bytes must be there. */
export function extensionLength(header: number, bytes: Uint8Array, offset: number): number {
  if (header === IPPROTO.FRAGMENT) return FRAGMENT.headerLength;
  const units = bytes[offset + EXTENSION.length]!;
  return header === IPPROTO.AH ? (units + 2) * 4 : (units + 1) * 8;
}

/**
 * Where the destination lies that counts for the pseudo-header, given a routing header: the last segment as long
 * as segments are left (RFC 8200 §8.1). `destinationAt` where none is left; −1 for types that hide the address.
 */
export function routedDestinationAt(bytes: Uint8Array, offset: number, destinationAt: number): number {
  const segmentsLeft = bytes[offset + ROUTING.segmentsLeft]!;
  if (segmentsLeft === 0) return destinationAt;
  const units = bytes[offset + EXTENSION.length]!;
  switch (bytes[offset + ROUTING.type]) {
    case 0: // Source route, deprecated by RFC 5095: addresses in the order of the visit.
    case 2: // Mobile IPv6, one address (RFC 6275 §6.4).
      return units >= 2 ? offset + 8 + ((units >> 1) - 1) * 16 : -1;
    case 4: // Segment routing: the list is encoded from the last segment on (RFC 8754 §2).
      return units >= 2 ? offset + 8 : -1;
    default: // RPL (RFC 6554) compresses addresses; others are not known.
      return -1;
  }
}

/** A fragment header in place. Holds for 8 bytes at the least. */
export class FragmentView {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get nextHeader(): number {
    return this.bytes[this.offset + FRAGMENT.nextHeader]!;
  }

  set nextHeader(value: number) {
    this.bytes[this.offset + FRAGMENT.nextHeader] = value;
  }

  /** In units of 8 bytes, 13 bits. */
  get fragmentOffset(): number {
    return readU16(this.bytes, this.offset + FRAGMENT.offsetAndFlags) >> 3;
  }

  set fragmentOffset(value: number) {
    const at = this.offset + FRAGMENT.offsetAndFlags;
    writeU16(this.bytes, at, (value << 3) | (this.bytes[at + 1]! & 7));
  }

  get moreFragments(): boolean {
    return (this.bytes[this.offset + FRAGMENT.offsetAndFlags + 1]! & 1) !== 0;
  }

  set moreFragments(value: boolean) {
    const at = this.offset + FRAGMENT.offsetAndFlags + 1;
    this.bytes[at] = (this.bytes[at]! & ~1) | (value ? 1 : 0);
  }

  get identification(): number {
    return readU32(this.bytes, this.offset + FRAGMENT.identification);
  }

  set identification(value: number) {
    writeU32(this.bytes, this.offset + FRAGMENT.identification, value);
  }
}

export type ExtensionHeader =
  | {
      readonly header: typeof IPPROTO.HOPOPTS | typeof IPPROTO.DSTOPTS;
      readonly nextHeader: number;
      readonly options: readonly Ipv6Option[];
    }
  | {
      readonly header: typeof IPPROTO.ROUTING;
      readonly nextHeader: number;
      readonly type: number;
      readonly segmentsLeft: number;
      /** Behind "segments left": 4 bytes, then a multiple of 8. */
      readonly data: Uint8Array;
    }
  | {
      readonly header: typeof IPPROTO.FRAGMENT;
      readonly nextHeader: number;
      /** In units of 8 bytes. */
      readonly fragmentOffset: number;
      readonly moreFragments: boolean;
      readonly identification: number;
    }
  | {
      readonly header: typeof IPPROTO.AH;
      readonly nextHeader: number;
      readonly spi: number;
      readonly sequence: number;
      /** The integrity check value, a multiple of 4 bytes. */
      readonly icv: Uint8Array;
    }
  | {
      readonly header: typeof IPPROTO.MH | typeof IPPROTO.HIP | typeof IPPROTO.SHIM6;
      readonly nextHeader: number;
      /** Behind the length: 6 bytes, then a multiple of 8. */
      readonly data: Uint8Array;
    };

/**
 * One header of the chain.
 * @param header its own number, which the header before it gave
 */
export function decodeExtensionHeader(
  header: ExtensionHeader['header'],
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<ExtensionHeader> {
  const layer = protocolOfNumber(header);
  const available = end - offset;
  if (available < EXTENSION.headerLength) return tooShort(layer, offset, EXTENSION.headerLength, available);
  const length = extensionLength(header, bytes, offset);
  if (length > available) return tooShort(layer, offset, length, available, 'length');
  const nextHeader = bytes[offset]!;
  switch (header) {
    case IPPROTO.HOPOPTS:
    case IPPROTO.DSTOPTS: {
      const options = decodeIpv6Options(bytes, offset + EXTENSION.body, offset + length);
      return decoded({ header, nextHeader, options }, length);
    }
    case IPPROTO.ROUTING: {
      const type = bytes[offset + ROUTING.type]!;
      const segmentsLeft = bytes[offset + ROUTING.segmentsLeft]!;
      const data = bytes.slice(offset + ROUTING.data, offset + length);
      return decoded({ header, nextHeader, type, segmentsLeft, data }, length);
    }
    case IPPROTO.FRAGMENT: {
      const { fragmentOffset, moreFragments, identification } = new FragmentView().at(bytes, offset);
      return decoded({ header, nextHeader, fragmentOffset, moreFragments, identification }, length);
    }
    case IPPROTO.AH: {
      if (length < AH.headerLength)
        return wrongValue(layer, offset, 'length', bytes[offset + 1]!, 'at least 1');
      const spi = readU32(bytes, offset + AH.spi);
      const sequence = readU32(bytes, offset + AH.sequence);
      return decoded(
        { header, nextHeader, spi, sequence, icv: bytes.slice(offset + AH.icv, offset + length) },
        length,
      );
    }
    default:
      return decoded(
        { header, nextHeader, data: bytes.slice(offset + EXTENSION.body, offset + length) },
        length,
      );
  }
}

/** @throws {RangeError} when the parts do not make up a multiple of 8 bytes (AH: of 4) that the length can count */
export function encodeExtensionHeader(value: ExtensionHeader): Uint8Array {
  switch (value.header) {
    case IPPROTO.HOPOPTS:
    case IPPROTO.DSTOPTS:
      return assemble(value.nextHeader, [], encodeIpv6Options(value.options));
    case IPPROTO.ROUTING:
      return assemble(value.nextHeader, [value.type, value.segmentsLeft], value.data);
    case IPPROTO.FRAGMENT: {
      const bytes = new Uint8Array(FRAGMENT.headerLength);
      const view = new FragmentView().at(bytes, 0);
      view.nextHeader = value.nextHeader;
      view.fragmentOffset = value.fragmentOffset;
      view.moreFragments = value.moreFragments;
      view.identification = value.identification;
      return bytes;
    }
    case IPPROTO.AH: {
      const bytes = new Uint8Array(AH.headerLength + value.icv.length);
      if (bytes.length % 4 !== 0 || bytes.length / 4 - 2 > 255) {
        throw new RangeError(
          `an integrity check value of ${value.icv.length} bytes: a multiple of 4 up to 1016 fits`,
        );
      }
      bytes[AH.nextHeader] = value.nextHeader;
      bytes[AH.length] = bytes.length / 4 - 2;
      writeU32(bytes, AH.spi, value.spi);
      writeU32(bytes, AH.sequence, value.sequence);
      bytes.set(value.icv, AH.icv);
      return bytes;
    }
    default:
      return assemble(value.nextHeader, [], value.data);
  }
}

function assemble(nextHeader: number, front: readonly number[], rest: Uint8Array): Uint8Array {
  const length = EXTENSION.body + front.length + rest.length;
  if (length % 8 !== 0 || length > 2048) {
    throw new RangeError(`an extension header of ${length} bytes: a multiple of 8 up to 2048 is possible`);
  }
  const bytes = new Uint8Array(length);
  bytes[EXTENSION.nextHeader] = nextHeader;
  bytes[EXTENSION.length] = length / 8 - 1;
  bytes.set(front, EXTENSION.body);
  bytes.set(rest, EXTENSION.body + front.length);
  return bytes;
}

const NEXT: Field = { name: 'nextHeader', label: 'Next Header', at: 0, size: 1, names: protocolName };
const LENGTH: Field = { name: 'length', label: 'Length', at: EXTENSION.length, size: 1 };

const FIELDS: Readonly<Record<number, readonly Field[]>> = {
  [IPPROTO.ROUTING]: [
    NEXT,
    LENGTH,
    { name: 'type', label: 'Routing Type', at: ROUTING.type, size: 1 },
    { name: 'segmentsLeft', label: 'Segments Left', at: ROUTING.segmentsLeft, size: 1 },
  ],
  [IPPROTO.FRAGMENT]: [
    NEXT,
    { name: 'reserved', label: 'Reserved', at: FRAGMENT.reserved, size: 1, as: 'hex' },
    {
      name: 'fragmentOffset',
      label: 'Fragment Offset',
      at: FRAGMENT.offsetAndFlags,
      size: 2,
      shift: 3,
      bits: 13,
    },
    { name: 'reservedBits', label: 'Reserved bits', at: FRAGMENT.offsetAndFlags, size: 2, shift: 1, bits: 2 },
    {
      name: 'moreFragments',
      label: 'More Fragments',
      at: FRAGMENT.offsetAndFlags,
      size: 2,
      shift: 0,
      bits: 1,
    },
    { name: 'identification', label: 'Identification', at: FRAGMENT.identification, size: 4, as: 'hex' },
  ],
  [IPPROTO.AH]: [
    NEXT,
    LENGTH,
    { name: 'reserved', label: 'Reserved', at: AH.reserved, size: 2, as: 'hex' },
    { name: 'spi', label: 'Security Parameters Index', at: AH.spi, size: 4, as: 'hex' },
    { name: 'sequence', label: 'Sequence Number', at: AH.sequence, size: 4 },
  ],
};

/** The dissector of one kind of extension header, for the register. */
export function dissectExtension(
  header: ExtensionHeader['header'],
): (bytes: Uint8Array, offset: number, end: number, context: Context) => Dissection {
  const fields = FIELDS[header] ?? [NEXT, LENGTH];
  return (bytes, offset, end, context) => {
    const decodedHeader = decodeExtensionHeader(header, bytes, offset, end);
    if (!decodedHeader.ok) return failed(fields, bytes, offset, end, decodedHeader.error);
    const { value, length } = decodedHeader;
    const next = protocolName(value.nextHeader) ?? `protocol ${value.nextHeader}`;
    const isLaterFragment = value.header === IPPROTO.FRAGMENT && value.fragmentOffset > 0;
    const follower = isLaterFragment
      ? { protocol: 'fragment', offset: offset + length, end, context }
      : { protocol: protocolOfNumber(value.nextHeader), offset: offset + length, end, context };
    return {
      summary: `next: ${next}`,
      length,
      fields: [...readFields(fields, bytes, offset, end), ...bodyNodes(value, bytes, offset, length)],
      next: follower,
    };
  };
}

function bodyNodes(value: ExtensionHeader, bytes: Uint8Array, offset: number, length: number): TreeNode[] {
  switch (value.header) {
    case IPPROTO.HOPOPTS:
    case IPPROTO.DSTOPTS:
      return dissectIpv6Options(bytes, offset + EXTENSION.body, offset + length);
    case IPPROTO.ROUTING:
      return [bytesNode('data', 'Type-specific data', bytes, offset + ROUTING.data, length - ROUTING.data)];
    case IPPROTO.FRAGMENT:
      return [];
    case IPPROTO.AH:
      return [bytesNode('icv', 'Integrity check value', bytes, offset + AH.icv, length - AH.icv)];
    default:
      return [bytesNode('data', 'Data', bytes, offset + EXTENSION.body, length - EXTENSION.body)];
  }
}

/** What follows a fixed header, and what the upper layer needs from below. */
export function followIpv6(
  bytes: Uint8Array,
  headerAt: number,
  end: number,
  nextHeader: number,
  payloadLength: number,
): Follower {
  const sourceAt = headerAt + 8;
  let destinationAt = headerAt + 24;
  let unverifiable: string | undefined;
  const start = headerAt + 40;
  const declaredEnd = start + payloadLength;
  if (declaredEnd > end) unverifiable = 'cut off';
  const payloadEnd = Math.min(declaredEnd, end);
  let header = nextHeader;
  let at = start;
  while (isExtensionHeader(header) && payloadEnd - at >= EXTENSION.headerLength) {
    if (header === IPPROTO.FRAGMENT && (readU16(bytes, at + FRAGMENT.offsetAndFlags) & 0xfff9) !== 0) {
      unverifiable = 'fragment';
    }
    if (header === IPPROTO.ROUTING) {
      const routed = routedDestinationAt(bytes, at, destinationAt);
      if (routed < 0 || routed + 16 > payloadEnd) unverifiable = 'the final destination is not known';
      else destinationAt = routed;
    }
    const length = extensionLength(header, bytes, at);
    header = bytes[at]!;
    at += length;
  }
  return {
    protocol: protocolOfNumber(nextHeader),
    offset: start,
    end: payloadEnd,
    context: {
      pseudoHeader: (protocol, length) => pseudoHeader6(bytes, sourceAt, destinationAt, protocol, length),
      ...(unverifiable === undefined ? {} : { unverifiable }),
    },
  };
}
