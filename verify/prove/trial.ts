/**
 * Tries a path with a handful of packets, right in lengths and checksums, before anything is proved of it: the judges that
 * `verify` and `check` have find most faults at once, those of lengths and fragments among them.
 */

import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { connected, repair } from '../../sim/ebpf/symbolic/repair.ts';
import { type Assignment, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { IPPROTO } from '../../sim/packet/numbers.ts';
import { DELIVERY, deliveryOf, leaves } from '../../sim/runtime/delivery.ts';
import { ttlOf } from '../check/ttl-steps.ts';
import { INVARIANTS } from '../invariants/index.ts';
import type { Invariant } from '../invariants/invariant.ts';
import { laterFragments } from '../invariants/later-fragments.ts';
import { reply } from '../invariants/reply.ts';
import { transports } from '../invariants/transports.ts';
import { ttl } from '../invariants/ttl.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { type ChecksumFault, ChecksumJudge } from '../oracle/judge.ts';
import type { Confirmer } from './confirm.ts';
import { type LaidChecksum, type Layout, layoutOf, type TermFrame } from './frame-layout.ts';
import type { FrameCase } from './frame-questions.ts';
import { otherChecksum } from './other-checksums.ts';
import { isWitness, usualValues, type Witness, witnessFor } from './witness.ts';

export interface Trial {
  readonly witness: Witness;
  readonly fault: ChecksumFault | undefined;
  readonly breaches: readonly TriedBreach[];
}

export interface TriedBreach {
  readonly invariant: string;
  readonly sentence: string;
  /** Does it count only where it was looked for? Others than the program may be to blame: what maps hold, who sends. */
  readonly ifAsked: boolean;
}

const JUDGES: readonly Invariant[] = [...INVARIANTS, laterFragments, transports, ttl, reply];
/** Groups of invariants that count only where they were asked for. */
const ASKED: readonly string[] = ['ttl', 'reply'];

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
   */
  *run(
    state: PathState,
    values: Assignment,
    { before, after, came }: Pick<FrameCase, 'before' | 'after' | 'came'>,
    most: number,
    suspect?: LaidChecksum,
  ): Generator<Trial> {
    const usual = usualValues(this.#inputs, state, values);
    if (usual === undefined) return;
    const free = freeBytes(this.#inputs, state, before, after);
    const { pool } = state;
    for (let attempt = 0; attempt < most; attempt++) {
      const changed = new Map(usual);
      if (attempt > 0) {
        for (const byte of free) changed.set(byte, BigInt(this.#byte()));
      }
      let whole = changed;
      if (suspect === undefined) {
        // Odd lengths as well as even ones.
        const length = new Evaluator(whole).value(before.length) ^ BigInt(attempt & 1);
        whole = preferring(state, whole, [pool.equal(before.length, pool.constant(64, length))]);
        for (let round = 0; round < 2; round++) whole = this.#whole(state, whole, before);
      }
      const laid = suspect === undefined ? laidIn(state, whole, before) : came;
      makeRight(whole, before, laid.checksums, suspect, free);
      makeOthersRight(whole, before, laid);
      const evaluator = new Evaluator(whole);
      if (!state.constraints.every((one) => evaluator.isTrue(one.condition))) continue;
      const witness = witnessFor(this.#inputs, state, whole);
      if (!isWitness(witness)) return;
      const trial = this.#try(witness);
      if (trial !== undefined) yield trial;
      if (free.size === 0) return;
    }
  }

  #byte(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) | 0;
    return (this.#random >>> 16) & 0xff;
  }

  #try(witness: Witness): Trial | undefined {
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
    return { witness, fault: this.#judge.judgePair(this.#pair), breaches };
  }

  /** Lengths that fit the frame, where the path leaves the choice. */
  #whole(state: PathState, values: Map<Term, bigint>, before: TermFrame): Map<Term, bigint> {
    const { pool } = state;
    const wishes: Term[] = [];
    const u16 = (at: number): Term =>
      pool.zeroExtend(64, pool.concat([before.byte(at), before.byte(at + 1)]));
    const length = new Evaluator(values).value(before.length);
    const behind = (start: number): Term => pool.constant(64, length - BigInt(start));
    const { checksums, transport } = laidIn(state, values, before);
    for (const { layer, start, overIpv6 } of checksums) {
      if (layer === 'ipv4') wishes.push(pool.equal(u16(start + 2), behind(start)));
      else if (overIpv6) wishes.push(pool.equal(u16(start - 36), behind(start)));
    }
    if (transport !== undefined) {
      const protocol = Number(new Evaluator(values).value(transport.protocol));
      const { start } = transport;
      if (protocol === IPPROTO.UDP) wishes.push(pool.equal(u16(start + 4), behind(start)));
      if (protocol === IPPROTO.TCP) {
        wishes.push(pool.equal(pool.extract(before.byte(start + 12), 4, 4), pool.constant(4, 5)));
      }
    }
    return preferring(state, values, wishes);
  }
}

/** Values under which as many of the wishes as possible hold, besides what the path asks for. */
function preferring(state: PathState, values: Map<Term, bigint>, wishes: readonly Term[]): Map<Term, bigint> {
  let wished = values;
  for (const wish of wishes) {
    if (new Evaluator(wished).isTrue(wish)) continue;
    wished = repair(connected(state.constraints, wish), wish, wished) ?? wished;
  }
  return wished;
}

/** The checksums of the packet that values make. */
function laidIn({ pool }: PathState, values: Assignment, { byte, length }: TermFrame): Layout {
  const evaluator = new Evaluator(values);
  const guide = {
    pool,
    decide: (condition: Term) => evaluator.isTrue(condition),
    number: (term: Term) => evaluator.value(term),
  };
  return layoutOf(guide, { byte, length });
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

/** The same for protocols whose checksum no proof covers. */
function makeOthersRight(
  values: Map<Term, bigint>,
  { byte, length }: TermFrame,
  { ips, transport }: Layout,
): void {
  const ip = ips.at(-1);
  if (transport === undefined || ip === undefined) return;
  const evaluator = new Evaluator(values);
  const packet = Uint8Array.from({ length: Number(evaluator.value(length)) }, (_, at) =>
    Number(evaluator.value(byte(at))),
  );
  const protocol = Number(evaluator.value(transport.protocol));
  for (const [at, value] of otherChecksum(packet, ip.start, transport.start, protocol) ?? []) {
    const term = byte(at);
    if (term.operation === 'var') values.set(term, BigInt(value));
  }
}

/** Sets what is free, or else the checksum itself, so that every checksum is right; innermost first. */
function makeRight(
  values: Map<Term, bigint>,
  before: TermFrame,
  came: readonly LaidChecksum[],
  suspect: LaidChecksum | undefined,
  free: ReadonlySet<Term>,
): void {
  for (const one of [...came].reverse()) {
    if (one.isAbsent) continue;
    const size = Number(new Evaluator(values).value(one.size));
    const bytes = Array.from({ length: size }, (_, at) => before.byte(one.start + at));
    const places: number[] = [];
    for (let at = 0; at + 1 < size; at += 2) {
      if (at !== one.at && free.has(bytes[at]!) && free.has(bytes[at + 1]!)) places.push(at);
    }
    const place = one === suspect && places.length > 0 ? places.at(-1)! : one.at;
    const [high, low] = [bytes[place]!, bytes[place + 1]!];
    if (high.operation !== 'var' || low.operation !== 'var') continue;
    values.set(high, 0n);
    values.set(low, 0n);
    const evaluator = new Evaluator(values);
    let sum = 0n;
    for (const [at, byte] of one.pseudo.entries()) sum += evaluator.value(byte) << (at % 2 === 0 ? 8n : 0n);
    if (one.pseudo.length > 0) sum += BigInt(size);
    for (const [at, byte] of bytes.entries()) sum += evaluator.value(byte) << (at % 2 === 0 ? 8n : 0n);
    let word = (0xffffn - (sum % 0xffffn)) % 0xffffn;
    // 0 would say that UDP has none; and a message of zeros verifies with 0xffff only.
    if (word === 0n && (one.layer === 'udp' || sum === 0n)) word = 0xffffn;
    values.set(high, word >> 8n);
    values.set(low, word & 0xffn);
  }
}
