/** From the text of a filter to its tree, with all names and types checked. */
import { addressFromText, macFromText } from '../../sim/packet/addresses.ts';
import { nearestName } from '../../sim/runtime/nearest-name.ts';
import { FilterError } from './filter-error.ts';
import { type FieldName, fieldNames, type Kind, protocolNames } from './names.ts';
import { type Token, tokensOf } from './tokens.ts';

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** Something in the packet: a field, or the frame itself. */
export interface Operand {
  readonly node: 'operand';
  readonly field: FieldName | ProtocolBytes | 'frame' | 'frame.len';
  readonly kind: Kind;
  /** `& mask`, of numbers. */
  readonly mask?: number;
  /** `[start:length]`, of bytes and addresses. */
  readonly slice?: Slice;
  readonly token: Token;
}

/** The bytes of a protocol: of its header where they are sliced, else with all that it carries. */
export interface ProtocolBytes {
  readonly protocols: readonly string[];
}

export interface Slice {
  /** Below 0: from the end. */
  readonly start: number;
  /** Absent: to the end. */
  readonly length?: number;
}

/** What a field is compared with. */
export type Literal =
  | { readonly is: 'number'; readonly value: number }
  /** An address or bytes; `bits` of them count. */
  | { readonly is: 'bytes'; readonly bytes: Uint8Array; readonly bits: number }
  | { readonly is: 'range'; readonly from: number; readonly to: number };

export type Node =
  | { readonly node: 'and' | 'or'; readonly left: Node; readonly right: Node }
  | { readonly node: 'not'; readonly of: Node }
  | { readonly node: 'protocol'; readonly names: readonly string[] }
  | Operand
  | {
      readonly node: 'compare';
      readonly left: Operand;
      readonly by: Comparison;
      readonly right: Operand | Literal;
    }
  | { readonly node: 'in'; readonly left: Operand; readonly set: readonly Literal[] }
  | { readonly node: 'contains'; readonly left: Operand; readonly bytes: Uint8Array };

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
/** No expression that a person writes nests as deep. */
const MAX_DEPTH = 100;

/** @throws {FilterError} where the text is no filter */
export function parseFilter(text: string): Node {
  const parser = new Parser(text);
  const node = parser.either();
  parser.expectEnd();
  return node;
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  get #token(): Token {
    return this.#tokens[this.#next]!;
  }

  #fail(problem: string, { at, length }: Token = this.#token): never {
    throw new FilterError(problem, this.#text, at, length);
  }

  #is(operator: string): boolean {
    return this.#token.kind === 'operator' && this.#token.text === operator;
  }

  #take(operator: string): boolean {
    if (!this.#is(operator)) return false;
    this.#next++;
    return true;
  }

  #expect(operator: string, why: string): void {
    if (!this.#take(operator)) this.#fail(`${operator} is missing ${why}`);
  }

  expectEnd(): void {
    const { kind, text } = this.#token;
    if (kind === 'end') return;
    if (text === ')') this.#fail('this ) closes nothing');
    this.#fail(`expected && or || before “${text}”`);
  }

  either(): Node {
    let left = this.#both();
    while (this.#take('||')) left = { node: 'or', left, right: this.#both() };
    return left;
  }

  #both(): Node {
    let left = this.#unary();
    while (this.#take('&&')) left = { node: 'and', left, right: this.#unary() };
    return left;
  }

  #unary(): Node {
    if (++this.#depth > MAX_DEPTH)
      this.#fail(`more than ${MAX_DEPTH} parentheses and negations one inside the other`);
    const node: Node = this.#take('!') ? { node: 'not', of: this.#unary() } : this.#comparison();
    this.#depth--;
    return node;
  }

  #comparison(): Node {
    const start = this.#token;
    let left: Node;
    if (this.#take('(')) {
      left = this.either();
      this.#expect(')', 'here');
    } else left = this.#name();
    const { kind, text } = this.#token;
    if (kind !== 'operator') return left;
    const isComparison = COMPARISONS.has(text) || text === 'in' || text === 'contains';
    if (!isComparison) return left;
    if (left.node !== 'operand') {
      this.#fail(
        left.node === 'protocol'
          ? `“${start.text}” is a protocol, not a field: it is there or not, and has no value`
          : 'only a field can be compared',
        left.node === 'protocol' ? start : this.#token,
      );
    }
    this.#next++;
    if (text === 'in') return { node: 'in', left, set: this.#set(left) };
    if (text === 'contains') return { node: 'contains', left, bytes: this.#needle(left) };
    return { node: 'compare', left, by: text as Comparison, right: this.#right(left, text as Comparison) };
  }

  /** A protocol, or a field with its slice or mask. */
  #name(): Node {
    const token = this.#token;
    if (token.kind === 'end') this.#fail('the filter ends where a name was expected');
    if (token.kind !== 'word') this.#fail(`expected the name of a protocol or field, not “${token.text}”`);
    this.#next++;
    const name = token.text;
    const protocol = protocolNames().get(name);
    if (protocol !== undefined) {
      const bytes: Operand = { node: 'operand', field: { protocols: protocol }, kind: 'bytes', token };
      if (this.#is('[')) return { ...bytes, slice: this.#slice(bytes) };
      return this.#is('contains') ? bytes : { node: 'protocol', names: protocol };
    }
    const operand = this.#operand(token);
    if (operand === undefined) this.#unknown(token);
    return operand;
  }

  #operand(token: Token): Operand | undefined {
    const { text } = token;
    const field = text === 'frame' || text === 'frame.len' ? text : fieldNames().get(text);
    if (field === undefined) return undefined;
    const kind = field === 'frame' ? 'bytes' : field === 'frame.len' ? 'number' : field.kind;
    const plain: Operand = { node: 'operand', field, kind, token };
    if (this.#is('[')) return { ...plain, kind: 'bytes', slice: this.#slice(plain) };
    if (!this.#is('&')) return plain;
    if (kind !== 'number') this.#fail(`& needs a number; ${text} is ${KINDS[kind]}`);
    this.#next++;
    return { ...plain, mask: this.#number(this.#value()) };
  }

  #unknown(token: Token): never {
    const { text } = token;
    if (/^[\d.:]+$/.test(text))
      this.#fail(`a comparison starts with a field: write it as field == ${text}`, token);
    const all = [...fieldNames().keys(), ...protocolNames().keys(), 'frame.len'];
    const near = sameEnding(text, all) ?? nearestName(text, all);
    const [protocol] = text.split('.') as [string];
    const hint =
      near !== undefined
        ? `; did you mean ${near}?`
        : protocolNames().has(protocol)
          ? `; ${protocol} has: ${namesIn(protocol).join(', ')}`
          : '';
    this.#fail(`there is no field or protocol “${text}”${hint}`, token);
  }

  /** `[start:length]`, `[first-last]`, `[start:]`, `[:length]`, or `[at]` for one byte; a start below 0 counts from the end. */
  #slice({ kind, token }: Operand): Slice {
    if (kind === 'number') this.#fail(`${token.text} is a number: use & to look at some of its bits`);
    this.#next++;
    const place = this.#value();
    const slice = sliceOf(place.text);
    if (slice === undefined) this.#fail('expected [start:length], [first-last] or [byte]', place);
    this.#expect(']', 'behind the slice');
    return slice;
  }

  #value(): Token {
    const token = this.#token;
    if (token.kind === 'end') this.#fail('the filter ends where a value was expected');
    if (token.kind === 'operator') this.#fail(`expected a value, not “${token.text}”`);
    this.#next++;
    return token;
  }

  #right(left: Operand, by: Comparison): Operand | Literal {
    const token = this.#value();
    const other = token.kind === 'word' ? this.#operand(token) : undefined;
    if (other !== undefined) {
      if (other.kind !== left.kind)
        this.#fail(`${left.token.text} is ${KINDS[left.kind]}, ${token.text} is ${KINDS[other.kind]}`, token);
      return other;
    }
    const literal = this.#literal(left, token);
    const isNetwork = literal.is === 'bytes' && literal.bits < literal.bytes.length * 8;
    if (isNetwork && by !== '==' && by !== '!=')
      this.#fail('a network can only be compared with == and !=', token);
    return literal;
  }

  #set(left: Operand): Literal[] {
    this.#expect('{', 'behind in: in {80, 443, 8000..8080}');
    const set: Literal[] = [];
    while (!this.#take('}')) {
      if (this.#token.kind === 'end') this.#fail('} is missing behind the set');
      const token = this.#value();
      if (this.#take('..')) {
        if (left.kind !== 'number')
          this.#fail(`ranges are of numbers; ${left.token.text} is ${KINDS[left.kind]}`, token);
        const from = this.#number(token);
        const last = this.#value();
        const to = this.#number(last);
        if (to < from) this.#fail(`${last.text} comes before ${token.text}`, last);
        set.push({ is: 'range', from, to });
      } else set.push(this.#literal(left, token));
      this.#take(',');
    }
    if (set.length === 0) this.#fail('the set is empty', this.#tokens[this.#next - 1]);
    return set;
  }

  #needle(left: Operand): Uint8Array {
    if (left.kind === 'number')
      this.#fail(`contains needs bytes; ${left.token.text} is a number`, left.token);
    const token = this.#value();
    return token.kind === 'text' ? new TextEncoder().encode(token.text) : this.#bytes(token);
  }

  #literal(left: Operand, token: Token): Literal {
    switch (left.kind) {
      case 'number': {
        const value = this.#number(token);
        const bits = typeof left.field === 'string' || 'protocols' in left.field ? 32 : left.field.bits;
        const most = 2 ** bits - 1;
        if (value > most) this.#fail(`${left.token.text} has ${bits} bits: at most ${most}`, token);
        return { is: 'number', value };
      }
      case 'mac':
        return whole(this.#parsed(token, 'a MAC address such as 02:00:00:00:00:01', macFromText));
      case 'ipv4':
      case 'ipv6':
        return this.#address(token, left.kind);
      default: {
        const bytes = token.kind === 'text' ? new TextEncoder().encode(token.text) : this.#bytes(token);
        const size = sizeOf(left);
        if (size !== undefined && bytes.length !== size)
          this.#fail(`${bytes.length} bytes, ${size} are compared`, token);
        return whole(bytes);
      }
    }
  }

  #address(token: Token, kind: 'ipv4' | 'ipv6'): Literal {
    const [address, prefix] = token.text.split('/') as [string, string?];
    const what = kind === 'ipv4' ? 'an IPv4 address such as 10.0.0.1' : 'an IPv6 address such as fe80::1';
    const bytes = this.#parsed({ ...token, text: address }, what, addressFromText);
    const size = kind === 'ipv4' ? 4 : 16;
    if (bytes.length !== size)
      this.#fail(`expected ${what}, not ${bytes.length === 4 ? 'an IPv4' : 'an IPv6'} address`, token);
    if (prefix === undefined) return whole(bytes);
    const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
    if (!(bits <= size * 8)) this.#fail(`a prefix has 0 to ${size * 8} bits, not “${prefix}”`, token);
    return { is: 'bytes', bytes, bits };
  }

  #parsed(token: Token, what: string, parse: (text: string) => Uint8Array): Uint8Array {
    try {
      return parse(token.text);
    } catch {
      this.#fail(`expected ${what}, not “${token.text}”`, token);
    }
  }

  #number(token: Token): number {
    const { text } = token;
    // What begins with a 0 is octal, as in C and Wireshark.
    if (token.kind === 'word' && /^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
    if (token.kind === 'word' && /^(0|[1-9]\d*|0x[0-9a-f]+|0b[01]+)$/i.test(text)) return Number(text);
    if (token.kind === 'word' && /^true$/i.test(text)) return 1;
    if (token.kind === 'word' && /^false$/i.test(text)) return 0;
    this.#fail(`expected a number, not “${text}”`, token);
  }

  #bytes(token: Token): Uint8Array {
    const written = token.text.replace(/^0x/i, '').replaceAll(/[:-]/g, '');
    const digits = written.length === 1 ? `0${written}` : written;
    if (digits === '' || digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits))
      this.#fail(`expected bytes such as de:ad:be:ef or text in quotation marks, not “${token.text}”`, token);
    return Uint8Array.from({ length: digits.length / 2 }, (_, at) =>
      Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16),
    );
  }
}

const KINDS: Readonly<Record<Kind, string>> = {
  number: 'a number',
  mac: 'a MAC address',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  bytes: 'bytes',
};

/** Bytes of what is compared; undefined where that is another number in each packet. */
function sizeOf({ field, slice }: Operand): number | undefined {
  if (slice !== undefined) return slice.length;
  return typeof field === 'string' || 'protocols' in field || field.bits === 0 ? undefined : field.bits / 8;
}

function sliceOf(text: string): Slice | undefined {
  const match = /^(-?\d+)?(?:([:-])(\d+)?)?$/.exec(text);
  if (match === null) return undefined;
  const [, from, sign, number] = match;
  const start = Number(from ?? 0);
  if (sign === undefined)
    return from === undefined ? undefined : start === -1 ? { start } : { start, length: 1 };
  if (sign === ':') {
    if (number === undefined) return from === undefined ? undefined : { start };
    return number === '0' ? undefined : { start, length: Number(number) };
  }
  const length = Number(number ?? Number.NaN) - start + 1;
  return from === undefined || start < 0 || !(length > 0) ? undefined : { start, length };
}

function whole(bytes: Uint8Array): Literal {
  return { is: 'bytes', bytes, bits: bytes.length * 8 };
}

/** The only name of the same protocol that ends as this one does: `ip.dsfield.dscp` for `ip.dscp`. */
function sameEnding(name: string, names: readonly string[]): string | undefined {
  const parts = name.split('.');
  const [protocol, ending] = [parts[0], parts.at(-1)];
  if (parts.length < 2) return undefined;
  const same = names.filter((one) => one.startsWith(`${protocol}.`) && one.endsWith(`.${ending}`));
  return same.length === 1 ? same[0] : undefined;
}

/** The names behind a protocol's, once a field. */
function namesIn(protocol: string): string[] {
  const names = [...fieldNames().keys()].filter((name) => name.startsWith(`${protocol}.`));
  return names.map((name) => name.slice(protocol.length + 1));
}
