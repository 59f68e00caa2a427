/** The Transmission Control Protocol (RFC 9293 §3.1). */
import { NO_BYTES, readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { sum } from './checksum.ts';
import { type Decoded, decoded, tooShort, wrongValue } from './decoding.ts';
import { type Context, checksumNote, type Dissection, type Field, failed, readFields } from './dissection.ts';
import { IPPROTO } from './numbers.ts';
import { decodeTcpOptions, dissectTcpOptions, encodeTcpOptions, type TcpOption } from './tcp-options.ts';

export const TCP = {
  sourcePort: 0,
  destinationPort: 2,
  sequence: 4,
  acknowledgment: 8,
  dataOffsetAndFlags: 12,
  window: 14,
  checksum: 16,
  urgentPointer: 18,
  options: 20,
  /** Without options. */
  headerLength: 20,
} as const;

/** The control bits as they lie in the lower half of the word at `dataOffsetAndFlags`. */
export const TCP_FLAG = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ECE: 0x40,
  CWR: 0x80,
} as const;

/** A header in place. Holds for 20 bytes at the least; the options, for `headerLength` bytes. */
export class TcpView {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get sourcePort(): number {
    return readU16(this.bytes, this.offset + TCP.sourcePort);
  }

  set sourcePort(value: number) {
    writeU16(this.bytes, this.offset + TCP.sourcePort, value);
  }

  get destinationPort(): number {
    return readU16(this.bytes, this.offset + TCP.destinationPort);
  }

  set destinationPort(value: number) {
    writeU16(this.bytes, this.offset + TCP.destinationPort, value);
  }

  get sequence(): number {
    return readU32(this.bytes, this.offset + TCP.sequence);
  }

  set sequence(value: number) {
    writeU32(this.bytes, this.offset + TCP.sequence, value);
  }

  get acknowledgment(): number {
    return readU32(this.bytes, this.offset + TCP.acknowledgment);
  }

  set acknowledgment(value: number) {
    writeU32(this.bytes, this.offset + TCP.acknowledgment, value);
  }

  /** The header's length in 32-bit words, 4 bits. */
  get dataOffset(): number {
    return this.bytes[this.offset + TCP.dataOffsetAndFlags]! >> 4;
  }

  set dataOffset(value: number) {
    const at = this.offset + TCP.dataOffsetAndFlags;
    this.bytes[at] = (value << 4) | (this.bytes[at]! & 0x0f);
  }

  /** `dataOffset` in bytes. */
  get headerLength(): number {
    return this.dataOffset * 4;
  }

  /** 4 bits that must be zero when sent and ignored when received. */
  get reserved(): number {
    return this.bytes[this.offset + TCP.dataOffsetAndFlags]! & 0x0f;
  }

  set reserved(value: number) {
    const at = this.offset + TCP.dataOffsetAndFlags;
    this.bytes[at] = (this.bytes[at]! & 0xf0) | (value & 0x0f);
  }

  /** The control bits, `TCP_FLAG`. */
  get flags(): number {
    return this.bytes[this.offset + TCP.dataOffsetAndFlags + 1]!;
  }

  set flags(value: number) {
    this.bytes[this.offset + TCP.dataOffsetAndFlags + 1] = value;
  }

  get window(): number {
    return readU16(this.bytes, this.offset + TCP.window);
  }

  set window(value: number) {
    writeU16(this.bytes, this.offset + TCP.window, value);
  }

  get checksum(): number {
    return readU16(this.bytes, this.offset + TCP.checksum);
  }

  set checksum(value: number) {
    writeU16(this.bytes, this.offset + TCP.checksum, value);
  }

  get urgentPointer(): number {
    return readU16(this.bytes, this.offset + TCP.urgentPointer);
  }

  set urgentPointer(value: number) {
    writeU16(this.bytes, this.offset + TCP.urgentPointer, value);
  }
}

export interface TcpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly reserved: number;
  /** `TCP_FLAG` bits. */
  readonly flags: number;
  readonly window: number;
  readonly checksum: number;
  readonly urgentPointer: number;
  readonly options: readonly TcpOption[];
}

export function decodeTcp(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<TcpHeader> {
  const available = end - offset;
  if (available < TCP.headerLength) return tooShort('tcp', offset, TCP.headerLength, available);
  const view = new TcpView().at(bytes, offset);
  if (view.dataOffset < 5) return wrongValue('tcp', offset, 'dataOffset', view.dataOffset, 'at least 5');
  const length = view.headerLength;
  if (length > available) return tooShort('tcp', offset, length, available, 'dataOffset');
  const value = {
    sourcePort: view.sourcePort,
    destinationPort: view.destinationPort,
    sequence: view.sequence,
    acknowledgment: view.acknowledgment,
    reserved: view.reserved,
    flags: view.flags,
    window: view.window,
    checksum: view.checksum,
    urgentPointer: view.urgentPointer,
    options: decodeTcpOptions(bytes, offset + TCP.options, offset + length),
  };
  return decoded(value, length);
}

/**
 * The header exactly as the value says, checksum included; the data offset follows from the options.
 * @throws {RangeError} when the options take more than 40 bytes
 */
export function encodeTcp(value: TcpHeader): Uint8Array {
  const options = encodeTcpOptions(value.options);
  const bytes = new Uint8Array(TCP.headerLength + options.length);
  const view = new TcpView().at(bytes, 0);
  view.sourcePort = value.sourcePort;
  view.destinationPort = value.destinationPort;
  view.sequence = value.sequence;
  view.acknowledgment = value.acknowledgment;
  view.dataOffset = bytes.length / 4;
  view.reserved = value.reserved;
  view.flags = value.flags;
  view.window = value.window;
  view.checksum = value.checksum;
  view.urgentPointer = value.urgentPointer;
  bytes.set(options, TCP.options);
  return bytes;
}

const FIELDS: readonly Field[] = [
  { name: 'sourcePort', label: 'Source Port', at: TCP.sourcePort, size: 2 },
  { name: 'destinationPort', label: 'Destination Port', at: TCP.destinationPort, size: 2 },
  { name: 'sequence', label: 'Sequence Number', at: TCP.sequence, size: 4 },
  { name: 'acknowledgment', label: 'Acknowledgment Number', at: TCP.acknowledgment, size: 4 },
  { name: 'dataOffset', label: 'Data Offset', at: TCP.dataOffsetAndFlags, size: 2, shift: 12, bits: 4 },
  { name: 'reserved', label: 'Reserved', at: TCP.dataOffsetAndFlags, size: 2, shift: 8, bits: 4 },
  {
    name: 'flags',
    label: 'Flags',
    at: TCP.dataOffsetAndFlags,
    size: 2,
    shift: 0,
    bits: 8,
    as: 'hex',
    names: tcpFlagNames,
  },
  { name: 'window', label: 'Window', at: TCP.window, size: 2 },
  { name: 'checksum', label: 'Checksum', at: TCP.checksum, size: 2, as: 'hex' },
  { name: 'urgentPointer', label: 'Urgent Pointer', at: TCP.urgentPointer, size: 2 },
];

/** `SYN, ACK`; `none`. */
export function tcpFlagNames(flags: number): string {
  const names = Object.entries(TCP_FLAG).filter(([, bit]) => (flags & bit) !== 0);
  return names.length === 0 ? 'none' : names.map(([name]) => name).join(', ');
}

export function dissectTcp(bytes: Uint8Array, offset: number, end: number, context: Context): Dissection {
  const header = decodeTcp(bytes, offset, end);
  if (!header.ok)
    return failed(FIELDS, bytes, offset, Math.min(end, offset + TCP.headerLength), header.error);
  const { sourcePort, destinationPort, flags, checksum } = header.value;
  const length = end - offset;
  const note =
    context.unverifiable !== undefined
      ? `unverifiable: ${context.unverifiable}`
      : context.pseudoHeader === undefined
        ? undefined
        : checksumNote(sum(bytes, offset, length, context.pseudoHeader(IPPROTO.TCP, length)), checksum);
  return {
    summary: `${sourcePort} → ${destinationPort} [${tcpFlagNames(flags)}]`,
    length: header.length,
    fields: [
      ...readFields(FIELDS, bytes, offset, end, { checksum: note }),
      ...dissectTcpOptions(bytes, offset + TCP.options, offset + header.length),
    ],
    next: { protocol: 'data', offset: offset + header.length, end, context },
  };
}
