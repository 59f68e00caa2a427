/** VLAN tags at TC: at ingress the kernel has taken the first one out of the bytes before a program runs. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { liveLimits, NO_LIMITS, TEST_RUN_LIMITS } from '../corpus/generate/packet-limits.ts';
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
  it('lie beside the frame at TC ingress, in machines and kernel: the program sees them, and not in the bytes', async () => {
    const report = await verifyTagged('tc-ingress');
    expect(report.divergences).toEqual([]);
    for (const engine of report.engines) expect(engine).toMatchObject({ status: 'ran' });
    expect(report.notCompared.filter(({ what }) => what === RULE)).toEqual([]);
    // It drops what is tagged, and nothing else.
    expect(report.actions).toMatchObject({ TC_ACT_SHOT: TAGGED.length });
  });

  it('are part of the bytes at TC egress', async () => {
    const report = await verifyTagged('tc-egress');
    expect(report.notCompared.filter(({ what }) => what === RULE)).toEqual([]);
  });

  it('are generated in the bytes, and for TC ingress beside them, where a second one may be in the bytes', () => {
    const count = (
      hook: Hook,
      limits = TEST_RUN_LIMITS,
    ): { inside: number; beside: number; alone: number } => {
      const batch = new PacketBatch(4000);
      new PacketGenerator(undefined, [hook]).fill(batch, seedFromText('tags'), 0, 4000, limits);
      const found = { inside: 0, beside: 0, alone: 0 };
      for (let packet = 0; packet < batch.count; packet++) {
        const at = batch.offset[packet]! + 12;
        const isInside = batch.length[packet]! >= 14 && isTag((batch.bytes[at]! << 8) | batch.bytes[at + 1]!);
        const isBeside = batch.skb.get(packet)?.vlan !== undefined;
        if (isInside) found.inside++;
        if (isBeside) found.beside++;
        if (isInside && !isBeside) found.alone++;
      }
      return found;
    };
    for (const hook of ['xdp', 'tc-egress'] as const) {
      const { inside, beside } = count(hook);
      expect([inside > 50, beside]).toEqual([true, 0]);
    }
    for (const limits of [TEST_RUN_LIMITS, NO_LIMITS]) {
      const { inside, beside, alone } = count('tc-ingress', limits);
      expect([inside > 5, beside > 50, alone]).toEqual([true, true, 0]);
    }
    const live = liveLimits({ name: 'any', entries: [] });
    expect(count('tc-ingress', live)).toEqual({ inside: 0, beside: 0, alone: 0 });
  });
});
