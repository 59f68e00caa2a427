/** The schema of `--map NAME=FILE`. */
import { type EntryShape, entryList } from '../../sim/ebpf/world-file/shape.ts';
import {
  anyFields,
  choice,
  integer,
  list,
  matching,
  type Schema,
  transformed,
  uint8,
} from '../../sim/runtime/schema.ts';
import { bytesFromHex } from '../../sim/runtime/world-schema.ts';

/** Bytes as they lie in memory, or a number in the machine's order that is as wide as the map says. */
export type MapFileValue = Uint8Array | bigint;

export interface MapFileEntry {
  readonly key: MapFileValue;
  readonly value: MapFileValue;
}

/** "0x0a000001"; blanks and colons between the digits are skipped. */
const digits: Schema<MapFileValue> = transformed(
  matching(/^(0x)?([\s:]*[0-9a-fA-F][\s:]*[0-9a-fA-F])*[\s:]*$/, 'an even number of hexadecimal digits'),
  (text) => bytesFromHex(text.replace(/^0x/, '').replaceAll(/[\s:]/g, '')),
);

const number: Schema<MapFileValue> = transformed(
  integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  BigInt,
);

const byteText: Schema<number> = transformed(
  matching(/^(0[xX][0-9a-fA-F]{1,2}|1?[0-9]{1,2}|2[0-4][0-9]|25[0-5])$/, 'a byte'),
  Number,
);

/** What `bpftool -j map dump` prints: ["0x0a", "0x00"]. */
const bytes: Schema<MapFileValue> = transformed(
  list(choice<number>('a byte', [uint8, byteText], (item) => (typeof item === 'string' ? byteText : uint8))),
  (numbers) => Uint8Array.from(numbers),
);

export const mapFileValue: Schema<MapFileValue> = choice<MapFileValue>(
  'hexadecimal digits, a whole number, or a list of bytes',
  [digits, number, bytes],
  (json) =>
    typeof json === 'string'
      ? digits
      : typeof json === 'number'
        ? number
        : Array.isArray(json)
          ? bytes
          : undefined,
);

/** Other fields may stand beside the two: bpftool writes `formatted`. */
export const mapFileShape: Schema<readonly MapFileEntry[]> = list(
  anyFields<MapFileEntry>({ key: mapFileValue, value: mapFileValue }),
);

/**
 * The same with keys and values as the map's types have them: a struct's members, prefixes, what is in nested maps. It is what is
 * published, since it takes all that `--map` takes of some map.
 */
export const typedRows: Schema<readonly EntryShape[]> = entryList;
