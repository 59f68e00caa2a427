/** What differs between two messages, against their whole sums: for any bytes, both say the same modulo 65535. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import { type PathState, Split } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testObject } from '../../sim/ebpf/test-support/assemble.ts';
import {
  changedWords,
  freshWords,
  type Sides,
  type Weighted,
  wholeForm,
  withoutShared,
} from './changed-words.ts';
import type { LaidChecksum, TermFrame } from './frame-layout.ts';
import { OnesForms } from './ones-form.ts';
import { formValue } from './ones-term.ts';

const object = testObject({ main: 'exit' });
const pool = new TermPool();
const inputs = new Inputs(pool, new Machine(object, {}), 'xdp', object.programs[0]!);
const size64 = (value: number): Term => pool.constant(64, value);
const bytes = (name: string, count: number): Term[] =>
  Array.from({ length: count }, (_, at) => pool.unknown(8, `${name}${at}`));

function frameOf(all: readonly Term[]): TermFrame {
  return { byte: (at) => all[at] ?? pool.constant(8, 0), length: size64(all.length) };
}

function laid(start: number, size: Term, more: Partial<LaidChecksum> = {}): LaidChecksum {
  return {
    layer: 'udp',
    start,
    size,
    header: 8,
    at: 6,
    isAbsent: false,
    pseudo: [],
    overIpv6: false,
    ...more,
  };
}

/** Some bytes for all unknowns, the same each time. */
function valuesOf(seed: number): Evaluator {
  const values = new Map<Term, bigint>();
  let random = seed;
  for (const name of ['p', 'q', 'x', 'y'])
    for (const term of bytes(name, 300)) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
      values.set(term, BigInt((random >>> 16) & 0xff));
    }
  return new Evaluator(values);
}
const SEEDS = [1, 2, 3];

const sumOf = (all: readonly Weighted[], values: Evaluator): bigint =>
  all.reduce((sum, [byte, weight]) => sum + values.value(byte) * weight, 0n);
/** Everything that a checksum covers: the message, and the pseudo-header with its length. */
function whole(frame: TermFrame, { start, size, pseudo }: LaidChecksum, values: Evaluator): bigint {
  const weight = (at: number): bigint => (at % 2 === 0 ? 256n : 1n);
  const length = values.value(size);
  let sum = pseudo.length > 0 ? length : 0n;
  for (let at = 0; at < Number(length); at++) sum += values.value(frame.byte(start + at)) * weight(at);
  for (const [at, byte] of pseudo.entries()) sum += values.value(byte) * weight(at);
  return sum;
}
const rest = (value: bigint): bigint => ((value % 65_535n) + 65_535n) % 65_535n;

/** The sides of two messages, once they are shown to say what whole sums say. */
function sides(before: TermFrame, came: LaidChecksum, after: TermFrame, left: LaidChecksum): Sides {
  const found = changedWords(inputs.start(0), before, came, after, left);
  if (typeof found === 'string') throw new Error(found);
  for (const seed of SEEDS) {
    const values = valuesOf(seed);
    const difference = whole(after, left, values) - whole(before, came, values);
    for (const one of [found, withoutShared(found)])
      expect(rest(sumOf(one.left, values) - sumOf(one.came, values))).toBe(rest(difference));
  }
  return found;
}
const named = (all: readonly Weighted[]): string =>
  all.map(([byte, weight]) => `${byte.name}*${weight}`).join(' ');

const FRAME = bytes('p', 80);
const edited = (changes: Readonly<Record<number, Term>>): TermFrame =>
  frameOf(FRAME.map((byte, at) => changes[at] ?? byte));
const X = bytes('x', 40);
const PSEUDO = [...bytes('p', 12)];

describe('the words that differ', () => {
  it('are whole ones where one byte was changed', () => {
    const came = laid(20, size64(30));
    const found = sides(frameOf(FRAME), came, edited({ 23: X[0]! }), came);
    expect([named(found.came), named(found.left)]).toEqual(['p22*256 p23*1', 'p22*256 x0*1']);
    const shared = withoutShared(found);
    expect([named(shared.came), named(shared.left)]).toEqual(['p23*1', 'x0*1']);
  });

  it('are none where nothing was, and nothing of what lies around the message', () => {
    const came = laid(20, size64(30), { pseudo: PSEUDO });
    const found = sides(frameOf(FRAME), came, edited({ 19: X[0]!, 50: X[1]! }), came);
    expect(found).toEqual({ came: [], left: [] });
    const at = sides(frameOf(FRAME), came, edited({ 20: X[0]!, 49: X[1]! }), came);
    expect(named(at.left)).toBe('x0*256 p21*1 p48*256 x1*1');
  });

  it('may be the last byte of an odd message', () => {
    const came = laid(20, size64(31));
    const found = sides(frameOf(FRAME), came, edited({ 50: X[0]!, 51: X[1]! }), came);
    expect(named(found.left)).toBe('x0*256');
  });

  it('are found where the message has moved', () => {
    const moved = frameOf([...bytes('y', 4), ...FRAME]);
    const found = sides(frameOf(FRAME), laid(20, size64(30)), moved, laid(24, size64(30)));
    expect(found).toEqual({ came: [], left: [] });
    const shifted = sides(frameOf(FRAME), laid(20, size64(30)), frameOf(FRAME), laid(24, size64(30)));
    expect(withoutShared(shifted).left).toHaveLength(4);
  });

  it('are all of both where the length was changed and is known', () => {
    for (const pseudo of [[], PSEUDO])
      for (const [from, to] of [
        [30, 34],
        [33, 30],
        [8, 300],
      ] as const) {
        const found = sides(
          frameOf(FRAME),
          laid(20, size64(from), { pseudo }),
          edited({ 25: X[0]! }),
          laid(20, size64(to), { pseudo }),
        );
        const more = pseudo.length > 0 ? 2 : 0;
        expect([found.came.length, found.left.length]).toEqual([from + more, to + more]);
      }
  });

  it('are words of the pseudo-header, too', () => {
    const came = laid(20, size64(30), { pseudo: PSEUDO });
    const pseudo = PSEUDO.map((byte, at) => (at === 3 || at === 8 ? X[at]! : byte));
    const found = sides(frameOf(FRAME), came, frameOf(FRAME), { ...came, pseudo });
    expect(named(found.left)).toBe('p2*256 x3*1 x8*256 p9*1');
    expect(named(found.came)).toBe('p2*256 p3*1 p8*256 p9*1');
  });

  it('are all of it where it has become another one', () => {
    const came = laid(20, size64(30), { pseudo: PSEUDO });
    const found = sides(frameOf(FRAME), came, frameOf(FRAME), { ...came, pseudo: bytes('y', 36) });
    expect([found.came.length, found.left.length]).toEqual([12, 36]);
    const none = sides(frameOf(FRAME), { ...came, pseudo: [] }, frameOf(FRAME), { ...came, pseudo: [] });
    expect(none).toEqual({ came: [], left: [] });
  });

  it('take no part of a message whose length nobody knows, unless it surely is so long', () => {
    const size = pool.zeroExtend(64, pool.unknown(16, 'size'));
    const come = (state: PathState, at: number) =>
      changedWords(state, frameOf(FRAME), laid(20, size), edited({ [20 + at]: X[0]! }), laid(20, size));
    const state = inputs.start(0);
    expect(come(state, 7)).toMatchObject({ left: [{}, {}] });
    expect(() => come(state, 8)).toThrow(Split);
    const long = inputs.start(0);
    long.knowledge.add(pool.less(size64(21), size), undefined);
    expect(come(long, 20)).toMatchObject({ left: [{}, {}] });
    expect(() => come(long, 22)).toThrow(Split);
    const short = inputs.start(0);
    short.knowledge.add(pool.less(size, size64(21)), undefined);
    expect(come(short, 22)).toEqual({ came: [], left: [] });
  });

  it('are sought in the first 256 bytes of a message', () => {
    const long = frameOf(bytes('p', 300));
    const came = laid(20, size64(270));
    const change = (at: number): TermFrame =>
      frameOf(bytes('p', 300).map((byte, place) => (place === at ? X[0]! : byte)));
    const count = (at: number): number => {
      const found = changedWords(inputs.start(0), long, came, change(at), came);
      return typeof found === 'string' ? -1 : found.left.length;
    };
    expect([count(20 + 254), count(20 + 255), count(20 + 256)]).toEqual([2, 2, 0]);
  });

  it('are not said of messages that become longer or shorter by who knows how much', () => {
    const [a, b] = ['a', 'b'].map((name) => pool.zeroExtend(64, pool.unknown(16, name)));
    const open = 'the message becomes longer or shorter';
    const say = (from: Term, to: Term, state = inputs.start(0)) =>
      changedWords(state, frameOf(FRAME), laid(20, from), frameOf(FRAME), laid(20, to));
    expect(say(a!, b!)).toBe(open);
    expect(say(a!, size64(30))).toBe(open);
    expect(say(size64(30), b!)).toBe(open);
    // The path knows that they are the same, though they are not the same term.
    const state = inputs.start(0);
    state.knowledge.add(pool.equal(a!, b!), undefined);
    expect(say(a!, b!, state)).toEqual({ came: [], left: [] });
  });
});

describe('what both sides share', () => {
  const [a, b] = X as [Term, Term];
  const without = (came: readonly Weighted[], left: readonly Weighted[]): [string, string] => {
    const found = withoutShared({ came: [...came], left: [...left] });
    return [named(found.came), named(found.left)];
  };

  it('is left out as often as both have it', () => {
    expect(without([[a, 1n]], [[a, 1n]])).toEqual(['', '']);
    expect(
      without(
        [
          [a, 1n],
          [a, 1n],
        ],
        [[a, 1n]],
      ),
    ).toEqual(['x0*1', '']);
    expect(
      without(
        [[a, 1n]],
        [
          [a, 1n],
          [a, 1n],
        ],
      ),
    ).toEqual(['', 'x0*1']);
    expect(
      without(
        [
          [a, 1n],
          [b, 1n],
        ],
        [[b, 1n]],
      ),
    ).toEqual(['x0*1', '']);
    expect(without([], [[b, 1n]])).toEqual(['', 'x1*1']);
    expect(without([[b, 1n]], [])).toEqual(['x1*1', '']);
  });

  it('is left out no more often than that', () => {
    expect(without([[a, 1n]], Array(3).fill([a, 1n]))).toEqual(['', 'x0*1 x0*1']);
    expect(without(Array(3).fill([a, 1n]), [[a, 1n]])).toEqual(['x0*1 x0*1', '']);
    expect(without([], Array(3).fill([a, 1n]))).toEqual(['', 'x0*1 x0*1 x0*1']);
  });

  it('is no byte of another weight', () => {
    expect(without([[a, 1n]], [[a, 256n]])).toEqual(['x0*1', 'x0*256']);
  });
});

describe('a message that is new', () => {
  it.each([0, 12])('is all on the side that leaves, with %i bytes of a pseudo-header', (count) => {
    const pseudo = PSEUDO.slice(0, count);
    for (const size of [8, 21, 256]) {
      const left = laid(20, size64(size), { pseudo });
      const found = freshWords(inputs.start(0), frameOf(bytes('p', 300)), left) as Sides;
      expect(found.came).toEqual([]);
      for (const seed of SEEDS) {
        const values = valuesOf(seed);
        expect(rest(sumOf(found.left, values))).toBe(rest(whole(frameOf(bytes('p', 300)), left, values)));
      }
    }
  });

  it('is not looked at where it is longer than 256 bytes, or where nobody knows how long', () => {
    const reason = 'a checksum over a message that is new';
    expect(freshWords(inputs.start(0), frameOf(FRAME), laid(20, size64(257)))).toBe(reason);
    expect(freshWords(inputs.start(0), frameOf(FRAME), laid(20, pool.unknown(64, 'size')))).toBe(reason);
  });
});

describe('a whole message as a form', () => {
  it.each([0, 12])('is its sum, with %i bytes of a pseudo-header', (count) => {
    const pseudo = PSEUDO.slice(0, count);
    const state = inputs.start(0);
    for (const size of [8, 21, 256]) {
      const one = laid(20, size64(size), { pseudo });
      const form = wholeForm(state, new OnesForms(pool, state.knowledge), frameOf(bytes('p', 300)), one)!;
      for (const seed of SEEDS) {
        const values = valuesOf(seed);
        expect(formValue(form, values)).toBe(rest(whole(frameOf(bytes('p', 300)), one, values)));
      }
    }
  });

  it('is none where it is longer than 256 bytes, or where nobody knows how long', () => {
    const state = inputs.start(0);
    const forms = new OnesForms(pool, state.knowledge);
    expect(wholeForm(state, forms, frameOf(FRAME), laid(20, size64(257)))).toBeUndefined();
    expect(wholeForm(state, forms, frameOf(FRAME), laid(20, pool.unknown(64, 'size')))).toBeUndefined();
  });
});
