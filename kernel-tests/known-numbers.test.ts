/** The kernel's verifier knows the numbers that the machine takes it to know. */
import { expect, it } from 'vitest';
import { testObject } from '../sim/ebpf/test-support/assemble.ts';
import { RING, SIZE_CASES } from '../sim/ebpf/test-support/known-numbers.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { Refused, runInKernel } from './test-support/raw-program.ts';
import { describeKernel } from './test-support/require-kernel.ts';

describeKernel('sizes for bpf_ringbuf_reserve', ['root', 'libbpf', 'testrun', 'linux 6.17'], () => {
  it('are known to the verifier as to the machine', () => {
    const batch = new PacketBatch(1);
    batch.push({ packet: Uint8Array.from({ length: 64 }, (_, at) => at) });
    for (const { name, text, isKnown } of SIZE_CASES) {
      let isTaken = true;
      try {
        runInKernel(testObject({ main: text }, RING), batch, { readsMaps: false });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        expect(error.message, name).toContain('R2 is not a known constant');
        isTaken = false;
      }
      expect({ name, isTaken }).toEqual({ name, isTaken: isKnown });
    }
  });
});
