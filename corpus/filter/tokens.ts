/** The words of a filter expression. */
import { FilterError } from './filter-error.ts';

export type TokenKind =
  /** A name, a number, an address, bytes: what it is follows from what it is compared with. */
  'word' | 'text' | 'operator' | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Where it starts in the expression, from 0 on, and how many letters it takes there. */
  readonly at: number;
  readonly length: number;
}

/** What Wireshark lets people write in letters. */
const IN_LETTERS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    and: '&&',
    or: '||',
    not: '!',
    eq: '==',
    ne: '!=',
    lt: '<',
    le: '<=',
    gt: '>',
    ge: '>=',
    contains: 'contains',
    in: 'in',
  }),
);

const OPERATORS = [
  '==',
  '!=',
  '<=',
  '>=',
  '&&',
  '||',
  '..',
  '<',
  '>',
  '!',
  '&',
  '(',
  ')',
  '{',
  '}',
  '[',
  ']',
  ',',
];

/** Letters of names, numbers and addresses: 10.0.0.0/8, fe80::1, 02:00:00:00:00:01, tcp.dstport. */
const WORD = /[\w:/-]+(?:\.(?!\.)[\w:/-]+)*/y;
const QUOTED = /"([^"\\]|\\.)*"/y;

/** @throws {FilterError} where something is none of these */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const token = quotedAt(text, at) ?? wordAt(text, at) ?? operatorAt(text, at);
    if (token === undefined) throw new FilterError(unexpected(text[at]!), text, at, 1);
    tokens.push(token);
    at += token.length;
  }
  tokens.push({ kind: 'end', text: '', at: text.length, length: 0 });
  return tokens;
}

function unexpected(letter: string): string {
  if (letter === '=') return 'a comparison is written ==';
  if (letter === '"') return 'the closing " is missing';
  return `“${letter}” has no meaning here`;
}

function quotedAt(text: string, at: number): Token | undefined {
  QUOTED.lastIndex = at;
  const match = QUOTED.exec(text);
  if (match === null) return undefined;
  const inside = match[0].slice(1, -1).replaceAll(/\\(.)/g, '$1');
  return { kind: 'text', text: inside, at, length: match[0].length };
}

function wordAt(text: string, at: number): Token | undefined {
  WORD.lastIndex = at;
  const match = WORD.exec(text);
  if (match === null) return undefined;
  const operator = IN_LETTERS.get(match[0].toLowerCase());
  return {
    kind: operator === undefined ? 'word' : 'operator',
    text: operator ?? match[0],
    at,
    length: match[0].length,
  };
}

function operatorAt(text: string, at: number): Token | undefined {
  const operator = OPERATORS.find((one) => text.startsWith(one, at));
  return operator === undefined
    ? undefined
    : { kind: 'operator', text: operator, at, length: operator.length };
}
