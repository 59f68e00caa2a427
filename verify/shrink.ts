/**
 * Makes a diverging case small: first the sequence, then its packets, then the world. Each step is tried on the
 * engines themselves, and is kept if the divergence is still of the same kind.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Case } from '../corpus/case.ts';
import { simplerPackets } from '../corpus/shrink.ts';
import type { Engine } from '../sim/engines/engine.ts';
import type { Stimulus } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import { type Finding, familyOf } from './finding.ts';
import { Rehearsal } from './rehearsal.ts';

import { partsOfWorld, worldOfParts } from './world-parts.ts';

export interface ShrinkTask {
  readonly program: Program;
  /** The engines that the finding names, the reference first. */
  readonly engines: readonly Engine[];
  readonly case: Case;
  readonly finding: Finding;
}

export interface ShrinkOptions {
  /** How many smaller cases are tried; default 20 000. */
  readonly maxAttempts?: number;
  /** Default 30. A limit that strikes makes the result depend on the machine's speed. */
  readonly maxSeconds?: number;
  readonly signal?: AbortSignal;
  /** Simpler forms of one stimulus, the boldest first. */
  readonly simplify?: (stimulus: Stimulus) => Iterable<Stimulus>;
  /** Called with each smaller case. */
  readonly onSmaller?: (smaller: Case, finding: Finding) => Promise<void> | void;
}

export interface Shrunk {
  readonly case: Case;
  /** What the small case shows. */
  readonly finding: Finding;
  readonly state: 'shrunk' | 'cut short' | 'not repeated';
  readonly attempts: number;
}

/** Rounds of sequence, packets, world: each can make room for the others. */
const MAX_ROUNDS = 4;

export async function shrink(task: ShrinkTask, options: ShrinkOptions = {}): Promise<Shrunk> {
  const shrinker = new Shrinker(task, options);
  try {
    return await shrinker.run();
  } finally {
    await shrinker.close();
  }
}

class Shrinker {
  readonly #task: ShrinkTask;
  readonly #options: ShrinkOptions;
  readonly #rehearsal: Rehearsal;
  readonly #family: string;
  readonly #maxAttempts: number;
  readonly #deadline: number;
  #attempts = 0;
  #lastTurn: number = performance.now();
  #case: Case;
  #finding: Finding;

  constructor(task: ShrinkTask, options: ShrinkOptions) {
    this.#task = task;
    this.#options = options;
    this.#rehearsal = new Rehearsal(task.program, task.engines);
    this.#family = familyOf(task.finding);
    this.#maxAttempts = options.maxAttempts ?? 20_000;
    this.#deadline = performance.now() + (options.maxSeconds ?? 30) * 1000;
    this.#case = task.case;
    this.#finding = task.finding;
  }

  async run(): Promise<Shrunk> {
    if (!(await this.#tryStimuli(this.#case.stimuli))) return this.#result('not repeated');
    for (let round = 0; round < MAX_ROUNDS && !this.#isOver(); round++) {
      const before = this.#case;
      await this.#shortenSequence();
      await this.#simplifyPackets();
      await this.#emptyWorld();
      if (this.#case === before) break;
    }
    return this.#confirmed();
  }

  async close(): Promise<void> {
    await this.#rehearsal.close();
  }

  async #shortenSequence(): Promise<void> {
    const { stimuli } = this.#case;
    if (stimuli.length < 2) return;
    const alone = stimuli[this.#finding.packet];
    if (alone !== undefined && (await this.#tryStimuli([alone]))) return;
    await fewest(
      stimuli,
      (fewer) => this.#tryStimuli(fewer),
      () => this.#case.stimuli,
    );
  }

  async #simplifyPackets(): Promise<void> {
    const simplify = this.#options.simplify ?? simplerPackets;
    // Backwards: the packet that shows the divergence is the last, and what it becomes frees those before it.
    for (let index = this.#case.stimuli.length - 1; index >= 0; index--) {
      for (let progress = true; progress && !this.#isOver(); ) {
        progress = false;
        const { stimuli } = this.#case;
        if (index >= stimuli.length) break;
        for (const simpler of simplify(stimuli[index]!)) {
          if (this.#isOver()) return;
          if (await this.#tryStimuli(stimuli.with(index, simpler))) {
            progress = true;
            break;
          }
        }
      }
    }
  }

  async #emptyWorld(): Promise<void> {
    const { world } = this.#case;
    await fewest(partsOfWorld(world), (fewer) =>
      this.#try({ ...this.#case, world: worldOfParts(world, fewer) }),
    );
  }

  async #tryStimuli(stimuli: readonly Stimulus[]): Promise<boolean> {
    return this.#try({ ...this.#case, stimuli });
  }

  /** Takes the case over if it shows the same kind of divergence. */
  async #try(candidate: Case): Promise<boolean> {
    if (this.#isOver()) return false;
    this.#attempts++;
    if (performance.now() - this.#lastTurn > 20) {
      // Signals and progress lines get their turn.
      await nextTurn();
      this.#lastTurn = performance.now();
    }
    const finding = await this.#rehearsal.find(candidate, this.#family);
    if (finding === undefined) return false;
    // What comes after the diverging packet has no part in it.
    const stimuli = candidate.stimuli.slice(0, finding.packet + 1);
    this.#case = stimuli.length === candidate.stimuli.length ? candidate : { ...candidate, stimuli };
    this.#finding = finding;
    await this.#options.onSmaller?.(this.#case, finding);
    return true;
  }

  #isOver(): boolean {
    return (
      this.#attempts >= this.#maxAttempts ||
      performance.now() > this.#deadline ||
      this.#options.signal?.aborted === true
    );
  }

  /** Trials reuse sessions by resetting them; the result must hold in sessions that nothing has happened in. */
  async #confirmed(): Promise<Shrunk> {
    const fresh = new Rehearsal(this.#task.program, this.#task.engines);
    try {
      const finding = await fresh.find(this.#case, this.#family);
      if (finding === undefined) return this.#result('not repeated');
      this.#finding = finding;
      return this.#result(this.#isOver() ? 'cut short' : 'shrunk');
    } finally {
      await fresh.close();
    }
  }

  #result(state: Shrunk['state']): Shrunk {
    return { case: this.#case, finding: this.#finding, state, attempts: this.#attempts };
  }
}

/**
 * Leaves out as many items as possible: halves first, then ever smaller pieces (Zeller's ddmin, complements only).
 * @param holds tries a shorter list and says whether it still does what the whole one did
 * @param current the list as it is after a success, where `holds` may have shortened it further
 */
async function fewest<T>(
  items: readonly T[],
  holds: (fewer: readonly T[]) => Promise<boolean>,
  current?: () => readonly T[],
): Promise<void> {
  let kept = items;
  for (let size = kept.length; size >= 1; size = Math.min(Math.floor(size / 2), kept.length)) {
    for (let end = kept.length; end > 0; ) {
      const start = Math.max(0, end - size);
      const fewer = [...kept.slice(0, start), ...kept.slice(end)];
      if (await holds(fewer)) {
        kept = current?.() ?? fewer;
        end = Math.min(start, kept.length);
      } else {
        end = start;
      }
    }
  }
}
