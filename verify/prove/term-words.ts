/** Terms in words: what a program computes, as a C program would write it, of fields of the packet and of entries in maps. */
import { addressOf } from '../../sim/ebpf/symbolic/byte-anywhere.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { FRAME_SOCKET } from '../../sim/ebpf/symbolic/socket-helpers.ts';
import { allOnes, isConst, type Term, type TermOperation } from '../../sim/ebpf/symbolic/term.ts';
import { type EntryByte, type EntryField, EntryWords } from './entry-words.ts';
import { decimal, FieldNames, hex, type NamedField } from './field-names.ts';
import { socketField, writtenField } from './helper-structs.ts';
import { namedIn, writtenSize } from './written-terms.ts';

/** Which map stands in a slot of a map of maps. */
const INNER = /^map(\d+)\.(\d+)\.inner$/;
const FRAME_BYTE = /^p(\d+)$/;
/** A byte of what a helper wrote through one of its arguments. */
const WRITTEN = /^(bpf_\w+\.\d+\.\d+)\.(\d+)$/;

/** A byte of the frame's socket, or of one that a helper found. */
const SOCKET_BYTE = /^(given\.socket|bpf_skc?_lookup_\w+\.\d+)\.(\d+)$/;

/** Terms that a condition or a part of one may be written of: no one reads more. */
export const MOST_WRITTEN = 400;
/** Letters of a part that is written out. */
const LONGEST = 120;
/** Unknowns that are named of what is too long to be written. */
const NAMED_UNKNOWNS = 3;

const INFIX: Readonly<Partial<Record<TermOperation, string>>> = {
  mul: '*',
  udiv: '/',
  urem: '%',
  and: '&',
  or: '|',
  xor: '^',
  shl: '<<',
  lshr: '>>',
  eq: '==',
  ult: '<',
};
/** The same of signed numbers. */
const SIGNED: Readonly<Partial<Record<TermOperation, string>>> = {
  sdiv: '/',
  srem: '%',
  ashr: '>>',
  slt: '<',
};

const PRODUCTS: ReadonlySet<TermOperation> = new Set(['mul', 'udiv', 'urem']);

/** Bytes that lie one behind the other, in the frame or in one field of an entry. */
interface Run {
  readonly terms: Term[];
  /** Where each next byte lies: behind the one before, as in a packet, or in front of it, as in a number. */
  step: 1 | -1 | 0;
}

/** Names terms on one path. */
export class TermWords {
  readonly #inputs: Inputs;
  readonly #fields: FieldNames;
  readonly entries: EntryWords;
  readonly #entryFields = new Map<string, NamedField>();
  /** What a condition says. */
  readonly #condition: (condition: Term) => string;

  constructor(inputs: Inputs, state: PathState, condition: (condition: Term) => string) {
    this.#inputs = inputs;
    this.#fields = FieldNames.of(inputs, state);
    this.#condition = condition;
    this.entries = new EntryWords(inputs, state, {
      number: (bytes) => this.#memory(bytes),
      address: (bytes) => this.#address(bytes),
    });
  }

  /** The field that a byte belongs to, and which byte of it that is, the most significant being the first. */
  fieldOf(byte: Term): readonly [field: NamedField, index: number] | undefined {
    const found = this.#fields.fieldOf(byte);
    if (found !== undefined) return found;
    const entry = this.entries.byteOf(byte);
    if (entry === undefined) return this.#writtenField(byte);
    const field = this.entries.field(entry);
    if (field === undefined) return undefined;
    const named = this.#entryField(entry, field);
    return [named, named.bytes.indexOf(byte)];
  }

  #entryField(entry: EntryByte, field: EntryField): NamedField {
    const id = `${entry.map}.${entry.ordinal}.${field.offset}`;
    return this.#namedField(id, field, (at) => this.entries.byteAt(entry, at));
  }

  /** A member of a socket. */
  #socketField(byte: Term): readonly [field: NamedField, index: number] | undefined {
    const [, of, at] = (byte.operation === 'var' ? SOCKET_BYTE.exec(byte.name) : null) ?? [];
    const field = of === undefined ? undefined : socketField(Number(at));
    if (of === undefined || field === undefined) return undefined;
    const name = `${socketName(of)}.${field.name}`;
    const named = this.#namedField(`${of}.${field.offset}`, { ...field, name }, (index) =>
      this.#inputs.pool.unknown(8, `${of}.${index}`),
    );
    return [named, named.bytes.indexOf(byte)];
  }

  /** A member of the struct that a helper wrote, where it is known which one that is; or of a socket. */
  #writtenField(byte: Term): readonly [field: NamedField, index: number] | undefined {
    const ofSocket = this.#socketField(byte);
    if (ofSocket !== undefined) return ofSocket;
    const [, of, at] = (byte.operation === 'var' ? WRITTEN.exec(byte.name) : null) ?? [];
    if (of === undefined) return undefined;
    const [helper, call, argument] = of.split('.');
    const field = writtenField(helper!, Number(argument), Number(at));
    if (field === undefined) return undefined;
    const name = `${helper}#${Number(call) + 1}.${field.name}`;
    const named = this.#namedField(`${of}.${field.offset}`, { ...field, name, isBytes: false }, (index) =>
      this.#inputs.pool.unknown(8, `${of}.${index}`),
    );
    return [named, named.bytes.indexOf(byte)];
  }

  #namedField(id: string, field: EntryField, byteAt: (at: number) => Term): NamedField {
    const known = this.#entryFields.get(id);
    if (known !== undefined) return known;
    const { isBytes, offset, size } = field;
    const bytes = Array.from({ length: size }, (_, index) => byteAt(offset + index));
    if (!isBytes) bytes.reverse();
    const term = this.#inputs.pool.concat(bytes);
    const named = { name: field.name, term, bytes, isSwapped: !isBytes, show: isBytes ? hex : decimal };
    this.#entryFields.set(id, named);
    return named;
  }

  /** How a value of the term is written, where it is a field's. */
  showing(term: Term): NamedField['show'] | undefined {
    const known = this.#fields.showing(term);
    if (known !== undefined) return known;
    const [lowest] = term.operation === 'concat' ? term.operands.slice(-1) : [term];
    const found = lowest === undefined ? undefined : this.fieldOf(lowest);
    return found?.[0].term === term ? found[0].show : undefined;
  }

  /** Is it a field of the packet, in the network's order? */
  isField(term: Term): boolean {
    return this.#fields.named(term) !== undefined;
  }

  /** Is it a byte of the frame, of an entry, or of what a helper wrote? */
  isPlaced(term: Term): boolean {
    return this.placeOf(term) !== undefined;
  }

  /** Bytes by the stretches that they lie in, each in the order of memory. */
  inMemory(bytes: readonly Term[]): Term[][] {
    const places = bytes.map((byte) => ({ byte, ...this.placeOf(byte)! }));
    places.sort((a, b) => (a.of === b.of ? a.at - b.at : a.of < b.of ? -1 : 1));
    return this.#runs(places.map(({ byte }) => byte)).map(({ terms }) => terms);
  }

  /** The name of a stretch of bytes. */
  nameInMemory(bytes: readonly Term[]): string {
    return this.#run({ terms: [...bytes], step: 1 });
  }

  /** What is in the network's order, by a term in the machine's. */
  swapped(term: Term): string | undefined {
    return this.#fields.swapped(term);
  }

  name(term: Term): string {
    const known = this.#fields.named(term);
    if (known !== undefined) return known;
    const swapped = this.#fields.swapped(term);
    if (swapped !== undefined) return `swapped(${swapped})`;
    if (writtenSize(term) > MOST_WRITTEN) return this.computed(term);
    const text = this.#written(term);
    return text.length > LONGEST ? this.computed(term) : text;
  }

  /** What is too long to be written: what it is computed of. */
  computed(term: Term): string {
    const names = new Set([...namedIn(term)].map((one) => this.#whole(one)));
    const named = [...names].slice(0, NAMED_UNKNOWNS);
    const more = names.size - named.length;
    return `computed(${[...named, ...(more > 0 ? [`${more} more`] : [])].join(', ')})`;
  }

  #written(term: Term): string {
    const { operands, operation } = term;
    switch (operation) {
      case 'const':
        return term.value < 1024n ? term.value.toString() : `0x${term.value.toString(16)}`;
      case 'var':
        return this.#unknown(term);
      case 'concat':
        return this.#concat(term);
      case 'extract': {
        const [whole] = operands;
        // What is left out is 0 in any case.
        if (term.low === 0 && whole!.max <= allOnes(term.width)) return this.name(whole!);
        const shifted = `${wrapped(this.name(whole!))}${term.low === 0 ? '' : ` >> ${term.low}`}`;
        // Above the highest bits there is nothing to be masked.
        if (term.low > 0 && term.low + term.width === whole!.width) return `(${shifted})`;
        return `(${shifted} & 0x${allOnes(term.width).toString(16)})`;
      }
      case 'sum':
        return this.#sum(term);
      case 'ite': {
        if (addressOf(term) !== undefined) return this.#byteAnywhere(term);
        const [condition, then, otherwise] = operands;
        return `(${this.#condition(condition!)} ? ${this.name(then!)} : ${this.name(otherwise!)})`;
      }
      case 'sext':
        return `signed ${wrapped(this.name(operands[0]!))}`;
      default:
        return this.#infix(term);
    }
  }

  #infix({ operation, operands, width }: Term): string {
    const [first, second] = operands;
    if (operation === 'xor' && isConst(second!) && second!.value === allOnes(width))
      return `${width === 1 ? '!' : '~'}${wrapped(this.name(first!))}`;
    const sign = SIGNED[operation];
    const isProduct = PRODUCTS.has(operation);
    const parts = operands.map((one, index) => {
      if (isProduct && isConst(one)) return `${one.value}`;
      const text = this.name(one);
      return isProduct && index === 0 && PRODUCTS.has(one.operation) ? text : wrapped(text);
    });
    if (sign === undefined) {
      const text = parts.join(` ${INFIX[operation]} `);
      // C compares before it takes bits together.
      return isProduct ? text : `(${text})`;
    }
    // How far is no signed number.
    const [left, right] = parts;
    return `(signed ${left} ${sign} ${operation === 'ashr' ? right : `signed ${right}`})`;
  }

  /** What is left of a number when its quotient, multiplied again, is taken away: programs write `x % y`, and mean that. */
  #remainder({ operands, factors, value, width }: Term): string | undefined {
    if (operands.length !== 2 || value !== 0n) return undefined;
    const at = factors.indexOf(1n);
    if (at < 0 || factors[1 - at] !== allOnes(width)) return undefined;
    const [number, product] = [operands[at]!, operands[1 - at]!];
    if (product.operation !== 'mul') return undefined;
    const [first, second] = product.operands as [Term, Term];
    for (const [divisor, quotient] of [
      [first, second],
      [second, first],
    ] as const) {
      const isOf = quotient.operation === 'udiv' && quotient.operands[0] === number;
      if (isOf && quotient.operands[1] === divisor)
        return `${wrapped(this.name(number))} % ${wrapped(this.name(divisor))}`;
    }
    return undefined;
  }

  #sum(term: Term): string {
    const remainder = this.#remainder(term);
    if (remainder !== undefined) return remainder;
    const { operands, factors, value, width } = term;
    let text = '';
    const add = (factor: bigint, name: string): void => {
      const size = factor < 0n ? -factor : factor;
      const sign = factor < 0n ? (text === '' ? '-' : ' - ') : text === '' ? '' : ' + ';
      text += `${sign}${name === '' ? size : `${size === 1n ? name : `${size} * ${wrapped(name)}`}`}`;
    };
    for (const [index, one] of operands.entries()) add(BigInt.asIntN(width, factors[index]!), this.name(one));
    if (value !== 0n) add(BigInt.asIntN(width, value), '');
    return text;
  }

  #concat(term: Term): string {
    const { pool } = this.#inputs;
    // Zeros above say nothing, and zeros below are a factor.
    let { operands } = term;
    const above = operands.findIndex((one) => !isZero(one));
    operands = operands.slice(Math.max(above, 0));
    const lowest = operands.at(-1)!;
    const factor = operands.length > 1 && isZero(lowest) ? `${1n << BigInt(lowest.width)}` : undefined;
    if (factor !== undefined) operands = operands.slice(0, -1);
    const inner = pool.concat(operands);
    if (factor !== undefined) return `${wrapped(this.name(inner))} * ${factor}`;
    if (above > 0) return this.name(inner);
    const field = term.width % 8 === 0 ? this.#fields.named(pool.swapBytes(term)) : undefined;
    if (field !== undefined) return `swapped(${field})`;
    const runs = this.#runs(operands);
    const texts = runs.map((run) => this.#run(run));
    return texts.length === 1 ? texts[0]! : `(${texts.join(' ‖ ')})`;
  }

  /** Bytes in the order of memory: as the packet names them, or as the machine would load them. */
  #memory(bytes: readonly Term[]): string {
    const { pool } = this.#inputs;
    const known = this.#fields.named(pool.concat(bytes));
    if (known !== undefined) return known;
    if (bytes.length <= 8 && !bytes.every(isOfFrame)) return this.name(pool.concat([...bytes].reverse()));
    const runs = this.#runs(bytes).map((run) => this.#run(run));
    return runs.join(' ‖ ');
  }

  /** Bytes that are no number, whatever they are made of: as the packet has them. */
  #address(bytes: readonly Term[]): string {
    const { pool } = this.#inputs;
    if (bytes.every(isConst)) return this.name(pool.concat(bytes));
    return bytes.some(isOfFrame)
      ? this.#runs(bytes)
          .map((run) => this.#run(run))
          .join(' ‖ ')
      : this.#memory(bytes);
  }

  #runs(terms: readonly Term[]): Run[] {
    const runs: Run[] = [];
    for (const term of terms) {
      const run = runs.at(-1);
      const step = run === undefined ? undefined : this.#step(run.terms.at(-1)!, term);
      if (run !== undefined && step !== undefined && (run.step === 0 || run.step === step)) {
        run.terms.push(term);
        run.step = step;
      } else runs.push({ terms: [term], step: 0 });
    }
    return runs;
  }

  /** From one byte to the next one; undefined where they do not lie side by side. */
  #step(one: Term, other: Term): 1 | -1 | undefined {
    const a = this.placeOf(one);
    const b = this.placeOf(other);
    if (a === undefined || b === undefined || a.of !== b.of) return undefined;
    return b.at === a.at + 1 ? 1 : b.at === a.at - 1 ? -1 : undefined;
  }

  /** Where a byte lies: of the frame, of an entry, or of what a helper wrote. */
  placeOf(term: Term): { readonly of: string; readonly at: number } | undefined {
    const frame = term.operation === 'var' ? FRAME_BYTE.exec(term.name) : null;
    if (frame !== null) return { of: 'frame', at: Number(frame[1]) };
    const address = addressOf(term);
    if (address !== undefined) {
      const at = BigInt.asIntN(64, address.value);
      return { of: `frame ${this.#inputs.pool.addConst(address, -at).id}`, at: Number(at) };
    }
    const written =
      term.operation === 'var' ? (WRITTEN.exec(term.name) ?? SOCKET_BYTE.exec(term.name)) : null;
    if (written !== null) return { of: written[1]!, at: Number(written[2]) };
    const entry = this.entries.byteOf(term);
    if (entry === undefined) return undefined;
    const field = this.entries.field(entry)?.offset ?? '';
    return { of: `${entry.map}.${entry.ordinal}.${field}`, at: entry.offset };
  }

  #run({ terms, step }: Run): string {
    if (terms.length === 1) return this.name(terms[0]!);
    const inMemory = step === 1 ? terms : [...terms].reverse();
    const entry = this.entries.byteOf(inMemory[0]!);
    if (WRITTEN.test(inMemory[0]!.name) || SOCKET_BYTE.test(inMemory[0]!.name)) {
      const [field] = this.#writtenField(inMemory[0]!) ?? [];
      if (field?.bytes.length === terms.length && field.bytes.at(-1) === inMemory[0])
        return step === 1 ? `swapped(${field.name})` : field.name;
      const from = this.placeOf(inMemory[0]!)!.at;
      const text = `${this.#writer(inMemory[0]!)}[${from}…${from + terms.length - 1}]`;
      return step === 1 ? text : `swapped(${text})`;
    }
    if (entry === undefined) {
      const text = this.#frameBytes(inMemory);
      return step === 1 ? text : `swapped(${text})`;
    }
    const field = this.entries.field(entry);
    if (field === undefined || field.isBytes) {
      const text = this.#plainBytes(entry, terms.length, field);
      return step === 1 ? text : `swapped(${text})`;
    }
    if (step === -1) return partOf(field, entry.offset, terms.length);
    return terms.length === field.size
      ? `swapped(${field.name})`
      : `swapped(${partOf(field, entry.offset, terms.length)})`;
  }

  /** Bytes of the frame that lie one behind the other. */
  #frameBytes(bytes: readonly Term[]): string {
    const known = this.#fields.named(this.#inputs.pool.concat(bytes));
    if (known !== undefined) return known;
    const first = this.#fields.fieldOf(bytes[0]!);
    const last = this.#fields.fieldOf(bytes.at(-1)!);
    if (first !== undefined && first[0] === last?.[0]) return `${first[0].name}[${first[1]}…${last[1]}]`;
    if (addressOf(bytes[0]!) !== undefined)
      return `frame[${this.#offset(bytes[0]!)}…${this.#offset(bytes.at(-1)!)}]`;
    const from = Number(FRAME_BYTE.exec(bytes[0]!.name)![1]);
    return `frame[${from}…${from + bytes.length - 1}]`;
  }

  /** A byte of the frame that lies where other bytes say. */
  #byteAnywhere(byte: Term): string {
    const field = this.#fields.fieldOf(byte);
    return field === undefined ? `frame[${this.#offset(byte)}]` : `${field[0].name}[${field[1]}]`;
  }

  #offset(byte: Term): string {
    const { pool, data } = this.#inputs;
    return this.name(pool.addConst(addressOf(byte)!, -data));
  }

  /** Bytes of an array, or of a value that has no types. */
  #plainBytes(entry: EntryByte, size: number, field: EntryField | undefined): string {
    if (field !== undefined && field.offset === entry.offset && field.size === size) return field.name;
    const from = entry.offset - (field?.offset ?? 0);
    const name = field?.name ?? this.entries.value(entry);
    return `${name}[${from}…${from + size - 1}]`;
  }

  #unknown(term: Term): string {
    const { name } = term;
    const byte = FRAME_BYTE.exec(name);
    if (byte !== null) {
      const field = this.#fields.fieldOf(term);
      return field === undefined ? `frame[${byte[1]}]` : `${field[0].name}[${field[1]}]`;
    }
    const entry = this.entries.byteOf(term);
    if (entry !== undefined) return this.#entryByte(entry);
    const inner = INNER.exec(name);
    const map = inner === null ? undefined : this.#inputs.mapOf(Number(inner[1]));
    if (map !== undefined) return `${this.entries.mapName(map)}[${this.entries.key(map, Number(inner![2]))}]`;
    const [field] = this.#writtenField(term) ?? [];
    if (field?.bytes.length === 1) return field.name;
    if (WRITTEN.test(name)) return `${writtenBy(term)}[${WRITTEN.exec(name)![2]}]`;
    const [, socket, at] = SOCKET_BYTE.exec(name) ?? [];
    if (socket !== undefined)
      return field === undefined ? `${socketName(socket)}[${at}]` : `${field.name}[${at}]`;
    return name
      .replace(/^(fixed|given)\./, 'skb.')
      .replace(/^skb\.cb(\d)$/, 'skb.cb[$1]')
      .replace(/\.(\d+)$/, (_, ordinal) => `#${Number(ordinal) + 1}`);
  }

  #writer(byte: Term): string {
    const [, socket] = SOCKET_BYTE.exec(byte.name) ?? [];
    return socket === undefined ? writtenBy(byte) : socketName(socket);
  }

  #entryByte(entry: EntryByte): string {
    const field = this.entries.field(entry);
    if (field === undefined) return `${this.entries.value(entry)}[${entry.offset}]`;
    if (field.isBytes) return `${field.name}[${entry.offset - field.offset}]`;
    return partOf(field, entry.offset, 1);
  }

  /** What an unknown is a part of. */
  #whole(unknown: Term): string {
    const entry = this.entries.byteOf(unknown);
    if (entry !== undefined) return this.entries.field(entry)?.name ?? this.#entryByte(entry);
    return this.#fields.fieldOf(unknown)?.[0].name ?? this.name(unknown);
  }
}

/** `skb.sk`, or the call that found it: `bpf_sk_lookup_tcp#1`. */
function socketName(of: string): string {
  if (of === FRAME_SOCKET) return 'skb.sk';
  const [helper, call] = of.split('.');
  return `${helper}#${Number(call) + 1}`;
}

/** The call, and the argument that led to the byte: `bpf_strtol#1.arg4`. */
function writtenBy({ name }: Term): string {
  const [helper, call, argument] = name.split('.');
  return `${helper}#${Number(call) + 1}.arg${Number(argument) + 1}`;
}

/** Some bytes of a number, as C takes them out of it. */
function partOf({ name, offset, size }: EntryField, at: number, count: number): string {
  if (at === offset && count === size) return name;
  const shift = 8 * (at - offset);
  const shifted = shift === 0 ? name : `${name} >> ${shift}`;
  return at + count === offset + size
    ? `(${shifted})`
    : `(${shifted} & 0x${allOnes(8 * count).toString(16)})`;
}

/** In parentheses, where it is made of several parts. */
function wrapped(text: string): string {
  if (text.startsWith('signed ')) return `(${text})`;
  let depth = 0;
  for (const [at, letter] of [...text].entries()) {
    if (letter === '(' || letter === '[') depth++;
    else if (letter === ')' || letter === ']') depth--;
    else if (depth === 0 && letter === ' ' && /^ [^\p{L}\d]/u.test(text.slice(at))) return `(${text})`;
  }
  return text;
}

function isOfFrame(byte: Term): boolean {
  return FRAME_BYTE.test(byte.name) || addressOf(byte) !== undefined;
}

function isZero(term: Term): boolean {
  return isConst(term) && term.value === 0n;
}

export { INNER };
