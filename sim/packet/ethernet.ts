/** Ethernet II (IEEE 802.3 §3.1). No preamble and no frame check sequence: what a packet socket sees. */
import { macFromText, macToText } from './addresses.ts';
import { NO_BYTES, readU16, writeU16 } from './bytes.ts';
import { type Decoded, decoded, tooShort } from './decoding.ts';
import { type Context, type Dissection, type Field, failed, readFields } from './dissection.ts';
import { protocolOfEtherType } from './followers.ts';
import { etherTypeName } from './numbers.ts';

/** Where each field starts, in bytes. */
export const ETHERNET = { destination: 0, source: 6, etherType: 12, headerLength: 14 } as const;

/** A frame's header in place. Holds for 14 bytes at the least. */
export class EthernetView {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get destinationAt(): number {
    return this.offset + ETHERNET.destination;
  }

  get sourceAt(): number {
    return this.offset + ETHERNET.source;
  }

  get etherType(): number {
    return readU16(this.bytes, this.offset + ETHERNET.etherType);
  }

  set etherType(value: number) {
    writeU16(this.bytes, this.offset + ETHERNET.etherType, value);
  }
}

export interface EthernetHeader {
  readonly destination: string;
  readonly source: string;
  readonly etherType: number;
}

/** @param end where the bytes end; default: the end of the array */
export function decodeEthernet(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<EthernetHeader> {
  if (end - offset < ETHERNET.headerLength) {
    return tooShort('ethernet', offset, ETHERNET.headerLength, end - offset);
  }
  const value = {
    destination: macToText(bytes, offset + ETHERNET.destination),
    source: macToText(bytes, offset + ETHERNET.source),
    etherType: readU16(bytes, offset + ETHERNET.etherType),
  };
  return decoded(value, ETHERNET.headerLength);
}

/** @throws {SyntaxError} when an address is none */
export function encodeEthernet(value: EthernetHeader): Uint8Array {
  const bytes = new Uint8Array(ETHERNET.headerLength);
  bytes.set(macFromText(value.destination), ETHERNET.destination);
  bytes.set(macFromText(value.source), ETHERNET.source);
  writeU16(bytes, ETHERNET.etherType, value.etherType);
  return bytes;
}

const FIELDS: readonly Field[] = [
  { name: 'destination', label: 'Destination', at: ETHERNET.destination, size: 6, as: 'mac' },
  { name: 'source', label: 'Source', at: ETHERNET.source, size: 6, as: 'mac' },
  { name: 'etherType', label: 'Type', at: ETHERNET.etherType, size: 2, as: 'hex', names: etherTypeName },
];

export function dissectEthernet(
  bytes: Uint8Array,
  offset: number,
  end: number,
  context: Context,
): Dissection {
  const header = decodeEthernet(bytes, offset, end);
  if (!header.ok) return failed(FIELDS, bytes, offset, end, header.error);
  const { source, destination, etherType } = header.value;
  return {
    summary: `${source} → ${destination}`,
    length: header.length,
    fields: readFields(FIELDS, bytes, offset, end),
    next: { protocol: protocolOfEtherType(etherType), offset: offset + header.length, end, context },
  };
}
