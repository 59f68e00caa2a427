import { expect, it } from 'vitest';
import type { EngineName } from '../sim/engines/register.ts';
import { XDP_PASS } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { ProgramReport } from './report.ts';
import { verify } from './run.ts';
import { FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';
import { UNNAMED_LINES } from './trace-lines.ts';

const definitionWith = (more: { readonly traces?: boolean }): Program => ({
  ...FAKE_PROGRAM,
  definition: {
    name: 'fake',
    summary: '',
    description: '',
    entries: [],
    maps: [],
    worlds: [{ name: 'empty', world: {} }],
    examples: [],
    hints: {},
    ...more,
  },
});

/** A run in which each engine prints the same lines for every packet. */
function reportOf(
  program: Program,
  prints: Partial<Record<EngineName, readonly string[]>>,
): Promise<ProgramReport> {
  return verify({
    program,
    engines: Object.entries(prints).map(([name, trace]) =>
      fakeEngine(name as EngineName, () => ({ action: XDP_PASS, ...(trace.length === 0 ? {} : { trace }) })),
    ),
    seed: 'a seed',
    runs: 10,
  });
}

const DIFFER = { model: ['len 60'], wasm: ['lenn 60'] };

it('compares lines that the model prints where the definition says nothing of them', async () => {
  const { divergences } = await reportOf(definitionWith({}), DIFFER);
  expect(divergences).toMatchObject([{ engines: ['model', 'wasm'], field: 'trace', state: 'shrunk' }]);
  const same = await reportOf(definitionWith({}), { model: ['len 60'], wasm: ['len 60'] });
  expect(same).toMatchObject({ divergences: [], notCompared: [] });
  const none = await reportOf(definitionWith({}), { model: ['len 60'], wasm: [] });
  expect(none.divergences).toMatchObject([{ field: 'trace' }]);
});

it('leaves what only the program prints to whoever debugs it, and says so', async () => {
  const report = await reportOf(definitionWith({}), { model: [], wasm: ['here'] });
  expect(report).toMatchObject({
    divergences: [],
    notCompared: [{ what: UNNAMED_LINES, engine: 'wasm', packets: 10 }],
  });
  const silent = await reportOf(definitionWith({}), { model: [], wasm: [] });
  expect(silent).toMatchObject({ divergences: [], notCompared: [] });
});

it('says that the kernel’s lines were not read', async () => {
  const report = await reportOf(definitionWith({}), { model: ['here'], testrun: [], wasm: ['here'] });
  expect(report).toMatchObject({
    divergences: [],
    notCompared: [{ what: UNNAMED_LINES, engine: 'testrun' }],
  });
});

it('does as the definition says where it says something', async () => {
  const off = await reportOf(definitionWith({ traces: false }), DIFFER);
  expect(off).toMatchObject({ divergences: [], notCompared: [] });
  const on = await reportOf(definitionWith({ traces: true }), { model: [], wasm: ['here'] });
  expect(on.divergences).toMatchObject([{ field: 'trace' }]);
  const kernel = await reportOf(definitionWith({ traces: true }), { model: ['here'], testrun: [] });
  expect(kernel.divergences).toMatchObject([{ engines: ['model', 'testrun'], field: 'trace' }]);
});
