/** Conditions of paths in words: `ip.proto == 6 && tcp.dstport == 80`, `flows[ip.src].packets >= 10`. */
import { CALL } from '../../sim/ebpf/instruction.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { goesElsewhere, type Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Constraint } from '../../sim/ebpf/symbolic/knowledge.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { allOnes, isConst, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { type ByteRun, byteRuns } from './byte-pairs.ts';
import { decimal, hex, type NamedField } from './field-names.ts';
import { INNER, MOST_WRITTEN, TermWords } from './term-words.ts';
import { writtenSize } from './written-terms.ts';

/** One condition, and what it says of which term where it is that simple. */
export interface Word {
  readonly text: string;
  readonly subject?: string;
  readonly relation?: '==' | '!=' | '<' | '>=';
  readonly value?: bigint;
  /** The value as it is written. */
  readonly shown?: string;
}

/** Bytes of metadata, which have a length in words. */
const METADATA = 'metadata.len';
const METADATA_WORD = 4n;
/** TPIDs that `skb->vlan_proto` may name (IEEE 802.1Q). */
const CUSTOMER_TAG = 0x8100n;
const SERVICE_TAG = 0x88a8n;

/** Equalities among which one looks for some that belong together. */
const MOST_JOINED = 24;

/** A term, and the number that it is equal to. */
interface Equality {
  readonly term: Term;
  readonly value: bigint;
}

/** @returns undefined where the condition is no such equality */
function equality({ operation, operands: [a, b] }: Term): Equality | undefined {
  return operation === 'eq' && isConst(b!) ? { term: a!, value: b!.value } : undefined;
}

/** Some bits of a byte of a field, and what they are compared with. */
interface LowerBits {
  readonly term: Term;
  /** Which byte, the most significant being the first. */
  readonly index: number;
  readonly value: bigint;
}

/** Conditions on one path. */
class Words {
  readonly #inputs: Inputs;
  readonly #terms: TermWords;

  constructor(inputs: Inputs, state: PathState) {
    this.#inputs = inputs;
    this.#terms = new TermWords(inputs, state, (condition) => this.#condition(condition, true).text);
  }

  /** What a condition says. */
  word(condition: Term): Word {
    return this.#condition(condition, true);
  }

  #condition(condition: Term, holds: boolean): Word {
    const isOpposite = condition.operation === 'xor' && isConst(condition.operands[1]!);
    if (!isOpposite && writtenSize(condition) > MOST_WRITTEN) {
      return { text: `${this.#terms.computed(condition)} ${holds ? 'holds' : 'does not hold'}` };
    }
    const [a, b] = condition.operands;
    switch (condition.operation) {
      case 'xor':
        if (isConst(b!)) return this.#condition(a!, !holds);
        break;
      case 'and':
      case 'eq': {
        const among = this.#noneOf(conjuncts(condition));
        if (among !== undefined)
          return { text: `${among.subject} is ${holds ? 'none' : 'one'} of ${among.list}` };
        const { joined, others } = this.#joined(this.#zerosApart(conjuncts(condition)));
        const words = [
          ...joined.map(({ term, value }) => this.#equals(term, value)),
          ...this.#equalities(others),
        ];
        const [only] = words;
        if (words.length === 1 && only!.subject !== undefined) return holds ? only! : opposite(only!);
        const text = words.map((one) => one.text).join(' && ');
        return { text: holds ? text : words.length === 1 ? opposite(only!).text : `!(${text})` };
      }
      case 'or': {
        const among = this.#noneOf(disjuncts(condition).map((one) => this.#inputs.pool.not(one)));
        if (among !== undefined)
          return { text: `${among.subject} is ${holds ? 'one' : 'none'} of ${among.list}` };
        const text = `${this.#condition(a!, true).text} || ${this.#condition(b!, true).text}`;
        return { text: holds ? text : `!(${text})` };
      }
      case 'ult':
      case 'slt': {
        const isSigned = condition.operation === 'slt';
        const between = isSigned ? undefined : this.#between(condition);
        if (between !== undefined) return { text: holds ? between : `!(${between})` };
        const name = (one: Term): string =>
          isSigned ? signed(this.#terms.name(one)) : this.#terms.name(one);
        const number = ({ value, width }: Term): bigint => (isSigned ? BigInt.asIntN(width, value) : value);
        const show = (one: Term): NamedField['show'] | undefined =>
          isSigned ? undefined : this.#terms.showing(one);
        const metadata = isSigned ? undefined : this.#metadataBelow(condition);
        if (metadata !== undefined) return relation(METADATA, holds ? '<' : '>=', metadata);
        const limit = this.#metadataLimit(condition);
        if (limit !== undefined) return relation(METADATA, holds === limit.isBelow ? '<' : '>=', limit.bytes);
        if (isConst(b!)) return relation(name(a!), holds ? '<' : '>=', number(b!), show(a!));
        if (isConst(a!)) return relation(name(b!), holds ? '>=' : '<', number(a!) + 1n, show(b!));
        return { text: `${name(a!)} ${holds ? '<' : '>='} ${name(b!)}` };
      }
      case 'var': {
        const who = goesElsewhere(condition.name);
        if (who !== undefined) return { text: holds ? `only for ${who}` : `for others than ${who}` };
        const there = /^map(\d+)\.(\d+)\.there$/.exec(condition.name);
        if (there !== null) {
          const map = this.#inputs.mapOf(Number(there[1]))!;
          return { text: this.#terms.entries.there(map, Number(there[2]), holds) };
        }
        const full = /^full(\d+)\./.exec(condition.name);
        if (full !== null) {
          return {
            text: `map ${this.#terms.entries.mapName(this.#inputs.mapOf(Number(full[1]))!)} is ${holds ? '' : 'not '}full`,
          };
        }
        const isNull = /^(bpf_\w+)\.(\d+)\.null$/.exec(condition.name);
        if (isNull !== null)
          return { text: `${isNull[1]}#${Number(isNull[2]) + 1} ${holds ? '==' : '!='} NULL` };
        if (condition.name === 'given.no_socket') return { text: `skb.sk ${holds ? '==' : '!='} NULL` };
        if (condition.name === 'skb.vlan_service')
          return relation('skb.vlan_proto', '==', holds ? SERVICE_TAG : CUSTOMER_TAG);
        return relation(this.#terms.name(condition), '==', holds ? 1n : 0n);
      }
      case 'extract': {
        const number = signOf(condition);
        if (number !== undefined) return relation(signed(this.#terms.name(number)), holds ? '<' : '>=', 0n);
        return relation(this.#terms.name(condition), '==', holds ? 1n : 0n);
      }
      default:
    }
    const text = this.#terms.name(condition);
    return { text: holds ? text : `!(${text})` };
  }

  /** The bytes of metadata that there are fewer of, which come in words; undefined: it is about something else. */
  #metadataBelow({ operands: [number, bound] }: Term): bigint | undefined {
    const { pool, metaWords } = this.#inputs;
    if (!isConst(bound!) || number!.width < metaWords.width) return undefined;
    if (number === pool.zeroExtend(number!.width, metaWords)) return bound!.value * METADATA_WORD;
    const bytes =
      number!.width < 8 ? undefined : pool.shiftLeft(pool.zeroExtend(number!.width, metaWords), 2);
    if (number !== bytes) return undefined;
    return ((bound!.value + METADATA_WORD - 1n) / METADATA_WORD) * METADATA_WORD;
  }

  /** Of numbers that are 0 together, `a | b`, the bytes of each. */
  #zerosApart(parts: readonly Term[]): Term[] {
    const { pool } = this.#inputs;
    const isZero = ({ operation, operands: [a, b] }: Term): boolean =>
      operation === 'eq' && a!.operation === 'or' && isConst(b!) && b!.value === 0n;
    if (parts.filter(isZero).length < 2) return [...parts];
    return parts.flatMap((part) => {
      if (!isZero(part)) return [part];
      const [a] = part.operands;
      return a!.operands.map((one) => pool.equal(one, pool.constant(one.width, 0)));
    });
  }

  /** Where a condition on the length of the metadata alone, however it is written, becomes true or false; undefined: not once. */
  #metadataLimit(condition: Term): { readonly isBelow: boolean; readonly bytes: bigint } | undefined {
    const { metaWords, limits } = this.#inputs;
    const [only, ...others] = unknownsOf(condition);
    if (only !== metaWords || others.length > 0) return undefined;
    const lengths = Array.from({ length: limits.mostMetadata / Number(METADATA_WORD) + 1 }, (_, words) =>
      new Evaluator(new Map([[metaWords, BigInt(words)]])).isTrue(condition),
    );
    const isBelow = lengths[0]!;
    const words = lengths.indexOf(!isBelow);
    if (words < 0 || lengths.lastIndexOf(isBelow) > words) return undefined;
    return { isBelow, bytes: BigInt(words) * METADATA_WORD };
  }

  /** Several numbers that one term is not, as a `switch` asks for them; undefined: it is something else. */
  #noneOf(parts: readonly Term[]): { readonly subject: string; readonly list: string } | undefined {
    if (parts.length < 2) return undefined;
    const found: Equality[] = [];
    for (const part of parts) {
      const is =
        part.operation === 'xor' && isConst(part.operands[1]!) ? equality(part.operands[0]!) : undefined;
      if (is === undefined || is.term.width < 8 || is.term !== (found[0] ?? is).term) return undefined;
      found.push(is);
    }
    const words = found
      .sort((a, b) => Number(a.value - b.value))
      .map((one) => this.#equals(one.term, one.value));
    const [{ subject } = {}] = words;
    if (subject === undefined || words.some((one) => one.subject !== subject)) return undefined;
    return { subject, list: words.map(({ shown, value }) => shown ?? `${value}`).join(', ') };
  }

  /** `x - 1 < 8` of numbers without a sign, which C programs mean and compilers write: `1 <= x <= 8`. */
  #between({ operands: [number, bound] }: Term): string | undefined {
    if (number!.operation !== 'sum' || !isConst(bound!) || bound!.value === 0n) return undefined;
    const { operands, factors, value, width } = number!;
    const least = BigInt.asUintN(width, -value);
    const most = least + bound!.value - 1n;
    if (operands.length !== 1 || factors[0] !== 1n || value === 0n || most > allOnes(width)) return undefined;
    const [show, name] = [this.#terms.showing(operands[0]!) ?? usual, this.#terms.name(operands[0]!)];
    return most === allOnes(width)
      ? `${name} >= ${show(least)}`
      : `${show(least)} <= ${name} <= ${show(most)}`;
  }

  /** Bits that are compared with numbers, as those that lie beside them in one number, or in one field of the packet. */
  #joined(parts: readonly Term[]): {
    readonly joined: readonly Equality[];
    readonly others: readonly Term[];
  } {
    const others = [...parts];
    const joined: Equality[] = [];
    for (const part of parts.length > MOST_JOINED ? [] : parts) {
      const cut = equality(part);
      const at = others.indexOf(part);
      if (cut?.term.operation !== 'extract' || at < 0) continue;
      others.splice(at, 1);
      const whole = this.#withNeighbours(cut, others);
      if (whole === undefined) others.splice(at, 0, part);
      else joined.push(whole);
    }
    return { joined, others };
  }

  /** With all that lies beside it, which is taken out of the others; undefined where nothing does. */
  #withNeighbours(cut: Equality, others: Term[]): Equality | undefined {
    let whole: Equality | undefined;
    for (let at = 0; at < others.length; at++) {
      const beside = equality(others[at]!);
      const from = whole ?? cut;
      const more = beside && (this.#together(from, beside) ?? this.#together(beside, from));
      if (more === undefined) continue;
      whole = more;
      others.splice(at, 1);
      // What lay beside nothing may lie beside it now.
      at = -1;
    }
    return whole;
  }

  /** Two as one; undefined where they are no neighbours. */
  #together(high: Equality, low: Equality): Equality | undefined {
    const term = this.#inputs.pool.concat([high.term, low.term]);
    if (term.operation === 'concat' && !this.#terms.isField(term)) return undefined;
    return { term, value: (high.value << BigInt(low.term.width)) | low.value };
  }

  /** Bytes that are compared one by one, as the fields that they make. */
  #equalities(parts: readonly Term[]): Word[] {
    const words: Word[] = [];
    const bytes = new Map<NamedField, Map<number, bigint>>();
    const lower = new Map<NamedField, LowerBits>();
    const plain = new Map<Term, bigint>();
    const { pairs, others: unpaired } = this.#fieldPairs(parts);
    for (const [a, b] of pairs) words.push({ text: `${a} == ${b}` });
    const { runs, others } = byteRuns(unpaired, (byte) => this.#terms.placeOf(byte));
    for (const run of runs) words.push({ text: this.#runText(run) });
    for (const part of others) {
      const [a, b] = part.operands;
      const place = part.operation === 'eq' && isConst(b!) ? this.#terms.fieldOf(a!) : undefined;
      const cut = this.#lowerBits(part);
      if (cut !== undefined) lower.set(...cut);
      else if (place === undefined && part.operation === 'eq' && isConst(b!) && this.#terms.isPlaced(a!))
        plain.set(a!, b!.value);
      else if (place !== undefined && place[0].bytes.length > 1) {
        const [field, index] = place;
        const known = bytes.get(field) ?? new Map<number, bigint>();
        known.set(index, b!.value);
        bytes.set(field, known);
      } else if (part.operation === 'eq') {
        words.push(
          isConst(b!)
            ? this.#equals(a!, b!.value)
            : { text: `${this.#terms.name(a!)} == ${this.#terms.name(b!)}` },
        );
      } else words.push(this.#condition(part, true));
    }
    const stretches = this.#terms.inMemory([...plain.keys()]).map((run) => {
      const value = run.reduce((sum, byte) => (sum << 8n) | plain.get(byte)!, 0n);
      return relation(this.#terms.nameInMemory(run), '==', value);
    });
    words.unshift(...stretches);
    for (const [field, { term, index, value }] of lower) {
      const known = bytes.get(field);
      const isRest = known?.size === field.bytes.length - 1 - index && !known.has(index);
      if (known === undefined || !isRest) {
        words.push(this.#equals(term, value));
        continue;
      }
      bytes.delete(field);
      const whole = [...known].sort(([a], [b]) => a - b).reduce((sum, [, byte]) => (sum << 8n) | byte, value);
      const mask = allOnes(term.width + 8 * known.size);
      words.push(relation(`(${field.name} & ${hex(mask)})`, '==', whole, usual));
    }
    for (const [field, known] of bytes) {
      if (known.size === field.bytes.length) {
        let value = 0n;
        for (let index = 0; index < field.bytes.length; index++) value = (value << 8n) | known.get(index)!;
        words.push(relation(field.name, '==', value, field.show));
      } else {
        for (const { from, values } of stretchesOf(known)) {
          const term = this.#inputs.pool.concat(field.bytes.slice(from, from + values.length));
          const value = values.reduce((sum, byte) => (sum << 8n) | byte, 0n);
          words.push(relation(this.#terms.name(term), '==', value, hex));
        }
      }
    }
    return words;
  }

  /** Two numbers in the order of bytes in which they have names; as numbers, unless both lie in the frame. */
  #runText({ one, other }: ByteRun): string {
    const { pool } = this.#inputs;
    const named = [one, other].map((bytes) => ({
      asNumber: this.#terms.name(pool.concat([...bytes].reverse())),
      asBytes: this.#terms.name(pool.concat(bytes)),
    }));
    const oddity = (text: string): number => text.split(/swapped\(|computed\(| ‖ /).length - 1;
    const [numbers, plain] = [named.map((it) => it.asNumber), named.map((it) => it.asBytes)];
    const more = oddity(numbers.join(' ')) - oddity(plain.join(' '));
    const isFrame = [one, other].every(([byte]) => this.#terms.placeOf(byte!)?.of === 'frame');
    const [left, right] = more > 0 || (more === 0 && isFrame) ? plain : numbers;
    const isTurned = /^swapped\(/.test(left!) && !/^(swapped|computed)\(/.test(right!);
    return isTurned ? `${right} == ${left}` : `${left} == ${right}`;
  }

  /** The lower bits of a field's byte, but for its last one, compared with a number: with the bytes below it may be one mask. */
  #lowerBits({ operation, operands: [a, b] }: Term): [NamedField, LowerBits] | undefined {
    if (operation !== 'eq' || !isConst(b!) || a!.operation !== 'extract' || a!.low !== 0) return undefined;
    const [field, index] = this.#terms.fieldOf(a!.operands[0]!) ?? [];
    if (field === undefined || index === undefined || index === field.bytes.length - 1) return undefined;
    return [field, { term: a!, index, value: b!.value }];
  }

  /** Fields whose bytes are compared with each other one by one, and what else there is. */
  #fieldPairs(parts: readonly Term[]): {
    readonly pairs: readonly (readonly [string, string])[];
    readonly others: readonly Term[];
  } {
    const found = new Map<NamedField, { other: NamedField; parts: Term[] }>();
    for (const part of parts) {
      const [a, b] = part.operands;
      if (part.operation !== 'eq') continue;
      const [one, other] = [this.#terms.fieldOf(a!), this.#terms.fieldOf(b!)];
      if (one === undefined || other === undefined || !isSameByte(one, other)) continue;
      const pair = found.get(one[0]) ?? { other: other[0], parts: [] };
      if (pair.other === other[0]) pair.parts.push(part);
      found.set(one[0], pair);
    }
    const whole = [...found].filter(
      ([field, pair]) => field.bytes.length > 1 && pair.parts.length === field.bytes.length,
    );
    const taken = new Set(whole.flatMap(([, pair]) => pair.parts));
    return {
      pairs: whole.map(([field, { other }]) => [field.name, other.name]),
      others: parts.filter((part) => !taken.has(part)),
    };
  }

  #equals(term: Term, value: bigint): Word {
    const swapped = this.#terms.swapped(term);
    if (swapped !== undefined && value < 0x10000n) {
      return relation(swapped, '==', ((value & 0xffn) << 8n) | (value >> 8n), hex);
    }
    if (term === this.#inputs.metaWords) return relation(METADATA, '==', value * METADATA_WORD);
    const subject = this.#terms.name(term);
    if (term.operation !== 'var' || !INNER.test(term.name))
      return relation(subject, '==', value, this.#terms.showing(term));
    const map = this.#inputs.mapOf(Number(value));
    const name = map === undefined ? undefined : this.#inputs.machine.maps[map]?.name;
    return { text: `${subject} == ${name ?? `map ${value}`}`, subject, relation: '==', value };
  }
}

/** Bytes that are known, by the stretches that they make. */
function stretchesOf(known: ReadonlyMap<number, bigint>): { from: number; values: bigint[] }[] {
  const stretches: { from: number; values: bigint[] }[] = [];
  for (const [index, value] of [...known].sort(([a], [b]) => a - b)) {
    const last = stretches.at(-1);
    if (last !== undefined && last.from + last.values.length === index) last.values.push(value);
    else stretches.push({ from: index, values: [value] });
  }
  return stretches;
}

/** What is taken for a number with a sign, which it may be already. */
function signed(name: string): string {
  return name.startsWith('signed ') ? name : `signed ${name}`;
}

/** The number whose sign a condition is; of a byte, its highest bit is a bit like the others. */
function signOf({ operands, low, width }: Term): Term | undefined {
  let [number] = operands;
  if (width !== 1 || number!.width < 16 || low + 1 !== number!.width) return undefined;
  while (number!.operation === 'sext') [number] = number!.operands;
  return number;
}

/** Do two bytes lie in the same place of fields of one size, as memory has them? */
function isSameByte(
  [field, index]: readonly [NamedField, number],
  [other, at]: readonly [NamedField, number],
): boolean {
  const { length } = field.bytes;
  const inMemory = (one: NamedField, byte: number): number => (one.isSwapped ? length - 1 - byte : byte);
  return other.bytes.length === length && inMemory(field, index) === inMemory(other, at);
}

function relation(
  subject: string,
  sign: NonNullable<Word['relation']>,
  value: bigint,
  show: (value: bigint) => string = usual,
): Word {
  const shown = show(value);
  return { text: `${subject} ${sign} ${shown}`, subject, relation: sign, value, shown };
}

function usual(value: bigint): string {
  return value >= 1024n ? hex(value) : decimal(value);
}

function opposite(word: Word): Word {
  if (word.subject === undefined || word.value === undefined)
    return { text: word.text.replace(' == ', ' != ') };
  return { ...word, relation: '!=', text: word.text.replace(' == ', ' != ') };
}

/** Does the one hold where the other does not, and only there? Told by what they say. */
export function areOpposite(one: Word, other: Word): boolean {
  return negated(one.text).includes(other.text) || negated(other.text).includes(one.text);
}

/** What the opposite of a condition may read. */
function negated(text: string): readonly string[] {
  return [
    `!(${text})`,
    ...NEGATED.filter(([plain]) => text.split(plain).length === 2).map(([plain, opposed]) =>
      text.replace(plain, opposed),
    ),
  ];
}

const NEGATED: readonly (readonly [string, string])[] = [
  [' == ', ' != '],
  [' < ', ' >= '],
  [' is in map ', ' is not in map '],
  [' is full', ' is not full'],
  [' has at least ', ' has fewer than '],
  [' holds', ' does not hold'],
  [' is none of ', ' is one of '],
];

function conjuncts(condition: Term): Term[] {
  return condition.operation === 'and' ? condition.operands.flatMap(conjuncts) : [condition];
}

function disjuncts(condition: Term): Term[] {
  return condition.operation === 'or' ? condition.operands.flatMap(disjuncts) : [condition];
}

/** Is it that the kernel has what every engine here has? That goes without saying. */
function isUsual(condition: Term): boolean {
  const [opposite] = condition.operation === 'xor' ? condition.operands : [];
  return opposite !== undefined && goesElsewhere(opposite.name) !== undefined;
}

/** Is it a bound of what a helper returns, which its call itself brings along? No program asks that. */
function isPermitted({ machine }: Inputs, { condition, origin }: Constraint): boolean {
  const [bound] = condition.operation === 'xor' ? condition.operands : [];
  if (bound?.operation !== 'slt' && bound?.operation !== 'ult') return false;
  const [only, ...others] = unknownsOf(bound);
  if (others.length > 0 || only === undefined || !/^bpf_\w+\.\d+$/.test(only.name)) return false;
  const { instructions } = machine.object.programs[origin!.program]!;
  return instructions.opcode[origin!.slot] === CALL;
}

/** The conditions of a path, in their order. */
export function wordsOf(inputs: Inputs, state: PathState): Word[] {
  const words = new Words(inputs, state);
  return state.constraints
    .filter((one) => one.origin !== undefined && !isUsual(one.condition) && !isPermitted(inputs, one))
    .map(({ condition }) => words.word(condition));
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
