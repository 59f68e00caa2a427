/** Numbers from text and comparison of strings (kernel/bpf/helpers.c). */
import { EINVAL, ERANGE } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** BPF_STRTOX_BASE_MASK. */
const BASE_MASK = 0x1f;
/** Digits of the longest number: 64 bits in base 8. */
const MAX_DIGITS = 64;

interface Parsed {
  /** Bytes taken, or a negative errno. */
  readonly length: number;
  readonly value: bigint;
  readonly negative: boolean;
}

function failure(errno: number): Parsed {
  return { length: -errno, value: 0n, negative: false };
}

/** `__bpf_strtoull`: white space, a sign, a prefix, digits. */
function parse(machine: Machine, text: number, size: number, flags: number): Parsed {
  let base = flags & BASE_MASK;
  if ((flags & ~BASE_MASK) !== 0 || (base !== 0 && base !== 8 && base !== 10 && base !== 16)) {
    return failure(EINVAL);
  }
  let source = '';
  for (let at = text; at < text + size && machine.memory.u8[at] !== 0; at++) {
    source += String.fromCharCode(machine.memory.u8[at]!);
  }
  const space = /^[ \t\n\v\f\r\xa0]*/.exec(source)![0].length;
  let at = space;
  const negative = source[at] === '-';
  if (negative) at++;
  let digits = source.slice(at, at + MAX_DIGITS - 1);
  const prefix = /^0x[0-9a-f]/i.test(digits);
  if (base === 0) base = prefix ? 16 : digits.startsWith('0') ? 8 : 10;
  if (base === 16 && /^0x/i.test(digits)) {
    at += 2;
    digits = digits.slice(2);
  }
  const shape = base === 8 ? /^[0-7]+/ : base === 10 ? /^[0-9]+/ : /^[0-9a-f]+/i;
  const number = shape.exec(digits)?.[0];
  if (number === undefined) return failure(EINVAL);
  const value = BigInt((base === 8 ? '0o' : base === 16 ? '0x' : '') + number);
  if (value >= 1n << 64n) return failure(ERANGE);
  return { length: at + number.length, value, negative };
}

/**
 * A call that reads a number from text: its record, but for number and name.
 * @param refusal the error for a number that the result cannot hold; 0: it can
 */
function toNumber(refusal: (value: bigint, negative: boolean) => number): Omit<Helper, 'number' | 'name'> {
  return {
    arguments: ['memory', 'size', 'anything', 'u64_out'],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, text, size, flags, out) => {
      // Since Linux 6.12; before, a failing call left what was there.
      machine.memory.setU64(out, 0n);
      const { length, value, negative } =
        machine.high(2) !== 0 ? failure(EINVAL) : parse(machine, text, size, flags);
      if (length < 0) return length;
      const refused = refusal(value, negative);
      if (refused !== 0) return refused;
      machine.memory.setU64(out, negative ? -value : value);
      return length;
    },
  };
}

export const STRING_HELPERS: readonly Helper[] = [
  {
    number: 105,
    name: 'bpf_strtol',
    ...toNumber((value, negative) => (value > (1n << 63n) - (negative ? 0n : 1n) ? -ERANGE : 0)),
  },
  {
    number: 106,
    name: 'bpf_strtoul',
    ...toNumber((_value, negative) => (negative ? -EINVAL : 0)),
  },
  {
    number: 182,
    name: 'bpf_strncmp',
    arguments: ['memory', 'size', 'string'],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, a, size, b) => {
      const { u8 } = machine.memory;
      for (let index = 0; index < size; index++) {
        const difference = u8[a + index]! - u8[b + index]!;
        if (difference !== 0) return difference < 0 ? -1 : 1;
        if (u8[a + index] === 0) return 0;
      }
      return 0;
    },
  },
];
