import { describe, expect, it } from 'vitest';
import { testObject } from '../test-support/assemble.ts';
import { readsMetadata } from './read-metadata.ts';

const READS = `  r2 = *(u32 *)(r1 + 8)
  r3 = *(u32 *)(r1 + 0)
  r4 = r2
  r4 += 4
  if r4 > r3 goto out
  r0 = *(u32 *)(r2 + 0)
  exit
out:
  r0 = 1
  exit`;
const ROOM = `  r6 = r1
  r2 = SIZE
  call bpf_xdp_adjust_meta
  r1 = r6`;

const MAIN = { function: 'main', hook: 'xdp' } as const;

/** A program behind these lines. */
const reads = (...before: readonly string[]): boolean =>
  readsMetadata(testObject({ main: [...before, READS].join('\n') }), [MAIN]);

describe('metadata that others wrote', () => {
  it('is what a program reads that asks where it begins', () => {
    expect(reads()).toBe(true);
    const moved = '  r6 = r1\n  r1 += 8\n  r2 = *(u32 *)(r1 + 0)\n  r0 = 1\n  exit';
    expect(readsMetadata(testObject({ main: moved }), [MAIN])).toBe(true);
  });

  it('is not the room that the program has made itself, but what it asks for before', () => {
    expect(reads(ROOM.replace('SIZE', '-4'))).toBe(false);
    expect(reads('  r7 = *(u32 *)(r1 + 8)', ROOM.replace('SIZE', '4'))).toBe(true);
  });

  it('is none of a program that asks for the frame alone, of one at another hook, or that is not asked about', () => {
    expect(readsMetadata(testObject({ main: READS.replace('r1 + 8', 'r1 + 4') }), [MAIN])).toBe(false);
    expect(
      readsMetadata(testObject({ main: READS, other: '  r0 = 1\n  exit' }), [{ ...MAIN, function: 'other' }]),
    ).toBe(false);
    expect(readsMetadata(testObject({ main: READS }), [{ ...MAIN, hook: 'tc-ingress' }])).toBe(false);
  });
});
