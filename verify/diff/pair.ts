/** Two builds of one program, run side by side on the same cases. */

import type { OutsideActs } from '../../sim/ebpf/interpreter/outside.ts';
import type { PacketWrites } from '../../sim/ebpf/interpreter/packet-writes.ts';
import type { RunPath } from '../../sim/ebpf/interpreter/run-path.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine, type VmOptions } from '../../sim/engines/vm.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EngineSide } from '../engine-side.ts';

/** Each has one entry, and both have the same hook. */
export interface BuildPair {
  readonly old: Program;
  readonly new: Program;
}

/** What the interpreter saw of one packet's run. */
export interface SeenRun {
  readonly path: RunPath;
  readonly writes: PacketWrites;
  readonly outside: OutsideActs;
}

/** One build in the interpreter, with the way that every packet took. */
export class FollowedBuild {
  readonly side: EngineSide;
  /** By packet of the last case. Packets that the machine did not run are absent. */
  runs: (SeenRun | undefined)[] = [];
  /** The contents of its maps before any packet, by world. */
  readonly #starts = new WeakMap<World, readonly MapSnapshot[]>();

  constructor(program: Program, options: VmOptions = {}) {
    const onPath = (path: RunPath, writes: PacketWrites, outside: OutsideActs): void =>
      void this.runs.push({ path, writes, outside });
    this.side = new EngineSide(createVmEngine({ ...options, onPath }), program, 16);
  }

  /** @returns false where the build cannot run the case: `side.failure` says why */
  async run(world: World, input: PacketBatch): Promise<boolean> {
    this.runs = [];
    if (!(await this.side.run(world, input))) return false;
    // What the engine refuses takes no step.
    if (this.runs.length < input.count) {
      const { runs } = this;
      const refused = (packet: number): boolean =>
        this.side.output.notes.get(packet)?.instruction === undefined &&
        this.side.output.status[packet] === STATUS.fault;
      let next = 0;
      this.runs = Array.from({ length: input.count }, (_, packet) =>
        refused(packet) ? undefined : runs[next++],
      );
    }
    return true;
  }

  /** The maps as the world has them; undefined where the build cannot be loaded. */
  async start(world: World, empty: PacketBatch): Promise<readonly MapSnapshot[] | undefined> {
    const known = this.#starts.get(world);
    if (known !== undefined) return known;
    if (!(await this.side.run(world, empty))) return undefined;
    const maps = this.side.maps ?? [];
    this.#starts.set(world, maps);
    return maps;
  }
}
