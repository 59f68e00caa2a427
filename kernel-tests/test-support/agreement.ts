/** Programs compiled for a suite, run by both machines and the kernel, and compared in everything that comes of them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'vitest';
import { compileBpf } from '../../bpf/compile.ts';
import { createTestRunEngine } from '../../kernel/testrun/testrun.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { entriesOfObject } from '../../sim/engines/object-entries.ts';
import { outcomesOf } from '../../sim/engines/test-support/outcomes-as-text.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';

/** Every program of a source, named relative to the checkout, as entries of one. */
export function compileProgram(source: string): Program {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-agreement-'));
  try {
    const path = join(scratch, 'program.o');
    compileBpf(source, path);
    const object = new Uint8Array(readFileSync(path));
    return {
      name: basename(source),
      object,
      objectPath: basename(source),
      entries: entriesOfObject(loadObject(object)),
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @returns the kernel's outcomes, which both machines' are equal to */
export async function expectAgreement(
  program: Program,
  input: PacketBatch | readonly PacketBatch[],
  world?: World,
): Promise<string[]> {
  const kernel = await outcomesOf(createTestRunEngine(), program, input, world);
  for (const engine of [createVmEngine(), createWasmEngine()]) {
    const machine = await outcomesOf(engine, program, input, world);
    // Only the first that differs: the rest is thousands of lines.
    const first = kernel.findIndex((line, index) => line !== machine[index]);
    expect(`${engine.name} ${machine[first]}`).toBe(`${engine.name} ${kernel[first]}`);
    expect(machine).toHaveLength(kernel.length);
  }
  return kernel;
}
