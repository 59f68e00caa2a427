/** Maps whose size the object leaves to its loader: `max_entries` 0, or none. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { assumedSizes, withMaxEntries } from '../cli/input/max-entries.ts';
import type { Program } from '../sim/runtime/program.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { fixtureOf } from './test-support/testrun.ts';

function run(program: Program) {
  return verify({
    program,
    engines: (['vm', 'wasm', 'testrun'] as const).map(createEngine),
    seed: 'sizes',
    runs: 4_000,
  });
}

describeKernel('maps without max_entries', ['root', 'testrun', 'compiler'], () => {
  it('get one size in machine and kernel, which is said', async () => {
    const program = fixtureOf('loader-sizes', 'count');
    const report = await run(program);
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
    for (const engine of report.engines) expect(engine).toMatchObject({ status: 'ran' });
    expect(Object.keys(report.actions)).toContain('XDP_PASS');
    expect(assumedSizes([program])).toEqual([
      'map flows has no max_entries: using 1,024 (--max-entries flows=N)',
      'map table has no max_entries: using 1,024 (--max-entries table=N)',
      'map ring has no max_entries: using 262,144 (--max-entries ring=N)',
      'map cpus has no max_entries: using 64 (--max-entries cpus=N)',
    ]);
  });

  it('get the size that the user states, and a ring the next one that it can have', async () => {
    const [program] = withMaxEntries(
      [fixtureOf('loader-sizes', 'count')],
      ['flows=3', 'table=100', 'ring=3000'],
    );
    const report = await run(program!);
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
    for (const engine of report.engines) expect(engine).toMatchObject({ status: 'ran' });
    // Full after three lengths; longer frames are out of the table.
    expect(report.actions.XDP_ABORTED).toBeGreaterThan(1000);
    expect(assumedSizes([program!])).toEqual([
      'map cpus has no max_entries: using 64 (--max-entries cpus=N)',
    ]);
  });

  it('have their sizes in the commands that repeat a finding', () => {
    const named = { ...fixtureOf('loader-sizes', 'count'), commandLine: ['sizes.o:count'] };
    const [program] = withMaxEntries([named], ['flows=3', 'ring=4096']);
    expect(program!.commandLine).toEqual([
      'sizes.o:count',
      ...['--max-entries', 'flows=3', '--max-entries', 'ring=4096'],
    ]);
  });

  it('are named where the user names another', () => {
    const program = fixtureOf('loader-sizes', 'count');
    expect(() => withMaxEntries([program], ['flow=3'])).toThrow(
      '--max-entries flow: no such map; available: cpus, events, flows, ring, table',
    );
    expect(() => withMaxEntries([program], ['flows'])).toThrow('--max-entries takes NAME=N, not “flows”');
  });
});
