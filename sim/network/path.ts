/** The path of a frame through a network: what both the simulation and the kernel show, and how they are compared. */
import { equal, readU16, writeU16 } from '../packet/bytes.ts';
import { update } from '../packet/checksum.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { ICMP } from '../packet/icmp.ts';
import { IPV4 } from '../packet/ipv4.ts';
import { ETHERTYPE } from '../packet/numbers.ts';
import { type Place, placeText } from './scenario.ts';

/**
 * `out`: it leaves a device onto the wire. `in`: it comes off the wire, before any program has seen it. `up`: the
 * XDP program of the device has passed it on, and the bytes are those that TC and the stack get. Devices without an
 * XDP program have no `up`: it would be the same as `in`.
 */
export type Direction = 'out' | 'in' | 'up';

export interface Hop extends Place {
  readonly direction: Direction;
  readonly bytes: Uint8Array;
  /** `skb->mark` with which it came to TC egress; 0 for frames that XDP sent, which have none. `out` only. */
  readonly mark: number;
  /**
   * In how many IPv4 headers, from the outside, the identification is what some stack chose freely: the kernel's
   * is random. 2 for an ICMP error that quotes such a packet. Only the simulation knows.
   */
  readonly freeIdentifications?: number;
}

/** Where two paths part. */
export interface PathDifference {
  readonly place: Place;
  readonly direction: Direction;
  /** Counts from 0 among the hops of this place and direction. */
  readonly index: number;
  readonly reason: 'missing' | 'additional' | 'bytes' | 'mark';
  readonly simulated?: Hop;
  readonly real?: Hop;
}

/**
 * Holds two paths against each other, place by place and in order: how frames that are under way at the same time
 * take turns at different places is left to the kernel's scheduler.
 *
 * Of packets with a free identification the real one is taken to be the simulated one, with the checksum updated
 * accordingly: a wrong checksum stays wrong.
 * @returns the first difference in the order of the simulated path, or undefined
 */
export function comparePaths(simulated: readonly Hop[], real: readonly Hop[]): PathDifference | undefined {
  const remaining = new Map<string, Hop[]>();
  for (const hop of real) {
    const key = hopKey(hop);
    remaining.set(key, [...(remaining.get(key) ?? []), hop]);
  }
  const counts = new Map<string, number>();
  for (const hop of simulated) {
    const key = hopKey(hop);
    const index = counts.get(key) ?? 0;
    counts.set(key, index + 1);
    const difference = compareHops(hop, remaining.get(key)?.[index]);
    if (difference === undefined) continue;
    return { place: hop, direction: hop.direction, index, simulated: hop, ...difference };
  }
  for (const hop of real) {
    const key = hopKey(hop);
    const index = counts.get(key) ?? 0;
    if ((remaining.get(key)?.length ?? 0) <= index) continue;
    const additional = remaining.get(key)![index]!;
    return { place: hop, direction: hop.direction, index, reason: 'additional', real: additional };
  }
  return undefined;
}

function compareHops(
  simulated: Hop,
  real: Hop | undefined,
): Pick<PathDifference, 'reason' | 'real'> | undefined {
  if (real === undefined) return { reason: 'missing' };
  const bytes = withIdentificationsOf(real.bytes, simulated.bytes, simulated.freeIdentifications ?? 0);
  if (bytes.length !== simulated.bytes.length || !equal(bytes, 0, simulated.bytes, 0, bytes.length)) {
    return { reason: 'bytes', real: { ...real, bytes } };
  }
  return real.mark === simulated.mark ? undefined : { reason: 'mark', real };
}

/**
 * `bytes` with the identifications of `model` in the outer IPv4 headers, and their checksums updated. An ICMP
 * checksum over a quoted header stays right: what is added to the identification is taken from the checksum.
 */
function withIdentificationsOf(bytes: Uint8Array, model: Uint8Array, count: number): Uint8Array {
  if (count === 0 || readU16(bytes, ETHERNET.at.etherType) !== ETHERTYPE.IPV4) return bytes;
  const changed = bytes.slice();
  let header: number = ETHERNET.headerLength;
  for (let index = 0; index < count && bytes.length >= header + IPV4.headerLength; index++) {
    const from = readU16(bytes, header + IPV4.at.identification);
    const to = readU16(model, header + IPV4.at.identification);
    const checksum = readU16(bytes, header + IPV4.at.checksum);
    writeU16(changed, header + IPV4.at.identification, to);
    writeU16(changed, header + IPV4.at.checksum, update(checksum, from, to));
    header += IPV4.headerLength + ICMP.headerLength;
  }
  return changed;
}

/** `left:veth0 out`: what a scenario's `expect` lists. */
export function hopKey(hop: Place & { readonly direction: Direction }): string {
  return `${placeText(hop)} ${hop.direction}`;
}

/**
 * Is the path the one that a scenario expects?
 * @returns undefined, or what is wrong with it in words
 */
export function unexpected(expected: readonly string[], path: readonly Hop[]): string | undefined {
  for (let index = 0; index < Math.max(expected.length, path.length); index++) {
    const hop = path[index];
    const wanted = expected[index];
    if (hop !== undefined && hopKey(hop) === wanted) continue;
    const found = hop === undefined ? 'the path ends' : `it is ${hopKey(hop)}`;
    return wanted === undefined
      ? `the path is expected to end after ${index} hops, but ${found}`
      : `hop ${index + 1} is expected to be ${wanted}, but ${found}`;
  }
  return undefined;
}
