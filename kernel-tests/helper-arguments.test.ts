/**
 * Every helper that takes numbers, maps and plain memory and depends on nothing else, with arguments at boundaries: both machines
 * answer as the kernel does, and make the same of frame, memory and maps.
 */
import { expect, it } from 'vitest';
import type { BpfObject } from '../sim/ebpf/bpf-object.ts';
import { HELPERS } from '../sim/ebpf/helpers/index.ts';
import { callOf, framesFor, isCallable, typesFor } from '../sim/ebpf/test-support/helper-calls.ts';
import { compileAndRun, interpret, type MachineRun } from '../sim/ebpf/test-support/run-both.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { MapSnapshot } from '../sim/runtime/map-snapshot.ts';
import { type RawOptions, runInKernel } from './test-support/raw-program.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const entries = (maps: readonly MapSnapshot[]): string =>
  maps.flatMap((map) => map.list().map(({ key, value }) => `${hex(key)} = ${hex(value)}`)).join();

function ofKernel(
  object: BpfObject,
  batch: PacketBatch,
  options: RawOptions,
): { outcomes: string[]; maps: string } {
  const { outcomes, maps } = runInKernel(object, batch, options);
  const told = Array.from(
    { length: batch.count },
    (_, index) => `${outcomes.action[index]} ${hex(outcomes.packet(index))}`,
  );
  return { outcomes: told, maps: entries(maps) };
}

function ofMachine({ outcomes }: MachineRun): string[] {
  return outcomes.map(({ action, bytes, stoppedAt, reason }) =>
    stoppedAt === undefined ? `${action} ${bytes}` : `stopped: ${reason}`,
  );
}

/** Of bpf_probe_read_kernel the machine has no more memory than its own. */
const WITHOUT_MEMORY = /^the machine (reads|has no)/;
/** Maps whose contents cannot be read, or are not the program's. */
const UNREAD = /QUEUE|STACK|BLOOM|RINGBUF|PERF|CGROUP/;

describeKernel('calls of helpers', ['root', 'libbpf', 'testrun', 'linux 6.18'], () => {
  it.each(['xdp', 'tc-ingress'] as const)('at %s come to the same in the kernel', (hook) => {
    const wrong: string[] = [];
    let compared = 0;
    for (const helper of HELPERS.values()) {
      const { effects, returns } = helper;
      if (!isCallable(helper, hook) || effects.dependsOn.length > 0 || returns !== 'int') continue;
      for (const type of typesFor(helper)) {
        const object = callOf(helper, hook, type, 'returned');
        if (object === undefined) continue;
        const about = `${helper.name}${type === undefined ? '' : ` on ${type}`}`;
        const frames = framesFor(helper);
        const batch = new PacketBatch(frames.length);
        for (const packet of frames) batch.push({ packet });
        const readsMaps = !UNREAD.test(type ?? '');
        const kernel = ofKernel(object, batch, { hook, readsMaps });
        const runs = { vm: interpret(object, batch, { hook }), wasm: compileAndRun(object, batch, { hook }) };
        const isCompared = runs.vm.outcomes.map(({ reason = '' }) => !WITHOUT_MEMORY.test(reason));
        for (const [name, machine] of Object.entries(runs)) {
          const told = ofMachine(machine);
          const at = told.findIndex((one, index) => isCompared[index] && one !== kernel.outcomes[index]);
          if (at >= 0)
            wrong.push(`${about}, ${name}, frame ${at}: ${told[at]}, kernel ${kernel.outcomes[at]}`);
          if (readsMaps && entries(machine.maps) !== kernel.maps) wrong.push(`${about}, ${name}: maps`);
        }
        compared++;
      }
    }
    expect(wrong).toEqual([]);
    expect(compared).toBeGreaterThan(hook === 'xdp' ? 20 : 40);
  });
});
