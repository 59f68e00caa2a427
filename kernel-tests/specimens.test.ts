/**
 * Does `verify` find what is wrong? Every specimen, with any seed, shrunk to no more than it takes: with two seeds here, with five in
 * `npm run specimens`.
 */
import { describe, expect, it } from 'vitest';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { createModelEngine } from '../sim/engines/model.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { programByName } from '../sim/programs/index.ts';
import type { Program } from '../sim/runtime/program.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { buildSpecimen, icmpEchoSpecimens, type Specimen } from './test-support/specimens.ts';

const SEEDS = (process.env.XDPSIM_CHECK_SEEDS ?? '1').split(',');
const PACKETS = 200_000;

function programOf(specimen: Specimen): Program {
  const definition = programByName(specimen.program)!;
  return { name: definition.name, entries: definition.entries, object: buildSpecimen(specimen), definition };
}

/** One `it` per specimen; the machine and the kernel must find it each by itself. */
function findsEach(engine: () => Engine): void {
  for (const specimen of icmpEchoSpecimens) {
    it(`finds ${specimen.name}: ${specimen.defect}`, async () => {
      const program = programOf(specimen);
      for (const seed of SEEDS) {
        const engines = [createModelEngine(), engine()];
        const { divergences } = await verify({ program, engines, seed, runs: PACKETS });
        const [divergence] = divergences;
        expect(divergence, `not found with seed ${seed}`).toBeDefined();
        const shrunk = divergence!.case.stimuli;
        expect(shrunk, `seed ${seed}`).toHaveLength(1);
        expect(shrunk[0]!.packet.length, `seed ${seed}`).toBeLessThanOrEqual(specimen.shortest);
      }
    });
  }
}

describeKernel('faulty echo servers in the machine', ['compiler'], () => findsEach(createVmEngine));
describeKernel('faulty echo servers in the kernel', ['compiler', 'testrun'], () =>
  findsEach(createTestRunEngine),
);

describe('the specimens', () => {
  it('have a name of their own each', () => {
    const names = icmpEchoSpecimens.map((specimen) => specimen.name);
    expect(new Set(names).size).toBe(names.length);
  });
});
