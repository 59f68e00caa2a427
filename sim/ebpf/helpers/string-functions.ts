/**
 * Kernel functions on strings (kernel/bpf/helpers.c, Linux 6.17): byte by byte from any address that can be read, up to 64 KiB.
 * Results are positions, or negative errors.
 */
import { E2BIG, ENOENT } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { type Helper, type HelperFunction, NO_EFFECTS } from './helper.ts';
import { readableAddress } from './probe-read-helpers.ts';

/** `XATTR_SIZE_MAX`: strings go no further. */
const LONGEST = 65_536;

/** Thrown by a read that fails, with the errno. */
class Unreadable extends Error {
  readonly result: number;
  constructor(result: number) {
    super();
    this.result = result;
  }
}

/** One of the strings that a function is passed. */
class Text {
  readonly #machine: Machine;
  readonly #argument: number;
  readonly #at: number;

  /** @param argument of the call, counted from 0 */
  constructor(machine: Machine, argument: number, at: number) {
    this.#machine = machine;
    this.#argument = argument;
    this.#at = at;
    // `copy_from_kernel_nofault_allowed`: asked before anything is read.
    const result = readableAddress(machine, argument, at, 0);
    if (result < 0) throw new Unreadable(result);
  }

  byte(index: number): number {
    const at = readableAddress(this.#machine, this.#argument, this.#at + index, 1);
    if (at < 0) throw new Unreadable(at);
    return this.#machine.memory.u8[at]!;
  }
}

/** `tolower` of the kernel, which counts in Latin-1 (lib/ctype.c). */
function lower(byte: number): number {
  const isUpper = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0xc0 && byte <= 0xde && byte !== 0xd7);
  return isUpper ? byte + 32 : byte;
}

function compare(one: Text, other: Text, fold: (byte: number) => number): number {
  for (let index = 0; index < LONGEST; index++) {
    const a = fold(one.byte(index));
    const b = fold(other.byte(index));
    if (a !== b) return a < b ? -1 : 1;
    if (a === 0) return 0;
  }
  return -E2BIG;
}

function find(text: Text, count: number, wanted: number): number {
  for (let index = 0; index < Math.min(count, LONGEST); index++) {
    const byte = text.byte(index);
    if (byte === wanted) return index;
    if (byte === 0) return -ENOENT;
  }
  return count >= LONGEST ? -E2BIG : -ENOENT;
}

function findOrEnd(text: Text, wanted: number): number {
  for (let index = 0; index < LONGEST; index++) {
    const byte = text.byte(index);
    if (byte === wanted || byte === 0) return index;
  }
  return -E2BIG;
}

function findLast(text: Text, wanted: number): number {
  let last = -ENOENT;
  for (let index = 0; index < LONGEST; index++) {
    const byte = text.byte(index);
    if (byte === wanted) last = index;
    if (byte === 0) return last;
  }
  return -E2BIG;
}

function lengthOf(text: Text, count: number): number {
  for (let index = 0; index < Math.min(count, LONGEST); index++) if (text.byte(index) === 0) return index;
  return count >= LONGEST ? -E2BIG : count;
}

/** How far the first string goes on with bytes of the second (`inside`), or without them. */
function span(text: Text, set: Text, inside: boolean): number {
  for (let index = 0; index < LONGEST; index++) {
    const byte = text.byte(index);
    if (byte === 0) return index;
    let other = 0;
    let at = 0;
    for (; at < LONGEST; at++) {
      other = set.byte(at);
      if (other === byte || other === 0) break;
    }
    if (at === LONGEST) return -E2BIG;
    if (inside ? other === 0 : other === byte) return index;
  }
  return -E2BIG;
}

/** The first place of the second string in so many bytes of the first. */
function search(text: Text, wanted: Text, count: number): number {
  for (let from = 0; from < LONGEST; from++) {
    let at = 0;
    for (; from + at <= count && at < LONGEST; at++) {
      const byte = wanted.byte(at);
      if (byte === 0) return from;
      // What ends with the last of the bytes may still be found, but no more of the first string is read.
      if (from + at === count) break;
      const other = text.byte(from + at);
      if (other === 0) return -ENOENT;
      if (other !== byte) break;
    }
    if (at === LONGEST) return -E2BIG;
    if (from + at === count) return -ENOENT;
  }
  return -E2BIG;
}

/** A `size_t`, which is cut to what no string reaches. */
function count(machine: Machine, argument: number, low: number): number {
  return machine.high(argument) === 0 ? Math.min(low >>> 0, LONGEST) : LONGEST;
}

function answer(run: HelperFunction): HelperFunction {
  return (machine, a, b, c, d, e) => {
    try {
      return run(machine, a, b, c, d, e);
    } catch (error) {
      if (error instanceof Unreadable) return error.result;
      throw error;
    }
  };
}

function define(name: string, parameters: number, run: HelperFunction): Helper {
  return {
    number: 0,
    name,
    arguments: Array.from({ length: parameters }, () => 'anything'),
    returns: 'word',
    note: 'of packet, stack and values of maps as in the kernel; other kernel addresses stop the machine',
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: { ...NO_EFFECTS, packet: 'read' },
    symbolic: 'any value',
    run: answer(run),
  };
}

const same = (byte: number): number => byte;

export const STRING_FUNCTIONS: readonly Helper[] = [
  define('bpf_strcmp', 2, (machine, a, b) => compare(new Text(machine, 0, a), new Text(machine, 1, b), same)),
  define('bpf_strcasecmp', 2, (machine, a, b) =>
    compare(new Text(machine, 0, a), new Text(machine, 1, b), lower),
  ),
  define('bpf_strnchr', 3, (machine, text, most, byte) =>
    find(new Text(machine, 0, text), count(machine, 1, most), byte & 0xff),
  ),
  define('bpf_strchr', 2, (machine, text, byte) => find(new Text(machine, 0, text), LONGEST, byte & 0xff)),
  define('bpf_strchrnul', 2, (machine, text, byte) => findOrEnd(new Text(machine, 0, text), byte & 0xff)),
  // An int, unlike its neighbours': a byte that was extended with its sign is never found.
  define('bpf_strrchr', 2, (machine, text, byte) => findLast(new Text(machine, 0, text), byte)),
  define('bpf_strnlen', 2, (machine, text, most) =>
    lengthOf(new Text(machine, 0, text), count(machine, 1, most)),
  ),
  define('bpf_strlen', 1, (machine, text) => lengthOf(new Text(machine, 0, text), LONGEST)),
  define('bpf_strspn', 2, (machine, a, b) => span(new Text(machine, 0, a), new Text(machine, 1, b), true)),
  define('bpf_strcspn', 2, (machine, a, b) => span(new Text(machine, 0, a), new Text(machine, 1, b), false)),
  define('bpf_strnstr', 3, (machine, a, b, most) =>
    search(new Text(machine, 0, a), new Text(machine, 1, b), count(machine, 2, most)),
  ),
  define('bpf_strstr', 2, (machine, a, b) =>
    search(new Text(machine, 0, a), new Text(machine, 1, b), LONGEST),
  ),
];
