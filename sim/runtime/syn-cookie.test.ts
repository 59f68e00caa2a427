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
