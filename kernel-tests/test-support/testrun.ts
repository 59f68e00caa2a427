/** The objects that the suites of the engine `testrun` run, compiled once per process; and batches for them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileBpf } from '../../bpf/compile.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program, ProgramEntry } from '../../sim/runtime/program.ts';

const objects = new Map<string, Uint8Array>();

function fixtureObject(source: string): Uint8Array {
  let object = objects.get(source);
  if (object === undefined) {
    const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-fixture-'));
    try {
      const path = join(scratch, 'fixture.o');
      compileBpf(`kernel-tests/fixtures/${source}.bpf.c`, path);
      object = new Uint8Array(readFileSync(path));
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    objects.set(source, object);
  }
  return object;
}

/** A program of `testrun.bpf.c`: its functions in this order, XDP unless said otherwise. */
export function fixture(...functions: readonly (string | readonly [string, Hook])[]): Program {
  return {
    name: 'fixture',
    object: fixtureObject('testrun'),
    objectPath: 'testrun.o',
    entries: functions.map((one) =>
      typeof one === 'string' ? { function: one, hook: 'xdp' } : { function: one[0], hook: one[1] },
    ),
  };
}

/** A program of `live.bpf.c`, whose functions do as the packet says. */
export function liveFixture(...entries: readonly ProgramEntry[]): Program {
  return { name: 'live', object: fixtureObject('live'), objectPath: 'live.o', entries };
}

/** One function of another source, alone in its object's program. */
export function fixtureOf(
  source:
    | 'tail-call'
    | 'recent'
    | 'fib-lookup'
    | 'default-world'
    | 'sections'
    | 'clocks'
    | 'tags'
    | 'loader-sizes'
    | 'kernel-facts'
    | 'one-bad'
    | 'lacking'
    | 'flow-timers'
    | 'old-kernels'
    | 'strong-function'
    | 'helper-answers'
    | 'harness',
  name: string,
  hook: Hook = 'xdp',
): Program {
  return {
    name,
    object: fixtureObject(source),
    objectPath: `${source}.o`,
    entries: [{ function: name, hook }],
  };
}

export function batchOf(...stimuli: readonly Stimulus[]): PacketBatch {
  const batch = new PacketBatch(Math.max(1, stimuli.length));
  for (const stimulus of stimuli) batch.push(stimulus);
  return batch;
}

/** A frame of `length` bytes: 0, 1, 2, … with an EtherType that nobody parses. */
export function frame(length: number, first: number = 0): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, index) => index);
  if (length > 13) bytes.set([0x88, 0xb5], 12);
  bytes[0] = first;
  return bytes;
}

export function outcomes(batch: PacketBatch): OutcomeBatch {
  return new OutcomeBatch(batch.capacity);
}
