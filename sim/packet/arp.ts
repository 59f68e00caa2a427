/** The Address Resolution Protocol for IPv4 over Ethernet (RFC 826). */
import { ipv4FromText, ipv4ToText, macFromText, macToText } from './addresses.ts';
import { NO_BYTES, readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { type Decoded, decoded, tooShort, wrongValue } from './decoding.ts';
import { type Context, type Dissection, type Field, failed, readFields } from './dissection.ts';
import { ETHERTYPE, etherTypeName } from './numbers.ts';

export const ARP = {
  hardwareType: 0,
  protocolType: 2,
  hardwareLength: 4,
  protocolLength: 5,
  operation: 6,
  senderMac: 8,
  senderAddress: 14,
  targetMac: 18,
  targetAddress: 24,
  headerLength: 28,
} as const;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

/** An ARP packet in place. Holds for 28 bytes at the least, with 6-byte and 4-byte addresses. */
export class ArpView {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get hardwareType(): number {
    return readU16(this.bytes, this.offset + ARP.hardwareType);
  }

  set hardwareType(value: number) {
    writeU16(this.bytes, this.offset + ARP.hardwareType, value);
  }

  get protocolType(): number {
    return readU16(this.bytes, this.offset + ARP.protocolType);
  }

  set protocolType(value: number) {
    writeU16(this.bytes, this.offset + ARP.protocolType, value);
  }

  get hardwareLength(): number {
    return this.bytes[this.offset + ARP.hardwareLength]!;
  }

  set hardwareLength(value: number) {
    this.bytes[this.offset + ARP.hardwareLength] = value;
  }

  get protocolLength(): number {
    return this.bytes[this.offset + ARP.protocolLength]!;
  }

  set protocolLength(value: number) {
    this.bytes[this.offset + ARP.protocolLength] = value;
  }

  get operation(): number {
    return readU16(this.bytes, this.offset + ARP.operation);
  }

  set operation(value: number) {
    writeU16(this.bytes, this.offset + ARP.operation, value);
  }

  get senderMacAt(): number {
    return this.offset + ARP.senderMac;
  }

  get senderAddress(): number {
    return readU32(this.bytes, this.offset + ARP.senderAddress);
  }

  set senderAddress(value: number) {
    writeU32(this.bytes, this.offset + ARP.senderAddress, value);
  }

  get targetMacAt(): number {
    return this.offset + ARP.targetMac;
  }

  get targetAddress(): number {
    return readU32(this.bytes, this.offset + ARP.targetAddress);
  }

  set targetAddress(value: number) {
    writeU32(this.bytes, this.offset + ARP.targetAddress, value);
  }
}

export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: string;
  readonly senderAddress: string;
  readonly targetMac: string;
  readonly targetAddress: string;
}

/** Only Ethernet (hardware type 1) and IPv4 addresses; everything else is an error that names the field. */
export function decodeArp(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<ArpPacket> {
  if (end - offset < ARP.headerLength) return tooShort('arp', offset, ARP.headerLength, end - offset);
  const view = new ArpView().at(bytes, offset);
  if (view.hardwareType !== 1)
    return wrongValue('arp', offset, 'hardwareType', view.hardwareType, '1 (Ethernet)');
  if (view.protocolType !== ETHERTYPE.IPV4) {
    return wrongValue('arp', offset, 'protocolType', view.protocolType, '2048 (IPv4)');
  }
  if (view.hardwareLength !== 6) return wrongValue('arp', offset, 'hardwareLength', view.hardwareLength, '6');
  if (view.protocolLength !== 4) return wrongValue('arp', offset, 'protocolLength', view.protocolLength, '4');
  const value = {
    operation: view.operation,
    senderMac: macToText(bytes, offset + ARP.senderMac),
    senderAddress: ipv4ToText(bytes, offset + ARP.senderAddress),
    targetMac: macToText(bytes, offset + ARP.targetMac),
    targetAddress: ipv4ToText(bytes, offset + ARP.targetAddress),
  };
  return decoded(value, ARP.headerLength);
}

/** @throws {SyntaxError} when an address is none */
export function encodeArp(value: ArpPacket): Uint8Array {
  const bytes = new Uint8Array(ARP.headerLength);
  const view = new ArpView().at(bytes, 0);
  view.hardwareType = 1;
  view.protocolType = ETHERTYPE.IPV4;
  view.hardwareLength = 6;
  view.protocolLength = 4;
  view.operation = value.operation;
  bytes.set(macFromText(value.senderMac), ARP.senderMac);
  bytes.set(ipv4FromText(value.senderAddress), ARP.senderAddress);
  bytes.set(macFromText(value.targetMac), ARP.targetMac);
  bytes.set(ipv4FromText(value.targetAddress), ARP.targetAddress);
  return bytes;
}

const OPERATIONS: Readonly<Record<number, string>> = {
  1: 'request',
  2: 'reply',
  3: 'RARP request',
  4: 'RARP reply',
};

const FIELDS: readonly Field[] = [
  { name: 'hardwareType', label: 'Hardware type', at: ARP.hardwareType, size: 2 },
  {
    name: 'protocolType',
    label: 'Protocol type',
    at: ARP.protocolType,
    size: 2,
    as: 'hex',
    names: etherTypeName,
  },
  { name: 'hardwareLength', label: 'Hardware size', at: ARP.hardwareLength, size: 1 },
  { name: 'protocolLength', label: 'Protocol size', at: ARP.protocolLength, size: 1 },
  { name: 'operation', label: 'Opcode', at: ARP.operation, size: 2, names: (value) => OPERATIONS[value] },
];

const ADDRESS_FIELDS: readonly Field[] = [
  { name: 'senderMac', label: 'Sender MAC address', at: ARP.senderMac, size: 6, as: 'mac' },
  { name: 'senderAddress', label: 'Sender IP address', at: ARP.senderAddress, size: 4, as: 'ipv4' },
  { name: 'targetMac', label: 'Target MAC address', at: ARP.targetMac, size: 6, as: 'mac' },
  { name: 'targetAddress', label: 'Target IP address', at: ARP.targetAddress, size: 4, as: 'ipv4' },
];

export function dissectArp(bytes: Uint8Array, offset: number, end: number, context: Context): Dissection {
  const packet = decodeArp(bytes, offset, end);
  if (!packet.ok) {
    // Without the right address lengths the address fields lie elsewhere.
    const fields = packet.error.kind === 'length' ? [...FIELDS, ...ADDRESS_FIELDS] : FIELDS;
    return failed(fields, bytes, offset, Math.min(end, offset + ARP.headerLength), packet.error);
  }
  const { operation, senderAddress, senderMac, targetAddress } = packet.value;
  const summary =
    operation === ARP_REQUEST
      ? `who has ${targetAddress}? tell ${senderAddress}`
      : operation === ARP_REPLY
        ? `${senderAddress} is at ${senderMac}`
        : `operation ${operation}`;
  return {
    summary,
    length: packet.length,
    fields: readFields([...FIELDS, ...ADDRESS_FIELDS], bytes, offset, end),
    ...(offset + packet.length < end
      ? { next: { protocol: 'padding', offset: offset + packet.length, end, context } }
      : {}),
  };
}
