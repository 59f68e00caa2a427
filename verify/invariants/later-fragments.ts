/**
 * Later fragments hold data where first ones hold a transport header: nobody writes ports or a checksum there.
 *
 * The oracle for checksums sees the same in TCP, UDP and ICMP, whose sums it knows; this looks at the bytes, of every
 * protocol that begins with ports.
 */
import { PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Breach, Invariant } from './invariant.ts';
import { isSamePayload, mayCarry, payloadPairs } from './ip-payload.ts';

/** Protocols whose header a program may take the data for, and how long that is. */
const HEADERS: ReadonlyMap<number, readonly [name: string, size: number]> = new Map([
  [33, ['DCCP', 12]],
  [132, ['SCTP', 12]],
  [136, ['UDP-Lite', 8]],
]);

export const laterFragments: Invariant = {
  name: 'later-fragments',
  judge(pair: FramePair): Breach | undefined {
    if (!mayCarry(pair, HEADERS)) return undefined;
    for (const payload of payloadPairs(pair)) {
      const { was, is } = payload;
      const header = HEADERS.get(is.protocol);
      if (header === undefined || was.part !== PART.laterFragment || is.part !== PART.laterFragment) continue;
      if (was.end - was.start !== is.end - is.start) continue;
      const [name, longest] = header;
      const size = Math.min(longest, is.end - is.start);
      if (isSamePayload(pair, payload, 0, size)) continue;
      let at = 0;
      while (isSamePayload(pair, payload, at, at + 1)) at++;
      return {
        invariant: 'fragments/written',
        severity: 'error',
        at: is.start + at,
        size: 1,
        expected: 'data as it came',
        got: 'changed data',
        sentence: `byte ${at} of a later fragment changed, where a first one has its ${name} header`,
        summary: 'a later fragment changed as if it had a header',
      };
    }
    return undefined;
  },
};
