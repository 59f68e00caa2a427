/** Names of what a packet brings: the declarations' field names in place of bytes, `ip.proto`, `tcp.dstport`. */
import { byteAnywhere } from '../../sim/ebpf/symbolic/byte-anywhere.ts';
import { concludedFields } from '../../sim/ebpf/symbolic/context-fields.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { ipv4ToText, ipv6ToText, macToText } from '../../sim/packet/addresses.ts';
import type { Field, Shown } from '../../sim/packet/declaration/field.ts';
import { IPPROTO } from '../../sim/packet/numbers.ts';
import { PROTOCOLS } from '../../sim/packet/protocols.ts';
import { isTpid } from '../../sim/packet/vlan.ts';

export interface NamedField {
  readonly name: string;
  readonly term: Term;
  /** The bytes that it is in, the most significant one first. */
  readonly bytes: readonly Term[];
  /** Has memory the least significant one first? */
  readonly isSwapped: boolean;
  /** A value as people write it: `10.0.0.1`. */
  readonly show: (value: bigint) => string;
}

export const decimal = (value: bigint): string => value.toString();
export const hex = (value: bigint): string => `0x${value.toString(16)}`;

const SHOWN: Readonly<Record<Shown, NamedField['show']>> = {
  decimal,
  hex,
  mac: (value) => macToText(bytesOf(value, 6), 0),
  ipv4: (value) => ipv4ToText(bytesOf(value, 4), 0),
  ipv6: (value) => ipv6ToText(bytesOf(value, 16), 0),
  bytes: hex,
};

function bytesOf(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) =>
    Number((value >> BigInt(8 * (size - 1 - index))) & 0xffn),
  );
}

interface Header {
  readonly name: keyof typeof PROTOCOLS;
  readonly start: number;
  /** Does it lie behind an IPv4 header of any length, which begins at `start`? */
  readonly isBehind?: boolean;
}

const namesOf = new WeakMap<Inputs, Map<string, FieldNames>>();

/** The headers that a path knows the places of. */
function headersOf(inputs: Inputs, state: PathState): Header[] {
  const { pool, limits } = inputs;
  const known = (at: number, size: number): number | undefined => {
    if (at + size > limits.longest) return undefined;
    const bytes = Array.from({ length: size }, (_, index) => inputs.frameByte(at + index));
    const only = state.knowledge.only(pool.concat(bytes));
    return only === undefined ? undefined : Number(only);
  };
  const headers: Header[] = [{ name: 'ethernet', start: 0 }];
  let at = 14;
  let type = known(12, 2) ?? protocolOf(inputs, state);
  while (type !== undefined && isTpid(type)) {
    headers.push({ name: 'vlan', start: at });
    type = known(at + 2, 2);
    at += 4;
  }
  let next: number | undefined;
  let isBehind = false;
  if (type === 0x0800) {
    headers.push({ name: 'ipv4', start: at });
    const words = state.knowledge.only(pool.extract(inputs.frameByte(at), 0, 4));
    next = known(at + 9, 1);
    if (words === undefined) isBehind = true;
    else at += Number(words) * 4;
  } else if (type === 0x86dd) {
    headers.push({ name: 'ipv6', start: at });
    next = known(at + 6, 1);
    at += 40;
  } else if (type === 0x0806) headers.push({ name: 'arp', start: at });
  const transport = next === undefined ? undefined : TRANSPORTS.get(next);
  if (transport !== undefined) headers.push({ name: transport, start: at, isBehind });
  return headers;
}

/** The bytes of a header, by their offsets in it; undefined: no frame is that long. */
function bytesIn(inputs: Inputs, { start, isBehind }: Header): (offset: number) => Term | undefined {
  const { pool, limits } = inputs;
  if (isBehind !== true)
    return (offset) => (start + offset < limits.longest ? inputs.frameByte(start + offset) : undefined);
  const words = pool.extract(inputs.frameByte(start), 0, 4);
  const length = pool.zeroExtend(64, pool.concat([words, pool.constant(2, 0)]));
  const begin = pool.addConst(length, inputs.data + start);
  return (offset) => byteAnywhere(inputs, pool.addConst(begin, offset));
}

/** The EtherType of a TC frame, where a path knows `skb->protocol` and has not looked into the frame. */
function protocolOf(inputs: Inputs, { pool, knowledge }: PathState): number | undefined {
  const field = concludedFields(inputs).find(({ name }) => name === 'skb.protocol');
  if (field === undefined) return undefined;
  const known = [field.term, pool.extract(field.term, 0, 16)].map((term) => knowledge.only(term));
  const word = known.find((one) => one !== undefined);
  return word === undefined ? undefined : Number(((word & 0xffn) << 8n) | ((word >> 8n) & 0xffn));
}

const TRANSPORTS: ReadonlyMap<number, keyof typeof PROTOCOLS> = new Map([
  [IPPROTO.TCP, 'tcp'],
  [IPPROTO.UDP, 'udp'],
  [IPPROTO.ICMP, 'icmp'],
  [IPPROTO.ICMPV6, 'icmpv6'],
]);

/** What the names of a header's fields begin with in Wireshark: `ip` of ipv4. */
function prefixOf(name: string, fields: Readonly<Record<string, Field>>): string {
  const known = Object.values(fields).find(({ options }) => options.filter !== undefined);
  return known?.options.filter?.split('.')[0] ?? name;
}

/** Flags and fragment offset, from the begin of an IPv4 header (RFC 791 §3.1). */
const FRAGMENT_AT = 6;

/** The fields of the headers that a path knows of, by the bytes that they are made of. */
export class FieldNames {
  readonly fields: NamedField[] = [];
  readonly #byTerm = new Map<Term, string>();
  readonly #fieldByTerm = new Map<Term, NamedField>();
  /** What is in the network's order, by the term in the machine's. */
  readonly #swapped = new Map<Term, string>();
  readonly #byByte = new Map<Term, readonly [field: NamedField, index: number]>();

  private constructor(inputs: Inputs, headers: readonly Header[]) {
    this.#byTerm.set(inputs.length, 'frame.len');
    this.#byTerm.set(inputs.metaWords, 'metadata words');
    this.#byTerm.set(inputs.ingressIfindex, 'ifindex');
    this.#context(inputs);
    for (const header of headers) this.#header(inputs, header);
  }

  #context(inputs: Inputs): void {
    for (const { name, term, isSwapped } of concludedFields(inputs)) {
      // Programs compare the word, or the half of it that they need.
      for (const part of [term, inputs.pool.extract(term, 0, 16)]) {
        (isSwapped ? this.#swapped : this.#byTerm).set(part, name);
      }
    }
  }

  /** The names on a path. Most paths have the same headers in the same places: their names are made once. */
  static of(inputs: Inputs, state: PathState): FieldNames {
    const headers = headersOf(inputs, state);
    let known = namesOf.get(inputs);
    if (known === undefined) {
      known = new Map();
      namesOf.set(inputs, known);
    }
    const key = headers.map(({ name, start, isBehind }) => `${name} ${isBehind} ${start}`).join();
    const names = known.get(key) ?? new FieldNames(inputs, headers);
    known.set(key, names);
    return names;
  }

  #header(inputs: Inputs, header: Header): void {
    const { pool } = inputs;
    const { name } = header;
    const byteAt = bytesIn(inputs, header);
    let bit = 0;
    const fields = PROTOCOLS[name].declaration.fields as Readonly<Record<string, Field>>;
    const prefix = prefixOf(name, fields);
    for (const [key, field] of Object.entries(fields)) {
      const { bits } = field;
      const from = bit >> 3;
      const to = (bit + bits + 7) >> 3;
      const lowest = to * 8 - (bit + bits);
      bit += bits;
      const bytes: Term[] = [];
      for (let at = from; at < to; at++) {
        const byte = byteAt(at);
        if (byte === undefined) return;
        bytes.push(byte);
      }
      const term = pool.extract(pool.concat(bytes), lowest, bits);
      const named: NamedField = {
        name: field.options.filter ?? `${prefix}.${key}`,
        term,
        bytes,
        isSwapped: false,
        show: SHOWN[field.shown],
      };
      this.#enter(named, lowest === 0 && bits === bytes.length * 8);
      for (const [flag, mask] of Object.entries(field.options.bits ?? {})) {
        const place = Math.log2(mask);
        if (Number.isInteger(place)) this.#byTerm.set(pool.extract(term, place, 1), `${named.name}.${flag}`);
      }
    }
    if (name === 'ipv4') this.#fragment(inputs, header.start);
  }

  /** What C knows as one field, `frag_off` of `struct iphdr`: the flags and the offset. */
  #fragment(inputs: Inputs, start: number): void {
    const bytes = [FRAGMENT_AT, FRAGMENT_AT + 1].map((at) => inputs.frameByte(start + at));
    this.#enter(
      { name: 'ip.frag_off', term: inputs.pool.concat(bytes), bytes, isSwapped: false, show: hex },
      true,
    );
  }

  /** A field, where no header in front has one in its place: those of a wrong length lie over each other. */
  #enter(named: NamedField, isWhole: boolean): void {
    const { name, term, bytes } = named;
    this.fields.push(named);
    if (!this.#byTerm.has(term)) {
      this.#byTerm.set(term, name);
      this.#fieldByTerm.set(term, named);
    }
    if (!isWhole) return;
    for (const [index, byte] of bytes.entries())
      if (!this.#byByte.has(byte)) this.#byByte.set(byte, [named, index]);
  }

  /** The name of a term, in the network's order. */
  named(term: Term): string | undefined {
    return this.#byTerm.get(term);
  }

  /** How a value of the term is written, where it is a field; lengths are decimal numbers. */
  showing(term: Term): NamedField['show'] | undefined {
    return (
      this.#fieldByTerm.get(term)?.show ?? (this.#byTerm.get(term) === 'frame.len' ? decimal : undefined)
    );
  }

  /** The name of what is in the network's order, by the term in the machine's. */
  swapped(term: Term): string | undefined {
    return this.#swapped.get(term);
  }

  /** The field that a byte belongs to, and which byte of it that is. */
  fieldOf(byte: Term): readonly [field: NamedField, index: number] | undefined {
    return this.#byByte.get(byte);
  }
}
