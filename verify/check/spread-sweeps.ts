/**
 * Sweeps of a check that has only so much time: the words of a world take turns, and the values of each are spread over all
 * that it can have, so that each was swept as densely as the others whenever time is over. They go on where they ended.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { PacketSource } from '../batch-runner.ts';
import type { ProgramReport } from '../report.ts';
import type { CheckRuns } from './check-runs.ts';
import type { SweepReport } from './finding.ts';
import type { Rewritten } from './rewritten.ts';
import { ChecksumRepair, SWEEP_SIZE } from './sweep-packets.ts';

/** A batch takes no longer than this: time is looked at between batches. */
const BATCH_SECONDS = 0.1;
const BATCH_SIZES = { least: 64, most: 8192 } as const;

/** Words of one world. */
interface Group {
  readonly world: World;
  readonly words: readonly Rewritten[];
  /** Packets that are done. */
  done: number;
  /** Did something else than time end it: so many findings that more would not be read? */
  isEnded: boolean;
}

export class SpreadSweeps {
  readonly #groups: Group[] = [];

  /** These are to be swept, too. */
  add(words: readonly Rewritten[]): void {
    for (const world of new Set(words.map((word) => word.world))) {
      const own = words.filter((word) => word.world === world);
      this.#groups.push({ world, words: own, done: 0, isEnded: false });
    }
  }

  /** Is there something left to sweep? */
  get isPending(): boolean {
    return this.#pending().length > 0;
  }

  /** Sweeps on, until the share of the time that was allotted is over. Worlds get as much of it each. */
  async run(runs: CheckRuns, machine: Engine, isOver: () => boolean): Promise<void> {
    const pending = this.#pending();
    for (const [at, group] of pending.entries()) {
      if (isOver() || runs.budget.isOver) return;
      await this.#sweep(group, runs, machine, runs.budget.left / (pending.length - at));
    }
  }

  /** Words that took all values, packets, words that did not, and how many packets all of them would have been. */
  report(): SweepReport {
    const done = this.#groups.filter((group) => group.done === packetsOf(group));
    const count = (groups: readonly Group[]): number =>
      groups.reduce((sum, { words }) => sum + words.length, 0);
    const words = count(done);
    const all = count(this.#groups);
    const packets = this.#groups.reduce((sum, group) => sum + group.done, 0);
    return {
      words,
      packets,
      left: all - words,
      ...(this.isPending ? { wanted: all * SWEEP_SIZE, least: this.#least() } : {}),
    };
  }

  #least(): number {
    return Math.min(...this.#groups.map((group) => group.done / packetsOf(group)));
  }

  #pending(): Group[] {
    return this.#groups.filter((group) => !group.isEnded && group.done < packetsOf(group));
  }

  async #sweep(group: Group, runs: CheckRuns, machine: Engine, seconds: number): Promise<void> {
    const { world, words, done } = group;
    const wanted = packetsOf(group) - done;
    const start = performance.now();
    const report = await runs.run(
      {
        engines: [machine],
        source: new SpreadSource(words, done),
        worlds: [{ name: 'swept', world }],
        runs: wanted,
        seconds,
        batchSize: Math.min(batchSizeFor(runs.reports, machine.name), runs.packetsOfCase(world)),
      },
      'sweeps',
    );
    group.done += report.packets;
    group.isEnded = report.packets < wanted && performance.now() - start < seconds * 1000;
  }
}

function packetsOf({ words }: Group): number {
  return words.length * SWEEP_SIZE;
}

/** As many packets as an engine runs in the time of a batch, where it was slowest. */
export function batchSizeFor(reports: readonly ProgramReport[], engine: string): number {
  const slowest = Math.max(
    0,
    ...reports.flatMap(({ engines }) =>
      engines
        .filter(({ name, packets }) => packets > 0 && name === engine)
        .map(({ packets, seconds }) => seconds / packets),
    ),
  );
  const { least, most } = BATCH_SIZES;
  return slowest === 0 ? most : Math.min(most, Math.max(least, Math.floor(BATCH_SECONDS / slowest)));
}

/** Packet by packet another word, and round by round another of its values. */
export class SpreadSource implements PacketSource {
  readonly #words: readonly Rewritten[];
  readonly #first: number;
  readonly #repair = new ChecksumRepair();

  /** @param first packets that are done */
  constructor(words: readonly Rewritten[], first: number = 0) {
    this.#words = words;
    this.#first = first;
  }

  fill(batch: Parameters<PacketSource['fill']>[0], _seed: unknown, firstIndex: number, count: number): void {
    const words = this.#words;
    for (let index = this.#first + firstIndex; count > 0; index++, count--) {
      const { stimulus, at, balance } = words[index % words.length]!;
      const value = spreadValue(Math.floor(index / words.length));
      const frame = batch.offset[batch.push(stimulus)]!;
      this.#repair.apply(batch.bytes, frame, stimulus.packet.length, at, value, balance);
    }
  }
}

/**
 * All 16-bit values, each once, in an order in which the first ones of any number are spread over all: 0, 65,535, 32,768,
 * 32,767, 16,384, …
 */
export function spreadValue(number: number): number {
  let value = 0;
  for (let bit = 0; bit < 15; bit++) if (((number >> (bit + 1)) & 1) === 1) value |= 0x8000 >> bit;
  return (number & 1) === 1 ? value ^ 0xffff : value;
}
