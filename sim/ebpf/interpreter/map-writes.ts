/** Who wrote what of which map, last: of a value with many members the one that differs has a line of its own. */
import type { CodePlace } from './code-place.ts';

/** Bytes of a value. */
interface Written {
  readonly from: number;
  readonly to: number;
  readonly place: CodePlace;
}

/** Stores behind so many others say nothing that a loop's first rounds do not. */
const MOST = 1024;

export class MapWrites {
  readonly #of = new Map<string, Written[]>();

  /** The maps that were written to, with the last write to each. */
  get all(): [string, CodePlace][] {
    return [...this.#of].map(([map, written]) => [map, written.at(-1)!.place]);
  }

  /** A store to bytes of a value. */
  store(map: string, from: number, size: number, place: CodePlace): void {
    const written = this.#of.get(map) ?? [];
    // One line that counts, in a loop say, is one: its last round.
    const known = written.findIndex(
      (one) => one.place.instruction === place.instruction && one.from === from,
    );
    if (known >= 0) written.splice(known, 1);
    if (written.length === MOST) written.shift();
    written.push({ from, to: from + size, place });
    this.#of.set(map, written);
  }

  /** A helper that was given the map: it may have changed all of a value, or taken one out. */
  call(map: string, place: CodePlace): void {
    const written = this.#of.get(map) ?? [];
    written.push({ from: 0, to: Number.POSITIVE_INFINITY, place });
    if (written.length > MOST) written.shift();
    this.#of.set(map, written);
  }

  /** @returns the last write to a byte of a map's values that is in the range */
  lastIn(map: string, from: number = 0, to: number = Number.POSITIVE_INFINITY): CodePlace | undefined {
    return this.#of.get(map)?.findLast((one) => one.from < to && from < one.to)?.place;
  }
}
