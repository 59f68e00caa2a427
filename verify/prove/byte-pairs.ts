/**
 * Numbers are compared byte by byte where one of them lies in a packet: which comparisons of bytes are one comparison of what
 * they make together.
 */
import type { Term } from '../../sim/ebpf/symbolic/term.ts';

/** Where a byte lies: in the frame, in an entry, or as a part of a number, of which the lowest byte is the first. */
export interface BytePlace {
  readonly of: string;
  readonly at: number;
}

/** Bytes that lie one behind the other on the one side, and in a row on the other. */
export interface ByteRun {
  readonly one: readonly Term[];
  readonly other: readonly Term[];
}

interface Pair {
  readonly part: Term;
  readonly one: Term;
  readonly other: Term;
  readonly a: BytePlace;
  readonly b: BytePlace;
}

/**
 * @param placeOf of a byte that lies somewhere
 * @returns runs of two bytes and more, and the parts that belong to none
 */
export function byteRuns(
  parts: readonly Term[],
  placeOf: (byte: Term) => BytePlace | undefined,
): { readonly runs: readonly ByteRun[]; readonly others: readonly Term[] } {
  const pairs = parts.flatMap((part) => pairOf(part, placeOf) ?? []);
  pairs.sort((x, y) => compare(x.a.of, y.a.of) || compare(x.b.of, y.b.of) || x.a.at - y.a.at);
  const found: Pair[][] = [];
  for (const pair of pairs) {
    const run = found.at(-1);
    if (run !== undefined && continues(run, pair)) run.push(pair);
    else found.push([pair]);
  }
  const long = found.filter((run) => run.length > 1);
  const taken = new Set(long.flat().map(({ part }) => part));
  return {
    runs: long.map((run) => ({ one: run.map(({ one }) => one), other: run.map(({ other }) => other) })),
    others: parts.filter((part) => !taken.has(part)),
  };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The sides in one order, whichever order a comparison has. */
function pairOf(part: Term, placeOf: (byte: Term) => BytePlace | undefined): Pair | undefined {
  const [one, other] = part.operands;
  if (part.operation !== 'eq' || one!.width !== 8) return undefined;
  const [a, b] = [placeIn(one!, placeOf), placeIn(other!, placeOf)];
  if (a === undefined || b === undefined) return undefined;
  return a.of < b.of || (a.of === b.of && a.at < b.at)
    ? { part, one: one!, other: other!, a, b }
    : { part, one: other!, other: one!, a: b, b: a };
}

function placeIn(byte: Term, placeOf: (byte: Term) => BytePlace | undefined): BytePlace | undefined {
  const place = placeOf(byte);
  if (place !== undefined || byte.operation !== 'extract' || byte.low % 8 !== 0) return place;
  return { of: `number ${byte.operands[0]!.id}`, at: byte.low / 8 };
}

/** Is it the next byte on both sides, in the direction that the run has on the other one? */
function continues(run: readonly Pair[], { a, b }: Pair): boolean {
  const last = run.at(-1)!;
  if (last.a.of !== a.of || last.b.of !== b.of || last.a.at + 1 !== a.at) return false;
  const step = b.at - last.b.at;
  return run.length === 1 ? Math.abs(step) === 1 : step === last.b.at - run.at(-2)!.b.at;
}
