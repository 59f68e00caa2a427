/** Every built-in program does what its model says, on packets of all kinds, in each of its worlds, in both machines. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../kernel/package-file.ts';
import { createModelEngine } from '../sim/engines/model.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import { programs } from '../sim/programs/index.ts';
import { verify } from './run.ts';

const PACKETS = 1000;

it.each(programs.map(({ name }) => name))('%s', async (name) => {
  const definition = programs.find((one) => one.name === name)!;
  const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
  const report = await verify({
    program: { name, entries: definition.entries, object, definition },
    engines: [createModelEngine(), createVmEngine(), createWasmEngine()],
    seed: 'built-in',
    runs: PACKETS,
    shrink: false,
  });
  expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
  for (const engine of report.engines) expect(engine).toMatchObject({ status: 'ran' });
  expect(report.packets).toBe(PACKETS);
});
