/** Programs compiled for a suite, run by both machines and the kernel, and compared in everything that comes of them. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'vitest';
import { compileBpf } from '../../bpf/compile.ts';
import { createTestRunEngine } from '../../kernel/testrun/testrun.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { entriesOfObject } from '../../sim/engines/object-entries.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { toHex } from '../../sim/packet/bytes.ts';
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

/** Of long frames the begin, and a digest of all of it: text of every byte takes longer than all the rest. */
function bytesText(bytes: Uint8Array): string {
  if (bytes.length <= 256) return toHex(bytes);
  const digest = createHash('sha1').update(bytes).digest('hex');
  return `${toHex(bytes.subarray(0, 64))}… ${bytes.length} bytes ${digest}`;
}

function lineOf(output: OutcomeBatch, packet: number): string {
  const cb = output.cb.subarray(packet * 5, packet * 5 + 5).join();
  const skb = `${output.mark[packet]} ${output.priority[packet]} ${cb}`;
  const bytes = `${toHex(output.metadata(packet))} ${bytesText(output.packet(packet))}`;
  const printed = output.trace.get(packet)?.join(' / ') ?? '';
  const note = output.status[packet] === 0 ? '' : output.notes.get(packet)?.message;
  return `${output.status[packet]} ${output.action[packet]} ${skb} ${bytes} ${printed} ${note}`;
}

/** What each packet came to, and the maps at the end, as text. @param input one batch, or several, one after the other */
export async function outcomesOf(
  engine: Engine,
  program: Program,
  input: PacketBatch | readonly PacketBatch[],
  world: World = { cpu: 0 },
): Promise<string[]> {
  const session = await engine.open(program, world);
  try {
    const lines: string[] = [];
    for (const batch of Array.isArray(input) ? (input as readonly PacketBatch[]) : [input as PacketBatch]) {
      const output = new OutcomeBatch(batch.count);
      await session.run(batch, output);
      for (let packet = 0; packet < batch.count; packet++)
        lines.push(`${lines.length}: ${lineOf(output, packet)}`);
    }
    for (const map of session.maps()) {
      const { definition } = map;
      // The kernel's names of data sections begin with the object's.
      if (definition.name.includes('.')) continue;
      for (const { key, value } of map.list())
        lines.push(`${definition.name}[${toHex(key)}] = ${toHex(value)}`);
    }
    return lines;
  } finally {
    await session.close();
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
