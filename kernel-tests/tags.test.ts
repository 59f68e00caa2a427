/** VLAN tags at TC: at ingress the kernel has them out of the bytes before a program runs, and a test run does not. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { NO_LIMITS, TEST_RUN_LIMITS } from '../corpus/generate/packet-limits.ts';
import { seedFromText } from '../corpus/generate/random.ts';
import { isTag } from '../sim/packet/numbers.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { fixtureOf, frame } from './test-support/testrun.ts';

const RULE = 'the kernel takes the VLAN tag out of a frame before TC ingress sees it';

/** An IPv4 frame behind tags of these types. */
function tagged(...types: readonly number[]): Uint8Array {
  const ip = '450000140001000040063ce77f0000017f000001';
  const tags = types.map((type) => `${type.toString(16)}0064`).join('');
  return new Uint8Array(Buffer.from(`020000000001020000000002${tags}0800${ip}`, 'hex'));
}

const TAGGED = [tagged(0x8100), tagged(0x88a8), tagged(0x88a8, 0x8100), tagged(0x8100, 0x8100)];

function verifyTagged(hook: Hook) {
  return verify({
    program: fixtureOf('tags', 'relies_on_kernel', hook),
    engines: (['vm', 'wasm', 'testrun'] as const).map(createEngine),
    seed: 'tags',
    runs: 1,
    shrink: false,
    cases: TAGGED.map((packet, index) => ({
      path: `tagged ${index}`,
      case: { program: 'tags', world: {}, stimuli: [{ packet: frame(60) }, { packet }] },
    })),
  });
}

describeKernel('VLAN tags', ['root', 'testrun', 'compiler'], () => {
  it('are neither compared nor judged at TC ingress, and counted', async () => {
    const report = await verifyTagged('tc-ingress');
    expect(report.divergences).toEqual([]);
    for (const engine of report.engines) expect(engine).toMatchObject({ status: 'ran' });
    const left = report.notCompared.filter(({ what }) => what === RULE);
    expect(left.map(({ packets }) => packets)).toContain(TAGGED.length);
  });

  it('are part of the bytes at TC egress', async () => {
    const report = await verifyTagged('tc-egress');
    expect(report.notCompared.filter(({ what }) => what === RULE)).toEqual([]);
  });

  it('are generated for XDP and TC egress, and for ingress only where anything is', () => {
    const count = (hook: Hook, limits = TEST_RUN_LIMITS): number => {
      const batch = new PacketBatch(4000);
      new PacketGenerator(undefined, [hook]).fill(batch, seedFromText('tags'), 0, 4000, limits);
      let found = 0;
      for (let packet = 0; packet < batch.count; packet++) {
        const at = batch.offset[packet]! + 12;
        if (batch.length[packet]! >= 14 && isTag((batch.bytes[at]! << 8) | batch.bytes[at + 1]!)) found++;
      }
      return found;
    };
    expect(count('xdp')).toBeGreaterThan(50);
    expect(count('tc-egress')).toBeGreaterThan(50);
    expect(count('tc-ingress')).toBe(0);
    expect(count('tc-ingress', NO_LIMITS)).toBeGreaterThan(50);
  });
});
