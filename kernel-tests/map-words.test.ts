/** Contents of maps are made for which a sum that is folded once comes out wrong, and one that is folded twice does not. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { ethernet } from '../sim/packet/build.ts';
import type { World } from '../sim/runtime/world.ts';
import { mapWordCases } from '../verify/check/map-words.ts';
import { CaseRunner } from '../verify/check/probe.ts';
import { CHECKSUM, verifyChecksums } from '../verify/oracle/checksums.ts';
import { buildCheckSpecimen, OWN_SPECIMENS } from './check-specimens/specimens.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const packet = ethernet().ipv4({}).tcp({ destinationPort: 80 }).bytes();

const WORLD: World = {
  maps: {
    backends: [{ key: Uint8Array.of(10, 11, 1, 1), value: Uint8Array.of(1, ...new Array(11).fill(0)) }],
  },
};

async function wrongSums(faulty: boolean): Promise<{ cases: number; wrong: number }> {
  const specimen = OWN_SPECIMENS.find(({ name }) => name === 'backend_tunnel')!;
  const program = buildCheckSpecimen(specimen, 'xdp', faulty);
  const engine = createEngine('wasm');
  const rewritten = { world: WORLD, stimulus: { packet }, name: 'ipv4+0', at: 14, balance: -1 };
  const cases = await mapWordCases(program, engine, [rewritten]);
  const runner = new CaseRunner(program, engine);
  let wrong = 0;
  for (const { case: one } of cases) {
    const { packet: left } = (await runner.outcome(one.world, one.stimuli[0]!))!;
    verifyChecksums(left, 0, left.length, {
      checksum: ({ status }) => {
        if (status === CHECKSUM.bad) wrong++;
      },
    });
  }
  await runner.close();
  return { cases: cases.length, wrong };
}

describeKernel('contents of maps that reach a checksum', ['compiler'], () => {
  it('show a fold that is missing', async () => {
    expect((await wrongSums(true)).wrong).toBeGreaterThan(0);
  });

  it('leave right sums right', async () => {
    const { cases, wrong } = await wrongSums(false);
    expect(cases).toBeGreaterThan(10);
    expect(wrong).toBe(0);
  });
});
