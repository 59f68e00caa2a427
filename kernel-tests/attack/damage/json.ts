/** Changes JSON as a tree: what comes out is JSON, or nearly so, with values where nobody expects them. */
import type { Random } from '../../../corpus/generate/random.ts';
import { type Damage, pick } from './damage.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const NUMBERS = [
  -1,
  -0.5,
  0,
  1,
  1.5,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  1e300,
];
const TEXTS = [
  ...['', ' ', '-', '0x', '0xzz', '-1', '1e9', '1'.repeat(40), 'ff'.repeat(600), 'x'.repeat(5000)],
  ...['\u0000', '\u001b[2J', '\ud800', '\u202e', '__proto__', 'constructor', 'toString', '../../x', 'NaN'],
  ...['10.0.0.0/33', '256.1.1.1', 'fe80::1%eth0', '::', '::/129', '00:00:00:00:00:00', '9999999d', '5 ms'],
];
const NAMES = ['', '__proto__', 'constructor', 'length', 'toString', 'then', '0', '-1', 'x'];
const ENTRIES = 40;
const DEEP = 600;

/** One to four changes of the tree; once in a while, signs that JSON with comments has. */
export const damageJson: Damage = (random, input, other) => {
  const root = { value: JSON.parse(new TextDecoder().decode(input)) as Json };
  const pieces = places({ value: JSON.parse(new TextDecoder().decode(other)) as Json });
  const changes = 1 + random.below(4);
  for (let change = 0; change < changes; change++) changeOne(random, root, pieces);
  return new TextEncoder().encode(written(random, root.value));
};

interface Place {
  readonly holder: { [name: string]: Json };
  readonly name: string;
}

function places(root: { [name: string]: Json }): Place[] {
  const all: Place[] = [];
  const visit = (holder: { [name: string]: Json }): void => {
    for (const name of Object.keys(holder)) {
      all.push({ holder, name });
      const value = holder[name];
      if (typeof value === 'object' && value !== null) visit(value as { [name: string]: Json });
    }
  };
  visit(root);
  return all;
}

function changeOne(random: Random, root: { value: Json }, pieces: readonly Place[]): void {
  const { holder, name } = pick(random, places(root));
  const value = holder[name]!;
  switch (random.below(9)) {
    case 0:
      holder[name] = odd(random);
      return;
    case 1:
      if (Array.isArray(holder)) holder.splice(Number(name), 1);
      else if (holder !== root) delete holder[name];
      return;
    case 2: {
      const piece = pick(random, pieces);
      holder[name] = structuredClone(piece.holder[piece.name]!);
      return;
    }
    case 3:
      rename(random, holder, name, pieces);
      return;
    case 4:
      if (Array.isArray(holder)) holder.splice(Number(name), 0, structuredClone(value));
      else holder[name] = [value];
      return;
    case 5:
      if (typeof value === 'number') holder[name] = value + pick(random, NUMBERS);
      else if (typeof value === 'string') holder[name] = changedText(random, value);
      else holder[name] = odd(random);
      return;
    case 6:
      if (Array.isArray(value))
        for (let more = random.below(ENTRIES); more > 0; more--) value.push(odd(random));
      else holder[name] = { [pick(random, NAMES)]: value };
      return;
    case 7:
      if (random.below(20) > 0) holder[name] = odd(random);
      else for (let level = random.below(DEEP); level > 0; level--) holder[name] = [holder[name]!];
      return;
    default:
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        define(value, pick(random, NAMES), odd(random));
      else holder[name] = pick(random, TEXTS);
  }
}

function rename(
  random: Random,
  holder: { [name: string]: Json },
  name: string,
  pieces: readonly Place[],
): void {
  if (Array.isArray(holder)) return;
  const value = holder[name]!;
  if (random.below(2) === 0) delete holder[name];
  define(holder, random.below(2) === 0 ? pick(random, NAMES) : pick(random, pieces).name, value);
}

/** A property also where the name is `__proto__`. */
function define(holder: { [name: string]: Json }, name: string, value: Json): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

function odd(random: Random): Json {
  const plain: Json[] = [null, true, false, [], {}, [[]], [null], pick(random, NUMBERS), pick(random, TEXTS)];
  return pick(random, plain);
}

function changedText(random: Random, value: string): string {
  const at = random.below(value.length + 1);
  const sign = pick(random, [...'0f9-.:/,; "\\\u0000é']);
  return pick(random, [
    value.slice(0, at),
    value.slice(0, at) + value.slice(at + 1),
    value.slice(0, at) + sign + value.slice(at),
    value.slice(0, at) + sign + value.slice(at + 1),
    value + value,
    value.toUpperCase(),
  ]);
}

function written(random: Random, value: Json): string {
  const json = JSON.stringify(value, null, random.below(2)) ?? 'null';
  switch (random.below(12)) {
    case 0:
      return `// a comment\n/* another */ ${json} // at the end`;
    case 1:
      return json.replace(/([\]}])/, ',$1');
    case 2:
      return json.replace(/\d+/, pick(random, ['1e999', '-0', '9'.repeat(300), '01', '0x1f', 'NaN']));
    default:
      return json;
  }
}
