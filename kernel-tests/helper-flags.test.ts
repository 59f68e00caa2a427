/**
 * Every helper with every flag, known, unknown and not modelled, against the kernel: what the machine does not model is
 * not compared, and is never a difference.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import { type PacketSource, verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const HELPERS = 21;
/** No flag, each of the 64 alone, each of the lowest eight beside two others. */
const FLAGS = [
  0n,
  ...Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit)),
  ...Array.from({ length: 8 }, (_, bit) => 3n | (1n << BigInt(bit))),
  ...Array.from({ length: 8 }, (_, bit) => 0x100n | (1n << BigInt(bit))),
];
const PACKETS = HELPERS * FLAGS.length;

const asking: PacketSource = {
  fill(batch, _seed, first, count) {
    for (let index = first; index < first + count; index++) {
      const packet = new Uint8Array(128);
      packet[0] = index % HELPERS;
      packet.set([0x08, 0, 0x45], 12);
      new DataView(packet.buffer).setBigUint64(16, FLAGS[Math.floor(index / HELPERS) % FLAGS.length]!, true);
      batch.push({ packet });
    }
  },
};

describeKernel('flags of helpers', ['compiler', 'testrun', 'linux 6.18'], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-flags-'));
  let object: Uint8Array;
  beforeAll(() => {
    compileBpf('kernel-tests/fixtures/helper-flags.bpf.c', join(scratch, 'f.o'));
    object = new Uint8Array(readFileSync(join(scratch, 'f.o')));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  for (const [name, hook] of [
    ['flags_xdp', 'xdp'],
    ['flags_tc', 'tc-ingress'],
  ] as const) {
    it.each([
      ['wasm', createWasmEngine],
      ['vm', createVmEngine],
    ] as const)(`${name}: %s answers as the kernel does, or leaves the packet out`, async (_, create) => {
      const report = await verify({
        program: { name, object, entries: [{ function: name, hook }] },
        engines: [create(), createTestRunEngine()],
        witness: createVmEngine(),
        seed: 'flags',
        source: asking,
        runs: PACKETS,
        oracle: 'off',
        maxDivergences: 99,
      });
      expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
      expect(report.defects).toEqual([]);
      const left = report.notCompared.filter(({ what }) => what.includes('is not modelled'));
      expect(left).not.toEqual([]);
      // What is left out is all that is: TBID and SRC of bpf_fib_lookup.
      const packets = left.reduce((sum, { packets: some = 0 }) => sum + some, 0);
      expect(report.compared).toBe(PACKETS - packets);
      expect(left.every(({ what }) => what.includes('bpf_fib_lookup with flags'))).toBe(true);
    });
  }
});
