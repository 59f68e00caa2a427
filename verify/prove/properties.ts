/** What must hold of every packet, asked of every path: of the run, and of the frame that leaves. */
import { packetByte } from '../../sim/ebpf/symbolic/access.ts';
import { enumerate, follow, split } from '../../sim/ebpf/symbolic/explore.ts';
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import { Enumerate, type PathState, Split } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Assignment, Term } from '../../sim/ebpf/symbolic/term.ts';
import type { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { letOthersTurn } from '../../sim/runtime/turns.ts';
import { hasContents } from '../check/probe.ts';
import { proveChecksum } from './checksum-proof.ts';
import type { Confirmer } from './confirm.ts';
import { ContentsGuide, contentsBeside, contentsIn } from './contents.ts';
import { faultText } from './fault-text.ts';
import { FragmentPorts } from './fragment-ports.ts';
import { FRAGMENT, type LaidChecksum, layoutOf, type TermFrame } from './frame-layout.ts';
import {
  changesLengths,
  type FrameCase,
  fragmentQuestions,
  lengthQuestions,
  type Question,
  ttlAndReplyQuestions,
} from './frame-questions.ts';
import { type ActionPath, byAction } from './known-actions.ts';
import { OTHER_PROTOCOLS } from './other-checksums.ts';
import type { Property } from './property.ts';
import { PropertyRows } from './property-rows.ts';
import { RoutedTtl } from './routed-ttl.ts';
import { judgeRun, mayLeave, stopsText } from './run-properties.ts';
import { type Trial, Trials } from './trial.ts';
import type { Witness } from './witness.ts';

/** Cases that one path is split into for its headers. */
const MOST_CASES = 400;
const TOO_MANY = 'too many cases on one path';
/** Packets of each case that are tried before its proof, and of values that may break it; of one program before its proofs. */
const TRIES = 6;
const TRIES_AFTER = 24;
const MOST_TRIES = 3000;
/** Packets that are tried where a question has an answer. */
const TRIES_OF_QUESTION = 24;

/** A path on which the headers are known: frames as they came and left, their checksums, and what must not be. */
interface Case extends FrameCase {
  readonly state: PathState;
  /** None once they have been asked. */
  readonly questions: readonly Question[] | undefined;
}

export class PropertyJudge {
  readonly #rows = new PropertyRows();
  readonly #inputs: Inputs;
  readonly #feasibility: Feasibility;
  readonly #confirmer: Confirmer;
  readonly #whyStopped: () => string | undefined;
  readonly #trials: Trials;
  readonly #fragmentPorts: FragmentPorts;
  readonly #routed: RoutedTtl;
  #tried = 0;
  #sendsCopies = false;
  /** What of the checksums nobody judged. */
  readonly #notJudged = new Set<string>();
  /** What the proofs take for granted besides. */
  readonly #assumed = new Set<string>();

  constructor(
    inputs: Inputs,
    feasibility: Feasibility,
    confirmer: Confirmer,
    whyStopped: () => string | undefined,
  ) {
    this.#inputs = inputs;
    this.#feasibility = feasibility;
    this.#confirmer = confirmer;
    this.#whyStopped = whyStopped;
    this.#trials = new Trials(inputs, confirmer);
    this.#fragmentPorts = new FragmentPorts(inputs, feasibility, confirmer);
    this.#routed = new RoutedTtl(inputs, feasibility, confirmer);
  }

  /**
   * Does the machine stop the program on this path, as the verifier would refuse it?
   * @param witness on which it does, and `why`
   */
  stops(state: PathState, witness: Witness | undefined, why: string | undefined): void {
    const row = this.#rows.row('verifier/stopped');
    row.paths++;
    if (witness !== undefined) row.refuted ??= { witness, reason: stopsText(why) };
    else if (state.end?.kind === 'violation') row.undecided ??= `a path ends in ${state.end.reason}`;
  }

  /** Judges one path that has ended. @param witness that takes it */
  async judge(state: PathState, witness: Witness | undefined): Promise<void> {
    this.#sendsCopies ||= state.answers.some(({ helper }) => helper === 'bpf_clone_redirect');
    for (const one of await byAction(this.#inputs, state, witness, this.#feasibility, this.#confirmer))
      await this.#judgeKnown(one);
  }

  async #judgeKnown({ state, witness }: ActionPath): Promise<void> {
    judgeRun(this.#inputs, state, witness, this.#rows);
    await this.#fragmentPorts.judge(state, this.#rows);
    if (state.end?.kind !== 'exit' || !mayLeave(this.#inputs, state.end.action)) return;
    await this.#routed.judge(state, witness);
    if (isUntouched(this.#inputs, state)) return;
    await this.#frames(state);
  }

  /**
   * Judges a path that only frames beyond the limit take, by what does not depend on their length, and by the packet that
   * takes it: nothing is proved of what is changed there.
   */
  async judgeLonger(state: PathState, witness: Witness | undefined): Promise<void> {
    for (const one of await byAction(this.#inputs, state, witness, this.#feasibility, this.#confirmer))
      await this.#judgeLongerKnown(one);
  }

  async #judgeLongerKnown({ state, witness }: ActionPath): Promise<void> {
    judgeRun(this.#inputs, state, witness, this.#rows);
    await this.#fragmentPorts.judge(state, this.#rows);
    if (state.end?.kind !== 'exit' || !mayLeave(this.#inputs, state.end.action)) return;
    if (isUntouched(this.#inputs, state)) return;
    const trial = witness === undefined ? undefined : this.#trials.try(witness);
    // A checksum that a map holds is as right as whoever fills the map in makes it.
    if (trial !== undefined && !hasContents(trial.witness.world)) this.#enter(trial);
    const { longest } = this.#inputs.limits;
    this.#leaveOpen(`frames of more than ${longest} bytes are changed on a path of their own: --max-length`);
  }

  /** @param open why a property may be broken by what was not looked at */
  properties(open: string | undefined): Property[] {
    this.#routed.enter(this.#rows);
    if (this.#sendsCopies) {
      const reason =
        'a path sends a copy (bpf_clone_redirect), which is not looked at: `xdpsim check` judges it';
      this.#rows.row('checksum/other').undecided ??= reason;
      this.#leaveOpen(reason);
    }
    this.#fragmentPorts.finish(this.#rows);
    return this.#rows.properties(open);
  }

  async #frames(path: PathState): Promise<void> {
    const waiting = [path.copy()];
    waiting[0]!.end = path.end;
    const cases: Case[] = [];
    while (waiting.length > 0) {
      const state = waiting.pop()!;
      await letOthersTurn();
      const why = this.#whyStopped() ?? (cases.length > MOST_CASES ? TOO_MANY : undefined);
      if (why !== undefined) {
        this.#leaveOpen(why);
        return;
      }
      try {
        cases.push(this.#caseOf(state));
      } catch (error) {
        const children = await this.#divided(state, error);
        if (typeof children === 'string') {
          this.#leaveOpen(children);
          return;
        }
        waiting.push(...children);
      }
    }
    // Proofs last: what an ordinary packet has refuted by then needs none.
    while (cases.length > 0) {
      const one = cases.pop()!;
      try {
        await this.#proveCase(one);
      } catch (error) {
        // A byte that may or may not be part of the message makes two cases, a length that matters as many as there are.
        const children = await this.#divided(one.state, error);
        if (typeof children === 'string') this.#leaveOpen(children);
        else for (const child of children) cases.push({ ...one, state: child, questions: undefined });
      }
      await letOthersTurn();
      const ended = this.#whyStopped();
      if (ended !== undefined) {
        this.#leaveOpen(ended);
        return;
      }
    }
  }

  /**
   * The paths that one becomes where it does not know which way to go; why there are none.
   * @throws what is no such question
   */
  async #divided(state: PathState, question: unknown): Promise<PathState[] | string> {
    let children: PathState[] | string;
    if (question instanceof Split) children = await split(state, question.condition, this.#feasibility);
    else if (question instanceof Enumerate)
      children = await enumerate(state, question.term, this.#feasibility);
    else throw question;
    if (typeof children !== 'string') for (const child of children) child.end = state.end;
    return children;
  }

  /** Nothing of frames is proved, as some were not looked at: neither what was asked so far, nor what is asked later. */
  #leaveOpen(reason: string): void {
    for (const name of ['lengths', 'fragments']) this.#rows.row(name).undecided ??= reason;
    for (const group of ['checksum', 'ttl', 'reply']) this.#rows.leaveOpen(group, reason);
  }

  #caseOf(state: PathState): Case {
    const { pool, packet } = state;
    const inputs = this.#inputs;
    const start = Number(state.number(packet.data));
    const lastChange = lastChangeOf(inputs, state);
    // The same address is another offset once the frame begins elsewhere.
    const keptFrom = Math.max(lastChange + 1, start, inputs.data);
    const before: TermFrame = {
      byte: (at) => inputs.frameByte(at),
      length: pool.zeroExtend(64, inputs.length),
      keepsFrom: (at) => inputs.data + at >= keptFrom,
    };
    const after: TermFrame = {
      byte: (at) => packetByte(inputs, state, start + at),
      length: pool.subtract(packet.end, packet.data),
      keepsFrom: (at) => start + at >= keptFrom,
    };
    const came = layoutOf(state, before);
    const guide = new ContentsGuide(inputs, state);
    const left = layoutOf(guide, after);
    const frames: FrameCase = { before, after, came, left };
    if (guide.contents !== undefined) {
      const reason = `which headers leave depends on what map ${guide.contents} holds`;
      for (const { layer } of left.checksums) this.#rows.row(`checksum/${layer}`);
      this.#leaveOpen(reason);
      return { state, ...frames, left: { ...left, checksums: [] }, questions: undefined };
    }
    const questions = [
      ...ttlAndReplyQuestions(inputs, state, frames, (sentence) => this.#assumed.add(sentence)),
      ...fragmentQuestions(pool, frames),
    ];
    this.#tryFirst(state, frames);
    for (const { rest } of [came, left]) if (rest !== undefined) this.#notJudged.add(rest);
    return { state, ...frames, questions };
  }

  /** Where lengths may have changed, more headers are needed, and with them more cases. */
  async #lengths(one: Case): Promise<void> {
    const row = this.#rows.row('lengths');
    row.paths++;
    if (!changesLengths(one) || this.#rows.isRefuted('lengths')) return;
    if (this.#rows.isRefuted('ethertype')) {
      row.undecided ??= 'an EtherType does not name what follows it';
      return;
    }
    const waiting = [one.state];
    let cases = 0;
    while (waiting.length > 0) {
      const state = waiting.pop()!;
      const why = this.#whyStopped() ?? (++cases > MOST_CASES ? TOO_MANY : undefined);
      if (why !== undefined) {
        row.undecided ??= why;
        return;
      }
      const { before, after } = one;
      if (this.#rows.isRefuted('lengths')) return;
      try {
        const came = layoutOf(state, before, true);
        const guide = new ContentsGuide(this.#inputs, state);
        const left = layoutOf(guide, after, true);
        if (guide.contents !== undefined) {
          row.undecided ??= `which headers leave depends on what map ${guide.contents} holds`;
          return;
        }
        const questions = lengthQuestions(state.pool, { before, after, came, left });
        for (const question of questions) await this.#ask({ ...one, state }, question);
      } catch (error) {
        const children = await this.#divided(state, error);
        if (typeof children === 'string') {
          row.undecided ??= children;
          return;
        }
        waiting.push(...children);
      }
    }
  }

  async #proveCase(one: Case): Promise<void> {
    const { state, before, after, came, left, questions } = one;
    if (questions !== undefined) {
      this.#rows.row('fragments').paths++;
      await this.#lengths(one);
      for (const question of questions) await this.#ask(one, question);
      await this.#unjudged(one);
    }
    for (const [was, is] of pairs(came.checksums, left.checksums)) {
      const row = this.#rows.row(`checksum/${is.layer}`);
      row.paths++;
      if (row.refuted !== undefined) continue;
      const map = this.#filledIn(after, is);
      const attempt = (values: Assignment, keep: ReadonlySet<Term>): boolean => {
        if (map !== undefined) return false;
        for (const trial of this.#trials.run(state, values, one, TRIES_AFTER, was, keep)) {
          this.#enter(trial, one);
          if (row.refuted !== undefined) return true;
        }
        return false;
      };
      const checksum = { state, before, came: was, after, left: is };
      const verdict = await proveChecksum(checksum, this.#feasibility, attempt);
      if (verdict.kind === 'proved' && verdict.except !== undefined) this.#notJudged.add(verdict.except);
      if (verdict.kind !== 'undecided') continue;
      row.undecided ??=
        map === undefined ? verdict.reason : `the ${is.layer} checksum is made of what map ${map} holds`;
    }
  }

  /** The map of which a checksum is made beside what the message is: a sum that user space has worked out. */
  #filledIn(after: TermFrame, { start, at, pseudo }: LaidChecksum): string | undefined {
    const { pool, limits } = this.#inputs;
    const field = pool.concat([after.byte(start + at), after.byte(start + at + 1)]);
    if (contentsIn(this.#inputs, field) === undefined) return undefined;
    // What the program copies from a map into options or data is in the message, and in its sum.
    const size = Math.max(limits.longest - start, at + 2);
    const message = Array.from({ length: size }, (_, index) => after.byte(start + index));
    message.splice(at, 2);
    return contentsBeside(this.#inputs, field, [...message, ...pseudo]);
  }

  /** Can a question be answered with yes on this path? Then packets that do are tried. */
  async #ask(one: Case, { invariant, broken, sentence }: Question): Promise<void> {
    const row = this.#rows.row(invariant);
    if (invariant.includes('/')) row.paths++;
    if (this.#rows.isRefuted(invariant)) return;
    const map = contentsIn(this.#inputs, broken);
    if (map !== undefined && invariant.startsWith('reply/')) {
      this.#assumed.add(`addresses in map ${map} are those of single hosts`);
      return;
    }
    if (map !== undefined) {
      row.undecided ??= `${sentence}, if map ${map} holds it`;
      return;
    }
    const state = await follow(one.state, broken, this.#feasibility);
    if (state === undefined) return;
    state.end = one.state.end;
    if (state.values === undefined) {
      row.undecided ??= `${sentence}: ${state.doubt}`;
      return;
    }
    for (const trial of this.#trials.run(state, state.values, one, TRIES_OF_QUESTION)) {
      await letOthersTurn();
      this.#enter(trial, one, invariant);
      if (this.#rows.isRefuted(invariant)) return;
    }
    row.undecided ??= `${sentence}; no packet was found that shows it`;
  }

  /** Addresses, or bytes behind them, of a packet whose checksum no proof here covers: tried as what it may be. */
  async #unjudged(one: Case): Promise<void> {
    const { state, before, after, came } = one;
    const { rest, open, transport } = came;
    if (rest === undefined || open === undefined) return;
    const changed = firstChange(this.#inputs, one, open.addresses);
    if (changed === undefined || this.#isOnlyMoved(one, open.addresses)) return;
    const row = this.#rows.row('checksum/other');
    row.paths++;
    const { pool } = state;
    if (firstChange(this.#inputs, one, open.payload) !== undefined) {
      const isLater = mayBeLater(pool, one);
      if (isLater !== undefined && (await follow(state, isLater, this.#feasibility)) !== undefined)
        this.#rows.row('fragments/written').undecided ??= 'data of later fragments may be written';
    }
    const protocol = transport?.protocol ?? before.byte(open.addresses - 3);
    const conditions = OTHER_PROTOCOLS.map((number) => pool.equal(protocol, pool.constant(8, number)));
    if (rest === FRAGMENT) {
      const at = open.addresses - 12 + 6;
      const offset = pool.concat([pool.extract(before.byte(at), 0, 5), before.byte(at + 1)]);
      const isLater = pool.not(pool.equal(offset, pool.constant(13, 0)));
      conditions.unshift(...conditions.map((one) => pool.and(one, isLater)));
    }
    for (const condition of conditions) {
      const child = await follow(state, condition, this.#feasibility);
      if (child?.values === undefined || this.#tried >= MOST_TRIES) continue;
      child.end = state.end;
      for (const trial of this.#trials.run(child, child.values, { before, after, came }, TRIES)) {
        await letOthersTurn();
        this.#tried++;
        this.#enter(trial, one);
      }
    }
    const what = changed < open.payload ? 'addresses' : 'data';
    row.undecided ??= `${what} of ${rest} are written: nobody here judges its checksum`;
  }

  /** Does the frame begin elsewhere, with all from an offset on as it came, as far as it goes: behind a new header, quoted by an error? */
  #isOnlyMoved({ state, before, after }: Case, from: number): boolean {
    const inputs = this.#inputs;
    const shift = inputs.data - Number(state.number(state.packet.data));
    if (shift === 0) return false;
    const end = Math.min(Number(state.knowledge.range(after.length).max), inputs.limits.longest + shift);
    for (let at = from; at + shift < end; at++)
      if (at + shift < 0 || before.byte(at) !== after.byte(at + shift)) return false;
    return true;
  }

  /** Ordinary packets first: what they show needs no proof. */
  #tryFirst(state: PathState, frames: FrameCase): void {
    if (state.values === undefined || this.#tried >= MOST_TRIES) return;
    for (const trial of this.#trials.run(state, state.values, frames, TRIES)) {
      this.#tried++;
      this.#enter(trial, frames);
    }
  }

  /** @param asked the invariant that the packet was made for */
  #enter({ witness, faults, breaches }: Trial, frames?: FrameCase, asked?: string): void {
    for (const fault of faults) {
      const same = frames?.left.checksums.filter(({ layer }) => layer === fault.layer) ?? [];
      const checksum = same[fault.depth] ?? same[0];
      if (checksum === undefined || this.#filledIn(frames!.after, checksum) === undefined)
        this.#rows.refute(`checksum/${fault.layer}`, witness, faultText(fault));
    }
    for (const { invariant, sentence, ifAsked } of breaches)
      if (!ifAsked || invariant === asked) this.#rows.refute(invariant, witness, sentence);
  }

  /** What of the frames that leave changed was not judged. */
  notJudged(): string[] {
    return [...this.#notJudged].sort();
  }

  /** What the proofs of properties take for granted. */
  assumed(): string[] {
    return [...this.#assumed];
  }
}

/** The first byte from an offset on that leaves otherwise than it came; undefined: none. */
function firstChange(inputs: Inputs, { before, after }: FrameCase, from: number): number | undefined {
  for (let at = from; at < inputs.limits.longest; at++) {
    if (before.keepsFrom?.(at) === true) return undefined;
    if (before.byte(at) !== after.byte(at)) return at;
  }
  return undefined;
}

/** Extension headers of IPv6 that a fragment header may stand behind, and that header itself (RFC 8200 §4.1). */
const BEFORE_FRAGMENTS: readonly number[] = [0, 43, 51, 60];
const FRAGMENT_HEADER = 44;

/** When a packet whose transport nobody looks at may be a later fragment; undefined: never. */
function mayBeLater(
  pool: TermPool,
  { before, came: { open, rest, transport } }: FrameCase,
): Term | undefined {
  const isNonzero = (term: Term): Term => pool.not(pool.equal(term, pool.constant(term.width, 0)));
  if (open === undefined) return undefined;
  if (rest === FRAGMENT) {
    const at = open.addresses - 6;
    return isNonzero(pool.concat([pool.extract(before.byte(at), 0, 5), before.byte(at + 1)]));
  }
  if (transport === undefined || open.payload - open.addresses !== 32) return undefined;
  const is = (number: number): Term => pool.equal(transport.protocol, pool.constant(8, number));
  const at = transport.start + 2;
  const offset = pool.concat([before.byte(at), pool.extract(before.byte(at + 1), 3, 5)]);
  return pool.any([pool.and(is(FRAGMENT_HEADER), isNonzero(offset)), ...BEFORE_FRAGMENTS.map(is)]);
}

/** Each checksum of the frame that left with what it was: the innermost with the innermost. */
function pairs(
  came: readonly LaidChecksum[],
  left: readonly LaidChecksum[],
): (readonly [LaidChecksum | undefined, LaidChecksum])[] {
  const rows: (readonly [LaidChecksum | undefined, LaidChecksum])[] = [];
  let next = came.length - 1;
  for (const one of [...left].reverse()) {
    let at = next;
    while (at >= 0 && family(came[at]!) !== family(one)) at--;
    if (at >= 0) next = at - 1;
    rows.push([at >= 0 ? came[at] : undefined, one]);
  }
  return rows.reverse();
}

function family({ layer }: LaidChecksum): string {
  return layer === 'icmpv6' ? 'icmp' : layer;
}

/** Does the frame leave just as it came? */
function isUntouched(inputs: Inputs, state: PathState): boolean {
  return (
    state.packet.data === state.pool.constant(64, inputs.data) && lastChangeOf(inputs, state) < inputs.data
  );
}

/** The last address at which the frame leaves otherwise than it came; infinite where it ends elsewhere. */
function lastChangeOf(inputs: Inputs, state: PathState): number {
  const { packet, pool } = state;
  if (packet.end !== pool.addConst(pool.zeroExtend(64, inputs.length), inputs.data))
    return Number.POSITIVE_INFINITY;
  let last = -1;
  for (const at of packet.bytes.written()) {
    if (packet.bytes.byte(pool, at) !== inputs.packetByte(at)) last = Math.max(last, at);
  }
  return last;
}
