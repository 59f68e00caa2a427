/**
 * Proves that a checksum that came right leaves right, on one path, whatever the message holds and however long it is.
 *
 * First by arithmetic modulo 65535 (`ones-form.ts`): what left minus what came has to be 0, with the help of what the path
 * knows to be equal; and not everything that is covered may be 0, since then 0x0000 does not verify. Where that does not
 * do, the solver gets the words that changed, and one word for the sum of the rest.
 */
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Assignment, isConst, type Term } from '../../sim/ebpf/symbolic/term.ts';
import type { LaidChecksum, TermFrame } from './frame-layout.ts';
import { OnesForm, OnesForms } from './ones-form.ts';

export type ChecksumVerdict =
  | { readonly kind: 'proved' }
  /** Values of which one may break it: to be tried. `rest` is the sum of what did not change. */
  | { readonly kind: 'suspect'; readonly values: Assignment; readonly reason: string }
  | { readonly kind: 'undecided'; readonly reason: string };

const PROVED: ChecksumVerdict = { kind: 'proved' };

/** How long a header whose checksum is computed anew may be. */
const MOST_FRESH = 64;

/**
 * @param came undefined: the program made the header
 * @throws {Split} where it matters whether a changed byte is part of the message
 */
export async function proveChecksum(
  state: PathState,
  before: TermFrame,
  came: LaidChecksum | undefined,
  after: TermFrame,
  left: LaidChecksum,
  feasibility: Feasibility,
): Promise<ChecksumVerdict> {
  const { pool } = state;
  if (left.layer === 'udp' && left.isAbsent) return absent(state, before, came, after, left, feasibility);
  if (came !== undefined && came.layer === 'udp' && came.isAbsent) {
    if (state.values === undefined)
      return { kind: 'undecided', reason: 'a UDP checksum of 0 becomes another number' };
    return { kind: 'suspect', values: state.values, reason: 'a UDP checksum of 0 becomes another number' };
  }
  const sides =
    came === undefined ? freshWords(state, after, left) : changedWords(state, before, came, after, left);
  if (typeof sides === 'string') return { kind: 'undecided', reason: sides };
  const forms = new OnesForms(pool, state.knowledge);
  const difference = new OnesForm();
  for (const [byte, weight] of sides.left) difference.add(forms.of(byte), weight);
  for (const [byte, weight] of sides.came) difference.add(forms.of(byte), -weight);
  const whole = came === undefined ? undefined : wholeForm(state, forms, before, came);
  if (await vanishes(state, forms, difference, whole, feasibility)) {
    return (await mayBeAllZero(state, after, left, feasibility)) ?? PROVED;
  }
  return askSolver(state, sides, came !== undefined, left, feasibility);
}

/** A UDP checksum that leaves as 0: taken off on purpose, there was none, or one that was computed and came out as 0. */
async function absent(
  state: PathState,
  before: TermFrame,
  came: LaidChecksum | undefined,
  after: TermFrame,
  left: LaidChecksum,
  feasibility: Feasibility,
): Promise<ChecksumVerdict> {
  if (came === undefined) return PROVED;
  if (came.isAbsent && came.overIpv6 === left.overIpv6) return PROVED;
  const field = state.pool.concat([after.byte(left.start + left.at), after.byte(left.start + left.at + 1)]);
  if (isConst(field) && !left.overIpv6) return PROVED;
  const sides = changedWords(state, before, came, after, left);
  if (typeof sides === 'string') return { kind: 'undecided', reason: sides };
  const question = isRightSum(state, withoutShared(sides).came, true);
  const feasible = await feasibility.ask(state.knowledge, question, state.values);
  if (feasible.answer === 'no') return PROVED;
  if (feasible.answer === 'unknown') return { kind: 'undecided', reason: feasible.reason };
  const reason = 'the UDP checksum leaves as 0, which says that there is none';
  return { kind: 'suspect', values: feasible.values, reason };
}

/** Do words, and with them the rest that did not change, verify? */
function isRightSum({ pool, knowledge }: PathState, side: readonly Weighted[], hasRest: boolean): Term {
  const parts: (readonly [Term, bigint])[] = side.map(([byte, factor]) => {
    const known = knowledge.only(byte);
    return [known === undefined ? pool.zeroExtend(32, byte) : pool.constant(32, known), factor];
  });
  if (hasRest) parts.push([pool.zeroExtend(32, pool.unknown(16, 'rest')), 1n]);
  return pool.equal(fold(pool, pool.sum(32, 0n, parts)), pool.constant(32, 0xffff));
}

/** Bytes with their weight in the sum: 256 at even places, 1 at odd ones. */
type Weighted = readonly [byte: Term, weight: bigint];

interface Sides {
  readonly came: Weighted[];
  readonly left: Weighted[];
}

function weight(place: number): bigint {
  return place % 2 === 0 ? 256n : 1n;
}

/** What differs between the message as it came and as it left. */
function changedWords(
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

const MOST_MESSAGE = 256;

/** All of a header that the program made. */
function freshWords(state: PathState, after: TermFrame, left: LaidChecksum): Sides | string {
  const size = state.knowledge.only(left.size);
  if (size === undefined || size > BigInt(MOST_FRESH)) return 'a checksum over a message that is new';
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
function wholeForm(
  { knowledge, pool }: PathState,
  forms: OnesForms,
  before: TermFrame,
  { start, size, pseudo }: LaidChecksum,
): OnesForm | undefined {
  const known = knowledge.only(size);
  if (known === undefined || known > BigInt(MOST_FRESH)) return undefined;
  const form = new OnesForm();
  for (let at = 0; at < Number(known); at++) form.add(forms.of(before.byte(start + at)), weight(at));
  for (const [at, byte] of pseudo.entries()) form.add(forms.of(byte), weight(at));
  if (pseudo.length > 0) form.add(forms.of(pool.extract(size, 0, 16)), 1n);
  return form;
}

/** Is a form 0 on this path, by itself or with something that the path knows to be equal? */
async function vanishes(
  state: PathState,
  forms: OnesForms,
  form: OnesForm,
  whole: OnesForm | undefined,
  feasibility: Feasibility,
): Promise<boolean> {
  for (const candidate of withRelations(state, forms, form, whole)) {
    if (candidate.isZero || (await carriesVanish(state, candidate, feasibility))) return true;
  }
  return false;
}

/** @param whole a form that is 0: programs that compute a checksum anew need it */
function* withRelations(
  state: PathState,
  forms: OnesForms,
  form: OnesForm,
  whole: OnesForm | undefined,
): Generator<OnesForm> {
  yield form;
  if (whole !== undefined) for (const factor of [1n, -1n]) yield form.plus(whole, factor);
  for (const { condition } of state.constraints) {
    for (const relation of equalitiesOf(condition)) {
      const [a, b] = relation.operands as [Term, Term];
      if (a.width < 8) continue;
      const equation = forms.structure(a).plus(forms.structure(b), -1n);
      if (equation.isZero) continue;
      for (const factor of [1n, -1n, 256n, -256n]) yield form.plus(equation, factor);
    }
  }
}

/** Carries that are left over after folding: so many of one bit, of which every combination is looked at. */
const MOST_CARRIES = 5;

/**
 * Nothing but carries is left: `s + (s >> 16)` carries once more where `s` did, which arithmetic modulo 65535 does not see.
 * Is the form 0 for each combination of carries that is possible?
 */
async function carriesVanish(state: PathState, form: OnesForm, feasibility: Feasibility): Promise<boolean> {
  const { pool, knowledge } = state;
  const carries = [...form.factors];
  if (carries.length > MOST_CARRIES || carries.some(([term]) => knowledge.range(term).max > 1n)) return false;
  for (let combination = 0; combination < 1 << carries.length; combination++) {
    let sum = form.constant;
    const conditions = carries.map(([term, factor], index) => {
      const bit = BigInt((combination >> index) & 1);
      sum += factor * bit;
      return pool.equal(term, pool.constant(term.width, bit));
    });
    if (sum % 65_535n === 0n) continue;
    const feasible = await feasibility.ask(knowledge, pool.all(conditions), state.values);
    if (feasible.answer !== 'no') return false;
  }
  return true;
}

function equalitiesOf(condition: Term): Term[] {
  if (condition.operation === 'eq') return [condition];
  return condition.operation === 'and' ? condition.operands.flatMap(equalitiesOf) : [];
}

/**
 * The sum is 0 modulo 65535 as it has to be; but it is 0xFFFF only where not everything is 0, and a UDP checksum that
 * comes out as 0 has to be sent as 0xFFFF.
 * @returns undefined: it is not
 */
async function mayBeAllZero(
  state: PathState,
  after: TermFrame,
  left: LaidChecksum,
  feasibility: Feasibility,
): Promise<ChecksumVerdict | undefined> {
  const { pool, knowledge } = state;
  const field = pool.concat([after.byte(left.start + left.at), after.byte(left.start + left.at + 1)]);
  const isNonZero = (byte: Term): boolean => byte.ones !== 0n || knowledge.range(byte).min > 0n;
  if (left.layer !== 'udp') {
    if (left.pseudo.some(isNonZero)) return undefined;
    for (let at = 0; at < left.header; at++) if (isNonZero(after.byte(left.start + at))) return undefined;
  }
  const zeros = [pool.equal(field, pool.constant(16, 0))];
  // Of others nothing may be anything but 0.
  if (left.layer !== 'udp') {
    for (let at = 0; at < left.header; at++) {
      zeros.push(pool.equal(after.byte(left.start + at), pool.constant(8, 0)));
    }
  }
  const feasible = await feasibility.ask(knowledge, pool.all(zeros), state.values);
  if (feasible.answer === 'no') return undefined;
  if (feasible.answer === 'unknown') return { kind: 'undecided', reason: feasible.reason };
  const reason =
    left.layer === 'udp'
      ? 'a checksum that comes out as 0x0000 leaves as that, which says “none”'
      : 'a message of zeros leaves with the checksum 0x0000, which does not verify';
  return { kind: 'suspect', values: feasible.values, reason };
}

async function askSolver(
  state: PathState,
  sides: Sides,
  hadOne: boolean,
  left: LaidChecksum,
  feasibility: Feasibility,
): Promise<ChecksumVerdict> {
  const { pool, knowledge } = state;
  const { came, left: now } = withoutShared(sides);
  const wrong = pool.not(isRightSum(state, now, hadOne));
  const question = hadOne ? pool.and(isRightSum(state, came, true), wrong) : wrong;
  const feasible = await feasibility.ask(knowledge, question, state.values);
  if (feasible.answer === 'no') return PROVED;
  if (feasible.answer === 'unknown') return { kind: 'undecided', reason: feasible.reason };
  return {
    kind: 'suspect',
    values: feasible.values,
    reason: `the ${left.layer} checksum is wrong afterwards`,
  };
}

/** What is on both sides, wherever it stands, is part of the rest. */
function withoutShared(sides: Sides): Sides {
  const counts = new Map<string, number>();
  const key = ([byte, factor]: Weighted): string => `${byte.id} ${factor}`;
  for (const one of sides.came) counts.set(key(one), (counts.get(key(one)) ?? 0) + 1);
  const left = sides.left.filter((one) => {
    const count = counts.get(key(one)) ?? 0;
    if (count > 0) counts.set(key(one), count - 1);
    return count === 0;
  });
  const came = sides.came.filter((one) => {
    const count = counts.get(key(one)) ?? 0;
    if (count > 0) counts.set(key(one), count - 1);
    return count > 0;
  });
  return { came, left };
}

function fold(pool: PathState['pool'], sum: Term): Term {
  let folded = sum;
  for (let round = 0; round < 2; round++) {
    const low = pool.zeroExtend(32, pool.extract(folded, 0, 16));
    folded = pool.add(low, pool.zeroExtend(32, pool.extract(folded, 16, 16)));
  }
  return folded;
}
