/** Values of `const volatile` variables that the verifier does not accept: only those that somebody states count. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { type Engine, EngineError } from '../sim/engines/engine.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { check } from '../verify/check/check.ts';
import type { CheckedProgram } from '../verify/check/finding.ts';
import { type Guidance, guide } from '../verify/guide/guide.ts';
import { withPossibleWorlds } from '../verify/guide/possible-worlds.ts';
import { describeKernel } from './test-support/require-kernel.ts';

describeKernel('constants that open what the verifier refuses', ['root', 'testrun', 'compiler'], () => {
  it('are named, each with what the verifier says; one that it takes is not', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-gated-'));
    try {
      const path = join(scratch, 'gated.o');
      compileBpf('kernel-tests/fixtures/gated.bpf.c', path);
      const object = new Uint8Array(readFileSync(path));
      const program: Program = { name: 'gated', object, entries: [{ function: 'gated', hook: 'xdp' }] };
      const engines = {
        machine: createWasmEngine(),
        kernel: createTestRunEngine(),
        witness: createVmEngine(),
      };
      const checked = await check({ program, ...engines, seed: 'gated', runs: 2048, sweeps: false });
      expect(checked.findings.map(({ invariant, severity }) => `${severity} ${invariant}`)).toEqual([
        'warning load/refused-constant',
        'warning load/refused-constant',
      ]);
      const [deep, peer] = checked.findings.toSorted((a, b) => a.summary.localeCompare(b.summary));
      expect(deep!.summary).toMatch(/^gated: with deep = true the kernel refuses it: /);
      expect(deep!.details!.at(-1)).toContain('outside of the packet');
      expect(peer!.summary).toMatch(/^gated: with peer = [1-9]\d* the kernel refuses it: /);
      expect(peer!.details!.at(-1)).toContain('cannot use helper bpf_redirect_peer');
      // A world that states the value is refused itself.
      const worlds = [{ name: 'stated', world: { globals: { deep: Uint8Array.of(1) } } }];
      const stated = await check({ program, ...engines, seed: 'gated', runs: 2048, sweeps: false, worlds });
      expect(stated.findings.map(({ invariant }) => invariant)).toEqual(['load/refused']);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
});

describeKernel('constants of the loader', ['root', 'testrun', 'compiler'], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-constants-'));
  let program: Program;
  beforeAll(() => {
    const path = join(scratch, 'loader-constants.o');
    compileBpf('kernel-tests/fixtures/loader-constants.bpf.c', path);
    const object = new Uint8Array(readFileSync(path));
    program = { name: 'constants', object, entries: [{ function: 'mark_syn', hook: 'tc-ingress' }] };
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const FAR = Uint8Array.of(0xfa, 0xff, 0xff, 0xff);
  const MODE = Uint8Array.of(0x51, 0, 0, 0);
  const kernel = createTestRunEngine();

  /** The kernel, as if its verifier refused the program in some worlds. */
  function refusing(isRefused: (world: World) => boolean): Engine {
    return {
      name: kernel.name,
      observes: kernel.observes,
      availability: (program) => kernel.availability(program),
      refuses: (program, batch) => kernel.refuses(program, batch),
      async open(program, world) {
        if (isRefused(world)) throw new EngineError('input', 'the verifier refuses it');
        return kernel.open(program, world);
      },
    };
  }

  async function checked(asked: Engine, world?: World): Promise<CheckedProgram> {
    const engines = { machine: createWasmEngine(), kernel: asked, witness: createVmEngine() };
    const worlds = world === undefined ? {} : { worlds: [{ name: 'stated', world }] };
    return check({ program, ...engines, seed: 'constants', runs: 2048, sweeps: false, ...worlds });
  }

  it('loses a value that the verifier refuses, and keeps the others', async () => {
    const mode = MODE;
    const world = { globals: { l3_offset: FAR, mode } };
    const guidance = { cases: [{ world, stimuli: [], reached: [] }] } as unknown as Guidance;
    const asked = { programs: [program], worlds: [{ name: 'default', world: {} }], kernel };
    const { cases } = await withPossibleWorlds(guidance, asked);
    expect(cases.map((one) => one.world)).toEqual([{ globals: { mode } }]);
  });

  it('refuse nothing that the object itself does not, and the kernel runs all', async () => {
    const { findings, report } = await checked(refusing(({ globals }) => globals?.mode !== undefined));
    // Nobody can set this one: what stands behind it is no part of what was tested.
    expect(findings.map(({ invariant }) => invariant)).toEqual(['load/refused-constant']);
    expect(report.engines.find(({ name }) => name === 'testrun')).toMatchObject({ status: 'ran' });
  });

  it('get values that open a branch, unless a world states them', () => {
    const modesIn = (world: World): unknown[] => {
      const worlds = [{ name: 'given', world }];
      const { cases } = guide(program, { seed: 'modes', effort: 500_000, worlds });
      return cases.map((one) => one.world.globals?.mode);
    };
    expect(modesIn({})).toContainEqual(MODE);
    const stated = { mode: Uint8Array.of(9, 0, 0, 0) };
    expect(new Set(modesIn({ globals: stated }))).toEqual(new Set([stated.mode]));
  });

  it('are load/refused where the world states them', async () => {
    const { findings } = await checked(kernel, { globals: { l3_offset: FAR } });
    expect(findings.map(({ invariant }) => invariant)).toEqual(['load/refused']);
  });
});

describeKernel('functions that are there to be replaced', ['compiler'], () => {
  it('return what is nobody’s action until then: a note, where others that return it are wrong', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-replaced-'));
    try {
      const path = join(scratch, 'replaced.o');
      compileBpf('kernel-tests/fixtures/replaced.bpf.c', path);
      const object = new Uint8Array(readFileSync(path));
      const engines = { machine: createWasmEngine(), witness: createVmEngine() };
      const found = async (name: string): Promise<string[]> => {
        const program: Program = { name, object, entries: [{ function: name, hook: 'xdp' }] };
        const checked = await check({ program, ...engines, seed: 'replaced', runs: 2048, sweeps: false });
        return checked.findings.map(({ invariant, severity, summary }) =>
          [severity, invariant, /\(by (\w+), which stands for/.exec(summary)?.[1] ?? ''].join(' ').trim(),
        );
      };
      expect(await found('dispatcher')).toEqual(['info action/unknown first']);
      expect(await found('wrong')).toEqual(['error action/unknown']);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
});
