import { expect, it } from 'vitest';
import { type CookieFlow, isSynCookie, MSS_OF_IPV4, MSS_OF_IPV6, mssIndex, synCookie } from './syn-cookie.ts';

const MINUTE = 60_000_000_000n;
const NOW = 1_000n * MINUTE;

function flow(...bytes: number[]): CookieFlow {
  return {
    view: new DataView(Uint8Array.from({ length: 12 }, (_, at) => bytes[at] ?? at).buffer),
    addresses: 0,
    size: 8,
    ports: 8,
  };
}

it('takes the largest size that is not above the MSS, or the smallest there is', () => {
  expect([0, 535, 1300, 1439, 1460, 65_535].map((mss) => MSS_OF_IPV4[mssIndex(MSS_OF_IPV4, mss)])).toEqual([
    536, 536, 1300, 1300, 1460, 1460,
  ]);
  expect(MSS_OF_IPV6[mssIndex(MSS_OF_IPV6, 1220)]).toBe(1220);
});

it('knows its own cookie again, for less than two minutes', () => {
  for (const index of [0, 3]) {
    const cookie = synCookie(flow(), 5, NOW, 0xffff_fff0, index);
    const known = (later: bigint): boolean => isSynCookie(flow(), 5, NOW + later, 0xffff_fff0, cookie);
    expect([0n, 59_000_000_000n, MINUTE, 2n * MINUTE - 1n, 2n * MINUTE].map(known)).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
  }
});

it('knows no cookie of another flow, seed or sequence', () => {
  const cookie = synCookie(flow(), 5, NOW, 1, 0);
  expect(isSynCookie(flow(9), 5, NOW, 1, cookie)).toBe(false);
  expect(isSynCookie(flow(), 6, NOW, 1, cookie)).toBe(false);
  expect(isSynCookie(flow(), 5, NOW, 9, cookie)).toBe(false);
  expect(isSynCookie(flow(), 5, NOW, 1, cookie + 4)).toBe(false);
});

/** The formula at the head of the file, in numbers without a limit. */
function formula(
  bytes: readonly number[],
  size: number,
  seed: number,
  minute: number,
  sequence: number,
  index: number,
): number {
  const hash = (start: number): bigint => {
    let value = BigInt.asUintN(32, BigInt(start));
    for (let at = 0; at < size + 4; at += 4) {
      let word = 0n;
      for (let byte = 3; byte >= 0; byte--) word = (word << 8n) | BigInt(bytes[at + byte]!);
      value = BigInt.asUintN(32, (value ^ word) * 0x9e37_79b1n);
      value ^= value >> 15n;
    }
    return value;
  };
  const low = (hash(seed + minute + 1) + BigInt(index)) & 0xff_ffffn;
  return Number(BigInt.asUintN(32, hash(seed) + BigInt(sequence) + (BigInt(minute) << 24n) + low));
}

it('is what its formula says, over IPv4 and IPv6', () => {
  for (const size of [8, 32])
    for (const minute of [0, 1, 255, 256, 1000])
      for (const [seed, sequence, index] of [
        [0, 0, 0],
        [7, 0xffff_ffff, 3],
        [0xffff_fffe, 0x8000_0000, 1],
      ] as const) {
        const bytes = Array.from({ length: size + 4 }, (_, at) => (at * 91 + 200) & 0xff);
        const around: CookieFlow = {
          view: new DataView(
            Uint8Array.from([9, ...bytes.slice(0, size), 9, 9, ...bytes.slice(size)]).buffer,
          ),
          addresses: 1,
          size,
          ports: size + 3,
        };
        const time = BigInt(minute) * MINUTE + 5n;
        const cookie = synCookie(around, seed, time, sequence, index);
        expect(cookie).toBe(formula(bytes, size, seed, minute, sequence, index));
        expect(isSynCookie(around, seed, time, sequence, cookie)).toBe(true);
      }
});

it('is none where its MSS is none of the four, or it is from the future', () => {
  const known = (index: number, later: bigint): boolean =>
    isSynCookie(flow(), 5, NOW + later, 1, synCookie(flow(), 5, NOW, 1, index));
  expect([0, 1, 2, 3, 4].map((index) => known(index, 0n))).toEqual([true, true, true, true, false]);
  expect([-MINUTE, -2n * MINUTE, 255n * MINUTE, 256n * MINUTE].map((later) => known(0, later))).toEqual(
    Array(4).fill(false),
  );
});
