/** Conditions of paths in words: the declarations' field names in place of bytes, `ip.proto == 6 && tcp.dstport == 80`. */
import { concludedFields } from '../../sim/ebpf/symbolic/context-fields.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term, termText, unknownsOf, writtenSize } from '../../sim/ebpf/symbolic/term.ts';
import type { Field } from '../../sim/packet/declaration/field.ts';
import { IPPROTO } from '../../sim/packet/numbers.ts';
import { PROTOCOLS } from '../../sim/packet/protocols.ts';
import { isTpid } from '../../sim/packet/vlan.ts';

/** One condition, and what it says of which term where it is that simple. */
export interface Word {
  readonly text: string;
  readonly subject?: string;
  readonly relation?: '==' | '!=' | '<' | '>=';
  readonly value?: bigint;
}

interface NamedField {
  readonly name: string;
  readonly term: Term;
  /** The bytes that it is in. */
  readonly bytes: readonly Term[];
  readonly isHex: boolean;
}

type Header = readonly [name: keyof typeof PROTOCOLS, start: number];

/** Which map stands in a slot of a map of maps. */
const INNER = /^map(\d+)\.(\d+)\.inner$/;

/** Terms that a condition or a part of one may be written of: no one reads more. */
const MOST_WRITTEN = 400;
/** Unknowns that are named of what is too long to be written. */
const NAMED_UNKNOWNS = 3;

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
  const headers: Header[] = [['ethernet', 0]];
  let at = 14;
  let type = known(12, 2);
  while (type !== undefined && isTpid(type)) {
    headers.push(['vlan', at]);
    type = known(at + 2, 2);
    at += 4;
  }
  let next: number | undefined;
  if (type === 0x0800) {
    headers.push(['ipv4', at]);
    const words = state.knowledge.only(pool.extract(inputs.frameByte(at), 0, 4));
    if (words === undefined) return headers;
    next = known(at + 9, 1);
    at += Number(words) * 4;
  } else if (type === 0x86dd) {
    headers.push(['ipv6', at]);
    next = known(at + 6, 1);
    at += 40;
  } else if (type === 0x0806) headers.push(['arp', at]);
  const transport = next === undefined ? undefined : TRANSPORTS.get(next);
  if (transport !== undefined) headers.push([transport, at]);
  return headers;
}

const TRANSPORTS: ReadonlyMap<number, keyof typeof PROTOCOLS> = new Map([
  [IPPROTO.TCP, 'tcp'],
  [IPPROTO.UDP, 'udp'],
  [IPPROTO.ICMP, 'icmp'],
  [IPPROTO.ICMPV6, 'icmpv6'],
]);

/** The fields of the headers that a path knows of, by the bytes that they are made of. */
export class FieldNames {
  readonly fields: NamedField[] = [];
  readonly #byTerm = new Map<Term, string>();
  /** What is in the network's order, by the term in the machine's. */
  readonly #swapped = new Map<Term, string>();
  readonly #byByte = new Map<Term, readonly [field: NamedField, index: number]>();

  private constructor(inputs: Inputs, headers: readonly Header[]) {
    this.#byTerm.set(inputs.length, 'frame.len');
    this.#byTerm.set(inputs.metaWords, 'metadata words');
    this.#byTerm.set(inputs.ingressIfindex, 'ifindex');
    this.#context(inputs);
    for (const [name, start] of headers) this.#header(inputs, name, start);
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
    const key = headers.join(' ');
    const names = known.get(key) ?? new FieldNames(inputs, headers);
    known.set(key, names);
    return names;
  }

  #header(inputs: Inputs, name: keyof typeof PROTOCOLS, start: number): void {
    const { pool } = inputs;
    let bit = start * 8;
    for (const [key, field] of Object.entries(
      PROTOCOLS[name].declaration.fields as Readonly<Record<string, Field>>,
    )) {
      const { bits } = field;
      const from = bit >> 3;
      const to = (bit + bits + 7) >> 3;
      const lowest = to * 8 - (bit + bits);
      bit += bits;
      if (to > inputs.limits.longest) return;
      const bytes = Array.from({ length: to - from }, (_, index) => inputs.frameByte(from + index));
      const term = pool.extract(pool.concat(bytes), lowest, bits);
      const named: NamedField = {
        name: field.options.filter ?? `${name}.${key}`,
        term,
        bytes,
        isHex: field.shown !== 'decimal',
      };
      this.fields.push(named);
      this.#byTerm.set(term, named.name);
      if (lowest === 0 && bits === bytes.length * 8)
        for (const [index, byte] of bytes.entries()) this.#byByte.set(byte, [named, index]);
    }
  }

  /** What a condition says. */
  word(inputs: Inputs, condition: Term): Word {
    return this.#condition(inputs, condition, true);
  }

  #condition(inputs: Inputs, condition: Term, holds: boolean): Word {
    const isOpposite = condition.operation === 'xor' && isConst(condition.operands[1]!);
    if (!isOpposite && writtenSize(condition) > MOST_WRITTEN) {
      return { text: `${this.#computed(inputs, condition)} ${holds ? 'holds' : 'does not hold'}` };
    }
    const [a, b] = condition.operands;
    switch (condition.operation) {
      case 'xor':
        if (isConst(b!)) return this.#condition(inputs, a!, !holds);
        break;
      case 'and':
      case 'eq': {
        const parts = conjuncts(condition);
        const words = this.#equalities(inputs, parts);
        const [only] = words;
        if (words.length === 1 && only!.subject !== undefined) return holds ? only! : opposite(only!);
        const text = words.map((one) => one.text).join(' && ');
        return { text: holds ? text : words.length === 1 ? opposite(only!).text : `!(${text})` };
      }
      case 'or': {
        const text = `${this.#condition(inputs, a!, true).text} || ${this.#condition(inputs, b!, true).text}`;
        return { text: holds ? text : `!(${text})` };
      }
      case 'ult':
      case 'slt': {
        const isSigned = condition.operation === 'slt';
        const name = (one: Term): string => `${isSigned ? 'signed ' : ''}${this.#name(inputs, one)}`;
        const number = ({ value, width }: Term): bigint => (isSigned ? BigInt.asIntN(width, value) : value);
        if (isConst(b!)) return relation(name(a!), holds ? '<' : '>=', number(b!));
        if (isConst(a!)) return relation(name(b!), holds ? '>=' : '<', number(a!) + 1n);
        return { text: `${name(a!)} ${holds ? '<' : '>='} ${name(b!)}` };
      }
      case 'var': {
        const there = /^map(\d+)\.(\d+)\.there$/.exec(condition.name);
        if (there !== null) {
          const map = inputs.machine.maps[Number(there[1])]!.name;
          return { text: `key ${Number(there[2]) + 1} is ${holds ? '' : 'not '}in map ${map}` };
        }
        const full = /^full(\d+)\./.exec(condition.name);
        if (full !== null) {
          return { text: `map ${inputs.machine.maps[Number(full[1])]!.name} is ${holds ? '' : 'not '}full` };
        }
        return relation(this.#name(inputs, condition), '==', holds ? 1n : 0n);
      }
      case 'extract':
        return relation(this.#name(inputs, condition), '==', holds ? 1n : 0n);
      default:
    }
    const text = this.#name(inputs, condition);
    return { text: holds ? text : `!(${text})` };
  }

  /** Bytes that are compared one by one, as the fields that they make. */
  #equalities(inputs: Inputs, parts: readonly Term[]): Word[] {
    const words: Word[] = [];
    const bytes = new Map<NamedField, Map<number, bigint>>();
    for (const part of parts) {
      const [a, b] = part.operands;
      const place = part.operation === 'eq' && isConst(b!) ? this.#byByte.get(a!) : undefined;
      if (place !== undefined && place[0].bytes.length > 1) {
        const [field, index] = place;
        const known = bytes.get(field) ?? new Map<number, bigint>();
        known.set(index, b!.value);
        bytes.set(field, known);
      } else if (part.operation === 'eq') {
        words.push(
          isConst(b!)
            ? this.#equals(inputs, a!, b!.value)
            : { text: `${this.#name(inputs, a!)} == ${this.#name(inputs, b!)}` },
        );
      } else words.push(this.#condition(inputs, part, true));
    }
    for (const [field, known] of bytes) {
      if (known.size === field.bytes.length) {
        let value = 0n;
        for (let index = 0; index < field.bytes.length; index++) value = (value << 8n) | known.get(index)!;
        words.push(relation(field.name, '==', value, field.isHex));
      } else {
        for (const [index, value] of known)
          words.push(relation(`${field.name}[${index}]`, '==', value, true));
      }
    }
    return words;
  }

  #equals(inputs: Inputs, term: Term, value: bigint): Word {
    const swapped = this.#swapped.get(term);
    if (swapped !== undefined && value < 0x10000n) {
      return relation(swapped, '==', ((value & 0xffn) << 8n) | (value >> 8n), true);
    }
    const subject = this.#name(inputs, term);
    if (term.operation !== 'var' || !INNER.test(term.name)) return relation(subject, '==', value);
    const map = inputs.mapOf(Number(value));
    const name = map === undefined ? undefined : inputs.machine.maps[map]?.name;
    return { text: `${subject} == ${name ?? `map ${value}`}`, subject, relation: '==', value };
  }

  #name(inputs: Inputs, term: Term): string {
    const known = this.#byTerm.get(term);
    if (known !== undefined) return known;
    const swapped = this.#swapped.get(term);
    if (swapped !== undefined) return `swapped(${swapped})`;
    if (writtenSize(term) > MOST_WRITTEN) return this.#computed(inputs, term);
    const { operands } = term;
    switch (term.operation) {
      case 'const':
        return term.value < 1024n ? term.value.toString() : `0x${term.value.toString(16)}`;
      case 'var':
        return this.#unknown(inputs, term);
      case 'concat': {
        // Zeros above say nothing, and zeros below are a factor.
        const above = isZeroConst(operands[0]!) ? 1 : 0;
        const below = isZeroConst(operands.at(-1)!) ? 1 : 0;
        if (operands.length - above - below === 1) {
          const inner = this.#name(inputs, operands[above]!);
          if (below === 0) return inner;
          return `${/ \W+ /.test(inner) ? `(${inner})` : inner} * ${1n << BigInt(operands.at(-1)!.width)}`;
        }
        const swapped = inputs.pool.swapBytes(term);
        const field = term.width % 8 === 0 ? this.#byTerm.get(swapped) : undefined;
        if (field !== undefined) return `swapped(${field})`;
        return `(${operands.map((one) => this.#name(inputs, one)).join(' ‖ ')})`;
      }
      case 'extract': {
        const [whole] = operands;
        const shifted = `${this.#name(inputs, whole!)}${term.low === 0 ? '' : ` >> ${term.low}`}`;
        // Above the highest bits there is nothing to be masked.
        if (term.low > 0 && term.low + term.width === whole!.width) return `(${shifted})`;
        return `(${shifted} & 0x${((1n << BigInt(term.width)) - 1n).toString(16)})`;
      }
      case 'sum': {
        const parts = operands.map((one, index) => {
          const factor = BigInt.asIntN(term.width, term.factors[index]!);
          return `${factor === 1n ? '' : `${factor} * `}${this.#name(inputs, one)}`;
        });
        if (term.value !== 0n) parts.push(`${BigInt.asIntN(term.width, term.value)}`);
        return parts.join(' + ').replaceAll('+ -', '- ');
      }
      case 'ite': {
        const [condition, then, otherwise] = operands.map((one) =>
          one === operands[0] ? this.#condition(inputs, one, true).text : this.#name(inputs, one),
        );
        return shortened(`(${condition} ? ${then} : ${otherwise})`);
      }
      default:
        return shortened(termText(term));
    }
  }

  /** What is too long to be written: what it is computed of. */
  #computed(inputs: Inputs, term: Term): string {
    const unknowns = [...unknownsOf(term)];
    const named = unknowns.slice(0, NAMED_UNKNOWNS).map((one) => this.#name(inputs, one));
    const more = unknowns.length - named.length;
    return `computed(${[...named, ...(more > 0 ? [`${more} more`] : [])].join(', ')})`;
  }

  #unknown(inputs: Inputs, { name }: Term): string {
    const byte = /^p(\d+)$/.exec(name);
    if (byte !== null) return `frame[${byte[1]}]`;
    const map = /^map(\d+)\.(\d+)\.(\d+)$/.exec(name);
    if (map !== null)
      return `${inputs.machine.maps[Number(map[1])]!.name}[key ${Number(map[2]) + 1}].byte${map[3]}`;
    const inner = INNER.exec(name);
    if (inner !== null) return `${inputs.machine.maps[Number(inner[1])]!.name}[key ${Number(inner[2]) + 1}]`;
    return name.replace(/^fixed\./, 'skb.').replace(/\.(\d+)$/, (_, ordinal) => `#${Number(ordinal) + 1}`);
  }
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function relation(subject: string, sign: Word['relation'], value: bigint, isHex: boolean = false): Word {
  const number = isHex || value >= 1024n ? `0x${value.toString(16)}` : value.toString();
  return {
    text: `${subject} ${sign} ${number}`,
    subject,
    ...(sign === undefined ? {} : { relation: sign }),
    value,
  };
}

function opposite(word: Word): Word {
  if (word.subject === undefined || word.value === undefined)
    return { text: word.text.replace(' == ', ' != ') };
  return { ...word, relation: '!=', text: word.text.replace(' == ', ' != ') };
}

function conjuncts(condition: Term): Term[] {
  return condition.operation === 'and' ? condition.operands.flatMap(conjuncts) : [condition];
}

/** The conditions of a path, in their order. */
export function wordsOf(inputs: Inputs, state: PathState): Word[] {
  const names = FieldNames.of(inputs, state);
  return state.constraints
    .filter((one) => one.origin !== undefined)
    .map(({ condition }) => names.word(inputs, condition));
}

/** Conditions in a row as one: of several bounds of one field the closest, and nothing that an equality says better. */
export function joinWords(words: readonly Word[]): string {
  const kept = words.filter((word, at) => {
    const { subject, relation: sign, value } = word;
    if (subject === undefined || value === undefined || sign === '==')
      return words.findIndex((one) => one.text === word.text) === at;
    return !words.some((other, index) => {
      if (index === at || other.subject !== subject || other.value === undefined) return false;
      if (other.relation === '==') return true;
      if (other.relation !== sign || sign === '!=') return other.text === word.text && index < at;
      if (other.value === value) return index < at;
      return sign === '>=' ? other.value > value : other.value < value;
    });
  });
  return kept.map((one) => one.text).join(' && ');
}

function isZeroConst(term: Term): boolean {
  return isConst(term) && term.value === 0n;
}
