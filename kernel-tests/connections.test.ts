/** Kernel functions that find nothing in a network of one's own, or need a device: what machine and kernel say. */
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { outcomesOf } from '../sim/engines/test-support/outcomes-as-text.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { verify } from '../verify/run.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = 1000;

function frames(entries: number): PacketBatch {
  let state = 20_261_128;
  const below = (limit: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  const batch = new PacketBatch(PACKETS);
  for (let index = 0; index < PACKETS; index++) {
    const packet = Uint8Array.from({ length: 60 }, () => below(256));
    packet.set([0x88, 0xb5], 12);
    batch.push({ packet, entry: below(entries) });
  }
  return batch;
}

// bpf_ct_opts has zones since 6.10.
describeKernel('lookups of connections and states', ['testrun', 'compiler', 'linux 6.13'], () => {
  it('find nothing, and say why as the kernel does', async () => {
    const program = compileProgram('kernel-tests/frames/connections.bpf.c');
    const outcomes = await expectAgreement(program, frames(program.entries.length));
    expect(outcomes.filter((line) => /^\d+: 0 /.test(line))).toHaveLength(PACKETS);
  });
});

describeKernel("a driver's metadata", ['testrun', 'compiler', 'linux 6.13'], () => {
  it('are not supported in the machine, and the report says why the kernel cannot be asked', async () => {
    const program = compileProgram('kernel-tests/frames/metadata.bpf.c');
    for (const engine of [createVmEngine(), createWasmEngine()]) {
      const lines = await outcomesOf(engine, program, frames(1));
      // 31 × 31 × … of -EOPNOTSUPP would be hard to read: the first packet's is plain.
      const one = new PacketBatch(1);
      one.push({ packet: new Uint8Array(60) });
      const results = (await outcomesOf(engine, program, one)).filter((line) => line.startsWith('results['));
      expect(results.slice(0, 3).map((line) => line.split(' = ')[1])).toEqual(
        Array.from({ length: 3 }, () => 'a1ffffffffffffff'),
      );
      expect(lines.filter((line) => /^\d+: 0 2 /.test(line))).toHaveLength(PACKETS);
    }
    const report = await verify({
      program,
      engines: (['vm', 'wasm', 'testrun'] as const).map(createEngine),
      seed: 'metadata',
      runs: 200,
    });
    expect(report.engines.find(({ name }) => name === 'testrun')).toMatchObject({
      status: 'skipped',
      reason: expect.stringContaining('bound to a device'),
    });
    expect(report.divergences).toEqual([]);
  });
});
