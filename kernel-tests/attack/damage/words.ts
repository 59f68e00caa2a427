/** Changes texts word by word: numbers, names and signs are swapped, doubled, left out and replaced. */
import type { Random } from '../../../corpus/generate/random.ts';
import { type Damage, pick } from './damage.ts';

const ODD = [
  ...[
    '',
    ' ',
    '\n',
    '\t',
    '\r',
    '\u0000',
    '\u001b[2J',
    '\u2028',
    'é',
    '\ud83d\ude00',
    '\\',
    '"',
    "'",
    '`',
    '$',
  ],
  ...[
    '0',
    '-0',
    '-1',
    '00',
    '1e9',
    '0x',
    '0xg',
    '0x100000000',
    '4294967295',
    '4294967296',
    '9'.repeat(40),
    'NaN',
  ],
  ...[
    '(',
    ')',
    '((',
    '[',
    ']',
    '{',
    '}',
    ',',
    ';',
    ':',
    '=',
    '==',
    '&&',
    '||',
    '!',
    '..',
    '/',
    '/*',
    '//',
    '#',
  ],
  ...['__proto__', 'constructor', 'toString', 'true', 'null', 'undefined'],
];
const MANY = 300;

/** One to four changes. */
export const damageWords: Damage = (random, input, other) => {
  let words = wordsOf(input);
  const pieces = wordsOf(other);
  const changes = 1 + random.below(4);
  for (let change = 0; change < changes; change++) words = changed(random, words, pieces);
  return new TextEncoder().encode(words.join(''));
};

function wordsOf(bytes: Uint8Array): string[] {
  return new TextDecoder().decode(bytes).match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [''];
}

function changed(random: Random, words: readonly string[], pieces: readonly string[]): string[] {
  const at = random.below(Math.max(1, words.length));
  const from = random.below(Math.max(1, pieces.length));
  const to = random.below(Math.max(1, words.length));
  const copy = [...words];
  switch (random.below(9)) {
    case 0:
      copy.splice(at, 1 + random.below(3));
      break;
    case 1:
      copy.splice(at, 0, copy[at] ?? '');
      break;
    case 2:
      [copy[at], copy[to]] = [copy[to] ?? '', copy[at] ?? ''];
      break;
    case 3:
      copy[at] = pick(random, random.below(2) === 0 ? ODD : pieces);
      break;
    case 4:
      copy.splice(at, 0, pick(random, random.below(2) === 0 ? ODD : pieces));
      break;
    case 5:
      copy.splice(at, random.below(2), ...pieces.slice(from, from + 1 + random.below(8)));
      break;
    case 6:
      copy[at] = changedWord(random, copy[at] ?? '');
      break;
    case 7:
      return copy.slice(0, at);
    default:
      if (random.below(10) === 0) copy.splice(at, 0, (copy[at] || '(').repeat(1 + random.below(MANY)));
      else copy.splice(at, 0, ...copy.slice(to, to + 1 + random.below(6)));
  }
  return copy;
}

function changedWord(random: Random, word: string): string {
  const at = random.below(word.length + 1);
  return pick(random, [
    word.slice(0, at),
    word.slice(at),
    `${word.slice(0, at)}${pick(random, [...'0f9xZ_-.'])}${word.slice(at)}`,
    word.toUpperCase(),
    `${word}${word}`,
    `-${word}`,
  ]);
}
