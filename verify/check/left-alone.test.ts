import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { data, ethernet, ipv4, tcp } from '../test-support/packets.ts';
import { callLeavingZero } from './left-alone.ts';
import { traceOf } from './probe.ts';

const TCP_CHECKSUM = 50;

/** Replaces a port of 2 bytes twice, with these flags. */
async function called(...flags: readonly number[]): Promise<number | undefined> {
  const calls = flags.map(
    (flag) => `r1 = r6
      r2 = ${TCP_CHECKSUM}
      r3 = 1
      r4 = 2
      r5 = ${flag | 2}
      call bpf_l4_csum_replace`,
  );
  const program: Program = {
    name: 'p',
    entries: [{ function: 'main', hook: 'tc-ingress' }],
    object: writeElf({ main: ['r6 = r1', ...calls, 'r0 = 0', 'exit'].join('\n') }),
  };
  const packet = ethernet(0x0800, ipv4(6, tcp(data(4))));
  const trace = await traceOf(program, { world: {}, stimuli: [{ packet }] });
  return callLeavingZero(trace!, TCP_CHECKSUM)?.instruction;
}

it('the call that leaves a checksum of 0 alone is the first that has the flag', async () => {
  const [first, second] = [6, 12];
  expect(await called(0x20, 0x20)).toBe(first);
  expect(await called(0, 0x20)).toBe(second);
  expect(await called(0, 0)).toBeUndefined();
  // BPF_F_MARK_ENFORCE and BPF_F_PSEUDO_HDR say nothing of it.
  expect(await called(0x40, 0x10)).toBeUndefined();
});
