/** Segments that answer a SYN cookie: the number that they acknowledge is looked for. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { type Guidance, guide } from './guide.ts';

/** Passes what acknowledges a cookie, and drops all else. */
const checking = (size: number, helper: string, before: string = ''): string => `r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r8 = r6
  r8 += ${34 + size}
  if r8 > r7 goto out
  ${before}
  r1 = r6
  r1 += 14
  r2 = r6
  r2 += ${14 + size}
  call ${helper}
  if r0 != 0 goto out
  r0 = 2
  exit
out:
  r0 = 1
  exit`;

function guided(text: string): Guidance {
  const object = writeElf({ main: text }, []);
  return guide(
    { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object },
    { seed: 'cookie', effort: 60_000 },
  );
}

it.each([
  [20, 'bpf_tcp_raw_check_syncookie_ipv4'],
  [40, 'bpf_tcp_raw_check_syncookie_ipv6'],
] as const)('reaches what is done for a cookie behind %i bytes', (size, helper) => {
  expect(guided(checking(size, helper)).missing).toEqual([]);
});

it('reaches nothing where the program has written the number itself', () => {
  const written = checking(20, 'bpf_tcp_raw_check_syncookie_ipv4', '*(u32 *)(r6 + 42) = 0');
  expect(guided(written).missing).toHaveLength(1);
});
