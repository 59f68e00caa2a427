/**
 * A protocol, declared once: its fields, and what follows from them. Offsets for hot code, a view in place, a value
 * with decoding and encoding, and the tree that people read all come from the same declaration.
 */
import type { Decoded } from '../decoding.ts';
import type { Context, Dissection, Follower } from '../dissection.ts';
import type { Field, Fields, Space } from './field.ts';
import type { Place } from './place.ts';
import type { Tail } from './tail.ts';

type StatedKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends { readonly stated: true } ? K : never;
}[keyof F];

/** The value of fields, without constants and what follows from the rest. */
export type FieldValues<F extends Fields> = {
  readonly [K in StatedKeys<F>]: F[K] extends Field<infer V> ? V : never;
};

export type TailValue<T> = T extends Tail<infer Name, infer V> ? { readonly [K in Name]: V } : unknown;

/** One shape of the part of a header that depends on a type. */
export interface Variant {
  /** The types that have this shape; absent: all others. */
  readonly types?: readonly number[];
  readonly fields: Fields;
  /** Runs to the end of the message. */
  readonly tail?: Tail;
}

export interface Variants {
  /** The field that tells them apart. */
  readonly by: string;
  readonly cases: Readonly<Record<string, Variant>>;
}

type CaseValue<K, C extends Variant> = { readonly kind: K } & FieldValues<C['fields']> &
  (C extends { readonly tail: infer T } ? TailValue<T> : unknown);

export type BodyValue<B> = B extends { readonly cases: infer C extends Readonly<Record<string, Variant>> }
  ? { readonly body: { [K in keyof C]: Flat<CaseValue<K, C[K]>> }[keyof C] }
  : unknown;

/** For hints that name each property. */
export type Flat<T> = { [K in keyof T]: T[K] };

export type VariantFields<B> = B extends { readonly cases: infer C extends Readonly<Record<string, Variant>> }
  ? Union<C[keyof C]['fields']>
  : unknown;
type Union<U> = (U extends unknown ? (some: U) => void : never) extends (all: infer I) => void ? I : never;

/** Fields behind the fixed ones that are there only where a flag says so, such as GRE's key. */
export interface Section {
  /** The fields of one bit that announce it; one of them is enough, unless `all` says otherwise. */
  readonly flags: readonly string[];
  /** Are all of them needed? Without any flag the section is then always there, behind those before it. */
  readonly all?: boolean;
  readonly fields: Fields;
}

/** In the order of their place. */
export type Sections = Readonly<Record<string, Section>>;

export type SectionValue<S> = S extends Sections
  ? Union<S[keyof S]['fields']> extends infer F extends Fields
    ? Partial<FieldValues<F>>
    : unknown
  : unknown;

/** How long a header is that says so itself. */
export interface HeaderLength {
  /** The field that counts. */
  readonly field: string;
  /** Bytes of the header, by the field's number. */
  readonly bytes: (counted: number) => number;
  /** The number that says so many bytes. */
  readonly count: (bytes: number) => number;
  /** The smallest number that can stand there. */
  readonly least?: number;
}

/** A header where it lies, for what depends on more than its value. */
export interface Header<V> {
  readonly value: V;
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** Bytes of the header. */
  readonly length: number;
  /** Where the bytes end. */
  readonly end: number;
  readonly context: Context;
}

export interface Declaration<
  F extends Fields = Fields,
  T = Tail | undefined,
  B = Variants | undefined,
  S = Sections | undefined,
  V = Flat<FieldValues<F> & TailValue<T> & BodyValue<B> & SectionValue<S>>,
> {
  /** What paths begin with: `icmp` in `icmp.checksum`. */
  readonly name: string;
  /** What people read. */
  readonly label: string;
  /** Where it is specified. */
  readonly source: string;
  readonly fields: F;
  readonly variants?: B;
  readonly sections?: S;
  readonly tail?: T;
  readonly headerLength?: HeaderLength;
  /**
   * Bytes of a header of which no field tells the length: `needed` may be more than there are. The fixed fields are
   * there.
   */
  measure?(bytes: Uint8Array, offset: number, end: number): number;
  /**
   * Values of headers that packets have and that flags, shapes and a tail do not lead to one by one, as they say of each other what is
   * there: generators write them in place of headers with any tail.
   */
  readonly samples?: readonly Readonly<Record<string, unknown>>[];
  /** The numbers by which other layers announce this one. */
  readonly announcedBy?: Readonly<Partial<Record<Space, readonly number[]>>>;
  /**
   * Does a UDP port announce it as the destination only? The source port of such packets stands for a flow and may be any
   * (RFC 7348 §5, RFC 8086 §3.1), and answers come to its port, too.
   */
  readonly destinationPortOnly?: boolean;
  /** What stands here instead, where a version or the like says that it is another protocol; undefined where it is this one. */
  insteadAt?(bytes: Uint8Array, offset: number, end: number): string | undefined;
  /** The protocol that its numbers announce, whose `insteadAt` leads here: another version of it. */
  readonly insteadOf?: string;
  /** What else follows, by names: what no number announces. */
  readonly carries?: readonly string[];
  /** What a header has to say so that this protocol follows, beside its number. */
  carrying?(follower: string): Readonly<Record<string, number>>;
  /** Does nothing else follow, though its numbers announce more? */
  readonly carriesOnly?: boolean;
  /** Numbers that depend on how many bytes this layer has with all inside it, such as the length of 802.3. */
  announcedAs?(length: number): Readonly<Partial<Record<Space, number>>>;
  /** One line for people: addresses, ports, type. */
  summary(value: V): string;
  /** Further reasons why a header is none, once its fields are in their ranges. */
  refuses?(header: Header<V>): { readonly field: string; readonly expected: string } | undefined;
  /** What a reader should know of a field. */
  notes?(header: Header<V>): Readonly<Record<string, string | undefined>>;
  /** Bytes that the checksum over the message covers; absent: to the end; 0: there is no checksum. */
  covered?(header: Header<V>): number;
  /** What follows; absent: what the field says that announces the next layer, or data. */
  follow?(header: Header<V>): Follower | undefined;
}

/** Where each field starts, in bytes, as constants for hot code. */
export type Offsets<F> = { readonly [K in keyof F]: number };

/** A header in place: its fields as properties that read and write the bytes. */
export type View<F> = {
  bytes: Uint8Array;
  offset: number;
  at(bytes: Uint8Array, offset: number): View<F>;
} & { -readonly [K in keyof F]: F[K] extends Field<infer W> ? W : never };

/** The value of a protocol's header. */
export type ValueOf<P> = P extends Protocol<infer _F, infer V> ? V : never;

type GivenBody<B> = B extends { readonly kind: infer K }
  ? { readonly kind: K } & { readonly [P in Exclude<keyof B, 'kind'>]?: B[P] }
  : never;

/** What somebody has to say of a header; the rest is filled in. */
export type Given<V> = { readonly [K in keyof V]?: K extends 'body' ? GivenBody<V[K]> : V[K] };

export interface Protocol<F = Fields, V = unknown> {
  readonly name: string;
  readonly label: string;
  readonly declaration: Declaration<Fields, Tail | undefined, Variants | undefined, Sections | undefined, V>;
  /** Bytes that every header has: its fixed fields, and the shortest shape where there are several. */
  readonly headerLength: number;
  readonly at: Offsets<F>;
  /** The bits of each field in its word: `IPV4.mask.moreFragments` is 0x2000. */
  readonly mask: Offsets<F>;
  readonly places: { readonly [K in keyof F]: Place };
  /** A header in place, to be set upon bytes with `at`; holds for as many bytes as its fields take. */
  view(): View<F>;
  /** Never throws. @param end where the bytes end; default: the end of the array */
  decode(bytes: Uint8Array, offset?: number, end?: number, context?: Context): Decoded<V>;
  /**
   * Where a field lies in this header: fields behind a flag move, and those of a body depend on its type; undefined
   * where it is not there.
   */
  placeIn(bytes: Uint8Array, offset: number, field: string, end?: number): Place | undefined;
  /** How long the header is, and what follows: the same as `dissect`, without the fields. */
  step(
    bytes: Uint8Array,
    offset: number,
    end: number,
    context: Context,
  ): { readonly length: number; readonly next?: Follower };
  /** A value with presets for what is not given; the shape of the body follows from the type where it is not given. */
  complete(given: Given<V>): V;
  /**
   * The header exactly as the value says, checksum included.
   * @throws {SyntaxError} when an address is none
   * @throws {RangeError} when options or bytes take more room than the header can count
   */
  encode(value: V): Uint8Array;
  dissect(bytes: Uint8Array, offset: number, end: number, context: Context): Dissection;
}
