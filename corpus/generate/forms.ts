/**
 * What the generator writes of protocols that have no writer of their own: headers ready to be copied, with the places of
 * what has to be filled in, all from the declarations. A new declaration is generated from then on.
 */
import type { Checksum, Field, Fields, Space } from '../../sim/packet/declaration/field.ts';
import type { Place } from '../../sim/packet/declaration/place.ts';
import type { Protocol, View } from '../../sim/packet/declaration/protocol.ts';
import type { Tail } from '../../sim/packet/declaration/tail.ts';
import { announcements, followersOf, instead, protocolByName } from '../../sim/packet/protocols.ts';

/** A field with the values worth trying: the ends of its range, its neighbours, and what the declaration calls edges. */
export interface Aim {
  readonly place: Place;
  readonly values: Float64Array;
}

export interface FilledChecksum {
  readonly rule: Checksum;
  readonly at: number;
}

/** One header as it stands in a packet: a shape of the body, a choice of optional fields, a tail. */
export interface Template {
  readonly bytes: Uint8Array;
  /** The same in little-endian words. */
  readonly words: Int32Array;
  /** Places of fields that say what follows. */
  readonly next: readonly Place[];
  readonly length: { readonly place: Place; readonly less: number; readonly unit: number } | undefined;
  readonly checksum: FilledChecksum | undefined;
}

/** What can follow a header: the form, and the number that announces it (−1: none does). */
export interface Following {
  readonly name: string;
  readonly number: number;
  /** Fields that have to have these values, too. */
  readonly says: readonly { readonly place: Place; readonly value: number }[];
}

export interface Form {
  readonly name: string;
  readonly protocol: Protocol;
  readonly view: View<Fields>;
  readonly templates: readonly Template[];
  /** Fields to be set to values worth trying. */
  readonly aims: readonly Aim[];
  /** Those of them that say nothing about the rest of the header: no flags, types, or fields of which some values are refused. */
  readonly harmless: readonly Aim[];
  /** Fields in which only one value is right. */
  readonly constants: readonly Place[];
  readonly follows: readonly Following[];
  /** Those that may stand where this one is announced. */
  readonly instead: readonly string[];
  /** A number that announces nothing: what data stands behind. */
  readonly nothing: number;
  /** Does what the checksum covers depend on the header's value? */
  readonly coversByValue: boolean;
}

/** By space: the first number of each protocol that it announces. */
const numbers = new Map<Space, ReadonlyMap<string, number>>();

function numbersOf(space: Space): ReadonlyMap<string, number> {
  let found = numbers.get(space);
  if (found === undefined) {
    // A name keeps what is set last.
    found = new Map([...announcements(space)].reverse().map(([number, name]) => [name, number]));
    numbers.set(space, found);
  }
  return found;
}

function numberOf(name: string, spaces: readonly Space[]): number {
  const by = protocolByName(name)?.declaration.insteadOf;
  for (const space of spaces) {
    const found = numbersOf(space);
    const number = found.get(name) ?? (by === undefined ? undefined : found.get(by));
    if (number !== undefined) return number;
  }
  return -1;
}

/** "Local experimental", "no next header", and numbers of control protocols. */
const NOTHING: Readonly<Record<Space, number>> = {
  etherType: 0x88b5,
  ipProtocol: 59,
  ipv4Protocol: 59,
  ipv6Protocol: 59,
  udpPort: 9,
  pppProtocol: 0xc021,
  nshProtocol: 0xff,
  llcSap: 0xf0,
};

const IP_SPACES: readonly Space[] = ['ipProtocol', 'ipv4Protocol', 'ipv6Protocol'];

/** What few packets ask for is made when the first one does. */
class MadeForm implements Form {
  readonly name: string;
  readonly protocol: Protocol;
  readonly templates: readonly Template[];
  readonly constants: readonly Place[];
  readonly instead: readonly string[];
  readonly nothing: number;
  readonly coversByValue: boolean;
  readonly #spaces: readonly Space[];
  #view: View<Fields> | undefined;
  #aims: readonly Aim[] | undefined;
  #harmless: readonly Aim[] | undefined;
  #follows: readonly Following[] | undefined;

  constructor(protocol: Protocol) {
    const { name, declaration } = protocol;
    this.name = name;
    this.protocol = protocol;
    this.templates = templatesOf(protocol);
    const spaces: Space[] = [];
    const constants: Place[] = [];
    for (const [field, { constant, options }] of Object.entries(declaration.fields)) {
      if (constant !== undefined) constants.push(placeOf(protocol, field));
      if (options.computed?.what !== 'next') continue;
      if (options.computed.space === 'ipProtocol') spaces.push(...IP_SPACES);
      else spaces.push(options.computed.space);
    }
    this.constants = constants;
    this.#spaces = spaces;
    this.instead = instead(name);
    this.nothing = NOTHING[spaces[0] ?? 'etherType'];
    this.coversByValue = declaration.covered !== undefined;
  }

  get view(): View<Fields> {
    this.#view ??= this.protocol.view();
    return this.#view;
  }

  get aims(): readonly Aim[] {
    this.#aims ??= this.#aimsOf(() => true);
    return this.#aims;
  }

  get harmless(): readonly Aim[] {
    const by = this.protocol.declaration.variants?.by;
    this.#harmless ??= this.#aimsOf(
      (field, { bits, options }) => bits > 1 && !options.refuses && field !== by,
    );
    return this.#harmless;
  }

  get follows(): readonly Following[] {
    this.#follows ??= followersOf(this.name).map((follower) => ({
      name: follower,
      number: numberOf(follower, this.#spaces),
      says: Object.entries(this.protocol.declaration.carrying?.(follower) ?? {}).map(([field, value]) => ({
        place: placeOf(this.protocol, field),
        value,
      })),
    }));
    return this.#follows;
  }

  #aimsOf(isWanted: (name: string, field: Field) => boolean): readonly Aim[] {
    const aims: Aim[] = [];
    for (const [name, field] of Object.entries(this.protocol.declaration.fields)) {
      if (!isWanted(name, field)) continue;
      const aim = aimOf(field, placeOf(this.protocol, name));
      if (aim !== undefined) aims.push(aim);
    }
    return aims;
  }
}

function placeOf(protocol: Protocol, field: string): Place {
  return (protocol.places as Readonly<Record<string, Place>>)[field]!;
}

function aimOf(field: Field, place: Place): Aim | undefined {
  const isNumber = field.shown === 'decimal' || field.shown === 'hex';
  if (!isNumber || !field.stated || field.options.computed !== undefined || place.size > 4) return undefined;
  const most = 2 ** field.bits - 1;
  const middle = 2 ** (field.bits - 1);
  const values = [0, 1, most, most - 1, middle, ...(field.options.edges ?? [])].filter(
    (value) => value >= 0 && value <= most,
  );
  return { place, values: Float64Array.from(new Set(values)) };
}

/** Bytes that a tail could consist of; what it makes of them is written. */
const TAIL_BYTES: readonly number[] = [1, 1, 0, 4, 0, 0, 0, 1, 2, 4, 5, 180, 1, 1, 1, 0];

function templatesOf(protocol: Protocol): Template[] {
  const { declaration } = protocol;
  const flags = Object.values(declaration.sections ?? {}).map(({ flags: names, all }) =>
    all === true ? names : names.slice(0, 1),
  );
  const choices: Record<string, unknown>[] = [{}];
  for (const names of flags) {
    if (names.length === 0) continue;
    const set = Object.fromEntries(names.map((name) => [name, true]));
    choices.push(...choices.map((choice) => ({ ...choice, ...set })));
  }
  for (const [kind, { types, tail }] of Object.entries(declaration.variants?.cases ?? {})) {
    for (const type of types ?? [255]) {
      choices.push({ [declaration.variants!.by]: type, body: { kind } });
      if (tail !== undefined)
        choices.push({ [declaration.variants!.by]: type, body: { kind, [tail.name]: tailOf(tail) } });
    }
  }
  if (declaration.samples !== undefined) choices.push(...declaration.samples);
  else if (declaration.tail !== undefined)
    choices.push({ [declaration.tail.name]: tailOf(declaration.tail) });
  return choices.flatMap((choice) => {
    try {
      return [templateOf(protocol, protocol.encode(protocol.complete(choice)))];
    } catch {
      // A tail that no header can count.
      return [];
    }
  });
}

function tailOf(tail: Tail): unknown {
  const bytes = Uint8Array.from({ length: 8 + tail.offset }, (_, at) => TAIL_BYTES[at % TAIL_BYTES.length]!);
  return tail.decode(bytes, 0, bytes.length);
}

function templateOf(protocol: Protocol, bytes: Uint8Array): Template {
  const { declaration } = protocol;
  const sections = Object.values(declaration.sections ?? {}).flatMap((section) =>
    Object.entries(section.fields),
  );
  const next: Place[] = [];
  let length: Template['length'];
  let checksum: FilledChecksum | undefined;
  for (const [name, { options }] of [...Object.entries(declaration.fields), ...sections]) {
    const { computed } = options;
    const place = computed === undefined ? undefined : protocol.placeIn(bytes, 0, name);
    if (computed === undefined || place === undefined) continue;
    if (computed.what === 'next') next.push(place);
    else if (computed.what === 'length') length = { place, less: computed.less, unit: computed.unit };
    else checksum = { rule: computed, at: place.at };
  }
  return { bytes, words: wordsOf(bytes), next, length, checksum };
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const words = new Int32Array((bytes.length + 3) >> 2);
  for (let at = 0; at < bytes.length; at++) words[at >> 2]! |= bytes[at]! << (8 * (at & 3));
  return words;
}

const forms = new Map<string, Form>();

/**
 * Made when it is first asked for: a short run needs few of them.
 * @throws {RangeError} for a name that is none
 */
export function form(name: string): Form {
  let made = forms.get(name);
  if (made === undefined) {
    const protocol = protocolByName(name);
    if (protocol === undefined) throw new RangeError(`no protocol ${name}`);
    made = new MadeForm(protocol);
    forms.set(name, made);
  }
  return made;
}

/**
 * The forms that numbers of 16 bits announce. Nearly every packet looks one up, and few numbers announce anything: pages of
 * 256 numbers, of which all that are empty are one, stay in the cache.
 */
class FormTable {
  private readonly pages = new Uint8Array(256);
  /** Of each page's numbers: 1 + the place in `forms`, or 0. */
  private readonly cells: Uint8Array;
  private readonly names: readonly string[];
  private readonly forms: (Form | undefined)[];

  constructor(announced: ReadonlyMap<number, string>) {
    const high = [...new Set([...announced.keys()].map((number) => number >>> 8))];
    for (const [index, page] of high.entries()) this.pages[page] = 1 + index;
    this.cells = new Uint8Array((1 + high.length) * 256);
    this.names = [...announced.values()];
    this.forms = this.names.map(() => undefined);
    for (const [index, number] of [...announced.keys()].entries())
      this.cells[this.cellOf(number)] = 1 + index;
  }

  /** The form that a number announces. */
  of(number: number): Form | undefined {
    const index = this.cells[this.cellOf(number)]!;
    return index === 0 ? undefined : (this.forms[index - 1] ?? this.made(index - 1));
  }

  private made(index: number): Form {
    const one = form(this.names[index]!);
    this.forms[index] = one;
    return one;
  }

  private cellOf(number: number): number {
    return (this.pages[number >>> 8]! << 8) | (number & 0xff);
  }
}

export const UDP_PORT_FORMS: FormTable = new FormTable(announcements('udpPort'));
export const ETHERTYPE_FORMS: FormTable = new FormTable(announcements('etherType'));
export const IPV4_FORMS: FormTable = new FormTable(overIp('ipv4Protocol'));
export const IPV6_FORMS: FormTable = new FormTable(overIp('ipv6Protocol'));

function overIp(space: Space): ReadonlyMap<number, string> {
  return new Map([...announcements('ipProtocol'), ...announcements(space)]);
}
