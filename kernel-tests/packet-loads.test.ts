/** Packet loads of classic BPF with every kind of offset (net/core/filter.c, `bpf_internal_load_pointer_neg_helper`). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const LENGTH = 60;
const [NET, MAC] = [-0x10_0000, -0x20_0000];
const OFFSETS = [NET, MAC, 0]
  .flatMap((base) =>
    [-2, -1, 0, 1, 13, 42, 43, 44, 45, 46, 47, 56, 57, 59, 60, 61].map((more) => base + more),
  )
  .concat(0x7fff_ffff, -0x8000_0000, -0x7fff_fff0);

function packets(): PacketBatch {
  const batch = new PacketBatch(OFFSETS.length);
  for (const offset of OFFSETS) {
    const packet = Uint8Array.from({ length: LENGTH }, (_, at) => 3 * at + 1);
    new DataView(packet.buffer).setInt32(0, offset);
    batch.push({ packet });
  }
  return batch;
}

describeKernel('packet loads', ['root', 'testrun', 'compiler'], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-loads-'));
  let object: Uint8Array;
  beforeAll(() => {
    const path = join(scratch, 'packet-loads.o');
    compileBpf('kernel-tests/fixtures/packet-loads.bpf.c', path);
    object = new Uint8Array(readFileSync(path));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function returned(engine: Engine, name: string): Promise<number[]> {
    const program: Program = { name, object, entries: [{ function: name, hook: 'tc-ingress' }] };
    const input = packets();
    const output = new OutcomeBatch(input.count);
    const session = await engine.open(program, {});
    await session.run(input, output);
    await session.close();
    return [...output.action.subarray(0, input.count)];
  }

  it.each(['any_word', 'any_byte', 'from_network', 'from_mac', 'from_nowhere', 'behind_change'])(
    'find in both machines what the kernel finds: %s',
    async (name) => {
      const expected = await returned(createTestRunEngine(), name);
      expect(await returned(createVmEngine(), name)).toEqual(expected);
      expect(await returned(createWasmEngine(), name)).toEqual(expected);
    },
  );
});
