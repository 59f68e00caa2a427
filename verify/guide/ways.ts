/** The ways of a program's branches that inputs may go, and which of them were gone. */
import { sourceAt } from '../../sim/ebpf/object.ts';
import type { World } from '../../sim/runtime/world.ts';
import { type Edge, edgeId, edgeOf, type TracedRuns } from './traced-runs.ts';

/** Why a case was kept. */
export interface Reached {
  readonly function: string;
  /** The instruction, counted from the program's start. */
  readonly instruction: number;
  /** Which way a branch went; absent: the program ended there. */
  readonly taken?: boolean;
  readonly file?: string;
  readonly line?: number;
}

export class Ways {
  readonly #runs: TracedRuns;
  readonly #world: World;
  readonly #edges = new Map<number, Edge>();

  /** @param world in which the program is looked at for what its instructions are */
  constructor(runs: TracedRuns, world: World) {
    this.#runs = runs;
    this.#world = world;
  }

  /** Other constants, or programs in other slots, open other ways. */
  add(world: World): void {
    for (const edge of this.#runs.edges(world)) this.#edges.set(edgeId(edge), edge);
  }

  get count(): number {
    return this.#edges.size;
  }

  /** Numbers of all ways, with those that are added meanwhile. */
  ids(): Iterable<number> {
    return this.#edges.keys();
  }

  /** Ways that no case went. */
  missing(): Edge[] {
    return [...this.#edges.values()].filter((edge) => this.#runs.timesOf(edge) === 0);
  }

  describe({ program, slot, taken }: Edge): Reached {
    const source = this.#runs.machineOf(this.#world)!.object.programs[program]!;
    const line = sourceAt(source, slot);
    return {
      function: source.function,
      instruction: slot,
      taken,
      ...(line === undefined ? {} : { file: line.file, line: line.line }),
    };
  }

  /** @returns nothing for what is no way of a branch */
  describeId(id: number): Reached[] {
    const edge = edgeOf(id);
    return edge === undefined ? [] : [this.describe(edge)];
  }
}
