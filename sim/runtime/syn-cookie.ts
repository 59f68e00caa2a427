/**
 * SYN cookies as the kernel makes them (net/ipv4/syncookies.c, `secure_tcp_syn_cookie`, `check_tcp_syn_cookie`), with
 * a plain hash in the place of one that has a random key:
 *
 * ```
 *   cookie = hash(flow, seed) + sequence + (minute << 24) + ((hash(flow, seed + minute + 1) + index of MSS) & 0xffffff)
 * ```
 */
import { HASH_MULTIPLIER } from './chance.ts';

export const MSS_OF_IPV4: readonly number[] = [536, 1300, 1440, 1460];
export const MSS_OF_IPV6: readonly number[] = [1220, 1420, 1440, 8940];

/** Where a flow's addresses and ports lie. */
export interface CookieFlow {
  readonly view: DataView;
  /** Both addresses, one behind the other: 8 or 32 bytes. */
  readonly addresses: number;
  readonly size: number;
  /** Both ports: 4 bytes. */
  readonly ports: number;
}

/** `COOKIEBITS`, of which the lower ones carry the MSS. */
const BITS = 24;
const MASK = 0xff_ffff;
/** `MAX_SYNCOOKIE_AGE`, minutes. */
const MAX_AGE = 2;
const NANOSECONDS = 60_000_000_000n;
const MSS_SIZES = 4;

/** Takes words as they lie, little-endian: `h = (h ^ w) × 0x9E3779B1; h ^= h >>> 15`. */
function hash({ view, addresses, size, ports }: CookieFlow, seed: number): number {
  let value = seed | 0;
  const take = (word: number): void => {
    value = Math.imul(value ^ word, HASH_MULTIPLIER);
    value ^= value >>> 15;
  };
  for (let at = addresses; at < addresses + size; at += 4) take(view.getInt32(at, true));
  take(view.getInt32(ports, true));
  return value >>> 0;
}

function minuteOf(time: bigint): number {
  return Number(BigInt.asUintN(32, time / NANOSECONDS));
}

/** @returns the place of the largest size that is not above `mss`, or the first */
export function mssIndex(sizes: readonly number[], mss: number): number {
  let index = sizes.length - 1;
  while (index > 0 && mss < sizes[index]!) index--;
  return index;
}

/** @param time of the machine's clock, in nanoseconds */
export function synCookie(
  flow: CookieFlow,
  seed: number,
  time: bigint,
  sequence: number,
  index: number,
): number {
  const minute = minuteOf(time);
  const low = (hash(flow, seed + minute + 1) + index) & MASK;
  return (hash(flow, seed) + sequence + (minute << BITS) + low) >>> 0;
}

/** Is it a cookie of this flow, at most two minutes old? */
export function isSynCookie(
  flow: CookieFlow,
  seed: number,
  time: bigint,
  sequence: number,
  cookie: number,
): boolean {
  const minute = minuteOf(time);
  const rest = (cookie - hash(flow, seed) - sequence) >>> 0;
  const age = (minute - (rest >>> BITS)) & 0xff;
  if (age >= MAX_AGE) return false;
  const index = (rest - hash(flow, seed + minute - age + 1)) & MASK;
  return index < MSS_SIZES;
}
