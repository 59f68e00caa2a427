/** The kinds of fields that a header can have: how a value is read, written, and shown. */
import { ipv4FromText, ipv4ToText, ipv6FromText, ipv6ToText, macFromText, macToText } from '../addresses.ts';
import { toHex } from '../bytes.ts';
import { type Place, readNumber, writeNumber } from './place.ts';

/** What a header computes from the rest of the packet, where nobody states it. */
export type Computed =
  /** How the layer inside is announced: by its number in this space. */
  | { readonly what: 'next'; readonly space: Space }
  /** Bytes of the header and what is inside it, less `less`, in units of `unit` bytes. */
  | { readonly what: 'length'; readonly less: number; readonly unit: number }
  | Checksum;

export interface Checksum {
  readonly what: 'checksum';
  readonly algorithm: 'internet' | 'crc32c';
  /** What is summed: the header alone, or all that it carries, too. */
  readonly covers: 'header' | 'message';
  /** The number by which the pseudo-header names the upper layer; absent: there is no pseudo-header. */
  readonly pseudoHeader?: number;
  /** Is there a pseudo-header for this value, over this version of IP? Default: yes. */
  readonly pseudoHeaderIf?: (value: Readonly<Record<string, unknown>>, version: 4 | 6 | undefined) => boolean;
  /** Is this value right with a pseudo-header, too, though `pseudoHeaderIf` says that it has none? Default: no. */
  readonly pseudoHeaderAccepted?: (value: Readonly<Record<string, unknown>>) => boolean;
  /** Is the length in the pseudo-header that of what is covered? Default: of all that is there. */
  readonly lengthIsCovered?: boolean;
  /** Bytes of the message that are not covered, from and to. */
  readonly excludes?: readonly [from: number, to: number];
  /** Does a 0 on the wire say that there is none (UDP)? A computed 0 is then sent as 0xffff. */
  readonly zeroIsNone?: boolean;
  /** May a message with this value, and with this data as far as it is there, go without one over IPv6, too? Default: yes. */
  readonly noneOver6?: (value: Readonly<Record<string, unknown>>, data: Uint8Array) => boolean;
  /** Is a computed 0 sent as 0xffff, though 0 does not say that there is none (UDP-Lite)? */
  readonly neverZero?: boolean;
}

/** The number spaces by which layers announce each other. */
export type Space =
  | 'etherType'
  /** Over either version of IP. */
  | 'ipProtocol'
  /** Over that version only: numbers are shared, but ICMP over IPv6 is none. */
  | 'ipv4Protocol'
  | 'ipv6Protocol'
  | 'udpPort'
  | 'pppProtocol'
  /** Also that of VXLAN-GPE. */
  | 'nshProtocol'
  | 'llcSap';

export type Shown = 'decimal' | 'hex' | 'mac' | 'ipv4' | 'ipv6' | 'bytes';

export interface FieldOptions<V> {
  /** Wireshark's name: `ip.ttl`. What has none there is reached by the protocol's and the field's own name. */
  readonly filter?: string;
  /** Scapy's name: `ttl`. */
  readonly scapy?: string;
  readonly names?: (value: number) => string | undefined;
  readonly computed?: Computed;
  /** Names of single bits, as filters have them behind the field's own: `syn` in `tcp.flags.syn`. */
  readonly bits?: Readonly<Record<string, number>>;
  /** What a packet that nobody has an opinion about carries; 0 unless said. */
  readonly preset?: V;
  /** Values at which programs go wrong, beside those at the ends of the field's range. */
  readonly edges?: readonly number[];
  /** What was expected, where a header with this value is none. */
  refuses?(value: V): string | undefined;
}

/** @typeParam Stated is the field part of a header's value? Constants and what follows from the rest are not. */
export interface Field<V = unknown, Stated extends boolean = boolean> {
  readonly bits: number;
  readonly label: string;
  readonly shown: Shown;
  readonly stated: Stated;
  /** What stands there, where nothing else may. */
  readonly constant?: number;
  readonly isReserved: boolean;
  readonly preset: V;
  read(bytes: Uint8Array, start: number, place: Place): V;
  write(bytes: Uint8Array, start: number, place: Place, value: V): void;
  readonly options: FieldOptions<V>;
}

export type Fields = Readonly<Record<string, Field>>;

function numeric<Stated extends boolean>(
  bits: number,
  label: string,
  shown: Shown,
  stated: Stated,
  options: FieldOptions<number>,
): Field<number, Stated> {
  return {
    bits,
    label,
    shown,
    stated,
    isReserved: false,
    preset: options.preset ?? 0,
    read: readNumber,
    write: writeNumber,
    options,
  };
}

/** An unsigned number of 1 to 32 bits in network order. */
export function unsigned(
  bits: number,
  label: string,
  options: FieldOptions<number> = {},
): Field<number, true> {
  return numeric(bits, label, 'decimal', true, options);
}

export const u8 = (label: string, options?: FieldOptions<number>): Field<number, true> =>
  unsigned(8, label, options);
export const u16 = (label: string, options?: FieldOptions<number>): Field<number, true> =>
  unsigned(16, label, options);
export const u24 = (label: string, options?: FieldOptions<number>): Field<number, true> =>
  unsigned(24, label, options);
export const u32 = (label: string, options?: FieldOptions<number>): Field<number, true> =>
  unsigned(32, label, options);

/** The same, shown in hexadecimal digits. */
export function hex(bits: number, label: string, options: FieldOptions<number> = {}): Field<number, true> {
  return numeric(bits, label, 'hex', true, options);
}

/** Bits that must be zero when sent and are ignored when received; part of the value, so that nothing gets lost. */
export function reserved(bits: number, label: string = 'Reserved'): Field<number, true> {
  return { ...numeric(bits, label, 'hex', true, {}), isReserved: true };
}

/** One bit. */
export function flag(label: string, options: FieldOptions<boolean> = {}): Field<boolean, true> {
  return {
    bits: 1,
    label,
    shown: 'decimal',
    stated: true,
    isReserved: false,
    preset: options.preset ?? false,
    read: (bytes, start, place) => readNumber(bytes, start, place) !== 0,
    write: (bytes, start, place, value) => writeNumber(bytes, start, place, value ? 1 : 0),
    options,
  };
}

/** What stands in every header of its kind, such as a version; a header in which something else stands is none. */
export function constant(
  bits: number,
  label: string,
  value: number,
  options: FieldOptions<number> & { readonly meaning?: string } = {},
): Field<number, false> {
  const expected = options.meaning === undefined ? `${value}` : `${value} (${options.meaning})`;
  return {
    ...numeric(bits, label, 'decimal', false, {
      ...options,
      refuses: (got) => (got === value ? undefined : expected),
    }),
    constant: value,
  };
}

/** A number that follows from the rest of the header, such as the header's own length. */
export function derived(
  bits: number,
  label: string,
  options: FieldOptions<number> = {},
): Field<number, false> {
  return numeric(bits, label, 'decimal', false, options);
}

type Text = (bytes: Uint8Array, at: number) => string;

function address(
  size: number,
  label: string,
  shown: Shown,
  toText: Text,
  fromText: (text: string) => Uint8Array,
  options: FieldOptions<string>,
): Field<string, true> {
  return {
    bits: size * 8,
    label,
    shown,
    stated: true,
    isReserved: false,
    preset: options.preset ?? toText(new Uint8Array(size), 0),
    read: (bytes, start, place) => toText(bytes, start + place.at),
    write: (bytes, start, place, value) => bytes.set(fromText(value), start + place.at),
    options,
  };
}

export function mac(label: string, options: FieldOptions<string> = {}): Field<string, true> {
  return address(6, label, 'mac', macToText, macFromText, options);
}

export function ipv4Address(label: string, options: FieldOptions<string> = {}): Field<string, true> {
  return address(4, label, 'ipv4', ipv4ToText, ipv4FromText, options);
}

export function ipv6Address(label: string, options: FieldOptions<string> = {}): Field<string, true> {
  return address(16, label, 'ipv6', ipv6ToText, ipv6FromText, options);
}

/** So many bytes that have no further meaning here. */
export function opaque(size: number, label: string): Field<Uint8Array, true> {
  return {
    bits: size * 8,
    label,
    shown: 'bytes',
    stated: true,
    isReserved: false,
    preset: new Uint8Array(size),
    read: (bytes, start, place) => bytes.slice(start + place.at, start + place.at + size),
    write: (bytes, start, place, value) => {
      if (value.length !== size)
        throw new RangeError(`${label}: ${value.length} bytes, ${size} were expected`);
      bytes.set(value, start + place.at);
    },
    options: {},
  };
}

/** A value in text, with its name behind it: `6 (TCP)`. */
export function showField(field: Field, bytes: Uint8Array, start: number, place: Place): string {
  const at = start + place.at;
  switch (field.shown) {
    case 'mac':
      return macToText(bytes, at);
    case 'ipv4':
      return ipv4ToText(bytes, at);
    case 'ipv6':
      return ipv6ToText(bytes, at);
    case 'bytes':
      return toHex(bytes, at, place.size);
    default: {
      const value = readNumber(bytes, start, place);
      const digits =
        field.shown === 'hex'
          ? `0x${value.toString(16).padStart(Math.ceil(place.bits / 4), '0')}`
          : String(value);
      const name = field.options.names?.(value);
      return name === undefined ? digits : `${digits} (${name})`;
    }
  }
}
