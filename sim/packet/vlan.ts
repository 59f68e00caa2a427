/**
 * IEEE 802.1Q and 802.1ad tags. A tag stands between the source MAC and the EtherType; here its header is the
 * tag control information and the EtherType *behind* it, as `struct vlan_hdr` has it, so that headers follow one
 * another without overlap.
 */
import { NO_BYTES, readU16, writeU16 } from './bytes.ts';
import { type Decoded, decoded, tooShort } from './decoding.ts';
import { type Context, type Dissection, type Field, failed, readFields } from './dissection.ts';
import { protocolOfEtherType } from './followers.ts';
import { etherTypeName } from './numbers.ts';

export const VLAN = { tci: 0, etherType: 2, headerLength: 4 } as const;

/** A tag in place. Holds for 4 bytes at the least. */
export class VlanView {
  bytes: Uint8Array = NO_BYTES;
  offset = 0;

  at(bytes: Uint8Array, offset: number): this {
    this.bytes = bytes;
    this.offset = offset;
    return this;
  }

  get tci(): number {
    return readU16(this.bytes, this.offset + VLAN.tci);
  }

  set tci(value: number) {
    writeU16(this.bytes, this.offset + VLAN.tci, value);
  }

  /** Priority code point, 3 bits. */
  get priority(): number {
    return this.tci >> 13;
  }

  set priority(value: number) {
    this.tci = (this.tci & 0x1fff) | ((value & 7) << 13);
  }

  get dropEligible(): boolean {
    return (this.tci & 0x1000) !== 0;
  }

  set dropEligible(value: boolean) {
    this.tci = (this.tci & ~0x1000) | (value ? 0x1000 : 0);
  }

  /** VLAN identifier, 12 bits. */
  get id(): number {
    return this.tci & 0x0fff;
  }

  set id(value: number) {
    this.tci = (this.tci & 0xf000) | (value & 0x0fff);
  }

  get etherType(): number {
    return readU16(this.bytes, this.offset + VLAN.etherType);
  }

  set etherType(value: number) {
    writeU16(this.bytes, this.offset + VLAN.etherType, value);
  }
}

export interface VlanTag {
  readonly priority: number;
  readonly dropEligible: boolean;
  readonly id: number;
  /** Of what follows the tag. */
  readonly etherType: number;
}

export function decodeVlan(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
): Decoded<VlanTag> {
  if (end - offset < VLAN.headerLength) return tooShort('vlan', offset, VLAN.headerLength, end - offset);
  const { priority, dropEligible, id, etherType } = new VlanView().at(bytes, offset);
  return decoded({ priority, dropEligible, id, etherType }, VLAN.headerLength);
}

export function encodeVlan(value: VlanTag): Uint8Array {
  const bytes = new Uint8Array(VLAN.headerLength);
  const view = new VlanView().at(bytes, 0);
  view.priority = value.priority;
  view.dropEligible = value.dropEligible;
  view.id = value.id;
  view.etherType = value.etherType;
  return bytes;
}

const FIELDS: readonly Field[] = [
  { name: 'priority', label: 'Priority', at: VLAN.tci, size: 2, shift: 13, bits: 3 },
  { name: 'dropEligible', label: 'Drop eligible', at: VLAN.tci, size: 2, shift: 12, bits: 1 },
  { name: 'id', label: 'ID', at: VLAN.tci, size: 2, shift: 0, bits: 12 },
  { name: 'etherType', label: 'Type', at: VLAN.etherType, size: 2, as: 'hex', names: etherTypeName },
];

export function dissectVlan(bytes: Uint8Array, offset: number, end: number, context: Context): Dissection {
  const tag = decodeVlan(bytes, offset, end);
  if (!tag.ok) return failed(FIELDS, bytes, offset, end, tag.error);
  return {
    summary: `ID ${tag.value.id}, priority ${tag.value.priority}`,
    length: tag.length,
    fields: readFields(FIELDS, bytes, offset, end),
    next: { protocol: protocolOfEtherType(tag.value.etherType), offset: offset + tag.length, end, context },
  };
}
