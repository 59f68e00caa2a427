import { expect, it } from 'vitest';
import { testObject } from '../sim/ebpf/test-support/assemble.ts';
import { RANDOM_MAPS, RANDOM_PACKET_BYTES, randomProgram } from '../sim/ebpf/test-support/random-program.ts';
import { compileAndRun, interpret, type MachineRun } from '../sim/ebpf/test-support/run-both.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { MapSnapshot } from '../sim/runtime/map-snapshot.ts';
import { type RawRun, runInKernel } from './test-support/raw-program.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** `XDPSIM_RANDOM_PROGRAMS=20000 XDPSIM_FIRST_SEED=300` for a long run. */
const PROGRAMS = Number(process.env.XDPSIM_RANDOM_PROGRAMS ?? 150);
const FIRST_SEED = Number(process.env.XDPSIM_FIRST_SEED ?? 0);

function packets(seed: number): PacketBatch {
  const batch = new PacketBatch(4);
  for (const length of [RANDOM_PACKET_BYTES - 1, RANDOM_PACKET_BYTES, 130, 1500]) {
    batch.push({
      packet: Uint8Array.from({ length }, (_, index) => (index * 41 + seed * 7 + length) & 0xff),
    });
  }
  return batch;
}

function entries(maps: readonly MapSnapshot[]): unknown {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return maps.map((map) => [
    map.definition.name,
    map.list().map(({ key, value }) => `${hex(key)} = ${hex(value)}`),
  ]);
}

function ofKernel({ outcomes, maps }: RawRun): unknown {
  const packetsOut = Array.from({ length: outcomes.count }, (_, packet) => ({
    action: outcomes.action[packet],
    status: outcomes.status[packet],
    bytes: Buffer.from(outcomes.packet(packet)).toString('hex'),
  }));
  return { packetsOut, maps: entries(maps) };
}

function ofMachine({ outcomes, maps }: MachineRun): unknown {
  const packetsOut = outcomes.map(({ action, bytes, stoppedAt }) => ({
    action,
    status: stoppedAt === undefined ? 0 : 1,
    bytes,
  }));
  return { packetsOut, maps: entries(maps) };
}

// Version 4 of the instruction set came with 6.6; what bpf_csum_diff gives is folded since 6.13.
describeKernel('random programs', ['root', 'libbpf', 'testrun', 'linux 6.13'], () => {
  it(
    `are taken by the verifier, and do in both machines what they do in the kernel (${PROGRAMS} programs)`,
    () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + PROGRAMS; seed++) {
        const { text } = randomProgram(seed, { callbacks: false });
        const object = testObject({ main: text }, RANDOM_MAPS);
        const batch = packets(seed);
        const kernel = ofKernel(runInKernel(object, batch));
        const together = ofKernel(runInKernel(object, batch, { inHarness: true }));
        expect(together, `all packets in one test run, seed ${seed}:\n${text}`).toEqual(kernel);
        expect(ofMachine(compileAndRun(object, batch)), `wasm, seed ${seed}:\n${text}`).toEqual(kernel);
        expect(ofMachine(interpret(object, batch)), `vm, seed ${seed}:\n${text}`).toEqual(kernel);
      }
    },
    60_000 + PROGRAMS * 100,
  );
});
