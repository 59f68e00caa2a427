/** From values that a proof failed on to a packet that shows it: right where it came, wrong where it left, in the machine. */

import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Assignment, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { type ChecksumFault, ChecksumJudge } from '../oracle/judge.ts';
import type { Confirmer } from './confirm.ts';
import type { LaidChecksum, TermFrame } from './frame-layout.ts';
import { isWitness, usualValues, type Witness, witnessFor } from './witness.ts';

export interface Refutation {
  readonly witness: Witness;
  readonly fault: ChecksumFault;
}

/** Packets that are tried where the first one does not show the fault: what did not change is drawn anew. */
const MOST_TRIES = 400;

/** @returns undefined where no packet was found that shows it */
export function refute(
  inputs: Inputs,
  state: PathState,
  values: Assignment,
  before: TermFrame,
  came: readonly LaidChecksum[],
  suspect: LaidChecksum | undefined,
  after: TermFrame,
  confirmer: Confirmer,
): Refutation | undefined {
  const judge = new ChecksumJudge();
  const usual = usualValues(inputs, state, values);
  if (usual === undefined) return undefined;
  const free = freeBytes(inputs, state, before, after);
  let random = 1;
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    const changed = new Map(usual);
    if (attempt > 0) {
      for (const byte of free) {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
        changed.set(byte, BigInt((random >>> 16) & 0xff));
      }
    }
    makeRight(changed, before, came, suspect, free);
    const evaluator = new Evaluator(changed);
    if (!state.constraints.every((one) => evaluator.isTrue(one.condition))) continue;
    const witness = witnessFor(inputs, state, changed);
    if (!isWitness(witness)) return undefined;
    const left = confirmer.frameOf(witness);
    if (left === undefined) continue;
    const { packet } = witness.stimulus;
    const fault = judge.judge(packet, 0, packet.length, left, 0, left.length);
    if (fault !== undefined) return { witness, fault };
    if (free.size === 0) break;
  }
  return undefined;
}

/** Bytes of the frame that no condition asks for, and that leave as they came. */
function freeBytes(inputs: Inputs, state: PathState, before: TermFrame, after: TermFrame): Set<Term> {
  const asked = new Set<Term>();
  for (const { condition } of state.constraints) for (const one of unknownsOf(condition)) asked.add(one);
  const kept = new Set<Term>();
  const { longest } = inputs.limits;
  for (let at = 0; at < longest; at++) kept.add(after.byte(at));
  const free = new Set<Term>();
  for (let at = 14; at < longest; at++) {
    const byte = before.byte(at);
    if (byte.operation === 'var' && !asked.has(byte) && kept.has(byte)) free.add(byte);
  }
  return free;
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
    // Words of the checksum's own field are no free ones.
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
    for (const [at, byte] of [...one.pseudo].entries())
      sum += evaluator.value(byte) << (at % 2 === 0 ? 8n : 0n);
    if (one.pseudo.length > 0) sum += BigInt(size);
    for (const [at, byte] of bytes.entries()) sum += evaluator.value(byte) << (at % 2 === 0 ? 8n : 0n);
    const folded = sum % 0xffffn;
    let word = (0xffffn - folded) % 0xffffn;
    // 0 would say that UDP has none; and a message of zeros only verifies with 0xffff.
    if (word === 0n && (one.layer === 'udp' || sum === 0n)) word = 0xffffn;
    values.set(high, word >> 8n);
    values.set(low, word & 0xffn);
  }
}
