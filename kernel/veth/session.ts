/** One loaded object on the devices of one world, run by real frames. */
import { singleFunctions } from '../../sim/engines/chained-session.ts';
import { EngineError, type Pinning, type Session } from '../../sim/engines/engine.ts';
import type { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { BpfObject } from '../libbpf/object.ts';
import type { WorldNetwork } from '../network/world-network.ts';
import { fillMaps, pinnedWorld } from '../testrun/session.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type FramePath, fillDispatcher, framePathsOf } from './frame-path.ts';
import { WINDOW } from './window.ts';
import { Wire } from './wire.ts';

export class VethSession implements Session {
  readonly #program: Program;
  readonly #world: World;
  readonly #network: WorldNetwork;
  readonly #wire: Wire;
  readonly #dispatcher: Dispatcher | undefined;
  #object: BpfObject;
  /** By the program's entries. */
  #paths: readonly FramePath[] = [];
  /** The XDP function that is on the devices, where no dispatcher is. */
  #attached = -1;
  #open = true;

  /**
   * @param standIn ifindex of the device that takes the loopback device's place
   * @param dispatcher for programs that need one (`needsDispatcher`); closed with the session
   * @throws {EngineError} when the object or the world cannot be loaded; `network` and `dispatcher` then stay open
   */
  constructor(
    program: Program,
    world: World,
    network: WorldNetwork,
    standIn: number,
    dispatcher: Dispatcher | undefined,
  ) {
    this.#program = program;
    this.#world = world;
    this.#network = network;
    this.#dispatcher = dispatcher;
    this.#object = this.#load();
    try {
      this.#wire = new Wire(network, standIn, dispatcher);
    } catch (error) {
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
    for (const map of this.#object.maps) map.expectChanges();
    const arena = Buffer.from(input.bytes.buffer, input.bytes.byteOffset, input.bytes.byteLength);
    for (let first = 0; first < input.count; first += WINDOW) {
      const end = Math.min(first + WINDOW, input.count);
      this.#wire.beginWindow();
      for (let packet = first; packet < end; packet++) {
        const path = this.#paths[input.entry[packet]!];
        if (path === undefined) {
          throw new EngineError('input', `${this.#program.name} has no entry ${input.entry[packet]}`);
        }
        if (this.#dispatcher === undefined) this.#attach(path);
        this.#wire.send(input, arena, packet, path);
      }
      await this.#wire.endWindow(output);
    }
  }

  get pinning(): Pinning {
    return this.#object.pinning;
  }

  maps(): MapSnapshot[] {
    return this.#object.maps.filter((map) => map.readable).map((map) => map.snapshot());
  }

  async reset(): Promise<void> {
    if (this.#object.maps.every((map) => map.restorable)) {
      this.#object.resetPins();
      this.#network.enter(() => {
        for (const map of this.#object.maps) map.restore(this.#world.maps?.[map.name] ?? []);
      });
      return;
    }
    const before = this.#object;
    this.#object = this.#load();
    before.close();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#wire.close();
    this.#dispatcher?.close();
    this.#object.close();
    this.#network.close();
  }

  #load(): BpfObject {
    const { name, entries, object, objectPath } = this.#program;
    const file = objectPath ?? name;
    if (object === undefined) throw new EngineError('input', `${name} has no compiled object to run`);
    const functions = singleFunctions(entries);
    const loaded = new BpfObject(object, {
      name,
      file,
      entries: functions,
      globals: this.#world.globals ?? {},
      ...(this.#world.slots === undefined ? {} : { slots: this.#world.slots }),
      ...(this.#world.maps === undefined ? {} : { contents: this.#world.maps }),
      pin: pinnedWorld(this.#world),
      ...(this.#program.maxEntries === undefined ? {} : { maxEntries: this.#program.maxEntries }),
    });
    try {
      // A device map's entries are devices of the thread's namespace (kernel/bpf/devmap.c).
      this.#network.enter(() => fillMaps(loaded, this.#world, file));
      if (this.#dispatcher !== undefined) fillDispatcher(this.#dispatcher, loaded.programs);
    } catch (error) {
      loaded.close();
      throw error;
    }
    this.#paths = framePathsOf(entries, loaded);
    this.#attached = -1;
    return loaded;
  }

  /** Between two frames: none is on its way. */
  #attach({ xdp }: FramePath): void {
    if (xdp === undefined || xdp.fd === this.#attached) return;
    this.#wire.attach(xdp.fd);
    this.#attached = xdp.fd;
  }
}
