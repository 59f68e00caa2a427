/**
 * Packets that hold something that is looked for in a field, a few of each and of what became of them: whoever asks which value
 * of the field decides begins with these.
 */

import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { equalWhole } from '../../sim/packet/bytes.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { cameAs, leftAs } from '../rows.ts';
import type { Sighting } from './probe.ts';

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
}
