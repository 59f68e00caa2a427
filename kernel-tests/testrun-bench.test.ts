import { expect, it } from 'vitest';
import {
  cLoopRacer,
  icmpEchoToggle,
  kernelNanoseconds,
  testRunRacer,
} from '../kernel/bench/testrun-rates.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixture, frame, outcomes } from './test-support/testrun.ts';

/** Ethernet, IPv4, an echo request; 98 bytes, as `ping` sends them. */
function echoRequest(): Uint8Array {
  const packet = new Uint8Array(98);
  packet.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 84, 0, 0, 0, 0, 64, 1]);
  packet.set([10, 11, 1, 1, 10, 11, 1, 2, 8], 26);
  return packet;
}

describeKernel('the yardsticks of test runs', ['root', 'testrun', 'compiler'], () => {
  it('run the same packets, from C and through the engine', async () => {
    const batch = batchOf(...Array.from({ length: 100 }, (_, index) => ({ packet: frame(60 + index) })));
    const c = cLoopRacer(fixture('swap'), batch);
    const engine = await testRunRacer(fixture('swap'), batch);
    try {
      expect(await c.rate(3)).toBeGreaterThan(1000);
      expect(await engine.rate(3)).toBeGreaterThan(1000);
    } finally {
      await c.close();
      await engine.close();
    }
  });

  it('take the full path again and again', async () => {
    const toggle = icmpEchoToggle();
    const session = await createTestRunEngine().open(toggle, {});
    try {
      let packet = echoRequest();
      for (let repetition = 0; repetition < 3; repetition++) {
        const batch = batchOf({ packet });
        const output = outcomes(batch);
        await session.run(batch, output);
        expect(output.action[0]).toBe(3);
        packet = output.packet(0);
        expect(packet[34]).toBe(0);
      }
    } finally {
      await session.close();
    }
    const nanoseconds = kernelNanoseconds(toggle, echoRequest(), 100_000);
    expect(nanoseconds).toBeGreaterThan(0);
    expect(nanoseconds).toBeLessThan(100_000);
  });
});
