/** What the kernel runs of all kinds of accesses to the stack, both machines run to the end. */
import { expect, it } from 'vitest';
import { testObject } from '../sim/ebpf/test-support/assemble.ts';
import { compileAndRun, interpret } from '../sim/ebpf/test-support/run-both.ts';
import { STACK_ACCESSES } from '../sim/ebpf/test-support/stack-accesses.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { Refused, runInKernel } from './test-support/raw-program.ts';
import { describeKernel } from './test-support/require-kernel.ts';

describeKernel(
  'accesses to the stack that the kernel takes',
  ['root', 'libbpf', 'testrun', 'linux 6.13'],
  () => {
    for (const [what, texts] of STACK_ACCESSES) {
      it(`run in both machines: ${what}`, () => {
        let taken = 0;
        for (const text of texts) {
          const object = testObject({ main: text });
          const batch = new PacketBatch(1);
          batch.push({ packet: new Uint8Array(64) });
          try {
            runInKernel(object, batch);
          } catch (error) {
            if (error instanceof Refused) continue;
            throw error;
          }
          taken++;
          for (const run of [interpret, compileAndRun]) {
            expect(run(object, batch).outcomes[0], text).toMatchObject({ action: 2, stoppedAt: undefined });
          }
        }
        expect(taken).toBeGreaterThan(texts.length / 8);
      });
    }
  },
);
