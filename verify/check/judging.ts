/** What `check` judges: everything that `verify` does, and what needs no comparison besides. */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { calledHelpers } from '../../sim/ebpf/called-helpers.ts';
import type { Helper } from '../../sim/ebpf/helpers/helper.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { actionInvariant } from '../invariants/action.ts';
import { arp } from '../invariants/arp.ts';
import { broken } from '../invariants/broken.ts';
import { decapsulation } from '../invariants/decapsulation.ts';
import { dnsAnswer } from '../invariants/dns-answer.ts';
import { icmpError } from '../invariants/icmp-error.ts';
import { INVARIANTS } from '../invariants/index.ts';
import type { Breach, Invariant, OutcomeInvariant } from '../invariants/invariant.ts';
import { laterFragments } from '../invariants/later-fragments.ts';
import { mpls } from '../invariants/mpls.ts';
import { neighbourDiscovery } from '../invariants/neighbour-discovery.ts';
import { options } from '../invariants/options.ts';
import { pppoe } from '../invariants/pppoe.ts';
import { redirectTarget } from '../invariants/redirect.ts';
import { reply } from '../invariants/reply.ts';
import { replyPorts } from '../invariants/reply-ports.ts';
import { replyTarget, sameMacs } from '../invariants/reply-target.ts';
import { segmentSize } from '../invariants/segment-size.ts';
import { tcpAnswer } from '../invariants/tcp-answer.ts';
import { trafficClass } from '../invariants/traffic-class.ts';
import { translatedQuote } from '../invariants/translated-quote.ts';
import { transports } from '../invariants/transports.ts';
import { ttl } from '../invariants/ttl.ts';
import { unanswerable } from '../invariants/unanswerable.ts';
import { type Judging, SHORTEST_FRAME } from '../judging.ts';

/** Is the invariant of this identifier judged? */
export type IsOn = (id: string) => boolean;

export function checkJudging(program: Program, isOn: IsOn): Judging {
  const on = (breach: Breach | undefined): Breach | undefined =>
    breach !== undefined && isOn(breach.invariant) ? breach : undefined;
  const all = [
    // Behind labels that end nowhere, nothing else is what it seems.
    mpls,
    ...INVARIANTS,
    laterFragments,
    transports,
    ttl,
    reply,
    replyTarget,
    replyPorts,
    sameMacs,
    unanswerable,
    icmpError,
    tcpAnswer,
    neighbourDiscovery,
    arp,
    dnsAnswer,
    options,
    segmentSize,
    trafficClass,
    translatedQuote,
    decapsulation(hasSocketMap(program)),
    pppoe,
    broken,
  ];
  const frames: Invariant[] = all.map((one) => ({
    ...one,
    judge: (pair, passage) => on(one.judge(pair, passage)),
  }));
  const outcomes: OutcomeInvariant[] = [
    actionInvariant(program.entries[0]?.behindRedirect),
    redirectTarget(callsRedirect(program)),
  ].map((one) => ({
    name: one.name,
    judge: (passage) => on(one.judge(passage)),
  }));
  return { checksums: true, frames, outcomes, keepsWarnings: true, shortest: SHORTEST_FRAME };
}

/**
 * Does anything in the object store the target of a redirect? What cannot be read may. Where only other programs do, runs are
 * looked at one by one, which tells the line, too (`redirects.ts`).
 */
export function callsRedirect({ object }: Program): boolean {
  return callsIn(object, undefined, ({ effects }) => effects.redirects);
}

/** Is there a map of AF_XDP sockets that a redirect may lead to? */
function hasSocketMap(program: Program): boolean {
  return hasMap(program, ({ type, inner }) => type === 'XSKMAP' || inner?.type === 'XSKMAP');
}

/** Has the object a map of which this holds? What cannot be read may have one. */
export function hasMap({ object }: Program, holds: (map: BpfMap) => boolean): boolean {
  if (object === undefined) return true;
  try {
    return linkedObject(object).maps.some(holds);
  } catch (error) {
    if (error instanceof ObjectError) return true;
    throw error;
  }
}

/** Does the program call a helper of which this holds, or may another one by way of a tail call? What cannot be read may. */
export function callsAny({ object, entries }: Program, holds: (helper: Helper) => boolean): boolean {
  const functions = entries.map((one) => one.function);
  return callsIn(object, functions, holds);
}

function callsIn(
  bytes: Uint8Array | undefined,
  functions: readonly string[] | undefined,
  holds: (helper: Helper) => boolean,
): boolean {
  if (bytes === undefined) return true;
  try {
    return [...calledHelpers(linkedObject(bytes), functions)].some(holds);
  } catch (error) {
    if (error instanceof ObjectError) return true;
    throw error;
  }
}
