/** Random numbers and the CPU: whatever a program compares them with, some world gives it. */
import { describe, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { guide } from './guide.ts';

function missing(text: string, seed: string): number {
  const object = writeElf({ main: `${text}\n  r0 = 1\n  exit\nout:\n  r0 = 2\n  exit` });
  const program = { name: 'test', entries: [{ function: 'main', hook: 'xdp' as const }], object };
  return guide(program, { seed, effort: 200_000 }).missing.length;
}

describe.each(['3', '7', '11'])('with seed %s', (seed) => {
  it('a random number is the one that it is compared with', () => {
    expect(missing('  call bpf_get_prandom_u32\n  if r0 == 77 goto out', seed)).toBe(0);
  });

  it('one packet in a thousand is sampled, by a number that is drawn later', () => {
    const sampled =
      '  call bpf_get_prandom_u32\n  call bpf_get_prandom_u32\n  w0 %= 1000\n  if r0 == 7 goto out';
    expect(missing(sampled, seed)).toBe(0);
  });

  it('the CPU is any that a world can have, and no other', () => {
    expect(missing('  call bpf_get_smp_processor_id\n  if r0 == 3 goto out', seed)).toBe(0);
    expect(missing('  call bpf_get_smp_processor_id\n  if r0 == 5000 goto out', seed)).toBe(1);
  });
});
