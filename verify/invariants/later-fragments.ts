/**
 * Later fragments hold data where first ones hold a transport header: nobody writes ports, a type or a checksum there.
 *
 * Of TCP, UDP and ICMP, the oracle for checksums sees what changes the sum of the data. A port with the update of its
 * checksum, or two ports that change places, leave that as it was: they are looked for here, byte by byte, and so is whatever
 * is written where other protocols have their ports.
 */
import { PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Breach, Invariant } from './invariant.ts';
import { isSamePayload, type PayloadPair, payloadPairs } from './ip-payload.ts';

interface Header {
  readonly name: string;
  readonly size: number;
  /** Does the oracle for checksums look at what its fragments add to a sum? */
  readonly isSummed: boolean;
}

/** Protocols whose header a program may take the data for. */
const HEADERS: ReadonlyMap<number, Header> = new Map([
  [1, { name: 'ICMP', size: 8, isSummed: true }],
  [6, { name: 'TCP', size: 20, isSummed: true }],
  [17, { name: 'UDP', size: 8, isSummed: true }],
  [33, { name: 'DCCP', size: 12, isSummed: false }],
  [58, { name: 'ICMPv6', size: 8, isSummed: true }],
  [132, { name: 'SCTP', size: 12, isSummed: false }],
  [136, { name: 'UDP-Lite', size: 8, isSummed: false }],
]);

export const laterFragments: Invariant = {
  name: 'later-fragments',
  judge(pair: FramePair): Breach | undefined {
    if (!holdsLaterFragment(pair)) return undefined;
    for (const payload of payloadPairs(pair)) {
      const { was, is } = payload;
      const header = HEADERS.get(is.protocol);
      if (header === undefined || was.part !== PART.laterFragment || is.part !== PART.laterFragment) continue;
      if (was.end - was.start !== is.end - is.start) continue;
      const size = Math.min(header.size, is.end - is.start);
      if (isSamePayload(pair, payload, 0, size)) continue;
      if (header.isSummed && !isWrittenUnseen(pair, payload)) continue;
      let at = 0;
      while (isSamePayload(pair, payload, at, at + 1)) at++;
      return {
        invariant: 'fragments/written',
        severity: 'error',
        at: is.start + at,
        size: 1,
        expected: 'data as it came',
        got: 'changed data',
        sentence: `byte ${at} of a later fragment changed, where a first one has its ${header.name} header`,
        summary: 'a later fragment changed as if it had a header',
      };
    }
    return undefined;
  },
};

/** Makes no object: most frames end here. */
function holdsLaterFragment({ was }: FramePair): boolean {
  for (let row = 0; row < was.count; row++) if (was.part[row] === PART.laterFragment) return true;
  return false;
}

/**
 * Do the data add the same to a checksum as before? What changes every word of them, an encryption say, is about data, and
 * adds the same by chance.
 */
function isWrittenUnseen(pair: FramePair, payload: PayloadPair): boolean {
  const { was, is } = payload;
  const size = is.end - is.start;
  let difference = 0;
  let keepsWord = false;
  for (let at = 0; at < size; at += 2) {
    const end = Math.min(at + 2, size);
    keepsWord ||= isSamePayload(pair, payload, at, end);
    for (let byte = at; byte < end; byte++) {
      const now = pair.after[pair.afterOffset + is.start + byte]!;
      const then = pair.before[pair.beforeOffset + was.start + byte]!;
      difference += (now - then) * (byte === at ? 256 : 1);
    }
  }
  return keepsWord && difference % 0xffff === 0;
}
