/**
 * Two engines' outcomes of one batch, side by side: which packet is the first that differs, and in which part.
 *
 * Agreement is the common case and must cost nothing per packet: outcome arenas are packed in order, so equal
 * outcomes are equal bytes, and a handful of `memcmp` decide a batch. Single packets are looked at only when one
 * of those says no.
 */
import type { Engine, Observables } from '../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { deliveryOf, leaves } from '../sim/runtime/delivery.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { NotCompared } from './not-compared.ts';
import { tracesCount } from './trace-lines.ts';

/** The parts of an outcome, in the order in which a difference is looked for. */
export type OutcomePart = 'action' | 'packet' | 'metadata' | 'redirect' | 'trace' | 'skb';

export interface OutcomeDifference {
  /** Index into the batch. */
  readonly packet: number;
  readonly part: OutcomePart;
}

/**
 * What both of two engines can show: the most that a comparison of them may look at.
 * @param traces false: without trace lines. Engines find out whether they can show those when they are asked, which takes
 *   the kernel some time.
 */
export function bothObserve(a: Observables, b: Observables, traces: boolean = true): Observables {
  return {
    action: a.action === 'exact' && b.action === 'exact' ? 'exact' : 'delivery',
    packet: a.packet === 'always' && b.packet === 'always' ? 'always' : 'delivered',
    metadata: a.metadata && b.metadata,
    redirect: a.redirect && b.redirect,
    maps: a.maps && b.maps,
    trace: traces && a.trace && b.trace,
    skb: a.skb && b.skb,
    tstamp: a.tstamp && b.tstamp,
  };
}

/**
 * What of an outcome is held against each other for this program.
 * @param lines trace lines, too; default: only where they are specified
 */
export function comparedParts(
  program: Program,
  a: Observables,
  b: Observables,
  lines: boolean = tracesCount(program),
): Observables {
  return bothObserve(a, b, lines);
}

/** What a comparison of two engines on this program leaves out, because one of them cannot show it. */
export function notCompared(program: Program, a: Engine, b: Engine): NotCompared[] {
  const left: NotCompared[] = [];
  const blind = (what: string, sees: (observes: Observables) => boolean): void => {
    for (const { name, observes } of [a, b]) if (!sees(observes)) left.push({ what, engine: name });
  };
  const xdp = program.entries.some((entry) => entry.hook === 'xdp');
  const tc = program.entries.some((entry) => entry.hook !== 'xdp');
  if (xdp) blind('XDP_ABORTED against XDP_DROP', (observes) => observes.action === 'exact');
  if (tc) blind('TC actions with the same delivery', (observes) => observes.action === 'exact');
  blind('bytes of frames that do not leave', (observes) => observes.packet === 'always');
  blind('metadata', (observes) => observes.metadata);
  blind('redirect target', (observes) => observes.redirect);
  if (program.definition === undefined || program.definition.maps.length > 0) {
    blind('maps', (observes) => observes.maps);
  }
  if (tracesCount(program)) blind('trace lines', (observes) => observes.trace);
  if (tc) blind('mark, priority and cb of __sk_buff', (observes) => observes.skb);
  if (tc) blind('tstamp of __sk_buff', (observes) => observes.tstamp);
  return left;
}

/**
 * The first packet, from `from` on, on which two engines differ in what both observe.
 *
 * @param expected the reference's outcomes
 * @param got the other engine's, of the same packets
 * @param observed what to look at: see `comparedParts`
 * @param hooks the hook of each entry of the program
 * @param entries which entry each packet ran (`PacketBatch.entry`)
 */
export function firstDifference(
  expected: OutcomeBatch,
  got: OutcomeBatch,
  observed: Observables,
  hooks: readonly Hook[],
  entries: Uint8Array,
  from: number = 0,
): OutcomeDifference | undefined {
  if (from === 0 && sameBatch(expected, got, observed)) return undefined;
  for (let packet = from; packet < expected.count; packet++) {
    const part = differingPart(expected, got, observed, hooks[entries[packet]!] ?? 'xdp', packet);
    if (part !== undefined) return { packet, part };
  }
  return undefined;
}

/** Is everything that could be compared equal, decided without looking at single packets? */
function sameBatch(a: OutcomeBatch, b: OutcomeBatch, observed: Observables): boolean {
  const count = a.count;
  return (
    b.count === count &&
    a.used === b.used &&
    sameBytes(a.status, b.status, count) &&
    sameBytes(a.action, b.action, count) &&
    sameBytes(a.length, b.length, count) &&
    sameBytes(a.metaLength, b.metaLength, count) &&
    sameBytes(a.bytes, b.bytes, a.used) &&
    (!observed.redirect || sameBytes(a.redirect, b.redirect, count)) &&
    (!observed.skb ||
      (sameBytes(a.mark, b.mark, count) &&
        sameBytes(a.priority, b.priority, count) &&
        sameBytes(a.cb, b.cb, count * 5))) &&
    (!observed.tstamp || sameBytes(a.tstamp, b.tstamp, count * 2)) &&
    (!observed.trace || (a.trace.size === 0 && b.trace.size === 0))
  );
}

function sameBytes<T extends Uint8Array | Uint32Array | Int32Array>(a: T, b: T, elements: number): boolean {
  const size = elements * a.BYTES_PER_ELEMENT;
  return (
    Buffer.compare(Buffer.from(a.buffer, a.byteOffset, size), Buffer.from(b.buffer, b.byteOffset, size)) === 0
  );
}

function differingPart(
  a: OutcomeBatch,
  b: OutcomeBatch,
  observed: Observables,
  hook: Hook,
  packet: number,
): OutcomePart | undefined {
  // Only what both ran to an end that can be seen: what a stopped program left behind is nobody's promise.
  if (a.status[packet] !== STATUS.ran || b.status[packet] !== STATUS.ran) return undefined;

  const action = a.action[packet]!;
  const otherAction = b.action[packet]!;
  if (observed.action === 'exact') {
    if (action !== otherAction) return 'action';
  } else if (deliveryOf(hook, action) !== deliveryOf(hook, otherAction)) {
    return 'action';
  }

  if (observed.packet === 'always' || leaves(hook, action)) {
    if (
      !sameRange(a.bytes, a.offset[packet]!, a.length[packet]!, b.bytes, b.offset[packet]!, b.length[packet]!)
    ) {
      return 'packet';
    }
    if (observed.metadata) {
      const size = a.metaLength[packet]!;
      const otherSize = b.metaLength[packet]!;
      const start = a.offset[packet]! - size;
      const otherStart = b.offset[packet]! - otherSize;
      if (!sameRange(a.bytes, start, size, b.bytes, otherStart, otherSize)) return 'metadata';
    }
  }
  if (observed.redirect && a.redirect[packet]! !== b.redirect[packet]!) return 'redirect';
  if (observed.trace && !sameLines(a.trace.get(packet), b.trace.get(packet))) return 'trace';
  if (observed.skb && hook !== 'xdp' && !sameSkb(a, b, packet)) return 'skb';
  if (observed.tstamp && hook !== 'xdp' && !sameTimestamp(a, b, packet)) return 'skb';
  return undefined;
}

function sameRange(
  a: Uint8Array,
  start: number,
  size: number,
  b: Uint8Array,
  otherStart: number,
  otherSize: number,
): boolean {
  if (size !== otherSize) return false;
  for (let index = 0; index < size; index++) {
    if (a[start + index]! !== b[otherStart + index]!) return false;
  }
  return true;
}

function sameLines(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  const count = a?.length ?? 0;
  if (count !== (b?.length ?? 0)) return false;
  for (let line = 0; line < count; line++) if (a![line] !== b![line]) return false;
  return true;
}

function sameTimestamp(a: OutcomeBatch, b: OutcomeBatch, packet: number): boolean {
  const word = 2 * packet;
  return a.tstamp[word] === b.tstamp[word] && a.tstamp[word + 1] === b.tstamp[word + 1];
}

function sameSkb(a: OutcomeBatch, b: OutcomeBatch, packet: number): boolean {
  if (a.mark[packet]! !== b.mark[packet]!) return false;
  if (a.priority[packet]! !== b.priority[packet]!) return false;
  for (let word = packet * 5; word < packet * 5 + 5; word++) if (a.cb[word]! !== b.cb[word]!) return false;
  return true;
}
