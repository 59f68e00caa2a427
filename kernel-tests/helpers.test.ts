/**
 * The machine's helpers against the kernel's: programs whose packets choose the helper and its arguments, run by
 * both machines and by the kernel, and compared in actions, bytes, metadata, printed lines and every result.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compileBpf, SOURCE_ROOT } from '../bpf/compile.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import { toHex } from '../sim/packet/bytes.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = 2500;
const CHECKSUMS = 'csum_diff.bpf.c';
const SOURCES = readdirSync(join(SOURCE_ROOT, 'kernel-tests/helpers')).filter((name) =>
  name.endsWith('.bpf.c'),
);

function compile(source: string): Program {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-helpers-'));
  try {
    const path = join(scratch, 'helpers.o');
    compileBpf(`kernel-tests/helpers/${source}`, path);
    const object = new Uint8Array(readFileSync(path));
    const entries = loadObject(object).programs.map(({ function: name, hook }) => ({
      function: name,
      hook: hook ?? 'xdp',
    }));
    return { name: source, object, objectPath: source, entries };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Noise with some order in it: lengths that matter, IP headers often, entries in turn. */
function packets(entries: number): PacketBatch {
  let state = 20_251_120;
  const below = (limit: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  const batch = new PacketBatch(PACKETS);
  for (let index = 0; index < PACKETS; index++) {
    const length = [60, 64, 74, 98, 100 + below(200), 1514][below(6)]!;
    const packet = Uint8Array.from({ length }, () => below(256));
    const type = [0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8100, 0x88a8, below(0x1_0000)][below(8)]!;
    packet[12] = type >> 8;
    packet[13] = type;
    if (type === 0x0800) packet[14] = 0x45;
    if (type === 0x86dd) packet[14] = 0x60;
    // A tagged frame carries IP, or another tag.
    if (type === 0x8100 || type === 0x88a8)
      packet.set(
        [
          [0x08, 0],
          [0x86, 0xdd],
          [0x81, 0],
        ][below(3)]!,
        16,
      );
    batch.push({ packet, entry: below(entries) });
  }
  return batch;
}

/** What each packet came to, and the maps at the end, as text. */
async function outcomes(engine: Engine, program: Program, batch: PacketBatch): Promise<string[]> {
  const session = await engine.open(program, { cpu: 0 });
  try {
    const output = new OutcomeBatch(batch.count);
    await session.run(batch, output);
    const lines = Array.from({ length: batch.count }, (_, packet) => {
      const cb = output.cb.subarray(packet * 5, packet * 5 + 5).join();
      const skb = `${output.mark[packet]} ${output.priority[packet]} ${cb}`;
      const bytes = `${toHex(output.metadata(packet))} ${toHex(output.packet(packet))}`;
      const printed = output.trace.get(packet)?.join(' / ') ?? '';
      const note = output.status[packet] === 0 ? '' : output.notes.get(packet)?.message;
      return `${packet}: ${output.status[packet]} ${output.action[packet]} ${skb} ${bytes} ${printed} ${note}`;
    });
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

async function agree(source: string): Promise<void> {
  const program = compile(source);
  const batch = packets(program.entries.length);
  const kernel = await outcomes(createTestRunEngine(), program, batch);
  for (const engine of [createVmEngine(), createWasmEngine()]) {
    const machine = await outcomes(engine, program, batch);
    // Only the first that differs: the rest is thousands of lines.
    const first = kernel.findIndex((line, index) => line !== machine[index]);
    expect(`${engine.name} ${machine[first]}`).toBe(`${engine.name} ${kernel[first]}`);
    expect(machine).toHaveLength(kernel.length);
  }
}

// 6.1 lacks kernel functions on dynptrs and flags of bpf_skb_adjust_room, and allows 32 bytes of metadata.
describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.12'], () => {
  for (const source of SOURCES.filter((name) => name !== CHECKSUMS)) it(source, () => agree(source));
});

// Kernels before 6.13 do not fold what bpf_csum_diff gives.
describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.13'], () => {
  it(CHECKSUMS, () => agree(CHECKSUMS));
});
