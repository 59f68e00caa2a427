/**
 * ESP is nobody's but its endpoints': a program that "knows" what follows an IP header and takes it for TCP or UDP writes
 * over encrypted data, and no checksum shows it. (Protocols with a checksum are the oracle's.)
 */
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Breach, Invariant } from './invariant.ts';
import { isSamePayload, isWhole, mayCarry, payloadPairs } from './ip-payload.ts';
import { type Rule, rule } from './rule.ts';

export const TRANSPORT_RULES: readonly Rule[] = [
  rule(
    'payload/overwritten',
    'error',
    'Encrypted data was overwritten',
    'Bytes of an ESP packet changed: the program took it for TCP or UDP, and the receiver’s integrity check will drop it (RFC 4303 §3.4.4).',
  ),
];

const ESP: ReadonlyMap<number, string> = new Map([[50, 'ESP']]);

export const transports: Invariant = {
  name: 'transports',
  judge(pair: FramePair): Breach | undefined {
    if (!mayCarry(pair, ESP)) return undefined;
    for (const payload of payloadPairs(pair)) {
      const { was, is } = payload;
      const size = is.end - is.start;
      if (!ESP.has(is.protocol) || !isWhole(was) || !isWhole(is)) continue;
      if (was.end - was.start !== size || isSamePayload(pair, payload, 0, size)) continue;
      let at = 0;
      while (isSamePayload(pair, payload, at, at + 1)) at++;
      return {
        invariant: 'payload/overwritten',
        severity: 'error',
        at: is.start + at,
        size: 1,
        against: { at: is.start, size },
        expected: 'data as it came',
        got: 'changed data',
        sentence: `byte ${at} of an ESP packet changed`,
        summary: 'bytes of an ESP packet changed',
      };
    }
    return undefined;
  },
};
