/**
 * Programs in the styles of the field, held against the kernel: what the machine makes of them on generated packets is
 * what the kernel makes of them, packet by packet, and map by map.
 */
import { describe, expect, it } from 'vitest';
import { chooseEngines } from '../cli/engines.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { type EngineName, inOrderOfRank } from '../sim/engines/register.ts';
import type { ProgramReport } from '../verify/report.ts';
import { verify } from '../verify/run.ts';
import { buildFieldProgram, FIELD_PROGRAMS, type FieldProgram } from './field/programs.ts';
import { amount } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const SEED = 'field';
/** `XDPSIM_FIELD_PACKETS` goes further than a suite should. */
const PACKETS = Number(process.env.XDPSIM_FIELD_PACKETS ?? amount(4_096, 100_000));

function hold(field: FieldProgram, engines: readonly EngineName[]): Promise<ProgramReport> {
  const program = buildFieldProgram(field);
  const hooks = program.entries.map((entry) => entry.hook);
  return verify({
    program,
    engines: chooseEngines(engines.join(',')).engines,
    seed: SEED,
    runs: PACKETS,
    source: new PacketGenerator(field.hints, hooks),
    ...(field.worlds === undefined ? {} : { worlds: field.worlds }),
  });
}

function agree(engines: readonly EngineName[]): void {
  for (const field of FIELD_PROGRAMS) {
    it(`${field.name} does the same in ${engines.join(' and ')}`, async () => {
      const report = await hold(field, engines);
      expect(report.divergences.map(({ summary, seen }) => ({ summary, seen }))).toEqual([]);
      const states = report.engines.map(({ name, status, reason }) => ({ name, status, reason }));
      expect(states).toEqual(
        inOrderOfRank(engines).map((name) => ({ name, status: 'ran', reason: undefined })),
      );
      for (const engine of report.engines) expect(engine.packets, engine.name).toBeGreaterThan(PACKETS / 4);
      // A program that packets do not get into proves nothing.
      const [hit, total] = report.coverage!.instructions;
      expect(hit / total, 'share of instructions that ran').toBeGreaterThan(0.8);
    });
  }
}

describeKernel('programs of the field, machine and kernel', ['compiler', 'testrun'], () =>
  agree(['vm', 'wasm', 'testrun']),
);

describe('the list of programs of the field', () => {
  it('has every name once', () => {
    const names = FIELD_PROGRAMS.map((field) => field.name);
    expect(new Set(names).size).toBe(names.length);
  });
});
