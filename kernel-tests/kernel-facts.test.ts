/** Externs: the machine gives programs the configuration and the symbols of the running kernel, as libbpf does. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { runningKernel } from '../kernel/libbpf/kernel-facts.ts';
import { NEWEST_KERNEL, versionCode } from '../sim/ebpf/kernel-versions.ts';
import { useKernel } from '../sim/engines/process-kernel.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { TracedRuns } from '../verify/guide/traced-runs.ts';
import { followPaths } from '../verify/prove/paths.ts';
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

  it('are the same for guidance and for proofs', async () => {
    const asks = fixtureOf('kernel-facts', 'ask');
    const packet = { world: {}, stimuli: [{ packet: frame(60) }] };
    expect(new TracedRuns(asks).run(packet)).toBeUndefined();
    useKernel(runningKernel);
    try {
      expect(new TracedRuns(asks).run(packet)).toBeDefined();
      const { paths } = await followPaths(asks, {
        solver: { check: async () => ({ status: 'unknown', reason: '' }) },
      });
      expect(paths.length).toBeGreaterThan(0);
    } finally {
      useKernel(undefined);
    }
  });

  it('have the version of the machine where there is no kernel to ask', async () => {
    const session = await createVmEngine().open(fixtureOf('kernel-facts', 'ask_version'), {});
    const batch = batchOf({ packet: frame(60) });
    await session.run(batch, outcomes(batch));
    const { values } = session.maps().find((map) => map.definition.name === 'answers')!;
    expect(new BigUint64Array(values.slice().buffer)[0]).toBe(BigInt(versionCode(NEWEST_KERNEL)));
  });

  it('that are missing stop only the program that refers to them', async () => {
    // Without a kernel to ask, as in a browser.
    const engine = createVmEngine();
    await expect(engine.open(fixtureOf('kernel-facts', 'ask'), {})).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringContaining(
        'extern CONFIG_BPF_SYSCALL: expected a value of the kernel’s configuration, found no kernel to ask',
      ),
    });
    const session = await engine.open(fixtureOf('kernel-facts', 'ask_nothing'), {});
    const batch = batchOf({ packet: frame(60) });
    const output = outcomes(batch);
    await session.run(batch, output);
    expect(output.action[0]).toBe(1);
  });
});
