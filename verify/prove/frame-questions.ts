/**
 * What must not become of a frame that leaves, as conditions over the inputs of one path: TTLs, replies, lengths, fragments.
 * Where the path cannot meet such a condition, the property is proved for it; where it can, packets that do are tried with
 * the judges that `check` has.
 */

import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import type { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { TPIDS } from '../../sim/packet/vlan.ts';
import { DELIVERY, type Delivery, deliveryOf } from '../../sim/runtime/delivery.ts';
import { ARRAYS } from '../../sim/runtime/maps.ts';
import { ERRORS4 } from '../invariants/answers.ts';
import { ETHERNET_MINIMUM } from '../oracle/frame-pair.ts';
import { FRAGMENT, type LaidIp, type Layout, MOST_TAGS, type TermFrame } from './frame-layout.ts';

export interface Question {
  /** As `check` names it; `lengths` and `fragments` for all of their parts. */
  readonly invariant: string;
  /** When it is broken. */
  readonly broken: Term;
  /** What that would be, for what stays undecided. */
  readonly sentence: string;
}

/** A frame on one path, as it came and as it left, with the headers that may have changed. */
export interface FrameCase {
  readonly before: TermFrame;
  readonly after: TermFrame;
  readonly came: Layout;
  readonly left: Layout;
}

/** Is told of what the answers take for granted. */
export type Assume = (sentence: string) => void;

const VALID = 'TTLs and addresses that come from maps, globals and helpers are valid ones';

/** Where in an IP header its TTL or hop limit is. */
const TTL_AT: Readonly<Record<LaidIp['version'], number>> = { 4: 8, 6: 7 };

/** @throws {Split} while the path does not say where the frame goes */
export function ttlAndReplyQuestions(
  inputs: Inputs,
  state: PathState,
  frames: FrameCase,
  assume: Assume,
): Question[] {
  if (state.end?.kind !== 'exit' || frames.came.isBroken || frames.left.isBroken) return [];
  const delivery = deliveryOf(inputs.hook, Number(BigInt.asIntN(32, state.number(state.end.action))));
  const { came, left } = frames;
  const questions: Question[] = [];
  for (const [was, is] of ipPairs(came, left)) {
    if (was === undefined || was.version !== is.version)
      questions.push(...newTtlQuestions(state.pool, frames, is, assume));
    else questions.push(...ttlQuestions(state.pool, frames, was, is, delivery, assume));
  }
  const [was, is] = [came.ips[0], left.ips[0]];
  if (was !== undefined && was.version === is?.version)
    questions.push(...replyQuestions(inputs, state, frames, was, is, delivery, assume));
  return questions;
}

/** Each IP header of the frame that left with what it was: the innermost with the innermost. */
function ipPairs(came: Layout, left: Layout): (readonly [LaidIp | undefined, LaidIp])[] {
  const shift = came.ips.length - left.ips.length;
  return left.ips.map((is, index) => [came.ips[index + shift], is]);
}

function ttlQuestions(
  pool: TermPool,
  { before, after }: FrameCase,
  was: LaidIp,
  is: LaidIp,
  delivery: Delivery,
  assume: Assume,
): Question[] {
  const at = TTL_AT[is.version];
  const then = before.byte(was.start + at);
  const now = after.byte(is.start + at);
  if (then === now) return [];
  if (isFromElsewhere(now)) {
    assume(VALID);
    return [];
  }
  const name = is.version === 4 ? 'TTL' : 'hop limit';
  const byte = (value: number): Term => pool.constant(8, value);
  const questions: Question[] = [
    {
      invariant: 'ttl/expired',
      broken: pool.and(pool.equal(now, byte(0)), pool.not(pool.equal(then, byte(0)))),
      sentence: `a ${name} may come to 0 in a packet that goes on`,
    },
  ];
  // What does not depend on what it was is set, not lowered: answers may be sent with 255.
  const isLowered = [...unknownsOf(then)].every((one) => unknownsOf(now).has(one));
  if (isLowered) {
    questions.push({
      invariant: 'ttl/wrapped',
      broken: pool.and(pool.equal(now, byte(255)), pool.equal(then, byte(0))),
      sentence: `a ${name} of 0 may become 255`,
    });
  }
  if (isLowered && delivery === DELIVERY.redirected && goesToNextHop(before, after, was, is)) {
    const one = pool.subtract(then, byte(1));
    questions.push({
      invariant: 'ttl/step',
      broken: pool.and(pool.less(now, then), pool.not(pool.equal(now, one))),
      sentence: `a ${name} may be lowered by more than one`,
    });
  }
  return questions;
}

/** A header that the program made has a TTL, unless a packet came that may not go on. */
function newTtlQuestions(
  pool: TermPool,
  { before, after, came }: FrameCase,
  is: LaidIp,
  assume: Assume,
): Question[] {
  const ttl = (frame: TermFrame, { version, start }: Pick<LaidIp, 'version' | 'start'>): Term =>
    frame.byte(start + TTL_AT[version]);
  const now = ttl(after, is);
  if (isFromElsewhere(now)) {
    assume(VALID);
    return [];
  }
  // What is untouched inside may not go on, either.
  const areAlive = came.announced.map((one) => pool.less(pool.constant(8, 1), ttl(before, one)));
  return [
    {
      invariant: 'ttl/zero',
      broken: pool.and(pool.equal(now, pool.constant(8, 0)), pool.all(areAlive)),
      sentence: `the ${is.version === 4 ? 'TTL' : 'hop limit'} of a new header may be 0`,
    },
  ];
}

/** The same addresses at the same place, behind another destination MAC address: the packet was routed. */
function goesToNextHop(before: TermFrame, after: TermFrame, was: LaidIp, is: LaidIp): boolean {
  if (was.start !== is.start) return false;
  const [from, to] = is.version === 4 ? [12, 20] : [8, 40];
  for (let at = is.start + from; at < is.start + to; at++)
    if (before.byte(at) !== after.byte(at)) return false;
  for (let at = 0; at < 6; at++) if (before.byte(at) !== after.byte(at)) return true;
  return false;
}

/** Frames that go back to the source they came from, with another source than before. */
function replyQuestions(
  inputs: Inputs,
  state: PathState,
  { before, after }: FrameCase,
  was: LaidIp,
  is: LaidIp,
  delivery: Delivery,
  assume: Assume,
): Question[] {
  if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return [];
  const { pool } = state;
  const [at, size] = is.version === 4 ? [12, 4] : [8, 16];
  const field = (frame: TermFrame, start: number): Term[] =>
    Array.from({ length: size }, (_, index) => frame.byte(start + index));
  const source = { old: field(before, was.start + at), now: field(after, is.start + at) };
  const destination = { old: field(before, was.start + at + size), now: field(after, is.start + at + size) };
  const same = (a: readonly Term[], b: readonly Term[]): Term =>
    pool.all(a.map((byte, index) => pool.equal(byte, b[index]!)));
  const isBack = pool.and(same(destination.now, source.old), pool.not(same(source.now, source.old)));
  const isSwapped = same(source.now, destination.old);
  const [first] = source.now as [Term];
  const filled = (value: number): Term =>
    pool.all(source.now.map((byte) => pool.equal(byte, pool.constant(8, value))));
  const isGroup =
    size === 16
      ? pool.equal(first, pool.constant(8, 0xff))
      : pool.or(pool.equal(pool.extract(first, 4, 4), pool.constant(4, 0xe)), filled(0xff));
  const questions = [
    {
      invariant: 'reply/group-source',
      broken: pool.all([isBack, isSwapped, isGroup]),
      sentence: 'a packet to a group may be answered with the group as its source',
    },
  ];
  if (source.now.some(isFromElsewhere) || isKeyFound(inputs, state, source.now)) assume(VALID);
  else {
    questions.push({
      invariant: 'reply/zero-source',
      broken: pool.all([isBack, pool.not(isSwapped), filled(0)]),
      sentence: 'a reply may have the source address 0',
    });
  }
  return questions;
}

/** Does a byte depend on anything but the frame as it came? */
function isFromElsewhere(term: Term): boolean {
  for (const { name } of unknownsOf(term)) if (!/^(p\d+|length)$/.test(name)) return true;
  return false;
}

/** Is an address part of a key that was found in a table? Whoever has put it there has given it as much as a value. */
function isKeyFound({ machine }: Inputs, state: PathState, address: readonly Term[]): boolean {
  // A number that the program writes is its own, whatever keys are made of.
  if (address.every(isConst)) return false;
  return state.entries.some(({ map, key, wasThere }) => {
    const { type } = machine.maps[map]!.definition;
    if (ARRAYS.has(type) || state.knowledge.settle(wasThere) !== state.pool.true) return false;
    return key.some((_, from) => address.every((byte, at) => key[from + at] === byte));
  });
}

/** Version and lengths of an IP header, and what says which header follows: under another protocol the same bytes are another one. */
const DECIDING: Readonly<Record<LaidIp['version'], readonly number[]>> = { 4: [0, 2, 3, 9], 6: [4, 5, 6] };

/** Did the program write a length, or change how long the frame is, or where or which headers there are? Else lengths stay as they came. */
export function changesLengths({ before, after, came, left }: FrameCase): boolean {
  if (before.length !== after.length || came.ips.length !== left.ips.length) return true;
  if (came.announced.length !== left.announced.length) return true;
  for (const [index, { start, version }] of left.announced.entries()) {
    const was = came.announced[index]!;
    if (was.start !== start || was.version !== version) return true;
  }
  for (const { start, version } of left.ips)
    if (DECIDING[version].some((at) => before.byte(start + at) !== after.byte(start + at))) return true;
  if (came.transports.length !== left.transports.length) return true;
  if (hasOtherExtension({ before, after, came, left })) return true;
  return left.transports.some(({ start, stated }, index) => {
    const was = came.transports[index]!;
    if (was.start !== start || (was.stated === undefined) !== (stated === undefined)) return true;
    if (stated !== undefined) return was.stated !== stated;
    return before.byte(start + 12) !== after.byte(start + 12);
  });
}

/** Numbers of IPv6 extension headers that say in their second byte how many eights follow the first one (RFC 8200 §4). */
const EXTENSIONS: readonly number[] = [0, 43, 60];
const EXTENSION_UNIT = 8;

function hasOtherExtension({ before, after, came, left }: FrameCase): boolean {
  if (left.extension === undefined) return false;
  const { start } = left.extension;
  return came.extension?.start !== start || before.byte(start + 1) !== after.byte(start + 1);
}

/** Does the first extension header of an IPv6 packet fit, if it has one? */
export function extensionFits(
  pool: TermPool,
  frame: Pick<TermFrame, 'byte'>,
  extension: Layout['extension'],
): Term {
  if (extension === undefined) return pool.true;
  const { start, protocol, available } = extension;
  const isThere = pool.any(EXTENSIONS.map((one) => pool.equal(protocol, pool.constant(8, one))));
  const eights = pool.zeroExtend(64, frame.byte(start + 1));
  const size = pool.addConst(pool.shiftLeft(eights, 3), EXTENSION_UNIT);
  return pool.or(pool.not(isThere), pool.not(pool.less(available, size)));
}

/** Is there a tag behind those that are looked through? */
function hasMoreTags(pool: TermPool, { byte }: TermFrame): Term {
  const types = Array.from({ length: MOST_TAGS + 1 }, (_, tag) => 12 + 4 * tag).map((at) =>
    pool.concat([byte(at), byte(at + 1)]),
  );
  return pool.all(
    types.map((type) => pool.any(TPIDS.map((one) => pool.equal(type, pool.constant(16, one))))),
  );
}

/**
 * When did all that says which packet it is, and how long, come as it leaves, where nobody has looked: behind more tags than are
 * looked through here, or in the data of a tunnel? Who takes what is in front of it off need not look at what is behind, which
 * came as contradictory as it leaves.
 */
function isExposed(pool: TermPool, { before, after, came, left }: FrameCase): Term {
  // The rest of a fragment's data is in others.
  if (left.announced.length === 0 || came.rest === FRAGMENT) return pool.false;
  const taken = pool.subtract(before.length, after.length);
  if (!isConst(taken)) return pool.false;
  const shift = Number(BigInt.asIntN(64, taken.value));
  const wasSeen = came.announced.some((was) => left.announced.some((is) => is.start + shift === was.start));
  if (wasSeen || (came.announced.length > 0 && shift <= 0)) return pool.false;
  const deciding = left.announced.flatMap(({ version, start }) =>
    [-2, -1, 0, ...DECIDING[version]].map((at) => start + at),
  );
  for (const { start, stated } of left.transports)
    deciding.push(...(stated === undefined ? [start + 12] : [start + 4, start + 5]));
  if (left.extension !== undefined) deciding.push(left.extension.start + 1);
  if (!deciding.every((at) => after.byte(at) === before.byte(at + shift))) return pool.false;
  return came.announced.length > 0 ? pool.true : hasMoreTags(pool, before);
}

/**
 * Where lengths that agreed when the frame came may no longer do so.
 * @param frames with their headers as far as the first IP header that left as it came, with all behind it
 */
export function lengthQuestions(pool: TermPool, { before, after, came, left }: FrameCase): Question[] {
  if (came.isBroken) return [];
  const isOld = isExposed(pool, { before, after, came, left });
  const question = (broken: Term, sentence: string): Question => ({
    invariant: 'lengths',
    broken: pool.and(broken, pool.not(isOld)),
    sentence,
  });
  const fits = (frame: TermFrame, ips: readonly LaidIp[]): Term =>
    pool.all(ips.map(({ end }, index) => pool.not(pool.less(ips[index - 1]?.end ?? frame.length, end))));
  const fitted = fits(before, came.ips);
  if (left.isBroken) return [question(fitted, `the frame may leave with ${left.rest}`)];
  const questions: Question[] = [
    question(pool.and(fitted, pool.not(fits(after, left.ips))), 'an IP packet may claim more than there is'),
  ];
  const [outer, first] = [left.ips[0], came.ips[0]];
  if (outer !== undefined && first !== undefined) {
    const beyond = [first, ipPairs(came, left)[0]![0] ?? first].map(({ end }) => {
      const padding = pool.subtract(before.length, end);
      return pool.less(pool.add(outer.end, padding), after.length);
    });
    const isLong = pool.less(pool.constant(64, ETHERNET_MINIMUM), after.length);
    const broken = pool.all([fitted, isLong, ...beyond]);
    questions.push(question(broken, 'bytes may lie behind the packet that no length counts'));
  }
  const overruns = pool.and(
    extensionFits(pool, before, came.extension),
    pool.not(extensionFits(pool, after, left.extension)),
  );
  questions.push(question(overruns, 'an IPv6 extension header may go beyond the packet'));
  const shift = came.transports.length - left.transports.length;
  for (const [index, is] of left.transports.entries()) {
    const was = came.transports[index + shift];
    if (is.stated !== undefined) {
      const allowed =
        was?.stated === undefined ? pool.constant(64, 0) : pool.subtract(was.available, was.stated);
      const broken = pool.less(pool.add(is.stated, allowed), is.available);
      questions.push(question(broken, 'the UDP length may be less than the IP packet has room for'));
      continue;
    }
    const fitsIn = (frame: TermFrame, start: number, available: Term): Term => {
      const words = pool.zeroExtend(64, pool.extract(frame.byte(start + 12), 4, 4));
      const isShort = pool.less(words, pool.constant(64, 5));
      return pool.not(pool.or(isShort, pool.less(available, pool.shiftLeft(words, 2))));
    };
    const didFit = was === undefined ? pool.true : fitsIn(before, was.start, was.available);
    const broken = pool.and(didFit, pool.not(fitsIn(after, is.start, is.available)));
    questions.push(question(broken, 'the TCP data offset may go beyond the segment'));
  }
  return questions.filter(({ broken }) => !isConst(broken) || broken.value === 1n);
}

/** Fragment offset and “more fragments” stay as they came; in a new header there are none. */
export function fragmentQuestions(pool: TermPool, { before, after, came, left }: FrameCase): Question[] {
  if (came.isBroken || left.isBroken) return [];
  const word = (frame: TermFrame, { start }: LaidIp): Term =>
    pool.concat([pool.extract(frame.byte(start + 6), 0, 6), frame.byte(start + 7)]);
  return ipPairs(came, left).flatMap(([was, is]) => {
    if (is.version !== 4 || (was !== undefined && was.version !== 4)) return [];
    const now = word(after, is);
    const isNew = was === undefined || came.ips.some((one) => isErrorAbout(before, one, after, is));
    const then = isNew ? pool.constant(14, 0) : word(before, was);
    if (now === then) return [];
    const sentence = 'a fragment offset, or the flag for more fragments, may change';
    return [{ invariant: 'fragments', broken: pool.not(pool.equal(now, then)), sentence }];
  });
}

/** Identification, protocol and addresses of an IPv4 header: an ICMP error quotes them as they came. */
const QUOTED = [4, 5, 9, 12, 13, 14, 15, 16, 17, 18, 19];

/** Is it the header of an ICMP error that quotes a packet that came? */
function isErrorAbout(before: TermFrame, was: LaidIp, after: TermFrame, is: LaidIp): boolean {
  const [protocol, type] = [after.byte(is.start + 9), after.byte(is.start + 20)];
  if (!isConst(protocol) || protocol.value !== 1n) return false;
  if (!isConst(type) || !ERRORS4.has(Number(type.value))) return false;
  return QUOTED.every((at) => after.byte(is.start + 28 + at) === before.byte(was.start + at));
}
