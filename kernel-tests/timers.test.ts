/** Programs with timers: machine and kernel agree, and the report says that callbacks do not run. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import { verify } from '../verify/run.ts';
import { unreachedOf } from '../verify/unreached.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { fixtureOf } from './test-support/testrun.ts';

describeKernel('a table of flows with timers', ['testrun', 'compiler', 'linux 6.1'], () => {
  it('is the same in machine and kernel, and its callback is listed as what no packet reaches', async () => {
    const program = fixtureOf('flow-timers', 'track');
    const report = await verify({
      program,
      engines: (['vm', 'wasm', 'testrun'] as const).map(createEngine),
      seed: 'timers',
      runs: 3_000,
    });
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
    for (const engine of report.engines) expect(engine).toMatchObject({ status: 'ran', packets: 3_000 });
    expect(report.engines.find(({ name }) => name === 'testrun')!.pinned).toContain('bpf_timer_start');
    expect(report.actions.XDP_DROP).toBeGreaterThan(50);
    expect(report.actions.XDP_ABORTED).toBeUndefined();
    const session = await createEngine('wasm').open(program, {});
    const places = unreachedOf(loadObject(program.object!), session.coverage!(), program.entries);
    await session.close();
    expect(places.map(({ because }) => because)).toContain(
      'the callback of a timer runs when time has passed, and in a test none does',
    );
  });
});
