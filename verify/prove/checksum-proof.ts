/**
 * Proves that a checksum that came right leaves right, on one path, whatever the message holds and however long it is.
 *
 * By arithmetic modulo 65535 (`ones-form.ts`): what left minus what came has to be 0, with the help of what the path
 * knows to be equal; and not everything that is covered may be 0, since then 0x0000 does not verify. Where that does not
 * do, packets that break it are looked for (`checksum-search.ts`), and last the solver is asked whether there are any.
 */
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import { Enumerate, type PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Assignment, isConst, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import {
  changedWords,
  freshWords,
  MOST_MESSAGE,
  type Weighted,
  wholeForm,
  withoutShared,
} from './changed-words.ts';
import { suspects } from './checksum-search.ts';
import type { LaidChecksum, TermFrame } from './frame-layout.ts';
import { OnesForm, OnesForms } from './ones-form.ts';
import { fold, isNotZero } from './ones-term.ts';

export type ChecksumVerdict =
  /** @property except - packets that it does not hold for, as they came wrong in something else */
  | { readonly kind: 'proved'; readonly except?: string }
  /** A packet was seen to break it. */
  | { readonly kind: 'refuted' }
  | { readonly kind: 'undecided'; readonly reason: string };

/**
 * Tries packets made of values that may break a checksum.
 * @param keep unknowns that are to stay as they are
 * @returns whether one did
 */
export type Attempt = (values: Assignment, keep: ReadonlySet<Term>) => boolean;

const PROVED: ChecksumVerdict = { kind: 'proved' };
const REFUTED: ChecksumVerdict = { kind: 'refuted' };
const NONE: ReadonlySet<Term> = new Set();

/** A message of so many possible sizes is proved size by size. */
const MOST_SIZES = 64n;

/** What a proof is about: a path, and one checksum as it came and as it left. */
export interface ChecksumCase {
  readonly state: PathState;
  readonly before: TermFrame;
  /** Undefined: the program made the header. */
  readonly came: LaidChecksum | undefined;
  readonly after: TermFrame;
  readonly left: LaidChecksum;
}

/**
 * @throws {Split} where it matters whether a changed byte is part of the message
 * @throws {Enumerate} where it matters how long the message is
 */
export async function proveChecksum(
  one: ChecksumCase,
  feasibility: Feasibility,
  attempt: Attempt,
): Promise<ChecksumVerdict> {
  const { state, before, after, left } = one;
  if (left.layer === 'udp' && left.isAbsent) return absent(one, feasibility, attempt);
  const isNew = one.came === undefined || (one.came.layer === 'udp' && one.came.isAbsent);
  const came = isNew ? undefined : one.came;
  if (one.came !== undefined && isNew) {
    // A checksum for a packet that had none: it would have to be computed from all of the message.
    if (state.values !== undefined && attempt(state.values, NONE)) return REFUTED;
    // Over IPv6 it came wrong (RFC 8200 §8.1).
    if (one.came.overIpv6) return PROVED;
  }
  const sides =
    came === undefined ? freshWords(state, after, left) : changedWords(state, before, came, after, left);
  if (typeof sides === 'string') return { kind: 'undecided', reason: sides };
  if (sides.came.length === 0 && sides.left.length === 0) return PROVED;
  const forms = new OnesForms(state.pool, state.knowledge);
  const difference = new OnesForm();
  for (const [byte, weight] of sides.left) difference.add(forms.of(byte), weight);
  for (const [byte, weight] of sides.came) difference.add(forms.of(byte), -weight);
  const whole = came === undefined ? undefined : wholeForm(state, forms, before, came);
  const found = await vanishing(state, forms, difference, whole, feasibility);
  if (found.vanishes) return (await mayBeAllZero(one, feasibility, attempt)) ?? PROVED;
  if (await neverFits(one, feasibility)) return { kind: 'proved', except: IMPOSSIBLE_OFFSET };
  const keep = new Set([...found.form.factors.keys()].flatMap((term) => [...unknownsOf(term)]));
  for await (const values of suspects(state, found.form, feasibility)) {
    if (attempt(values, keep)) return REFUTED;
  }
  if (came !== undefined && whole === undefined) bySize(state, before, came, keep);
  return askSolver(one, found.form, keep, feasibility, attempt);
}

const IMPOSSIBLE_OFFSET = 'TCP with an impossible data offset';

/** Does the TCP header that came lie within its segment? Where it does not, nobody takes it for one. */
function fits({ state: { pool }, before, came }: ChecksumCase): Term {
  if (came?.layer !== 'tcp') return pool.true;
  const words = pool.extract(before.byte(came.start + 12), 4, 4);
  const isShort = pool.less(words, pool.constant(4, 5));
  const bytes = pool.shiftLeft(pool.zeroExtend(64, words), 2);
  return pool.not(pool.or(isShort, pool.less(came.size, bytes)));
}

async function neverFits(one: ChecksumCase, feasibility: Feasibility): Promise<boolean> {
  const condition = fits(one);
  if (isConst(condition)) return condition.value === 0n;
  const { knowledge, values } = one.state;
  return (await feasibility.ask(knowledge, condition, values)).answer === 'no';
}

/**
 * What is computed anew from bytes that stayed as they are is compared with all of the message, whose size has to be known.
 * @throws {Enumerate} where it is not
 */
function bySize(
  state: PathState,
  before: TermFrame,
  { start, size }: LaidChecksum,
  keep: ReadonlySet<Term>,
): void {
  const { min, max } = state.knowledge.range(size);
  if (min === max || max - min > MOST_SIZES) return;
  for (let at = 0; at < Number(max); at++) if (keep.has(before.byte(start + at))) throw new Enumerate(size);
}

/** A UDP checksum that leaves as 0: taken off on purpose, there was none, or one that was computed and came out as 0. */
async function absent(
  { state, before, came, after, left }: ChecksumCase,
  feasibility: Feasibility,
  attempt: Attempt,
): Promise<ChecksumVerdict> {
  if (came === undefined) return PROVED;
  if (came.isAbsent && came.overIpv6 === left.overIpv6) return PROVED;
  const field = state.pool.concat([after.byte(left.start + left.at), after.byte(left.start + left.at + 1)]);
  if (isConst(field) && !left.overIpv6) return PROVED;
  const reason = 'the UDP checksum leaves as 0, which says that there is none';
  if (state.values !== undefined && attempt(state.values, NONE)) return REFUTED;
  const sides = changedWords(state, before, came, after, left);
  if (typeof sides === 'string') return { kind: 'undecided', reason: sides };
  const question = isRightSum(state, withoutShared(sides).came, true);
  const feasible = await feasibility.ask(state.knowledge, question, state.values);
  if (feasible.answer === 'no') return PROVED;
  if (feasible.answer === 'unknown') return { kind: 'undecided', reason: feasible.reason };
  if (attempt(feasible.values, NONE)) return REFUTED;
  return { kind: 'undecided', reason: notSeen(reason) };
}

function notSeen(reason: string): string {
  return `${reason}: no packet was found that shows it`;
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

/**
 * Is a form 0 on this path, by itself or with something that the path knows to be equal?
 * @returns the form of fewest terms that is worth the same
 */
async function vanishing(
  state: PathState,
  forms: OnesForms,
  form: OnesForm,
  whole: OnesForm | undefined,
  feasibility: Feasibility,
): Promise<{ readonly vanishes: boolean; readonly form: OnesForm }> {
  let least = form;
  for (const candidate of withRelations(state, forms, form, whole)) {
    if (candidate.isZero || (await carriesVanish(state, candidate, feasibility))) {
      return { vanishes: true, form: candidate };
    }
    if (candidate.factors.size < least.factors.size) least = candidate;
  }
  return { vanishes: false, form: least };
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
  { state, before, came, after, left }: ChecksumCase,
  feasibility: Feasibility,
  attempt: Attempt,
): Promise<ChecksumVerdict | undefined> {
  const { pool, knowledge } = state;
  const field = pool.concat([after.byte(left.start + left.at), after.byte(left.start + left.at + 1)]);
  const isNonZero = (byte: Term): boolean => byte.ones !== 0n || knowledge.range(byte).min > 0n;
  if (left.layer !== 'udp') {
    if (left.pseudo.some(isNonZero)) return undefined;
    for (let at = 0; at < left.header; at++) if (isNonZero(after.byte(left.start + at))) return undefined;
  }
  const isZero = (byte: Term): Term => pool.equal(byte, pool.constant(8, 0));
  const conditions = [pool.equal(field, pool.constant(16, 0))];
  // Of others nothing may be anything but 0.
  if (left.layer !== 'udp') {
    for (let at = 0; at < left.header; at++) conditions.push(isZero(after.byte(left.start + at)));
    // The rest is as it came, unless the checksum was made of it.
    const asked = unknownsOf(field);
    const most = Math.min(MOST_MESSAGE, Number(knowledge.range(left.size).max));
    for (let at = left.header; at < most; at++) {
      const byte = after.byte(left.start + at);
      if (![...unknownsOf(byte)].some((one) => asked.has(one))) continue;
      const isBehind = pool.not(pool.less(pool.constant(64, at), left.size));
      conditions.push(pool.or(isBehind, isZero(byte)));
    }
    // What came as zeros came wrong already.
    if (came !== undefined && came.header === left.header && came.pseudo.length === 0) {
      const header = Array.from({ length: came.header }, (_, at) => before.byte(came.start + at));
      conditions.push(pool.not(pool.all(header.map(isZero))));
    }
  }
  const feasible = await feasibility.ask(knowledge, pool.all(conditions), state.values);
  if (feasible.answer === 'no') return undefined;
  if (feasible.answer === 'unknown') return { kind: 'undecided', reason: feasible.reason };
  if (attempt(feasible.values, NONE)) return REFUTED;
  const reason =
    left.layer === 'udp'
      ? 'a checksum that comes out as 0x0000 leaves as that, which says “none”'
      : 'a message of zeros leaves with the checksum 0x0000, which does not verify';
  return { kind: 'undecided', reason: notSeen(reason) };
}

/** Can what left minus what came be anything but 0? */
async function askSolver(
  one: ChecksumCase,
  form: OnesForm,
  keep: ReadonlySet<Term>,
  feasibility: Feasibility,
  attempt: Attempt,
): Promise<ChecksumVerdict> {
  const { state, left } = one;
  const fitting = fits(one);
  const isWrong = state.pool.and(isNotZero(state, form), fitting);
  const feasible = await feasibility.ask(state.knowledge, isWrong, state.values);
  if (feasible.answer === 'no' && fitting !== state.pool.true)
    return (await mayBeAllZero(one, feasibility, attempt)) ?? { kind: 'proved', except: IMPOSSIBLE_OFFSET };
  if (feasible.answer === 'no') return (await mayBeAllZero(one, feasibility, attempt)) ?? PROVED;
  if (feasible.answer === 'unknown') return { kind: 'undecided', reason: feasible.reason };
  if (attempt(feasible.values, keep)) return REFUTED;
  return { kind: 'undecided', reason: notSeen(`the ${left.layer} checksum is wrong afterwards`) };
}
