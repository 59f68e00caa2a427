/** Packets that are right in lengths and checksums, as far as a path leaves the choice. */
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { connected, repair } from '../../sim/ebpf/symbolic/repair.ts';
import type { Assignment, Term } from '../../sim/ebpf/symbolic/term.ts';
import { IPPROTO } from '../../sim/packet/numbers.ts';
import { type LaidChecksum, type Layout, layoutOf, type TermFrame } from './frame-layout.ts';
import { extensionFits } from './frame-questions.ts';
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
  const values = fittingLengths(state, new Map(usual), before);
  const laid = laidIn(state, values, before);
  makeRight(values, before, laid.checksums, undefined, NONE);
  makeOthersRight(values, before, laid);
  const evaluator = new Evaluator(values);
  return state.constraints.every((one) => evaluator.isTrue(one.condition)) ? values : undefined;
}

/** What would make a header whole: the first of these that the path allows. */
type Choices = readonly Term[];

/** Each wish that is met may bring another header to light, with wishes of its own. */
const MOST_ROUNDS = 6;

/** Versions and lengths that fit the frame and each other, where the path leaves the choice. */
export function fittingLengths(
  state: PathState,
  values: Map<Term, bigint>,
  before: TermFrame,
): Map<Term, bigint> {
  let fitting = values;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const layout = laidIn(state, fitting, before);
    const wishes = [
      ...versionAsNamed(state, fitting, before, layout),
      ...lengthsOfIp(state, fitting, before, layout),
      ...lengthsOfTransport(state, fitting, before, layout),
    ];
    const wished = wishes.reduce((from, choices) => preferringOne(state, from, choices), fitting);
    if (wished === fitting) return fitting;
    fitting = wished;
  }
  return fitting;
}

/** An IP packet ends where the frame does, or the packet around it; or else not behind that. */
function lengthsOfIp({ pool }: PathState, values: Assignment, before: TermFrame, { ips }: Layout): Choices[] {
  const evaluator = new Evaluator(values);
  return ips.map(({ version, start, end }, index) => {
    const limit = pool.constant(64, evaluator.value(ips[index - 1]?.end ?? before.length));
    const isShort = version === 4 ? pool.less(end, pool.constant(64, start + 20)) : pool.false;
    return [pool.equal(end, limit), pool.not(pool.or(isShort, pool.less(limit, end)))];
  });
}

function lengthsOfTransport(
  { pool }: PathState,
  values: Assignment,
  { byte }: TermFrame,
  { ips, transport, extension }: Layout,
): Choices[] {
  const ip = ips.at(-1);
  if (transport === undefined || ip === undefined) return [];
  const evaluator = new Evaluator(values);
  const { start, protocol } = transport;
  const room = pool.constant(64, evaluator.value(ip.end) - BigInt(start));
  switch (Number(evaluator.value(protocol))) {
    case IPPROTO.UDP: {
      const stated = pool.zeroExtend(64, pool.concat([byte(start + 4), byte(start + 5)]));
      const isWrong = pool.or(pool.less(stated, pool.constant(64, 8)), pool.less(room, stated));
      return [[pool.equal(stated, room), pool.not(isWrong)]];
    }
    case IPPROTO.TCP:
      return [[pool.equal(pool.extract(byte(start + 12), 4, 4), pool.constant(4, 5))]];
    default:
      // Extension headers that are not there make an IPv6 header no whole one.
      return extension === undefined || evaluator.isTrue(extensionFits(pool, { byte }, extension))
        ? []
        : [[pool.equal(protocol, pool.constant(8, IPPROTO.NONE))]];
  }
}

/** The IP version that the EtherType or the header around it names, where another one stands: a judge takes nothing else for a packet. */
function versionAsNamed(
  { pool }: PathState,
  values: Assignment,
  { byte }: TermFrame,
  { announced }: Layout,
): Choices[] {
  const named = announced.at(-1);
  if (named === undefined) return [];
  const { version, start } = named;
  const first = byte(start);
  if (Number(new Evaluator(values).value(first)) >> 4 === version) return [];
  return [[pool.equal(first, pool.constant(8, version === 4 ? 0x45 : 0x60))]];
}

function preferringOne(state: PathState, values: Map<Term, bigint>, choices: Choices): Map<Term, bigint> {
  for (const choice of choices) {
    const wished = preferring(state, values, [choice]);
    if (wished !== values || new Evaluator(values).isTrue(choice)) return wished;
  }
  return values;
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
