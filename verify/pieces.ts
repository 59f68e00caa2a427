/** How a run is divided among runners. Where pieces end makes no difference to what comes out: the sums are the same. */
import { ALL_BATCHES, BATCH_SIZE, type BatchRange } from './batch-plan.ts';

/** So many pieces of each size at the start: what is wrong mostly shows early, and the others should not be far ahead then. */
const OF_EACH_SIZE = 4;
/** Batches of a large piece: what comes with each piece, a report and its way to the main process, costs as much as a batch. */
const LARGEST = 32;
/** Towards the end pieces become so small that each runner has this many left: all are to end at the same time. */
const LEFT_FOR_EACH = 2;

export class Pieces {
  readonly #batches: number;
  readonly #runners: number;
  readonly #known: BatchRange[] = [];

  /** @param packets of the run; infinite where time decides */
  constructor(packets: number, runners: number) {
    this.#batches = Math.ceil(packets / BATCH_SIZE);
    this.#runners = runners;
  }

  /** Piece `index` of the run, contiguous and in order; undefined behind the last one. */
  at(index: number): BatchRange | undefined {
    while (this.#known.length <= index) {
      const next = this.#next();
      if (next === undefined) return undefined;
      this.#known.push(next);
    }
    return this.#known[index];
  }

  #next(): BatchRange | undefined {
    const from = this.#known.at(-1)?.to ?? 0;
    const left = this.#batches - from;
    // Behind the one piece of a run without end nothing is left: a difference of infinities is no number.
    if (!(left > 0)) return undefined;
    if (this.#runners === 1) return ALL_BATCHES;
    const grown = 2 ** Math.floor(this.#known.length / OF_EACH_SIZE);
    const fair = Math.ceil(left / (LEFT_FOR_EACH * this.#runners));
    return { from, to: from + Math.min(grown, LARGEST, fair), step: 1 };
  }
}
