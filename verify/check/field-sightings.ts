/**
 * Packets that hold something that is looked for in a field, a few of each and of what became of them: whoever asks which value
 * of the field decides begins with these.
 */

import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { equalWhole } from '../../sim/packet/bytes.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { cameAs, leftAs } from '../rows.ts';
import { CaseRunner, type Seen, type Sighting } from './probe.ts';

/** Packets that are searched. */
const SEARCHED = 200_000;

/** A packet, and what it holds. */
export interface FieldSighting<Place> extends Sighting {
  readonly place: Place;
}

export interface SightingLimits {
  /** Packets that are kept of each kind of place and of what became of them. */
  readonly each: number;
  /** And of all: once that many are kept, no more packets are searched. */
  readonly all: number;
}

export class FieldSightings<Place> {
  readonly #limits: SightingLimits;
  readonly #placesIn: (frame: Uint8Array) => Iterable<Place>;
  readonly #kindOf: (place: Place, frame: Uint8Array) => string;
  readonly #seen = new Map<string, FieldSighting<Place>[]>();
  #kept = 0;
  #searched = 0;

  /**
   * @param placesIn what is looked for in a frame
   * @param kindOf which of these are alike
   */
  constructor(
    limits: SightingLimits,
    placesIn: (frame: Uint8Array) => Iterable<Place>,
    kindOf: (place: Place, frame: Uint8Array) => string,
  ) {
    this.#limits = limits;
    this.#placesIn = placesIn;
    this.#kindOf = kindOf;
  }

  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    for (let packet = 0; packet < output.count; packet++) {
      if (this.#kept >= this.#limits.all || this.#searched >= SEARCHED) return;
      if (output.status[packet] !== STATUS.ran) continue;
      this.#searched++;
      const frame = cameAs(input, packet);
      let fate: string | undefined;
      for (const place of this.#placesIn(frame)) {
        fate ??= `${input.entry[packet]} ${output.action[packet]} ${equalWhole(leftAs(output, packet), frame)}`;
        const key = `${fate} ${this.#kindOf(place, frame)}`;
        const kept = this.#seen.get(key) ?? [];
        if (kept.length >= this.#limits.each) continue;
        this.#seen.set(key, kept);
        kept.push({ world, stimulus: input.stimulus(packet), place });
        this.#kept++;
      }
    }
  }

  /** Those of a kind one behind the other, in the order in which the kinds were met. */
  get all(): FieldSighting<Place>[] {
    return [...this.#seen.values()].flat();
  }

  /**
   * Judges one after the other, until something of its name is found.
   * @param nameOf what is told once for each entry
   */
  async firstOfEach(
    program: Program,
    machine: Engine,
    nameOf: (place: Place) => string,
    judge: (runner: CaseRunner, sighting: FieldSighting<Place>) => Promise<Seen | undefined>,
  ): Promise<Seen[]> {
    const runner = new CaseRunner(program, machine);
    const found = new Map<string, Seen>();
    try {
      for (const sighting of this.all) {
        const key = `${sighting.stimulus.entry ?? 0} ${nameOf(sighting.place)}`;
        const seen = found.has(key) ? undefined : await judge(runner, sighting);
        if (seen !== undefined) found.set(key, seen);
      }
    } finally {
      await runner.close();
    }
    return [...found.values()];
  }
}
