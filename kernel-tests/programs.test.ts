/**
 * Every program, every engine, every case: examples, captures of real traffic, saved divergences and generated
 * packets. The seed is fixed here; `npm run campaign` goes further with seeds of its own.
 */
import { describe, expect, it } from 'vitest';
import { chooseEngines } from '../cli/engines.ts';
import { builtInPrograms } from '../cli/input/program-source.ts';
import { casesOf } from '../cli/verify/saved-cases.ts';
import type { EngineName } from '../sim/engines/register.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const SEED = 'programs';
const PACKETS = 40_000;

function agrees(names: readonly EngineName[], packets: number): void {
  for (const program of builtInPrograms()) {
    it(`${program.name} does the same in ${names.join(' and ')}`, async () => {
      const { engines } = chooseEngines(names.join(','));
      const report = await verify({
        program,
        engines,
        seed: SEED,
        runs: packets,
        cases: casesOf(program, []),
        shrink: false,
      });
      expect(report.divergences.map(({ summary, seen }) => ({ summary, seen }))).toEqual([]);
      const states = report.engines.map(({ name, status, reason }) => ({ name, status, reason }));
      expect(states).toEqual(names.map((name) => ({ name, status: 'ran', reason: undefined })));
      // What an engine was not given is said, and is not all of it.
      for (const engine of report.engines) expect(engine.packets, engine.name).toBeGreaterThan(packets / 4);
    });
  }
}

describe('model, interpreter and compiled machine', () => agrees(['model', 'vm', 'wasm'], PACKETS));

describeKernel('model and kernel', ['testrun'], () => agrees(['model', 'testrun'], PACKETS));

describe('examples', () => {
  for (const program of builtInPrograms()) {
    it(`${program.name} reaches every instruction and branch that packets can reach`, async () => {
      const { engines } = chooseEngines('vm');
      const report = await verify({
        program,
        engines,
        seed: SEED,
        runs: PACKETS,
        cases: casesOf(program, []),
      });
      const [hit, total] = report.coverage!.instructions;
      // What is left are branches that the verifier wants and no packet can take.
      expect(hit / total).toBeGreaterThan(0.9);
    });
  }
});
