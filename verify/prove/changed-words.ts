/** What of a message differs from how it came, as bytes with their weights in the Internet checksum. */
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term } from '../../sim/ebpf/symbolic/term.ts';
import type { LaidChecksum, TermFrame } from './frame-layout.ts';
import { OnesForm, type OnesForms } from './ones-form.ts';

/** How long a message may be of which every byte is looked at. */
export const MOST_MESSAGE = 256;

/** Bytes with their weight in the sum: 256 at even places, 1 at odd ones. */
export type Weighted = readonly [byte: Term, weight: bigint];

export interface Sides {
  readonly came: Weighted[];
  readonly left: Weighted[];
}

function weight(place: number): bigint {
  return place % 2 === 0 ? 256n : 1n;
}

/** What differs between the message as it came and as it left. */
export function changedWords(
  state: PathState,
  before: TermFrame,
  came: LaidChecksum,
  after: TermFrame,
  left: LaidChecksum,
): Sides | string {
  const { pool, knowledge } = state;
  const sides: Sides = { came: [], left: [] };
  const sameSize = came.size === left.size || isTrue(state, pool.equal(came.size, left.size));
  if (!sameSize) {
    // Both sizes known: all of both counts.
    const [old, now] = [knowledge.only(came.size), knowledge.only(left.size)];
    if (old === undefined || now === undefined) return 'the message becomes longer or shorter';
    for (let at = 0; at < Number(old); at++) sides.came.push([before.byte(came.start + at), weight(at)]);
    for (let at = 0; at < Number(now); at++) sides.left.push([after.byte(left.start + at), weight(at)]);
  } else {
    const most = Number(knowledge.range(left.size).max);
    const room = Math.min(most, MOST_MESSAGE);
    for (let at = 0; at < room; at += 2) {
      const places = [at, at + 1].filter((one) => one < room);
      const isSame = places.every((one) => before.byte(came.start + one) === after.byte(left.start + one));
      if (isSame) continue;
      for (const place of places) {
        const isInside = place < left.header || state.decide(pool.less(pool.constant(64, place), left.size));
        if (!isInside) continue;
        sides.came.push([before.byte(came.start + place), weight(place)]);
        sides.left.push([after.byte(left.start + place), weight(place)]);
      }
    }
  }
  const pairs = [...came.pseudo.keys()].filter(
    (at) => came.pseudo.length !== left.pseudo.length || came.pseudo[at] !== left.pseudo[at],
  );
  if (came.pseudo.length !== left.pseudo.length) {
    for (const [at, byte] of came.pseudo.entries()) sides.came.push([byte, weight(at)]);
    for (const [at, byte] of left.pseudo.entries()) sides.left.push([byte, weight(at)]);
  } else {
    // Whole words, so that the solver can put them together.
    const words = new Set(pairs.map((at) => at & ~1));
    for (const at of words) {
      for (const place of [at, at + 1]) {
        sides.came.push([came.pseudo[place]!, weight(place)]);
        sides.left.push([left.pseudo[place]!, weight(place)]);
      }
    }
  }
  if (!sameSize && left.pseudo.length > 0) {
    for (const [side, size] of [
      [sides.came, came.size],
      [sides.left, left.size],
    ] as const) {
      side.push([pool.extract(size, 8, 8), 256n], [pool.extract(size, 0, 8), 1n]);
    }
  }
  return sides;
}

/** All of a header that the program made. */
export function freshWords(state: PathState, after: TermFrame, left: LaidChecksum): Sides | string {
  const size = state.knowledge.only(left.size);
  if (size === undefined || size > BigInt(MOST_MESSAGE)) return 'a checksum over a message that is new';
  const bytes: Weighted[] = Array.from({ length: Number(size) }, (_, at) => [
    after.byte(left.start + at),
    weight(at),
  ]);
  const { pool } = state;
  const pseudo: Weighted[] = left.pseudo.map((byte, at) => [byte, weight(at)]);
  if (pseudo.length > 0)
    pseudo.push([pool.extract(left.size, 8, 8), 256n], [pool.extract(left.size, 0, 8), 1n]);
  return { came: [], left: [...bytes, ...pseudo] };
}

function isTrue(state: PathState, condition: Term): boolean {
  const settled = state.knowledge.settle(condition);
  return isConst(settled) && settled.value === 1n;
}

/** All that a checksum covers, and itself, as the packet came: 0, since it came right. Of a message whose size is known. */
export function wholeForm(
  { knowledge, pool }: PathState,
  forms: OnesForms,
  before: TermFrame,
  { start, size, pseudo }: LaidChecksum,
): OnesForm | undefined {
  const known = knowledge.only(size);
  if (known === undefined || known > BigInt(MOST_MESSAGE)) return undefined;
  const form = new OnesForm();
  for (let at = 0; at < Number(known); at++) form.add(forms.of(before.byte(start + at)), weight(at));
  for (const [at, byte] of pseudo.entries()) form.add(forms.of(byte), weight(at));
  if (pseudo.length > 0) form.add(forms.of(pool.extract(size, 0, 16)), 1n);
  return form;
}

/** What is on both sides, wherever it stands, is part of the rest. */
export function withoutShared(sides: Sides): Sides {
  const counts = new Map<string, number>();
  const key = ([byte, factor]: Weighted): string => `${byte.id} ${factor}`;
  for (const one of sides.came) counts.set(key(one), (counts.get(key(one)) ?? 0) + 1);
  const left = sides.left.filter((one) => {
    const count = counts.get(key(one)) ?? 0;
    if (count > 0) counts.set(key(one), count - 1);
    return count === 0;
  });
  const came = sides.came.filter((one) => {
    const count = counts.get(key(one))!;
    counts.set(key(one), count - 1);
    return count > 0;
  });
  return { came, left };
}
