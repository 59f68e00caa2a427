/** What a declaration does: reads, writes and shows headers, for any declaration alike. */
import { NO_BYTES, readU32le, toHex, writeU32le } from '../bytes.ts';
import { finish, finishUdp, sum } from '../checksum.ts';
import { sctpChecksum } from '../crc32c.ts';
import {
  areThere,
  bytesText,
  type Decoded,
  decoded,
  describeError,
  tooShort,
  wrongValue,
} from '../decoding.ts';
import { type Context, checksumNote, type Dissection, type Follower } from '../dissection.ts';
import { coveredSum, hasPseudoHeader, isNeverZero, type PseudoHeader } from './coverage.ts';
import type { Checksum, Field, Fields } from './field.ts';
import { endOf, layOut, maskOf, type Place, readNumber, writeNumber } from './place.ts';
import type { Declaration, Header, Protocol, Sections, Variant, Variants, View } from './protocol.ts';
import { nodesOf, type Row } from './show.ts';
import type { Tail } from './tail.ts';

type Value = Record<string, unknown>;

/** Fields that a flag announces, laid out from the section's start. */
interface LaidSection {
  readonly flags: readonly string[];
  readonly all: boolean;
  readonly rows: readonly Row[];
  readonly size: number;
}

/** One shape of the body, laid out. */
interface Shape {
  readonly kind: string;
  readonly types: readonly number[] | undefined;
  readonly rows: readonly Row[];
  readonly end: number;
  readonly tail: Tail | undefined;
}

export class Codec implements Protocol<Record<string, Field>, Value> {
  readonly name: string;
  readonly label: string;
  readonly declaration: Declaration<
    Fields,
    Tail | undefined,
    Variants | undefined,
    Sections | undefined,
    Value
  >;
  readonly headerLength: number;
  readonly at: Readonly<Record<string, number>>;
  readonly #rows: readonly Row[];
  /** Each field once: those of all shapes. */
  readonly #allRows: readonly Row[];
  readonly #base: ReadonlyMap<string, Place>;
  readonly #shapes: readonly Shape[];
  readonly #sections: readonly LaidSection[];
  readonly #tail: Tail | undefined;
  // A start declares sixty protocols, of which a run meets few: what not everybody asks for is made when it is asked for.
  #places: Readonly<Record<string, Place>> | undefined;
  #mask: Readonly<Record<string, number>> | undefined;
  #viewPrototype: object | undefined;

  constructor(
    declaration: Declaration<Fields, Tail | undefined, Variants | undefined, Sections | undefined, Value>,
  ) {
    this.declaration = declaration;
    this.name = declaration.name;
    this.label = declaration.label;
    this.#tail = declaration.tail;
    this.#rows = rowsOf(declaration.fields, 0);
    this.#base = new Map(this.#rows.map(({ name, place }) => [name, place]));
    const fixed = endOf(this.#rows.map(({ place }) => place));
    this.#shapes = Object.entries(declaration.variants?.cases ?? {}).map(([kind, shape]) =>
      shapeOf(kind, shape, fixed),
    );
    this.headerLength = this.#shapes.length === 0 ? fixed : Math.min(...this.#shapes.map(({ end }) => end));
    this.#sections = Object.values(declaration.sections ?? {}).map(({ flags, all = false, fields }) => {
      const laid = rowsOf(fields, 0);
      return { flags, all, rows: laid, size: endOf(laid.map(({ place }) => place)) };
    });
    this.#allRows = this.#shapes.length === 0 ? this.#rows : this.#uniqueRows();
    const at: Record<string, number> = {};
    for (const { name, place } of this.#allRows) at[name] = place.at;
    this.at = at;
  }

  /** @throws {RangeError} where fields of one name lie in different places */
  #uniqueRows(): Row[] {
    const rows = new Map<string, Row>();
    for (const row of [...this.#rows, ...this.#shapes.flatMap((shape) => shape.rows)]) {
      const known = rows.get(row.name);
      if (known === undefined) rows.set(row.name, row);
      else if (!samePlace(known.place, row.place) && !row.field.isReserved) {
        throw new RangeError(`${this.name}: ${row.name} has two places`);
      }
    }
    return [...rows.values()];
  }

  get places(): Readonly<Record<string, Place>> {
    this.#places ??= Object.fromEntries(this.#allRows.map(({ name, place }) => [name, place]));
    return this.#places;
  }

  get mask(): Readonly<Record<string, number>> {
    this.#mask ??= Object.fromEntries(this.#allRows.map(({ name, place }) => [name, maskOf(place)]));
    return this.#mask;
  }

  view(): View<Record<string, Field>> {
    this.#viewPrototype ??= viewPrototype(this.#allRows);
    const view = Object.create(this.#viewPrototype) as View<Record<string, Field>>;
    view.bytes = NO_BYTES;
    view.offset = 0;
    return view;
  }

  decode(
    bytes: Uint8Array,
    offset: number = 0,
    end: number = bytes.length,
    context: Context = {},
  ): Decoded<Value> {
    const { name, headerLength } = this;
    const available = end - offset;
    if (available < headerLength) return tooShort(name, offset, headerLength, available);
    for (const { name: field, field: spec, place } of this.#rows) {
      const expected = spec.options.refuses?.(spec.read(bytes, offset, place));
      if (expected === undefined) continue;
      return wrongValue(name, offset, field, readNumber(bytes, offset, place), expected);
    }
    const shape = this.#shapeAt(bytes, offset);
    if (shape !== undefined && shape.end > available) {
      return tooShort(name, offset, shape.end, available, this.declaration.variants!.by);
    }
    const length = this.#lengthAt(bytes, offset, shape, available);
    if (typeof length === 'object') return length;
    const value = readValue(this.#rows, bytes, offset);
    for (const { rows, at } of this.#presentAt(bytes, offset)) {
      Object.assign(value, readValue(rows, bytes, offset + at));
    }
    if (shape !== undefined) value.body = readBody(shape, bytes, offset, end);
    if (this.#tail !== undefined) {
      const last = this.#presentAt(bytes, offset).at(-1);
      const tailAt = last === undefined ? headerLength : last.at + last.size;
      value[this.#tail.name] = this.#tail.decode(bytes, offset + tailAt, offset + length);
    }
    const header: Header<Value> = { value, bytes, offset, length, end, context };
    const refused = this.declaration.refuses?.(header);
    if (refused !== undefined) {
      const got = readNumber(bytes, offset, this.places[refused.field]!);
      return wrongValue(name, offset, refused.field, got, refused.expected);
    }
    return decoded(value, length);
  }

  encode(value: Value): Uint8Array {
    const body = value.body as Value | undefined;
    const shape = body === undefined ? undefined : this.#shapes.find(({ kind }) => kind === body.kind);
    const tail = this.#tail ?? shape?.tail;
    const tailValue = this.#tail === undefined ? body : value;
    const behind = tail === undefined ? NO_BYTES : tail.encode(tailValue![tail.name]);
    const present = this.#sections.filter((section) => isThere(section, (flag) => value[flag] === true));
    const optional = present.reduce((total, { size }) => total + size, 0);
    const fixed = (shape?.end ?? this.headerLength) + optional;
    const bytes = new Uint8Array(fixed + behind.length);
    writeValue(this.#rows, bytes, value);
    let at = this.headerLength;
    for (const { rows, size } of present) {
      writeValue(rows, bytes.subarray(at), { ...presets(rows), ...value });
      at += size;
    }
    if (shape !== undefined) writeValue(shape.rows, bytes, body!);
    bytes.set(behind, fixed);
    const { headerLength } = this.declaration;
    if (headerLength !== undefined) {
      writeNumber(bytes, 0, this.places[headerLength.field]!, headerLength.count(bytes.length));
    }
    return bytes;
  }

  complete(given: Value): Value {
    const value = presets(this.#rows);
    for (const { flags, all, rows } of this.#sections) {
      if (!rows.some(({ name }) => name in given)) continue;
      // One of several flags that is stated says enough.
      if (!all && flags.some((flag) => given[flag] === true)) continue;
      for (const flag of all ? flags : flags.slice(0, 1)) value[flag] = true;
    }
    Object.assign(value, given);
    for (const section of this.#sections) {
      if (isThere(section, (flag) => value[flag] === true))
        Object.assign(value, { ...presets(section.rows), ...given });
    }
    if (this.#tail !== undefined) value[this.#tail.name] ??= this.#tail.preset;
    const { variants } = this.declaration;
    if (variants === undefined) return value;
    const body = given.body as Value | undefined;
    const shape =
      body === undefined
        ? this.#shapeOf(value[variants.by] as number)
        : this.#shapes.find(({ kind }) => kind === body.kind);
    if (shape === undefined) return value;
    const { tail } = shape;
    value.body = {
      kind: shape.kind,
      ...presets(shape.rows),
      ...(tail === undefined ? {} : { [tail.name]: tail.preset }),
      ...body,
    };
    return value;
  }

  dissect(bytes: Uint8Array, offset: number, end: number, context: Context): Dissection {
    const result = this.decode(bytes, offset, end, context);
    const shape = offset < end ? this.#shapeAt(bytes, offset) : undefined;
    const rows = [...this.#rows, ...(shape?.rows ?? [])];
    if (!result.ok) {
      const shownEnd = Math.min(end, offset + (shape?.end ?? this.headerLength));
      return {
        summary: describeError(result.error),
        length: Math.max(0, shownEnd - offset),
        fields: nodesOf(rows, bytes, offset, shownEnd),
        problem: result.error,
      };
    }
    const { value, length } = result;
    const header: Header<Value> = { value, bytes, offset, length, end, context };
    const notes = { ...this.#notes(header), ...this.declaration.notes?.(header) };
    const fields = nodesOf(rows, bytes, offset, end, notes);
    let fixed = shape?.end ?? this.headerLength;
    for (const section of this.#presentAt(bytes, offset)) {
      fields.push(...nodesOf(section.rows, bytes, offset + section.at, end, notes));
      fixed += section.size;
    }
    const tail = this.#tail ?? shape?.tail;
    if (tail !== undefined) fields.push(...tail.dissect(bytes, offset + fixed, offset + length));
    const next = this.#next(header);
    return {
      summary: this.declaration.summary(value),
      length,
      fields,
      ...(next === undefined ? {} : { next }),
    };
  }

  #shapeAt(bytes: Uint8Array, offset: number): Shape | undefined {
    const { variants } = this.declaration;
    if (variants === undefined) return undefined;
    return this.#shapeOf(readNumber(bytes, offset, this.places[variants.by]!));
  }

  #shapeOf(type: number): Shape | undefined {
    return (
      this.#shapes.find(({ types }) => types?.includes(type)) ??
      this.#shapes.find(({ types }) => types === undefined)
    );
  }

  #lengthAt(
    bytes: Uint8Array,
    offset: number,
    shape: Shape | undefined,
    available: number,
  ): number | ReturnType<typeof tooShort> | ReturnType<typeof wrongValue> {
    if (shape !== undefined) return shape.tail === undefined ? shape.end : available;
    const { headerLength, measure } = this.declaration;
    if (measure !== undefined) {
      const needed = measure(bytes, offset, offset + available);
      return needed > available ? tooShort(this.name, offset, needed, available) : needed;
    }
    if (headerLength === undefined) {
      const last = this.#presentAt(bytes, offset).at(-1);
      if (last === undefined) return this.#tail === undefined ? this.headerLength : available;
      const length = last.at + last.size;
      if (length > available) return tooShort(this.name, offset, length, available, last.flags[0]);
      return this.#tail === undefined ? length : available;
    }
    const { field, least } = headerLength;
    const counted = readNumber(bytes, offset, this.places[field]!);
    if (least !== undefined && counted < least) {
      return wrongValue(this.name, offset, field, counted, `at least ${least}`);
    }
    const length = headerLength.bytes(counted);
    return length > available ? tooShort(this.name, offset, length, available, field) : length;
  }

  /** The sections that a header's flags announce, with their places in it. */
  #presentAt(bytes: Uint8Array, offset: number): (LaidSection & { readonly at: number })[] {
    const present: (LaidSection & { readonly at: number })[] = [];
    let at = this.headerLength;
    for (const section of this.#sections) {
      if (!isThere(section, (flag) => readNumber(bytes, offset, this.places[flag]!) !== 0)) continue;
      present.push({ ...section, at });
      at += section.size;
    }
    return present;
  }

  /** The base fields, and those of the sections that are there, by their places in the header. */
  #allRowsAt(bytes: Uint8Array, offset: number): readonly Row[] {
    if (this.#sections.length === 0) return this.#rows;
    const moved = this.#presentAt(bytes, offset).flatMap(({ rows, at }) =>
      rows.map((row) => ({ ...row, place: { ...row.place, at: row.place.at + at } })),
    );
    return [...this.#rows, ...moved];
  }

  placeIn(bytes: Uint8Array, offset: number, field: string, end: number = bytes.length): Place | undefined {
    const base = this.#base.get(field);
    if (base !== undefined) return base;
    if (end - offset < this.headerLength) return undefined;
    return [...this.#allRowsAt(bytes, offset), ...(this.#shapeAt(bytes, offset)?.rows ?? [])].find(
      ({ name }) => name === field,
    )?.place;
  }

  step(
    bytes: Uint8Array,
    offset: number,
    end: number,
    context: Context,
  ): { readonly length: number; readonly next?: Follower } {
    const result = this.decode(bytes, offset, end, context);
    if (!result.ok) return { length: this.#lengthOfBroken(bytes, offset, end) };
    const { value, length } = result;
    const next = this.#next({ value, bytes, offset, length, end, context });
    return next === undefined ? { length } : { length, next };
  }

  /** As much as can be shown of a header that is none. */
  #lengthOfBroken(bytes: Uint8Array, offset: number, end: number): number {
    const shape = end - offset >= this.headerLength ? this.#shapeAt(bytes, offset) : undefined;
    return Math.max(0, Math.min(end - offset, shape?.end ?? this.headerLength));
  }

  #next(header: Header<Value>): Follower | undefined {
    const { follow } = this.declaration;
    return follow === undefined ? this.#follow(header) : follow(header);
  }

  /** What can be said of lengths and checksums from their declarations alone. */
  #notes(header: Header<Value>): Record<string, string | undefined> {
    const notes: Record<string, string | undefined> = {};
    const { bytes, offset, end } = header;
    for (const { name, field, place } of this.#allRowsAt(bytes, offset)) {
      const { computed } = field.options;
      if (computed?.what === 'length') {
        const room = end - offset - computed.less;
        if (readNumber(bytes, offset, place) * computed.unit > room)
          notes[name] = `only ${bytesText(room)} ${areThere(room)}`;
      } else if (computed?.what === 'checksum') {
        notes[name] = this.#checksumNote(header, computed, place);
      }
    }
    return notes;
  }

  #checksumNote(header: Header<Value>, checksum: Checksum, place: Place): string | undefined {
    const { bytes, offset, length, end, context } = header;
    const field = readNumber(bytes, offset, place);
    if (checksum.covers === 'header') {
      const header = bytes.slice(offset, offset + length);
      return checksumNote(header, place.at, (summed) => sum(summed, 0, length), finish);
    }
    if (checksum.zeroIsNone === true && field === 0) return this.#noneNote(header, checksum, place);
    const covered = this.declaration.covered?.(header) ?? end - offset;
    if (covered === 0) return 'none';
    if (covered < length) return 'unverifiable: it covers less than the header';
    const isCutOff = covered > end - offset || (context.isCutOff === true && checksum.zeroIsNone !== true);
    const unverifiable = context.unverifiable ?? (isCutOff ? 'cut off' : undefined);
    if (unverifiable !== undefined) return `unverifiable: ${unverifiable}`;
    if (checksum.algorithm === 'crc32c') {
      const expected = sctpChecksum(bytes, offset, covered, place.at);
      return expected === readU32le(bytes, offset + place.at)
        ? 'correct'
        : `should be ${wireOrder(expected)}`;
    }
    const hasPseudo = hasPseudoHeader(checksum, header.value, context.version);
    if (hasPseudo && context.isDestinationHidden === true)
      return 'unverifiable: the final destination is not known';
    if (hasPseudo && context.pseudoHeader === undefined) return undefined;
    const total =
      (pseudoHeader: PseudoHeader | undefined) =>
      (summed: Uint8Array): number =>
        coveredSum(checksum, summed, 0, summed.length, covered, pseudoHeader);
    const message = bytes.slice(offset, end);
    const normal = total(hasPseudo ? context.pseudoHeader : undefined);
    const isAccepted =
      !hasPseudo &&
      context.pseudoHeader !== undefined &&
      checksum.pseudoHeaderAccepted?.(header.value as Readonly<Record<string, unknown>>) === true;
    if (isAccepted && normal(message) !== 0xffff && total(context.pseudoHeader)(message) === 0xffff)
      return 'correct (with a pseudo-header)';
    return checksumNote(message, place.at, normal, isNeverZero(checksum) ? finishUdp : finish);
  }

  /** Of a 0 that says that there is no checksum, which over IPv6 not every message may say (RFC 8200 §8.1). */
  #noneNote(header: Header<Value>, checksum: Checksum, place: Place): string {
    const { bytes, offset, length, end, context, value } = header;
    const data = bytes.subarray(offset + length, end);
    const isAllowed = checksum.noneOver6?.(value as Readonly<Record<string, unknown>>, data) ?? true;
    if (context.version !== 6 || isAllowed) return 'none';
    // With another value in the field, what is said of that one tells what would be right.
    const written = bytes.slice(offset, end);
    writeNumber(written, 0, place, 1);
    const filled = { ...header, bytes: written, offset: 0, end: end - offset };
    const note = this.#checksumNote(filled, checksum, place) ?? '';
    if (note === 'correct') return 'should be 0x0001: over IPv6 there has to be one';
    return note.startsWith('should be')
      ? `${note}: over IPv6 there has to be one`
      : 'none, though over IPv6 there has to be one';
  }

  #follow({ bytes, offset, length, end, context }: Header<Value>): Follower {
    for (const { field, place } of this.#rows) {
      const { computed } = field.options;
      if (computed?.what !== 'next') continue;
      const number = readNumber(bytes, offset, place);
      return { announced: { space: computed.space, number }, offset: offset + length, end, context };
    }
    return { protocol: 'data', offset: offset + length, end, context };
  }
}

/** A CRC as its bytes stand on the wire, the lowest first. */
function wireOrder(crc: number): string {
  const bytes = new Uint8Array(4);
  writeU32le(bytes, 0, crc);
  return `0x${toHex(bytes)}`;
}

function rowsOf(fields: Fields, start: number): Row[] {
  const entries = Object.entries(fields);
  const places = layOut(
    entries.map(([, field]) => field.bits),
    start,
  );
  return entries.map(([name, field], index) => ({ name, field, place: places[index]! }));
}

function shapeOf(kind: string, { types, fields, tail }: Variant, start: number): Shape {
  const rows = rowsOf(fields, start);
  const places = rows.map(({ place }) => place);
  return { kind, types, rows, end: endOf(places, start), tail };
}

function samePlace(a: Place, b: Place): boolean {
  return a.at === b.at && a.size === b.size && a.shift === b.shift && a.bits === b.bits;
}

/** Do its flags say that a section is there? */
function isThere({ flags, all }: LaidSection, isSet: (flag: string) => boolean): boolean {
  return all ? flags.every(isSet) : flags.some(isSet);
}

function presets(rows: readonly Row[]): Value {
  const value: Value = {};
  for (const { name, field } of rows) if (field.stated) value[name] = field.preset;
  return value;
}

function readValue(rows: readonly Row[], bytes: Uint8Array, offset: number): Value {
  const value: Value = {};
  for (const { name, field, place } of rows) {
    if (field.stated) value[name] = field.read(bytes, offset, place);
  }
  return value;
}

function readBody(shape: Shape, bytes: Uint8Array, offset: number, end: number): Value {
  const body: Value = { kind: shape.kind, ...readValue(shape.rows, bytes, offset) };
  if (shape.tail !== undefined) body[shape.tail.name] = shape.tail.decode(bytes, offset + shape.end, end);
  return body;
}

function writeValue(rows: readonly Row[], bytes: Uint8Array, value: Value): void {
  for (const { name, field, place } of rows) {
    if (field.constant !== undefined) writeNumber(bytes, 0, place, field.constant);
    else if (field.stated) field.write(bytes, 0, place, value[name]);
  }
}

/** Accessors for all fields: made once a protocol, shared by its views. */
function viewPrototype(rows: readonly Row[]): object {
  const prototype: object = {
    at(this: { bytes: Uint8Array; offset: number }, bytes: Uint8Array, offset: number) {
      this.bytes = bytes;
      this.offset = offset;
      return this;
    },
  };
  for (const { name, field, place } of rows) {
    const { read, write } = field;
    Object.defineProperty(prototype, name, {
      get(this: { bytes: Uint8Array; offset: number }) {
        return read(this.bytes, this.offset, place);
      },
      set(this: { bytes: Uint8Array; offset: number }, value: unknown) {
        write(this.bytes, this.offset, place, value);
      },
    });
  }
  return prototype;
}
