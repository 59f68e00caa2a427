/**
 * Packets for this folder's tests, put together byte by byte and summed the slow and obvious way, so that the
 * tests lean on neither the codecs nor the oracle.
 */

import type { Passage } from '../invariants/invariant.ts';
export function bytes(...parts: (number | readonly number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])));
}

export function u16(value: number): number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}

/** Ones' complement sum, one byte after the other. */
export function slowSum(data: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < data.length; index++) {
    sum += index % 2 === 0 ? data[index]! * 256 : data[index]!;
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/** `data` with its checksum, over itself and the pseudo-header, written at `field`. */
export function withChecksum(data: Uint8Array, field: number, pseudo: readonly number[] = []): Uint8Array {
  const out = data.slice();
  out[field] = 0;
  out[field + 1] = 0;
  const sum = ~slowSum([...pseudo, ...out]) & 0xffff;
  out.set(u16(sum), field);
  return out;
}

export const MAC_A: readonly number[] = [2, 0, 0, 0, 0, 0xa];
export const MAC_B: readonly number[] = [2, 0, 0, 0, 0, 0xb];
export const V4_A: readonly number[] = [10, 11, 1, 1];
export const V4_B: readonly number[] = [10, 11, 1, 2];
export const V6_A: readonly number[] = [0xfc, 0, 0xde, 0xad, 0xca, 0xfe, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
export const V6_B: readonly number[] = [0xfc, 0, 0xde, 0xad, 0xca, 0xfe, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];

export function ethernet(type: number, payload: Uint8Array): Uint8Array {
  return bytes(MAC_B, MAC_A, u16(type), payload);
}

export function vlan(id: number, type: number, payload: Uint8Array, tpid: number = 0x8100): Uint8Array {
  return bytes(MAC_B, MAC_A, u16(tpid), u16(id), u16(type), payload);
}

export interface Ipv4Parts {
  readonly options?: readonly number[];
  readonly fragment?: number;
  readonly totalLength?: number;
  readonly ttl?: number;
  readonly source?: readonly number[];
  readonly destination?: readonly number[];
}

export function ipv4(protocol: number, payload: Uint8Array, parts: Ipv4Parts = {}): Uint8Array {
  const options = parts.options ?? [];
  const header = bytes(
    0x45 + options.length / 4,
    0,
    u16(parts.totalLength ?? 20 + options.length + payload.length),
    u16(0x1234),
    u16(parts.fragment ?? 0),
    parts.ttl ?? 64,
    protocol,
    u16(0),
    parts.source ?? V4_A,
    parts.destination ?? V4_B,
    options,
  );
  return bytes(withChecksum(header, 10), payload);
}

export function ipv6(
  next: number,
  payload: Uint8Array,
  source: readonly number[] = V6_A,
  destination: readonly number[] = V6_B,
): Uint8Array {
  return bytes(0x60, 0, 0, 0, u16(payload.length), next, 64, source, destination, payload);
}

export function pseudo(
  protocol: number,
  length: number,
  source: readonly number[] = V4_A,
  destination: readonly number[] = V4_B,
): number[] {
  return [...source, ...destination, ...u16(protocol), ...u16(length)];
}

export function data(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 37 + 11) & 0xff);
}

export function icmp(type: number, code: number, rest: readonly number[], payload: Uint8Array): Uint8Array {
  return withChecksum(bytes(type, code, 0, 0, rest, payload), 2);
}

export function icmpv6(
  type: number,
  rest: readonly number[],
  payload: Uint8Array,
  source: readonly number[] = V6_A,
  destination: readonly number[] = V6_B,
): Uint8Array {
  const message = bytes(type, 0, 0, 0, rest, payload);
  return withChecksum(message, 2, pseudo(58, message.length, source, destination));
}

export function udp(
  payload: Uint8Array,
  source: readonly number[] = V4_A,
  destination: readonly number[] = V4_B,
  destinationPort: number = 53,
): Uint8Array {
  const datagram = bytes(u16(40_000), u16(destinationPort), u16(8 + payload.length), 0, 0, payload);
  const summed = withChecksum(datagram, 6, pseudo(17, datagram.length, source, destination));
  if (summed[6] === 0 && summed[7] === 0) summed.set([0xff, 0xff], 6);
  return summed;
}

export function tcp(
  payload: Uint8Array,
  source: readonly number[] = V4_A,
  destination: readonly number[] = V4_B,
): Uint8Array {
  const segment = bytes(
    u16(40_000),
    u16(80),
    [0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0],
    payload,
  );
  return withChecksum(segment, 16, pseudo(6, segment.length, source, destination));
}

/** A frame that XDP hands to the stack. */
export const PASSED: Passage = { hook: 'xdp', action: 2, delivery: 1, redirect: undefined };
