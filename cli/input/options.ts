/** Values of options: read strictly, refused with what was expected. */
import { anyHex } from '../../corpus/files/random-hex.ts';
import { inputFailure } from '../failure.ts';
import { isFile } from './read-file.ts';

/** Of `--filter`. */
export const FILTER_HELP =
  'only packets that match, as in Wireshark: tcp.dport == 80 && ip.ttl < 2 (docs/filters.md)';

/** For counts of what there are usually thousands of. */
export const MANY = ' (20000, 20k, 10M)';

/**
 * A whole number with optional `_`, `k` or `M`: `20000`, `20k`, `10M`.
 * @param examples for the message: `MANY`, or none
 */
export function parseCount(option: string, examples: string = ''): (text: string) => number {
  return (text) => {
    const match = /^(\d[\d_]*)([kKmM]?)$/.exec(text);
    const number = match === null ? Number.NaN : Number(match[1]!.replaceAll('_', ''));
    const factor = { '': 1, k: 1e3, m: 1e6 }[match?.[2]?.toLowerCase() ?? ''] ?? 1;
    const value = number * factor;
    if (!Number.isSafeInteger(value) || value < 1) {
      throw inputFailure(`${option} must be a positive integer${examples}, not “${text}”`);
    }
    return value;
  };
}

/** Timers take at most 2³¹ milliseconds. */
const MAX_DAYS = 24;
const MAX_SECONDS: number = MAX_DAYS * 24 * 3600;

/** A time in seconds: `60s`, `5m`, `1h`, `500ms`, or a bare number of seconds. */
export function parseDuration(option: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text);
    const factor = { ms: 1e-3, s: 1, '': 1, m: 60, h: 3600 }[match?.[2] ?? ''] ?? 1;
    const value = match === null ? Number.NaN : Number(match[1]) * factor;
    if (!(value > 0)) throw inputFailure(`${option} must be a time (60s, 5m, 500ms), not “${text}”`);
    if (value > MAX_SECONDS) throw inputFailure(`${option} takes at most ${MAX_DAYS} days, not “${text}”`);
    return value;
  };
}

/** The same, and 0 for "off". */
export function parseDurationOrOff(option: string): (text: string) => number {
  const parse = parseDuration(option);
  return (text) => (/^0(\.0+)?(ms|s|m|h|)$/.test(text) ? 0 : parse(text));
}

/** A share from 0 to 100: `80`, `80%`. */
export function parsePercent(option: string): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
    if (!(value >= 0 && value <= 100)) {
      throw inputFailure(`${option} must be a percentage from 0 to 100, not “${text}”`);
    }
    return value;
  };
}

/** The name of something: any text, but not none. */
export function parseName(option: string): (text: string) => string {
  return (text) => {
    if (text.trim() === '') throw inputFailure(`${option} is empty: expected a name`);
    return text;
  };
}

/** The name of a file or directory to write to. */
export function parseOutput(option: string): (text: string) => string {
  return (text) => {
    if (text === '') throw inputFailure(`${option} is empty: expected the name of a file or directory`);
    return text;
  };
}

/** The name of a directory to write to, which may not be there yet. */
export function parseDirectory(option: string): (text: string) => string {
  const parse = parseOutput(option);
  return (text) => {
    if (isFile(parse(text)))
      throw inputFailure(`${option} ${text}: expected the name of a directory, found a file`);
    return text;
  };
}

/** Any text, but not none. */
export function parseText(option: string): (text: string) => string {
  return (text) => {
    if (text === '') throw inputFailure(`${option} is empty: expected any text`);
    return text;
  };
}

/** For options that may be given more than once. */
export function repeated(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** Eight random hexadecimal digits: short enough to be typed again. */
export function freshSeed(): string {
  return anyHex();
}

/** An even number of hexadecimal digits; blanks and colons between them are skipped. */
export function parseHex(text: string, what: string): Uint8Array {
  const digits = text.replaceAll(/[\s:]/g, '');
  const bad = /[^0-9a-fA-F]/.exec(digits);
  if (bad !== null) throw inputFailure(`${what}: “${bad[0]}” is not a hexadecimal digit`);
  if (digits.length % 2 !== 0)
    throw inputFailure(`${what}: an odd number of hexadecimal digits (${digits.length})`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}
