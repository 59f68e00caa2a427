/** One program that does not load does not stop the others of its object, and nor does a map that nobody needs. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { fixtureOf } from './test-support/testrun.ts';

function run(name: string) {
  return verify({
    program: fixtureOf('one-bad', name),
    engines: (['vm', 'wasm', 'testrun'] as const).map(createEngine),
    seed: 'bad',
    runs: 1_000,
  });
}

describeKernel('an object with programs that do not load', ['root', 'testrun', 'compiler'], () => {
  it('is tested in those that do', async () => {
    const report = await run('sound');
    for (const engine of report.engines) expect(engine).toMatchObject({ status: 'ran' });
    expect(report.divergences).toEqual([]);
    expect(report.compared).toBe(1_000);
  });

  it('says of the others what is wrong with them', async () => {
    const failed = async (name: string) =>
      (await run(name)).engines.find((engine) => engine.name === 'testrun')!;
    expect(await failed('needs_impossible')).toMatchObject({ status: 'failed' });
    expect((await failed('calls_refused')).status).toBe('failed');
    expect((await failed('refused')).reason).toMatch(/verifier refuses refused/);
  });
});
