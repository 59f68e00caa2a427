/** Ways that hang on how often a loop met something, on flags, and on states that several packets make. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { guide } from './guide.ts';

const STATES = testMap('states', 'HASH', { maxEntries: 16, valueSize: 8 });

const SEEDS = ['3', '7', '11'] as const;

/** Goes through a list behind 20 bytes: a type, a length, and so many bytes; r6 and r8 count, until the type is 0 or the frame ends. */
function list(body: string, behind: string): string {
  return `r7 = *(u32 *)(r1 + 0)
  r9 = *(u32 *)(r1 + 4)
  r6 = 0
  r8 = 0
  r5 = 0
  r7 += 20
loop:
  r1 = r7
  r1 += 2
  if r1 > r9 goto end
  r2 = *(u8 *)(r7 + 0)
  r3 = *(u8 *)(r7 + 1)
  if r2 == 0 goto end
  if r3 > 40 goto out
${body}
  r7 += r3
  r7 += 2
  r5 += 1
  if r5 != 24 goto loop
end:
${behind}
  r0 = 1
  exit
out:
  r0 = 2
  exit`;
}

function missing(text: string, seed: string): number {
  const object = writeElf({ main: text }, [STATES]);
  const program = { name: 'test', entries: [{ function: 'main', hook: 'xdp' as const }], object };
  return guide(program, { seed, effort: 2_000_000 }).missing.length;
}

describe.each(SEEDS)('what hangs on how often a loop met something, with seed %s', (seed) => {
  it('is reached for a number of rounds', () => {
    expect(missing(list('  r6 += 1', '  if r6 == 11 goto out'), seed)).toBe(0);
  });

  it('is reached for a range of them', () => {
    expect(missing(list('  r6 += 1', '  r6 += -9\n  if r6 < 3 goto out'), seed)).toBe(0);
  });

  it('is reached where only some rounds count', () => {
    const counted = '  if r2 != 7 goto other\n  r6 += 1\nother:';
    expect(missing(list(counted, '  if r6 == 6 goto out'), seed)).toBe(0);
  });

  it('is reached where a flag has to be set, too', () => {
    const flagged = '  r6 += 1\n  if r2 != 8 goto other\n  if r3 != 10 goto other\n  r8 = 1\nother:';
    const behind = '  if r6 s< 5 goto few\n  if r8 != 0 goto out\nfew:';
    expect(missing(list(flagged, behind), seed)).toBe(0);
  });

  it('is left where no number of rounds is enough', () => {
    expect(missing(list('  r6 += 3', '  if r6 == 11 goto out'), seed)).toBe(1);
  });
});

/** A state and a flag for the byte at 14; packets, whose kind is at 15, lead from one state to the next. */
const states = `r6 = *(u32 *)(r1 + 0)
  r9 = *(u32 *)(r1 + 4)
  r1 = r6
  r1 += 20
  if r1 > r9 goto out
  r8 = *(u8 *)(r6 + 15)
  r1 = *(u8 *)(r6 + 14)
  *(u32 *)(r10 - 4) = r1
  r1 = map[states]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 != 0 goto known
  if r8 != 1 goto out
  r1 = 1
  *(u64 *)(r10 - 16) = r1
  r1 = map[states]
  r2 = r10
  r2 += -4
  r3 = r10
  r3 += -16
  r4 = 0
  call bpf_map_update_elem
  r0 = 2
  exit
known:
  r1 = *(u32 *)(r0 + 0)
  if r1 s> 2 goto late
  if r1 == 1 goto first
  if r1 == 2 goto second
  goto out
first:
  if r8 != 18 goto out
  r1 = 2
  goto move
second:
  if r8 != 16 goto out
  r1 = 3
  goto move
late:
  if r1 == 3 goto third
  if r1 == 4 goto fourth
  goto out
third:
  if r8 == 24 goto push
  if r8 != 17 goto out
  r1 = 4
  goto move
push:
  r1 = 1
  *(u32 *)(r0 + 4) = r1
  goto out
fourth:
  r1 = *(u32 *)(r0 + 4)
  if r1 != 0 goto out
  r0 = 1
  exit
move:
  *(u32 *)(r0 + 0) = r1
out:
  r0 = 2
  exit`;

it.each(SEEDS)(
  'states that follow each other are reached, and those that no packet makes, with seed %s',
  (seed) => {
    expect(missing(states, seed)).toBe(0);
  },
);
