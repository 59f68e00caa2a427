/** Entries of maps that the kernel does not take on this machine are no fault of the program (kernel/bpf/cpumap.c). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { possibleCpus } from '../kernel/libbpf/possible-cpus.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { check } from '../verify/check/check.ts';
import type { CheckedProgram } from '../verify/check/finding.ts';
import { describeKernel } from './test-support/require-kernel.ts';

describeKernel('maps of CPUs', ['root', 'testrun', 'compiler'], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-cpus-'));
  let program: Program;
  beforeAll(() => {
    const path = join(scratch, 'cpu-map.o');
    compileBpf('kernel-tests/fixtures/cpu-map.bpf.c', path);
    const object = new Uint8Array(readFileSync(path));
    program = { name: 'spread', object, entries: [{ function: 'spread', hook: 'xdp' }] };
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function checked(world?: World): Promise<CheckedProgram> {
    const engines = { machine: createWasmEngine(), kernel: createTestRunEngine(), witness: createVmEngine() };
    const worlds = world === undefined ? {} : { worlds: [{ name: 'stated', world }] };
    return check({ program, ...engines, seed: 'cpus', runs: 2048, sweeps: false, ...worlds });
  }

  const kernelOf = ({ report }: CheckedProgram) => report.engines.find(({ name }) => name === 'testrun');
  const entry = (cpu: number, queue = 192) => ({
    key: new Uint8Array(Uint32Array.of(cpu).buffer),
    value: new Uint8Array(Uint32Array.of(queue, 0).buffer),
  });

  it('that nobody has filled get no CPU that is not there, and the kernel runs all', async () => {
    const result = await checked();
    expect(result.findings).toEqual([]);
    expect(kernelOf(result)).toMatchObject({ status: 'ran' });
  });

  it.skipIf(possibleCpus() > 59)(
    'with a CPU in a world that is not there are left to the machine',
    async () => {
      const result = await checked({ maps: { cpus: [entry(59)] } });
      expect([result.findings, result.verdict]).toEqual([[], 'pass']);
      const reason = 'map cpus (CPUMAP, 60 entries): this machine has no CPU 59';
      expect(kernelOf(result)).toMatchObject({ status: 'skipped', reason });
      expect(result.notChecked.join()).toContain(reason);
    },
  );

  it('with an entry in a world that no machine takes are an error of the world, not of the program', async () => {
    await expect(checked({ maps: { cpus: [entry(0, 1 << 20)] } })).rejects.toThrow(
      'map cpus (CPUMAP, 60 entries): the kernel does not take the entry with the key 0x00000000 from the world: EOVERFLOW',
    );
  });
});
