/** Every built-in program does what its examples and its model say, on packets of all kinds, in each of its worlds, in both machines. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../kernel/package-file.ts';
import { createModelEngine } from '../sim/engines/model.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import { programs } from '../sim/programs/index.ts';
import { heldExamples, verify } from './run.ts';

const PACKETS = 1000;

it.each(programs.map(({ name }) => name))('%s', async (name) => {
  const definition = programs.find((one) => one.name === name)!;
  const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
  const program = { name, entries: definition.entries, object, definition };
  const report = await verify({
    program,
    cases: heldExamples(program),
    engines: [createModelEngine(), createVmEngine(), createWasmEngine()],
    seed: 'built-in',
    runs: PACKETS,
    shrink: false,
  });
  expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
  for (const engine of report.engines) expect(engine).toMatchObject({ status: 'ran' });
  expect(report.packets).toBe(PACKETS + definition.examples.length);
});
