/** Externs: the machine gives programs the configuration and the symbols of the running kernel, as libbpf does. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { runningKernel } from '../kernel/libbpf/kernel-facts.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixtureOf, frame, outcomes } from './test-support/testrun.ts';

describeKernel('externs of the kernel', ['root', 'testrun', 'compiler'], () => {
  it('have one value in machine and kernel', async () => {
    const report = await verify({
      program: fixtureOf('kernel-facts', 'ask'),
      engines: (['vm', 'wasm', 'testrun'] as const).map(createEngine),
      seed: 'facts',
      runs: 100,
    });
    const states = report.engines.map(({ name, status, reason }) => ({ name, status, reason }));
    for (const state of states) expect(state).toEqual({ name: state.name, status: 'ran', reason: undefined });
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
  });

  it('are more than zeros', async () => {
    const session = await createEngine('wasm').open(fixtureOf('kernel-facts', 'ask'), {});
    const batch = batchOf({ packet: frame(60) });
    await session.run(batch, outcomes(batch));
    const { values } = session.maps().find((map) => map.definition.name === 'answers')!;
    const words = new BigUint64Array(values.slice().buffer);
    expect(words[0]).toBe(BigInt(runningKernel()!.version));
    expect([words[1], words[2], words[3]]).toEqual([1n, 1n, 1n]);
    expect(words[4]).toBe(BigInt('y'.charCodeAt(0)));
    expect(words[5]).toBe(BigInt(runningKernel()!.config('CONFIG_HZ')!));
    expect(words[8]).toBe(runningKernel()!.symbol('bpf_prog_put'));
  });

  it('that are missing stop only the program that refers to them', async () => {
    // Without a kernel to ask, as in a browser.
    const engine = createVmEngine();
    await expect(engine.open(fixtureOf('kernel-facts', 'ask'), {})).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringContaining(
        'extern LINUX_KERNEL_VERSION: expected a value of the kernel’s configuration',
      ),
    });
    const session = await engine.open(fixtureOf('kernel-facts', 'ask_nothing'), {});
    const batch = batchOf({ packet: frame(60) });
    const output = outcomes(batch);
    await session.run(batch, output);
    expect(output.action[0]).toBe(1);
  });
});
