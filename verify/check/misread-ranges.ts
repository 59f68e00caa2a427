/**
 * Numbers of a field that a program tells from the others, as it reads them if it forgets their byte order: do they lie side by side
 * then? Of numbers that are read the right way round, those that decide lie side by side themselves, and are scattered all over
 * once their bytes are swapped.
 */
import { swapped } from '../../sim/packet/checksum.ts';
import type { NumberKind } from './number-domains.ts';

/** Numbers from and to, both of them among those. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Does a number come to the same as the first one? Undefined: its packet does not run to its end. */
export type Alike = (misread: number) => Promise<boolean | undefined>;

/** Numbers that show whether it depends on the number at all: beside any threshold that is meant there is one on the other side. */
const QUICK = [1, 3, 300, 2500, 20_000, 60_000];
/** Numbers from all over that have to fit before all of a kind are tried. */
const FEW = 48;
/** And then: an odd step, so that all lower bytes come with many upper ones. */
const STEP = 13;
/** Numbers that are neighbours as they are meant: so far from an end. */
const NEAR = [1, 2, 3, 8];
const LOWER_BYTE = 0x100;
/** Fewer side by side are numbers of their own, or chance. */
const LEAST = 3;
/** Of ports: a third of all numbers, and more, is what whoever spreads load compares with. */
const MOST = 20_480;
/** Of lengths: larger multiples of 256 may be a test of the lower byte. */
const MOST_ROUND = 0x1000;
/** Below it, ports are those of the system (RFC 6335 §6). */
const SYSTEM_PORTS = 1024;

/**
 * The range around a number that its program takes apart, where that is a range of misread numbers and of nothing else.
 * @param size how many numbers there are
 */
export async function misreadRange(
  own: number,
  size: number,
  kind: NumberKind,
  alike: Alike,
): Promise<Range | undefined> {
  const ends = await endsAround(own, size, alike);
  if (ends === undefined || !isMeant(ends, size, kind)) return undefined;
  const fits = async (numbers: Iterable<number>): Promise<boolean> => {
    for (const number of numbers) {
      const is = await alike(number);
      if (is !== isIn(ends, number)) return false;
    }
    return true;
  };
  if (!(await fits(neighboursOf(ends, size)))) return undefined;
  if (!(await fits(spread(size, Math.floor(size / FEW) | 1)))) return undefined;
  return (await fits(spread(size, STEP))) ? ends : undefined;
}

/** A few numbers that tell whether it holds of another packet, too. */
export function tellingNumbers({ low, high }: Range, size: number): number[] {
  const around = [low - 1, low, (low + high) >> 1, high, high + 1];
  const all = [...around, ...spread(size, Math.floor(size / 16) | 1)];
  return all.filter((number) => number >= 0 && number < size);
}

export function isIn({ low, high }: Range, number: number): boolean {
  return number >= low && number <= high;
}

/** "at least 1401", "below 8", "6881 to 6889", "100". */
export function rangeText({ low, high }: Range, size: number): string {
  if (low === high) return `${low}`;
  if (low === 0) return `below ${high + 1}`;
  return high === size - 1 ? `at least ${low}` : `${low} to ${high}`;
}

async function endsAround(own: number, size: number, alike: Alike): Promise<Range | undefined> {
  const others = new Set<number>();
  for (const number of QUICK.filter((one) => one < size)) {
    const is = await alike(number);
    if (is === undefined) return undefined;
    if (!is) others.add(number);
  }
  if (others.size === 0) return undefined;
  const below = Math.max(...[...others].filter((number) => number < own), -1);
  const above = Math.min(...[...others].filter((number) => number > own), size);
  return { low: (await edge(below, own, alike)) ?? own, high: (await edge(above, own, alike)) ?? own };
}

/** The last number that is alike on the way from one that is to one that is not, or to the end. */
async function edge(outside: number, inside: number, alike: Alike): Promise<number | undefined> {
  let [away, here] = [outside, inside];
  // Beyond the quick ones nothing is known: the first or last number may be alike.
  while (Math.abs(away - here) > 1) {
    const middle = (away + here) >> 1;
    const is = await alike(middle);
    if (is === undefined) return undefined;
    if (is) here = middle;
    else away = middle;
  }
  return here;
}

/** Can somebody mean these, and can nobody mean anything else by them, as a mask of bits or the lower byte? */
function isMeant({ low, high }: Range, size: number, kind: NumberKind): boolean {
  const count = high - low + 1;
  // As it is meant, such a range of VLAN ids is one of their lowest four bits.
  if (kind === 'vlan') return count === 1 || (!isMask(low, count) && !isOfLowerByte({ low, high }, size));
  const edges = edgesOf({ low, high }, size);
  if (edges.length === 0 || count < LEAST || size - count < LEAST) return false;
  if (edges.length === 1) return isThreshold(edges[0]!, kind);
  return !isMask(low, count) && !isOfLowerByte({ low, high }, size) && count < size / 2;
}

/** Is a range as numbers are meant one of their lower byte alone, whatever the upper one is? */
export function isOfLowerByte(range: Range, size: number): boolean {
  return edgesOf(range, size).every((edge) => edge % LOWER_BYTE === 0);
}

/** Where it begins and ends, but for the first and the last number of all. */
function edgesOf({ low, high }: Range, size: number): number[] {
  return [low, high + 1].filter((edge) => edge > 0 && edge < size);
}

/** Is it a limit that somebody sets? */
function isThreshold(edge: number, kind: NumberKind): boolean {
  const isRound = edge % LOWER_BYTE === 0;
  if (kind !== 'port') return !isRound || edge < MOST_ROUND;
  return edge === SYSTEM_PORTS || (edge > LOWER_BYTE && edge <= MOST && !isRound);
}

/** Numbers that are alike in all bits but the lowest ones: a mask and one comparison find them. */
function isMask(low: number, count: number): boolean {
  return (count & (count - 1)) === 0 && low % count === 0;
}

/** What is next to the ends, as it is read and as it is meant. */
function* neighboursOf({ low, high }: Range, size: number): Generator<number, void, void> {
  for (const end of [low - 1, low, high, high + 1]) {
    if (end < 0 || end >= size) continue;
    yield end;
    for (const by of NEAR) {
      for (const meant of [swapped(end) - by, swapped(end) + by])
        if (meant >= 0 && meant <= 0xffff && swapped(meant) < size) yield swapped(meant);
    }
  }
}

function* spread(size: number, step: number): Generator<number, void, void> {
  for (let number = 0; number < size; number += step) yield number;
  yield size - 1;
}
