/** What must hold of every packet, asked of every path: checksums, lengths, TTL, actions, bytes that nobody wrote. */
import { packetByte } from '../../sim/ebpf/symbolic/access.ts';
import { enumerate, split } from '../../sim/ebpf/symbolic/explore.ts';
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import { Enumerate, type PathState, Split } from '../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { actionName, TC_ACT_REDIRECT, XDP_REDIRECT } from '../../sim/runtime/actions.ts';
import { leaves } from '../../sim/runtime/delivery.ts';
import type { ChecksumFault } from '../oracle/judge.ts';
import { proveChecksum } from './checksum-proof.ts';
import type { Confirmer } from './confirm.ts';
import { type LaidChecksum, type Layout, layoutOf, type TermFrame } from './frame-layout.ts';
import type { Property } from './property.ts';
import { type Trial, Trials } from './trial.ts';
import type { Witness } from './witness.ts';

/** Cases that one path is split into for its checksums. */
const MOST_CASES = 400;
/** Packets of each case that are tried before its proof, and after one that failed; of one program before its proofs. */
const TRIES = 6;
const TRIES_AFTER = 300;
const MOST_TRIES = 3000;

/** A path on which the headers are known: frames as they came and left, and their checksums. */
interface Case {
  readonly state: PathState;
  readonly before: TermFrame;
  readonly after: TermFrame;
  readonly came: readonly LaidChecksum[];
  readonly left: readonly LaidChecksum[];
}

interface Row {
  paths: number;
  refuted: { readonly witness: Witness; readonly reason: string } | undefined;
  undecided: string | undefined;
}

export class PropertyJudge {
  readonly #rows = new Map<string, Row>();
  readonly #inputs: Inputs;
  readonly #feasibility: Feasibility;
  readonly #stopped: () => boolean;
  readonly #trials: Trials;
  #tried = 0;
  /** What of the checksums nobody judged. */
  readonly #notJudged = new Set<string>();

  constructor(inputs: Inputs, feasibility: Feasibility, confirmer: Confirmer, stopped: () => boolean) {
    this.#inputs = inputs;
    this.#feasibility = feasibility;
    this.#stopped = stopped;
    this.#trials = new Trials(inputs, confirmer);
  }

  /**
   * Does the machine stop the program on this path, as the verifier would refuse it?
   * @param witness on which it does, and `why`
   */
  stops(state: PathState, witness: Witness | undefined, why: string | undefined): void {
    const row = this.#row('verifier/stopped');
    row.paths++;
    if (witness !== undefined) row.refuted ??= { witness, reason: `the machine stops the program: ${why}` };
    else if (state.end?.kind === 'violation') row.undecided ??= `a path ends in ${state.end.reason}`;
  }

  /** Judges one path that has ended. @param witness that takes it */
  async judge(state: PathState, witness: Witness | undefined): Promise<void> {
    this.#action(state, witness);
    this.#target(state, witness);
    this.#unwritten(state, witness);
    if (state.end?.kind !== 'exit' || !this.#mayLeave(state.end.action)) return;
    if (isUntouched(this.#inputs, state)) return;
    await this.#checksums(state);
  }

  /** @param open why a property may be broken by what was not looked at */
  properties(open: string | undefined): Property[] {
    return [...this.#rows].map(([invariant, { paths, refuted, undecided }]) => {
      const status =
        refuted !== undefined ? 'refuted' : (undecided ?? open) !== undefined ? 'undecided' : 'proved';
      return {
        invariant,
        status,
        reason: refuted?.reason ?? undecided ?? (status === 'undecided' ? open : undefined),
        paths,
        witness: refuted?.witness,
        confirmedBy: refuted === undefined ? [] : ['vm'],
        source: undefined,
      };
    });
  }

  #row(invariant: string): Row {
    let row = this.#rows.get(invariant);
    if (row === undefined) {
      row = { paths: 0, refuted: undefined, undecided: undefined };
      this.#rows.set(invariant, row);
    }
    return row;
  }

  #mayLeave(action: Term): boolean {
    return !isConst(action) || leaves(this.#inputs.hook, Number(BigInt.asIntN(32, action.value)));
  }

  #action(state: PathState, witness: Witness | undefined): void {
    if (state.end?.kind !== 'exit') return;
    const row = this.#row('action/unknown');
    row.paths++;
    const { action } = state.end;
    const [least, most] = this.#inputs.hook === 'xdp' ? [0n, 4n] : [-1n, 8n];
    const only = state.knowledge.only(action);
    if (only === undefined) {
      row.undecided ??= 'a path returns a number that is not known';
      return;
    }
    const returned = BigInt.asIntN(32, only);
    if (returned >= least && returned <= most) return;
    if (witness === undefined) row.undecided ??= `a path returns ${returned}, for which no packet was made`;
    else row.refuted ??= { witness, reason: `the program returns ${returned}` };
  }

  /** A redirect has a target that a helper has stored. */
  #target(state: PathState, witness: Witness | undefined): void {
    if (state.end?.kind !== 'exit') return;
    const { hook } = this.#inputs;
    const redirected = hook === 'xdp' ? XDP_REDIRECT : TC_ACT_REDIRECT;
    const only = state.knowledge.only(state.end.action);
    if (only === undefined || BigInt.asIntN(32, only) !== BigInt(redirected)) return;
    const row = this.#row('redirect/no-target');
    row.paths++;
    if (state.redirect !== undefined) return;
    const reason = `the program returns ${actionName(hook, redirected)}, and no helper has stored a target`;
    if (witness === undefined) row.undecided ??= reason;
    else row.refuted ??= { witness, reason };
  }

  #unwritten(state: PathState, witness: Witness | undefined): void {
    if (state.end?.kind !== 'exit') return;
    const isUnwritten = (term: Term): boolean =>
      [...unknownsOf(term)].some((one) => one.name.startsWith('unwritten.'));
    const decision = this.#row('uninitialized/decision');
    const frame = this.#row('uninitialized/frame');
    decision.paths++;
    frame.paths++;
    if (this.#mayLeave(state.end.action)) this.#room(state, witness, frame);
    if (state.readsUnwritten === undefined) return;
    if (state.constraints.some((one) => isUnwritten(one.condition)) || isUnwritten(state.end.action)) {
      if (witness === undefined) decision.undecided ??= 'a path depends on bytes that nobody wrote';
      else decision.refuted ??= { witness, reason: 'bytes of the stack that nobody wrote decide' };
    }
    if (!this.#mayLeave(state.end.action)) return;
    const { bytes } = state.packet;
    if (bytes.written().some((at) => isUnwritten(bytes.byte(state.pool, at)!))) {
      if (witness === undefined) frame.undecided ??= 'bytes that nobody wrote go into the frame';
      else frame.refuted ??= { witness, reason: 'bytes of the stack that nobody wrote leave with the frame' };
    }
  }

  /** The room that `bpf_xdp_adjust_head` makes in front holds what another packet left there, until it is written. */
  #room(state: PathState, witness: Witness | undefined, frame: Row): void {
    const inputs = this.#inputs;
    const { packet, pool } = state;
    const { min, max } = state.knowledge.range(packet.data);
    if (min >= BigInt(inputs.data)) return;
    const written = new Set(packet.bytes.written());
    let at = Number(max);
    while (at < inputs.data && written.has(at)) at++;
    const start = Number(min);
    if (min === max && at >= inputs.data) {
      // Written, but with what lay there: as good as not.
      at = start;
      while (at < inputs.data && !isBefore(packet.bytes.byte(pool, at)!)) at++;
      if (at >= inputs.data) return;
    }
    const which = min === max ? `byte ${at - start} of the frame` : 'room in front of the frame';
    if (min !== max || witness === undefined) frame.undecided ??= `${which} may leave as nobody wrote it`;
    else frame.refuted ??= { witness, reason: `${which} leaves as nobody wrote it` };
  }

  async #checksums(path: PathState): Promise<void> {
    const waiting = [path.copy()];
    waiting[0]!.end = path.end;
    const cases: Case[] = [];
    while (waiting.length > 0) {
      const state = waiting.pop()!;
      if (this.#stopped() || cases.length > MOST_CASES) {
        const reason = this.#stopped() ? 'it was interrupted' : 'too many cases on one path';
        for (const [name, row] of this.#rows) if (name.startsWith('checksum/')) row.undecided ??= reason;
        return;
      }
      try {
        cases.push(this.#caseOf(state));
      } catch (error) {
        let children: PathState[] | string;
        if (error instanceof Split) children = await split(state, error.condition, this.#feasibility);
        else if (error instanceof Enumerate) children = await enumerate(state, error.term, this.#feasibility);
        else throw error;
        if (typeof children === 'string') {
          this.#row('checksum/ipv4').undecided ??= children;
          return;
        }
        for (const child of children) {
          child.end = path.end;
          waiting.push(child);
        }
      }
    }
    // Proofs last: what an ordinary packet has refuted by then needs none.
    while (cases.length > 0) {
      const one = cases.pop()!;
      try {
        await this.#proveCase(one);
      } catch (error) {
        // A byte that may or may not be part of the message makes two cases.
        if (!(error instanceof Split)) throw error;
        for (const child of await split(one.state, error.condition, this.#feasibility)) {
          cases.push({ ...one, state: child });
        }
      }
      if (this.#stopped()) {
        for (const [name, row] of this.#rows) {
          if (name.startsWith('checksum/')) row.undecided ??= 'it was ended before the proof was';
        }
        return;
      }
    }
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
    const left = layoutOf(state, after);
    this.#tryFirst(state, before, came.checksums, after);
    this.#lengths(before, came.checksums, after);
    for (const { rest } of [came, left]) if (rest !== undefined) this.#notJudged.add(rest);
    this.#unjudged(before, came, after);
    return { state, before, after, came: came.checksums, left: left.checksums };
  }

  /** Addresses, or bytes behind them, of a packet whose checksum nobody here can judge. */
  #unjudged(before: TermFrame, { rest, open }: Layout, after: TermFrame): void {
    if (rest === undefined || open === undefined) return;
    const { longest } = this.#inputs.limits;
    const from = open.addresses;
    for (let at = from; at < longest; at++) {
      if (before.keepsFrom?.(at) === true) return;
      if (before.byte(at) === after.byte(at)) continue;
      this.#row('checksum/other').undecided ??=
        `${at < open.payload ? 'addresses' : 'data'} of ${rest} are written: nobody here judges its checksum`;
      return;
    }
  }

  async #proveCase({ state, before, after, came, left }: Case): Promise<void> {
    for (const [one, other] of pairs(came, left)) {
      const row = this.#row(`checksum/${other.layer}`);
      row.paths++;
      if (row.refuted !== undefined) continue;
      const verdict = await proveChecksum(state, before, one, after, other, this.#feasibility);
      if (verdict.kind === 'proved') continue;
      if (verdict.kind === 'undecided') {
        row.undecided ??= verdict.reason;
        continue;
      }
      for (const trial of this.#trials.run(state, verdict.values, before, came, after, TRIES_AFTER, one)) {
        this.#enter(trial);
        if (row.refuted !== undefined) break;
      }
      row.undecided ??= `${verdict.reason}: no packet was found that shows it`;
    }
  }

  /** Ordinary packets first: what they show needs no proof. */
  #tryFirst(state: PathState, before: TermFrame, came: readonly LaidChecksum[], after: TermFrame): void {
    if (state.values === undefined || this.#tried >= MOST_TRIES) return;
    for (const trial of this.#trials.run(state, state.values, before, came, after, TRIES)) {
      this.#tried++;
      this.#enter(trial);
    }
  }

  #enter({ witness, fault, breaches }: Trial): void {
    if (fault !== undefined) {
      this.#row(`checksum/${fault.layer}`).refuted ??= { witness, reason: faultText(fault) };
    }
    for (const { invariant, sentence } of breaches)
      this.#row(invariant).refuted ??= { witness, reason: sentence };
  }

  /** Lengths are right where they were, while nobody writes them and the frame keeps its length. */
  #lengths(before: TermFrame, came: readonly LaidChecksum[], after: TermFrame): void {
    const row = this.#row('lengths');
    row.paths++;
    const fields = came.flatMap(({ layer, start }) => {
      if (layer === 'ipv4') return [start, start + 2, start + 3, start + 6, start + 7];
      if (layer === 'udp') return [start + 4, start + 5];
      return layer === 'tcp' ? [start + 12] : [];
    });
    if (before.length !== after.length)
      row.undecided ??= 'the frame becomes longer or shorter: tried, not proved';
    else if (fields.some((at) => before.byte(at) !== after.byte(at))) {
      row.undecided ??= 'a length or fragment field is written: tried, not proved';
    }
  }

  /** What of the frames that leave changed was not judged. */
  notJudged(): string[] {
    return [...this.#notJudged].sort();
  }
}

function faultText({ layer, kind, after }: ChecksumFault): string {
  const left = `the ${layer} checksum leaves as ${hex16(after.got)}`;
  switch (kind) {
    case 'lost':
      return `${left}, which says “none”: a computed 0x0000 is sent as 0xffff (RFC 768)`;
    case 'fragment':
      return `the bytes that a fragment adds to the ${layer} checksum change, and no other fragment makes up for it`;
    case 'illegal':
      return `${left}, which IPv6 does not allow (RFC 8200 §8.1)`;
    default:
      return `${left} where ${hex16(after.expected)} is right`;
  }
}

function hex16(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
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

/** Is it a byte that lay in front of the frame? */
function isBefore(term: Term): boolean {
  return term.operation === 'var' && term.name.startsWith('before');
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
