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
import { amount } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const SEED = 'programs';
const PACKETS = amount(10_000, 200_000);
/** The kernel takes as long as all machines together. */
const KERNEL_PACKETS = amount(5_000, 100_000);

function agree(names: readonly EngineName[], packets: number): void {
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
      if (report.coverage === undefined) return;
      // Examples and packets reach it all, but for branches that the verifier wants and no packet can take.
      const [hit, total] = report.coverage.instructions;
      expect(hit / total, 'share of instructions that ran').toBeGreaterThan(0.9);
    });
  }
}

describe('model, interpreter and compiled machine', () => agree(['model', 'vm', 'wasm'], PACKETS));

describeKernel('model and kernel', ['testrun'], () => agree(['model', 'testrun'], KERNEL_PACKETS));
