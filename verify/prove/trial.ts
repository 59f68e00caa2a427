/**
 * Tries a path with a handful of packets, right in lengths and checksums, before anything is proved of it: the judges that
 * `verify` and `check` have find most faults at once, those of lengths and fragments among them.
 */

import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Assignment, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { DELIVERY, deliveryOf, leaves } from '../../sim/runtime/delivery.ts';
import { ttlOf } from '../check/ttl-steps.ts';
import { INVARIANTS } from '../invariants/index.ts';
import type { Invariant } from '../invariants/invariant.ts';
import { laterFragments } from '../invariants/later-fragments.ts';
import { reply } from '../invariants/reply.ts';
import { transports } from '../invariants/transports.ts';
import { ttl, wrappedTtl } from '../invariants/ttl.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { type ChecksumFault, ChecksumJudge } from '../oracle/judge.ts';
import type { Confirmer } from './confirm.ts';
import type { LaidChecksum, TermFrame } from './frame-layout.ts';
import type { FrameCase } from './frame-questions.ts';
import { fittingLengths, laidIn, makeOthersRight, makeRight, preferring } from './well-formed.ts';
import { isWitness, usualValues, type Witness, witnessFor } from './witness.ts';

export interface Trial {
  readonly witness: Witness;
  /** One wrong checksum hides no other: a program that is wrong in two is refuted in both. */
  readonly faults: readonly ChecksumFault[];
  readonly breaches: readonly TriedBreach[];
}

export interface TriedBreach {
  readonly invariant: string;
  readonly sentence: string;
  /** Does it count only where it was looked for? Others than the program may be to blame: what maps hold, who sends. */
  readonly ifAsked: boolean;
}

const JUDGES: readonly Invariant[] = [...INVARIANTS, laterFragments, transports, ttl, wrappedTtl, reply];
/** Groups of invariants that count only where they were asked for. */
const ASKED: readonly string[] = ['ttl', 'reply'];
const NONE: ReadonlySet<Term> = new Set();

export class Trials {
  readonly #inputs: Inputs;
  readonly #confirmer: Confirmer;
  readonly #judge = new ChecksumJudge();
  readonly #pair = new FramePair();
  #random = 1;

  constructor(inputs: Inputs, confirmer: Confirmer) {
    this.#inputs = inputs;
    this.#confirmer = confirmer;
  }

  /**
   * Runs up to `most` packets of a path; what no condition asks for is drawn anew for each but the first.
   * @param values that the first packet is made of
   * @param suspect the checksum of which a payload word, and not the field itself, is to make up for changes
   * @param keep what is to stay as `values` have it
   */
  *run(
    state: PathState,
    values: Assignment,
    { before, after, came }: Pick<FrameCase, 'before' | 'after' | 'came'>,
    most: number,
    suspect?: LaidChecksum,
    keep: ReadonlySet<Term> = NONE,
  ): Generator<Trial> {
    const usual = usualValues(this.#inputs, state, values);
    if (usual === undefined) return;
    const free = freeBytes(this.#inputs, state, before, after);
    for (const one of keep) free.delete(one);
    const { pool } = state;
    for (let attempt = 0; attempt < most; attempt++) {
      const changed = new Map(usual);
      if (attempt > 0) {
        for (const byte of free) changed.set(byte, BigInt(this.#byte()));
      }
      let whole = changed;
      // A message without data has nothing that could make up for changes.
      if (suspect !== undefined && attempt % 2 === 1) whole = fittingLengths(state, whole, before);
      if (suspect === undefined) {
        // Odd lengths as well as even ones.
        const length = new Evaluator(whole).value(before.length) ^ BigInt(attempt & 1);
        whole = preferring(state, whole, [pool.equal(before.length, pool.constant(64, length))]);
        whole = fittingLengths(state, whole, before);
      }
      const laid = suspect === undefined ? laidIn(state, whole, before) : came;
      makeRight(whole, before, laid.checksums, suspect, free);
      makeOthersRight(whole, before, laid);
      const evaluator = new Evaluator(whole);
      if (!state.constraints.every((one) => evaluator.isTrue(one.condition))) continue;
      const witness = witnessFor(this.#inputs, state, whole);
      if (!isWitness(witness)) return;
      const trial = this.try(witness);
      if (trial !== undefined) yield trial;
      if (free.size === 0) return;
    }
  }

  #byte(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) | 0;
    return (this.#random >>> 16) & 0xff;
  }

  /** What comes of one packet; undefined where it does not leave, or as it came. */
  try(witness: Witness): Trial | undefined {
    const left = this.#confirmer.frameOf(witness);
    const { hook } = this.#inputs;
    if (left === undefined || !leaves(hook, left.action)) return undefined;
    const { packet } = witness.stimulus;
    if (!this.#pair.set(packet, 0, packet.length, left.frame, 0, left.frame.length)) return undefined;
    const passage = {
      hook,
      action: left.action,
      delivery: deliveryOf(hook, left.action),
      redirect: undefined,
    };
    const breaches: TriedBreach[] = [];
    for (const one of JUDGES) {
      const breach = one.judge(this.#pair, passage);
      if (breach === undefined) continue;
      const ifAsked = ASKED.includes(one.name);
      if (breach.severity === 'error' || ifAsked) breaches.push({ ...breach, ifAsked });
    }
    const step = passage.delivery === DELIVERY.redirected ? ttlOf(this.#pair) : undefined;
    const lowered = step === undefined ? 0 : step.came - step.left;
    if (lowered > 1) {
      const sentence = `a packet that is redirected leaves with its TTL lowered by ${lowered}`;
      breaches.push({ invariant: 'ttl/step', sentence, ifAsked: true });
    }
    return { witness, faults: this.#judge.allOf(this.#pair), breaches };
  }
}

/** Bytes of the frame that no condition asks for, and that leave as they came. */
function freeBytes(inputs: Inputs, state: PathState, before: TermFrame, after: TermFrame): Set<Term> {
  const asked = new Set<Term>();
  for (const { condition } of state.constraints) for (const one of unknownsOf(condition)) asked.add(one);
  const { longest } = inputs.limits;
  const kept = new Set<Term>();
  for (let at = 0; at < longest; at++) kept.add(after.byte(at));
  const free = new Set<Term>();
  for (let at = 14; at < longest; at++) {
    const byte = before.byte(at);
    if (byte.operation === 'var' && !asked.has(byte) && kept.has(byte)) free.add(byte);
  }
  return free;
}
