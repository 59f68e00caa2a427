/** One loaded object and its world, run with `BPF_PROG_TEST_RUN`. */
import { helperNumber } from '../../sim/ebpf/helper-names.ts';
import { HELPERS } from '../../sim/ebpf/helpers/index.ts';
import { EngineError, type Pinning, type Session } from '../../sim/engines/engine.ts';
import type { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { DEFAULT_INGRESS_IFINDEX, type PacketBatch } from '../../sim/packet/packet-batch.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import { isLru, isPerCpu } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BpfMap } from '../libbpf/map.ts';
import { BpfObject, type BpfProgram } from '../libbpf/object.ts';
import {
  meetsDevices,
  requireHarmless,
  type SessionNetwork,
  shareDefaultNetwork,
  shareNetworkIfAllowed,
} from '../network/shared-network.ts';
import type { PinnedWorld } from '../pin/pins.ts';
import { CPU_HELPER } from '../pin/substitutes.ts';
import { Giver } from './giver.ts';
import { type Harness, loadHarness } from './harness.ts';
import { PacketRunner, type RunnableEntry } from './packets.ts';
import { syscalls } from './syscalls.ts';
import { mayRunOn, pinThread, releaseThread } from './thread-cpu.ts';
import { canObserveTrace, TraceReader } from './trace.ts';

/** Numbers of helpers (linux/bpf.h) that decide what has to be asked of the kernel beside the packet. */
const HELPER = {
  trace_printk: 6,
  get_smp_processor_id: 8,
  tail_call: 12,
  xdp_adjust_meta: 54,
  trace_vprintk: 177,
};

/**
 * After so many packets a harness is loaded, which takes as long as they did; and after a thousand more for each
 * millisecond that loading the program took, since the verifier judges it once more.
 */
const PACKETS_BEFORE_HARNESS = 20_000;
const PACKETS_PER_MILLISECOND = 1000;

/** Functions, by their objects, for which a harness did not load, or failed: finding that out may take the verifier a second. */
const withoutHarness = new WeakMap<Uint8Array, Set<string>>();

/**
 * Helpers that read any memory of the kernel's, or follow the addresses that they print, and so show what earlier packets left behind the
 * end of a frame. XDP programs have no others (kernel/bpf/helpers.c, `bpf_base_func_proto`).
 */
const READ_ANYTHING: ReadonlySet<number | undefined> = new Set(
  ['bpf_probe_read_kernel', 'bpf_probe_read_kernel_str', 'bpf_snprintf', 'bpf_snprintf_btf'].map(
    helperNumber,
  ),
);

export class TestRunSession implements Session {
  readonly #program: Program;
  readonly #world: World;
  readonly #network: SessionNetwork;
  readonly #runner: PacketRunner;
  #object: BpfObject;
  #entries: readonly RunnableEntry[] = [];
  readonly #trace: TraceReader | undefined;
  /** Where the case runs, if that matters. */
  #cpu: number | undefined;
  /** `untried` until enough packets have run. */
  #harness: Harness | 'untried' | undefined = 'untried';
  #packetsToHarness = PACKETS_BEFORE_HARNESS;
  /** By the descriptor of the program under test. */
  readonly #givers = new Map<number, Giver | undefined>();
  #open = true;

  /**
   * @param network the world's, where it states one; default: one with the default devices
   * @throws {EngineError} when the object or the world cannot be loaded; `network` is closed then
   */
  constructor(program: Program, world: World, network: SessionNetwork | undefined) {
    this.#program = program;
    this.#world = world;
    const loadedIn = network ?? shareDefaultNetwork();
    let object: BpfObject | undefined;
    try {
      const before = performance.now();
      object = loadedIn.enter(() => this.#load());
      this.#packetsToHarness += (performance.now() - before) * PACKETS_PER_MILLISECOND;
      this.#network = network ?? networkFor(object, world, this.#file);
    } catch (error) {
      object?.close();
      loadedIn.close();
      throw error;
    }
    if (this.#network !== loadedIn) loadedIn.close();
    this.#object = object;
    try {
      this.#prepare();
      this.#trace = this.#shouldTrace() ? new TraceReader() : undefined;
      this.#runner = new PacketRunner();
    } catch (error) {
      this.#trace?.close();
      object.close();
      this.#network.close();
      throw error;
    }
  }

  async run(input: PacketBatch, output: OutcomeBatch): Promise<void> {
    if (!this.#open) throw new Error('the session is closed');
    if (input.count > output.capacity) {
      throw new RangeError(`${input.count} packets do not fit into a batch of ${output.capacity} outcomes`);
    }
    output.clear();
    for (const map of this.#object.maps) map.expectChanges();
    if (comesFromDevice(input)) this.#network.makeDevices();
    const harness = this.#harnessFor(input.count);
    this.#onItsCpu(() =>
      this.#network.enter(() => this.#runner.run(this.#entries, input, output, this.#trace, harness)),
    );
    if (harness?.hasFailed === true) this.#giveUpHarness();
  }

  get pinning(): Pinning {
    const { pinned, live, ...rest } = this.#object.pinning;
    if (!live.includes(CPU_HELPER)) return this.#object.pinning;
    // Where the copies cannot be loaded, it is still the CPU that the world names (`#onItsCpu`).
    return { pinned: [...pinned, CPU_HELPER], live: live.filter((name) => name !== CPU_HELPER), ...rest };
  }

  maps(): MapSnapshot[] {
    const readable = this.#object.maps.filter((map) => map.readable);
    // Reading may run a program of our own, as every test run in the session's namespace.
    return this.#network.enter(() => readable.map((map) => map.snapshot()));
  }

  async reset(): Promise<void> {
    if (this.#object.maps.every((map) => map.restorable)) {
      this.#object.resetPins();
      this.#chooseCpu();
      this.#onItsCpu(
        () =>
          this.#network.enter(() => {
            for (const map of this.#object.maps) map.restore(this.#world.maps?.[map.name] ?? [], this.#cpu);
          }),
        true,
      );
    } else {
      // It runs the program with the maps that go.
      this.#endHarness();
      this.#closeGivers();
      this.#object.close();
      this.#object = this.#network.enter(() => this.#load());
      this.#prepare();
    }
    this.#trace?.discard();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    releaseThread();
    this.#trace?.close();
    this.#runner.close();
    this.#endHarness();
    this.#closeGivers();
    this.#object.close();
    this.#network.close();
  }

  /** For the next so many packets: there from the time on when it pays, where one can do what a test run does. */
  #harnessFor(packets: number): Harness | undefined {
    if (this.#harness !== 'untried') return this.#harness;
    this.#packetsToHarness -= packets;
    if (this.#packetsToHarness > 0) return undefined;
    this.#harness = undefined;
    if (!this.#fitsHarness()) return undefined;
    this.#harness = loadHarness(this.#object.programs[0]!, this.#entries[0]!.frags);
    if (this.#harness === undefined) this.#giveUpHarness();
    return this.#harness;
  }

  /** One XDP function, of which nothing but its outcome is looked at. */
  #fitsHarness(): boolean {
    if (this.#entries.length !== 1 || this.#entries[0]!.hook !== 'xdp') return false;
    // `bpf_throw`, a kernel function, leaves the program and the harness.
    if (this.#object.callsKernelFunctions || this.#trace !== undefined) return false;
    const isHarmless = (helper: number): boolean => HELPERS.has(helper) && !READ_ANYTHING.has(helper);
    if (![...this.#object.helpers].every(isHarmless)) return false;
    const { object, entries } = this.#program;
    return this.#runner.takesHarness && withoutHarness.get(object!)?.has(entries[0]!.function) !== true;
  }

  /** For this program, in this session and all others. */
  #giveUpHarness(): void {
    this.#endHarness();
    const { object, entries } = this.#program;
    const functions = withoutHarness.get(object!) ?? new Set();
    withoutHarness.set(object!, functions.add(entries[0]!.function));
  }

  /** No other is loaded. */
  #endHarness(): void {
    if (this.#harness !== 'untried') this.#harness?.close();
    this.#harness = undefined;
  }

  get #file(): string {
    return this.#program.objectPath ?? this.#program.name;
  }

  #load(): BpfObject {
    const { name, entries, object } = this.#program;
    if (object === undefined) throw new EngineError('input', `${name} has no compiled object to run`);
    return new BpfObject(object, {
      name,
      file: this.#file,
      entries,
      globals: this.#world.globals ?? {},
      ...(this.#world.slots === undefined ? {} : { slots: this.#world.slots }),
      ...(this.#world.maps === undefined ? {} : { contents: this.#world.maps }),
      pin: pinnedWorld(this.#world),
      ...(this.#program.maxEntries === undefined ? {} : { maxEntries: this.#program.maxEntries }),
    });
  }

  /** Brings the loaded object to the world's state. */
  #prepare(): void {
    const object = this.#object;
    this.#chooseCpu();
    this.#onItsCpu(() => this.#network.enter(() => fillMaps(object, this.#world, this.#file, this.#cpu)));
    this.#closeGivers();
    this.#entries = object.programs.map(({ fd, hook, helpers }, index) => ({
      fd,
      giver: () => this.#giverOf(object.programs[index]!),
      hook,
      after: this.#program.entries[index]!.after,
      frags: this.#program.entries[index]!.frags,
      // What a tail call leads to is another program's business, and may be this.
      changesMetadata: helpers.has(HELPER.xdp_adjust_meta) || helpers.has(HELPER.tail_call),
    }));
  }

  /** What gives frames more than a test run does: loaded for the first that needs it. */
  #giverOf(program: BpfProgram): Giver | undefined {
    const { fd } = program;
    if (!this.#givers.has(fd)) this.#givers.set(fd, Giver.open(program));
    return this.#givers.get(fd);
  }

  #closeGivers(): void {
    for (const giver of this.#givers.values()) giver?.close();
    this.#givers.clear();
  }

  /** A program with a definition says itself whether its lines are part of its outcome. */
  #shouldTrace(): boolean {
    const { definition } = this.#program;
    const prints = definition === undefined ? mayPrint(this.#object) : definition.traces === true;
    return prints && canObserveTrace();
  }

  #chooseCpu(): void {
    const { maps } = this.#object;
    // Each CPU keeps free entries of an LRU map for itself (kernel/bpf/bpf_lru_list.c): all must be on one. What the
    // world sets in a per-CPU map is there already.
    const stays = ({ name, definition: { type } }: BpfMap): boolean =>
      isLru(type) || (isPerCpu(type) && this.#world.maps?.[name] !== undefined);
    if (this.#cpu !== undefined && maps.some(stays)) return;
    this.#cpu = this.#askedCpu() ?? cpuFor(this.#object);
  }

  /** The world's, unless programs get its number wherever they run, and it is not there. */
  #askedCpu(): number | undefined {
    const { cpu } = this.#world;
    return cpu === undefined || this.#object.pinning.live.includes(CPU_HELPER) || mayRunOn(cpu)
      ? cpu
      : undefined;
  }

  /** @param stays the thread stays there: what runs next is this case */
  #onItsCpu(fn: () => void, stays: boolean = false): void {
    if (this.#cpu !== undefined) pinThread(this.#cpu);
    try {
      fn();
    } finally {
      if (!stays) releaseThread();
    }
  }
}

/** May a packet leave lines? Who makes tail calls may come to any function that is loaded. */
function mayPrint({ programs, helpers }: BpfObject): boolean {
  const makesTailCalls = programs.some((one) => one.helpers.has(HELPER.tail_call));
  const called = makesTailCalls ? [helpers] : programs.map((one) => one.helpers);
  return called.some((one) => one.has(HELPER.trace_printk) || one.has(HELPER.trace_vprintk));
}

/** What clock and random numbers start from, as the machine has it. */
export function pinnedWorld(world: World): PinnedWorld {
  return {
    time: world.time ?? 0n,
    tick: world.tick ?? 0n,
    randomSeed: world.randomSeed ?? 0,
    hashSeed: world.hashSeed ?? 0,
    kernelFill: world.kernelFill ?? 0,
    cpu: world.cpu ?? 0,
  };
}

/** The network of a world that states none. */
function networkFor(object: BpfObject, world: World, file: string): SessionNetwork {
  const maps = object.maps.map((map) => map.definition);
  const { devices = [] } = withDefaultDevices(world, maps);
  // Kernel functions can leave things in a namespace: connections, say.
  const network = shareNetworkIfAllowed(devices, object.callsKernelFunctions);
  try {
    requireHarmless(network, object, file);
    if (meetsDevices(object) || maps.some(({ type }) => DEVICE_MAPS.has(type))) network.makeDevices();
  } catch (error) {
    network.close();
    throw error;
  }
  return network;
}

/** Their entries are devices that are there. */
const DEVICE_MAPS: ReadonlySet<string> = new Set(['DEVMAP', 'DEVMAP_HASH', 'XSKMAP']);

/** Does the kernel look up where a packet comes in? */
function comesFromDevice({ count, ingressIfindex }: PacketBatch): boolean {
  for (let packet = 0; packet < count; packet++)
    if (ingressIfindex[packet] !== DEFAULT_INGRESS_IFINDEX) return true;
  return false;
}

/**
 * The CPU on which all of a case has to run: the first one where a program asks for its number; whichever, but one,
 * where a map has values or free entries for each, for that state is one only there.
 */
export function cpuFor(object: BpfObject): number | undefined {
  if (object.helpers.has(HELPER.get_smp_processor_id)) return 0;
  const one = object.maps.some(({ definition: { type } }) => isPerCpu(type) || isLru(type));
  return one ? syscalls().currentCpu() : undefined;
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
    map.fillNew(entries, cpu);
  }
}
