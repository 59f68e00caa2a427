/** A dictionary as hints for the packet generator: by their size, entries may be ports, addresses, protocols; and contents at their place. */
import { addressToText } from '../../packet/addresses.ts';
import type { GeneratorHints } from '../../runtime/program.ts';
import type { DictionaryEntry } from './dictionary.ts';

/** Where a protocol or next header lies in a frame without tags. */
const PROTOCOL4 = 23;
const PROTOCOL6 = 20;

export function dictionaryHints(entries: readonly DictionaryEntry[]): GeneratorHints {
  const ofSize = (size: number): Uint8Array[] =>
    entries.flatMap(({ bytes }) => (bytes.length === size ? [bytes] : []));
  const numbers = (size: number): number[] =>
    distinct(ofSize(size).map((bytes) => (bytes[0]! << 8) | bytes[1]!));
  const protocols = entries.filter(({ offset }) => offset === PROTOCOL4 || offset === PROTOCOL6);
  return omitEmpty({
    ports: numbers(2),
    addresses: distinct([...ofSize(4), ...ofSize(16)].map(addressToText)),
    macs: ofSize(6),
    protocols: distinct(protocols.flatMap(({ bytes }) => (bytes.length === 1 ? [bytes[0]!] : []))),
    contents: [...entries],
  });
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

function omitEmpty(hints: Readonly<Record<string, readonly unknown[]>>): GeneratorHints {
  return Object.fromEntries(Object.entries(hints).filter(([, list]) => list.length > 0));
}
