/** The likely cause of a wrong checksum in a capture, where only one side of what happened to the packet is known. */

import type { CauseId, ChecksumEvidence } from '../explain/cause.ts';
import { checksumEvidence, diagnose } from '../explain/diagnose.ts';
import { hex16, sameOnes } from '../explain/ones.ts';

export interface LoneCause {
  readonly id: string;
  /** "the sum was folded only once: …" */
  readonly sentence: string;
}

/**
 * Causes that give small differences, or so many that one of them often explains a small packet: of one packet alone, damage that
 * gives the same is likelier.
 */
const UNLIKELY_ALONE: ReadonlySet<string> = new Set<CauseId>([
  'pseudo-header length',
  'pseudo-header protocol',
  'start only',
]);

const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Names what a wrong checksum may come from.
 * @param frame the packet as an Ethernet frame
 * @returns undefined where nothing explains it
 */
export function loneCause(frame: Uint8Array, layer: string, depth: number): LoneCause | undefined {
  const evidence = checksumEvidence(NO_BYTES, frame, layer, depth, true);
  if (evidence === undefined) return undefined;
  const certain = unfilled(evidence);
  if (certain !== undefined) return certain;
  const { id, sentence } = diagnose(evidence);
  if (id !== 'unknown' && !UNLIKELY_ALONE.has(id)) return { id, sentence };
  const usual = timeToLive(evidence) ?? offByOne(evidence) ?? flippedBit(evidence);
  return usual ?? (id === 'unknown' ? undefined : { id, sentence });
}

function unfilled({ after }: ChecksumEvidence): LoneCause | undefined {
  if (after.got !== 0) return undefined;
  if (after.status === 'illegal') {
    return {
      id: after.layer === 'udplite' ? 'udplite none' : 'udp none over ipv6',
      sentence:
        after.layer === 'udplite'
          ? 'UDP-Lite must have a checksum (RFC 3828 §3.1)'
          : 'UDP over IPv6 must have a checksum, except in tunnels (RFC 8200 §8.1, RFC 6935)',
    };
  }
  return {
    id: 'not filled in',
    sentence: 'the field is 0x0000: nobody has filled it in (some systems leave that to the network card)',
  };
}

/** Routers lower the TTL in the upper half of a word, and the checksum rises by as much (RFC 1141). */
const MOST_HOPS = 3;

function timeToLive({ after, recomputed }: ChecksumEvidence): LoneCause | undefined {
  if (after.layer !== 'ipv4') return undefined;
  for (let hops = 1; hops <= MOST_HOPS; hops++) {
    const before = (recomputed + 0xffff - hops * 0x100) % 0xffff;
    if (sameOnes(before, after.got)) {
      return {
        id: 'ttl not updated',
        sentence: `it is right for a TTL of ${after.packet[after.start + 8]! + hops}: the TTL was lowered without updating the checksum`,
      };
    }
  }
  return undefined;
}

function offByOne({ after, recomputed }: ChecksumEvidence): LoneCause | undefined {
  const above = (after.got + 0xffff - recomputed) % 0xffff;
  if (above !== 1 && above !== 0xfffe) return undefined;
  return {
    id: 'carry lost',
    sentence: 'it is off by one: an end-around carry was lost when the checksum was updated (RFC 1624)',
  };
}

/** A difference of one bit: damage, on the way or in a memory. */
function flippedBit({ after, recomputed }: ChecksumEvidence): LoneCause | undefined {
  const above = (after.got + 0xffff - recomputed) % 0xffff;
  const below = 0xffff - above;
  const bit = [above, below].find((value) => value !== 0 && (value & (value - 1)) === 0);
  if (bit === undefined) return undefined;
  return {
    id: 'one bit',
    sentence: `the difference is one bit (${hex16(bit)}): one flipped bit explains it, such as damage on the way`,
  };
}
