/** One loaded object and its world, run packet by packet with `BPF_PROG_TEST_RUN`. */
import { EngineError, type Session } from '../sim/engines/engine.ts';
import type { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import { isPerCpu, type MapSnapshot } from '../sim/runtime/maps.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { BpfObject } from './libbpf-object.ts';
import { PacketRunner, type RunnableEntry } from './testrun-packets.ts';
import { syscalls } from './testrun-syscalls.ts';
import { canObserveTrace, TraceReader } from './testrun-trace.ts';
import type { WorldNetwork } from './world-network.ts';

/** Numbers of helpers (linux/bpf.h) that decide what has to be asked of the kernel beside the packet. */
const HELPER = {
  trace_printk: 6,
  get_smp_processor_id: 8,
  tail_call: 12,
  xdp_adjust_meta: 54,
  trace_vprintk: 177,
};

export class TestRunSession implements Session {
  readonly #program: Program;
  readonly #world: World;
  readonly #network: WorldNetwork | undefined;
  readonly #runner: PacketRunner;
  #object: BpfObject;
  #entries: readonly RunnableEntry[] = [];
  readonly #trace: TraceReader | undefined;
  /** Where the case runs, if that matters. */
  #cpu: number | undefined;
  #open = true;

  /** @throws {EngineError} when the object or the world cannot be loaded; `network` then stays open */
  constructor(program: Program, world: World, network: WorldNetwork | undefined) {
    this.#program = program;
    this.#world = world;
    this.#network = network;
    this.#object = this.#load();
    try {
      this.#trace = this.#shouldTrace() ? new TraceReader() : undefined;
      this.#runner = new PacketRunner();
    } catch (error) {
      this.#trace?.close();
      this.#object.close();
      throw error;
    }
  }

  async run(input: PacketBatch, output: OutcomeBatch): Promise<void> {
    if (!this.#open) throw new Error('the session is closed');
    if (input.count > output.capacity) {
      throw new RangeError(`${input.count} packets do not fit into a batch of ${output.capacity} outcomes`);
    }
    output.clear();
    this.#onItsCpu(() => this.#inNetwork(() => this.#runner.run(this.#entries, input, output, this.#trace)));
  }

  maps(): MapSnapshot[] {
    return this.#object.maps.filter((map) => map.readable).map((map) => map.snapshot());
  }

  async reset(): Promise<void> {
    if (this.#object.maps.every((map) => map.restorable)) {
      this.#cpu = this.#world.cpu ?? cpuFor(this.#object);
      this.#inNetwork(() => {
        for (const map of this.#object.maps) map.restore(this.#world.maps?.[map.name] ?? [], this.#cpu);
      });
    } else {
      this.#object.close();
      this.#object = this.#load();
    }
    this.#trace?.discard();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#trace?.close();
    this.#runner.close();
    this.#object.close();
    this.#network?.close();
  }

  #load(): BpfObject {
    const { name, entries, object, objectPath } = this.#program;
    const file = objectPath ?? name;
    if (object === undefined) throw new EngineError('input', `${name} has no compiled object to run`);
    const loaded = new BpfObject(object, { name, file, entries, globals: this.#world.globals ?? {} });
    this.#cpu = this.#world.cpu ?? cpuFor(loaded);
    try {
      this.#inNetwork(() => fillMaps(loaded, this.#world, file, this.#cpu));
    } catch (error) {
      loaded.close();
      throw error;
    }
    this.#entries = loaded.programs.map(({ fd, hook, helpers }, index) => ({
      fd,
      hook,
      after: entries[index]!.after,
      // What a tail call leads to is another program's business, and may be this.
      changesMetadata: helpers.has(HELPER.xdp_adjust_meta) || helpers.has(HELPER.tail_call),
    }));
    return loaded;
  }

  /** A program with a definition says itself whether its lines are part of its outcome. */
  #shouldTrace(): boolean {
    const { definition } = this.#program;
    const prints =
      definition === undefined
        ? this.#object.programs.some(
            ({ helpers }) => helpers.has(HELPER.trace_printk) || helpers.has(HELPER.trace_vprintk),
          )
        : definition.traces === true;
    return prints && canObserveTrace();
  }

  #inNetwork<T>(fn: () => T): T {
    return this.#network === undefined ? fn() : this.#network.enter(fn);
  }

  #onItsCpu(fn: () => void): void {
    const cpu = this.#cpu;
    if (cpu === undefined) {
      fn();
      return;
    }
    const sys = syscalls();
    const before = sys.affinity();
    const only = new Uint8Array(before.length);
    only[cpu >> 3] = 1 << (cpu & 7);
    sys.setAffinity(only);
    try {
      fn();
    } finally {
      sys.setAffinity(before);
    }
  }
}

/**
 * The CPU on which all of a case has to run: the first one where a program asks for its number; whichever, but one,
 * where a map has values for each, for that state is one only there.
 */
function cpuFor(object: BpfObject): number | undefined {
  if (object.programs.some(({ helpers }) => helpers.has(HELPER.get_smp_processor_id))) return 0;
  return object.maps.some((map) => isPerCpu(map.definition.type)) ? syscalls().currentCpu() : undefined;
}

/**
 * @param cpu whose values of a per-CPU map are set
 * @throws {EngineError} `input`, where the world names a map that the object lacks, or an entry does not fit
 */
export function fillMaps(object: BpfObject, world: World, file: string, cpu: number = 0): void {
  for (const [name, entries] of Object.entries(world.maps ?? {})) {
    const map = object.map(name);
    if (map === undefined) {
      const known = object.maps.length === 0 ? 'none' : object.maps.map((one) => one.name).join(', ');
      throw new EngineError(
        'input',
        `the world fills a map ${name} that ${file} does not have (it has ${known})`,
      );
    }
    map.fill(entries, cpu);
  }
}
