/** How fast packets go through `BPF_PROG_TEST_RUN`: from C, through the engine, and the kernel's own share. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../sim/engines/engine.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { TEST_RUN_OPTS } from '../libbpf/layouts.ts';
import { addressOf, errnoName, requireLibbpf } from '../libbpf/libbpf.ts';
import { BpfObject } from '../libbpf/object.ts';
import { testRunOptions } from '../libbpf/test-run-options.ts';
import { makeTemporaryDirectory } from '../process/leftovers.ts';
import { createTestRunEngine } from '../testrun/testrun.ts';
import { compileBenchProgram, compileC } from './compile.ts';

/** Something whose speed is measured: each call runs the same packets over again. */
export interface Racer {
  /** Packets per second over `passes` passes of the batch; for test runs of processor time, so that others do not count. */
  rate(passes: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * The C loop (`testrun-loop.c`), on the first entry of the program. Metadata, devices and queues are left out: it
 * runs frames.
 * @throws {EngineError} `environment`, where it cannot be compiled
 */
export function cLoopRacer(program: Program, batch: PacketBatch): Racer {
  const scratch = makeTemporaryDirectory();
  try {
    const executable = compileC('testrun-loop', scratch.path);
    const object = join(scratch.path, 'program.o');
    const packets = join(scratch.path, 'packets');
    writeFileSync(object, program.object ?? new Uint8Array());
    writeFileSync(packets, packetFile(batch));
    return {
      async rate(passes) {
        const { function: name } = program.entries[0]!;
        const run = spawnSync(executable, [object, name, packets, String(passes)], { encoding: 'utf8' });
        if (run.status !== 0) throw new EngineError('environment', `the C loop failed: ${run.stderr.trim()}`);
        const result = JSON.parse(run.stdout) as { packets: number; seconds: number };
        return result.packets / result.seconds;
      },
      async close() {
        scratch.remove();
      },
    };
  } catch (error) {
    scratch.remove();
    throw error;
  }
}

/** The engine `testrun` with one session that stays open. */
export async function testRunRacer(program: Program, batch: PacketBatch): Promise<Racer> {
  const session = await createTestRunEngine().open(program, {});
  const outcomes = new OutcomeBatch(batch.count, batch.used + 2 * 4096);
  return {
    async rate(passes) {
      const start = process.cpuUsage();
      for (let pass = 0; pass < passes; pass++) await session.run(batch, outcomes);
      const { user, system } = process.cpuUsage(start);
      const seconds = (user + system) / 1e6;
      const [note] = outcomes.notes.values();
      if (note !== undefined) throw new EngineError('environment', note.message);
      return (batch.count * passes) / seconds;
    },
    close: () => session.close(),
  };
}

/**
 * The kernel's own time per packet in nanoseconds: one call, many repetitions, as the kernel's clock has it
 * (`duration`). Every repetition gets the packet that the one before left behind, so the program has to take the
 * same path again: see `icmpEchoToggle`.
 */
export function kernelNanoseconds(program: Program, packet: Uint8Array, repeat: number = 1_000_000): number {
  const { bpf } = requireLibbpf();
  const { name, entries, object, objectPath } = program;
  if (object === undefined) throw new EngineError('input', `${name} has no compiled object to run`);
  const loaded = new BpfObject(object, { name, file: objectPath ?? name, entries });
  try {
    const input = packet.slice();
    const options = testRunOptions(input, repeat);
    const start = performance.now();
    const result = bpf.bpf_prog_test_run_opts(loaded.programs[0]!.fd, addressOf(options));
    const clock = ((performance.now() - start) * 1e6) / repeat;
    if (result !== 0) throw new EngineError('environment', `BPF_PROG_TEST_RUN: ${errnoName(result)}`);
    // The kernel leaves out the time in which others ran, and rounds down to whole nanoseconds: our clock knows the rest.
    const whole = options.getUint32(TEST_RUN_OPTS.duration, true);
    return Math.min(Math.max(clock, whole), whole + 1);
  } finally {
    loaded.close();
  }
}

/**
 * `icmp_echo` with the reply turned back into a request before each repetition (`icmp_echo_toggle.bpf.c`).
 * @throws {EngineError} `environment`, where clang is missing
 */
export function icmpEchoToggle(): Program {
  const scratch = makeTemporaryDirectory();
  try {
    const object = compileBenchProgram('icmp_echo_toggle', scratch.path);
    return { name: 'icmp_echo_toggle', entries: [{ function: 'icmp_echo_toggle', hook: 'xdp' }], object };
  } finally {
    scratch.remove();
  }
}

/** Each packet as a little-endian length of 32 bits and its bytes. */
function packetFile(batch: PacketBatch): Uint8Array {
  let size = 0;
  for (let index = 0; index < batch.count; index++) size += 4 + batch.length[index]!;
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  let at = 0;
  for (let index = 0; index < batch.count; index++) {
    const length = batch.length[index]!;
    const offset = batch.offset[index]!;
    view.setUint32(at, length, true);
    file.set(batch.bytes.subarray(offset, offset + length), at + 4);
    at += 4 + length;
  }
  return file;
}
