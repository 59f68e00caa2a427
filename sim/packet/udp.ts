/** The User Datagram Protocol (RFC 768). */
import { NO_BYTES, readU16, writeU16 } from './bytes.ts';
import { sum } from './checksum.ts';
import { type Decoded, decoded, tooShort, wrongValue } from './decoding.ts';
import { type Context, checksumNote, type Dissection, type Field, failed, readFields } from './dissection.ts';
import { IPPROTO } from './numbers.ts';

export const UDP = { sourcePort: 0, destinationPort: 2, length: 4, checksum: 6, headerLength: 8 } as const;

/** A header in place. Holds for 8 bytes at the least. */
export class UdpView {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get sourcePort(): number {
    return readU16(this.bytes, this.offset + UDP.sourcePort);
  }

  set sourcePort(value: number) {
    writeU16(this.bytes, this.offset + UDP.sourcePort, value);
  }

  get destinationPort(): number {
    return readU16(this.bytes, this.offset + UDP.destinationPort);
  }

  set destinationPort(value: number) {
    writeU16(this.bytes, this.offset + UDP.destinationPort, value);
  }

  /** Header and data in bytes; 0 in a jumbogram (RFC 2675 §4). */
  get length(): number {
    return readU16(this.bytes, this.offset + UDP.length);
  }

  set length(value: number) {
    writeU16(this.bytes, this.offset + UDP.length, value);
  }

  /** 0: none. "If the computed checksum is zero, it is transmitted as all ones" (RFC 768). */
  get checksum(): number {
    return readU16(this.bytes, this.offset + UDP.checksum);
  }

  set checksum(value: number) {
    writeU16(this.bytes, this.offset + UDP.checksum, value);
  }
}

export interface UdpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly length: number;
  readonly checksum: number;
}

/** The length is taken as it stands, but it must cover the header. */
export function decodeUdp(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<UdpHeader> {
  if (end - offset < UDP.headerLength) return tooShort('udp', offset, UDP.headerLength, end - offset);
  const { sourcePort, destinationPort, length, checksum } = new UdpView().at(bytes, offset);
  if (length !== 0 && length < UDP.headerLength) {
    return wrongValue('udp', offset, 'length', length, 'at least 8, or 0 in a jumbogram');
  }
  return decoded({ sourcePort, destinationPort, length, checksum }, UDP.headerLength);
}

export function encodeUdp(value: UdpHeader): Uint8Array {
  const bytes = new Uint8Array(UDP.headerLength);
  const view = new UdpView().at(bytes, 0);
  view.sourcePort = value.sourcePort;
  view.destinationPort = value.destinationPort;
  view.length = value.length;
  view.checksum = value.checksum;
  return bytes;
}

const FIELDS: readonly Field[] = [
  { name: 'sourcePort', label: 'Source Port', at: UDP.sourcePort, size: 2 },
  { name: 'destinationPort', label: 'Destination Port', at: UDP.destinationPort, size: 2 },
  { name: 'length', label: 'Length', at: UDP.length, size: 2 },
  { name: 'checksum', label: 'Checksum', at: UDP.checksum, size: 2, as: 'hex' },
];

export function dissectUdp(bytes: Uint8Array, offset: number, end: number, context: Context): Dissection {
  const header = decodeUdp(bytes, offset, end);
  if (!header.ok)
    return failed(FIELDS, bytes, offset, Math.min(end, offset + UDP.headerLength), header.error);
  const { sourcePort, destinationPort, length, checksum } = header.value;
  const available = end - offset;
  const datagramEnd = length === 0 ? end : Math.min(end, offset + length);
  return {
    summary: `${sourcePort} → ${destinationPort}`,
    length: header.length,
    fields: readFields(FIELDS, bytes, offset, end, {
      length: length > available ? `only ${available} bytes are there` : undefined,
      checksum: noteOf(bytes, offset, length === 0 ? available : length, available, checksum, context),
    }),
    next: { protocol: 'data', offset: offset + header.length, end: datagramEnd, context },
  };
}

function noteOf(
  bytes: Uint8Array,
  offset: number,
  length: number,
  available: number,
  checksum: number,
  context: Context,
): string | undefined {
  if (checksum === 0) return 'none';
  const unverifiable = context.unverifiable ?? (length > available ? 'cut off' : undefined);
  if (unverifiable !== undefined) return `unverifiable: ${unverifiable}`;
  if (context.pseudoHeader === undefined) return undefined;
  const note = checksumNote(sum(bytes, offset, length, context.pseudoHeader(IPPROTO.UDP, length)), checksum);
  return note === 'should be 0x0000' ? 'should be 0xffff' : note;
}
