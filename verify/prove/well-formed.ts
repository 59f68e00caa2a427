/** Packets that are right in lengths and checksums, as far as a path leaves the choice. */
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { connected, repair } from '../../sim/ebpf/symbolic/repair.ts';
import type { Assignment, Term } from '../../sim/ebpf/symbolic/term.ts';
import { ETHERTYPE, IPPROTO, isTag } from '../../sim/packet/numbers.ts';
import { type LaidChecksum, type Layout, layoutOf, type TermFrame } from './frame-layout.ts';
import { otherChecksum } from './other-checksums.ts';
import { usualValues } from './witness.ts';

/** Nothing may be drawn anew. */
const NONE: ReadonlySet<Term> = new Set();

/**
 * The values of a path with lengths that fit and checksums that are right.
 * @returns undefined where the path asks for something else
 */
export function wellFormed(inputs: Inputs, state: PathState): Map<Term, bigint> | undefined {
  if (state.values === undefined) return undefined;
  const usual = usualValues(inputs, state, state.values);
  if (usual === undefined) return undefined;
  const before: TermFrame = {
    byte: (at) => inputs.frameByte(at),
    length: state.pool.zeroExtend(64, inputs.length),
  };
  let values = fittingLengths(state, new Map(usual), before);
  // What fits may have brought another header to light.
  values = fittingLengths(state, values, before);
  const laid = laidIn(state, values, before);
  makeRight(values, before, laid.checksums, undefined, NONE);
  makeOthersRight(values, before, laid);
  const evaluator = new Evaluator(values);
  return state.constraints.every((one) => evaluator.isTrue(one.condition)) ? values : undefined;
}

/** Lengths that fit the frame, where the path leaves the choice. */
export function fittingLengths(
  state: PathState,
  values: Map<Term, bigint>,
  before: TermFrame,
): Map<Term, bigint> {
  const { pool } = state;
  const wishes: Term[] = [];
  const u16 = (at: number): Term => pool.zeroExtend(64, pool.concat([before.byte(at), before.byte(at + 1)]));
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
  return preferring(state, values, [...versionAsNamed(state, values, before), ...wishes]);
}

/** The IP version that the EtherType names, where another one stands: a judge takes nothing else for a packet. */
function versionAsNamed({ pool }: PathState, values: Assignment, { byte, length }: TermFrame): Term[] {
  const evaluator = new Evaluator(values);
  const number = (term: Term): number => Number(evaluator.value(term));
  const end = number(length);
  const typeAt = (at: number): number => (at + 2 < end ? number(pool.concat([byte(at), byte(at + 1)])) : 0);
  let at = 12;
  while (isTag(typeAt(at))) at += 4;
  const type = typeAt(at);
  const first = byte(at + 2);
  const stated = type === ETHERTYPE.IPV4 ? 4 : type === ETHERTYPE.IPV6 ? 6 : undefined;
  if (stated === undefined || number(first) >> 4 === stated) return [];
  return [pool.equal(first, pool.constant(8, stated === 4 ? 0x45 : 0x60))];
}

/** Values under which as many of the wishes as possible hold, besides what the path asks for. */
export function preferring(
  state: PathState,
  values: Map<Term, bigint>,
  wishes: readonly Term[],
): Map<Term, bigint> {
  let wished = values;
  for (const wish of wishes) {
    if (new Evaluator(wished).isTrue(wish)) continue;
    wished = repair(connected(state.constraints, wish), wish, wished) ?? wished;
  }
  return wished;
}

/** The checksums of the packet that values make. */
export function laidIn({ pool }: PathState, values: Assignment, { byte, length }: TermFrame): Layout {
  const evaluator = new Evaluator(values);
  const guide = {
    pool,
    decide: (condition: Term) => evaluator.isTrue(condition),
    number: (term: Term) => evaluator.value(term),
  };
  return layoutOf(guide, { byte, length });
}

/** The same for protocols whose checksum no proof covers. */
export function makeOthersRight(
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
export function makeRight(
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
