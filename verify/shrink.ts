/**
 * Makes a diverging case small: first the sequence, then its packets, then the world. Each step is tried on the
 * engines themselves, and is kept if the divergence is still of the same kind.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Case } from '../corpus/cases/case.ts';
import { simplerPackets } from '../corpus/simplify/shrink.ts';
import type { Engine } from '../sim/engines/engine.ts';
import type { Stimulus } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { CauseId } from './explain/cause.ts';
import { checksumCause } from './explain/causes.ts';
import { type Finding, familyOf } from './finding.ts';
import type { Judging, Oracle } from './judging.ts';
import { Replay } from './replay.ts';
import { partsOfWorld, worldOfParts } from './world-parts.ts';

export interface ShrinkTask {
  readonly program: Program;
  /** The engines that the finding names, the reference first. */
  readonly engines: readonly Engine[];
  readonly case: Case;
  readonly finding: Finding;
  /** What is judged of frames; default: all. */
  readonly oracle?: Oracle | Judging;
  /** Says what a case shows; default: the engines, compared with each other. */
  readonly replay?: () => CaseReplay;
}

/** What a smaller case is tried on. */
export interface CaseReplay {
  /** The first finding of this family (`familyOf`) on the case; undefined also where the case cannot be run. */
  find(candidate: Case, family: string): Promise<Finding | undefined>;
  close(): Promise<void>;
}

export interface ShrinkOptions {
  /** How many smaller cases are tried; default 20 000. */
  readonly maxAttempts?: number;
  /** Default 10; 0: nothing is tried. A limit that strikes makes the result depend on the machine's speed. */
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
  readonly state: 'found' | 'shrunk' | 'cut short' | 'not repeated';
  /** Why it was cut short. */
  readonly stopped?: ShrinkStop;
  readonly attempts: number;
}

/** What ended shrinking before it was done: "after 10 s", "after 20,000 attempts", "interrupted". */
export type ShrinkStop =
  | { readonly after: 'seconds' | 'attempts'; readonly limit: number }
  | { readonly after: 'interrupt' };

const DEFAULT_SECONDS = 10;
const DEFAULT_ATTEMPTS = 20_000;

/** Rounds of sequence, packets, world: each can make room for the others. */
const MAX_ROUNDS = 4;

export async function shrink(task: ShrinkTask, options: ShrinkOptions = {}): Promise<Shrunk> {
  if (options.maxSeconds === 0) {
    return { case: task.case, finding: task.finding, state: 'found', attempts: 0 };
  }
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
  readonly #replay: CaseReplay;
  readonly #family: string;
  /** What is behind the checksum that is wrong. */
  readonly #cause: CauseId | undefined;
  readonly #maxAttempts: number;
  readonly #deadline: number;
  #attempts = 0;
  #stopped: ShrinkStop | undefined;
  #lastTurn: number = performance.now();
  #case: Case;
  #finding: Finding;

  constructor(task: ShrinkTask, options: ShrinkOptions) {
    this.#task = task;
    this.#options = options;
    this.#replay = newReplay(task);
    this.#family = familyOf(task.finding);
    const came = task.case.stimuli[task.finding.packet]?.packet;
    this.#cause = came === undefined ? undefined : checksumCause(came, task.finding)?.id;
    this.#maxAttempts = options.maxAttempts ?? DEFAULT_ATTEMPTS;
    this.#deadline = performance.now() + (options.maxSeconds ?? DEFAULT_SECONDS) * 1000;
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
    await this.#replay.close();
  }

  async #shortenSequence(): Promise<void> {
    const { stimuli } = this.#case;
    if (stimuli.length < 2) return;
    const alone = stimuli[this.#finding.packet];
    if (alone !== undefined && (await this.#tryStimuli([alone]))) return;
    await fewest(
      stimuli,
      (fewer) => this.#tryStimuli(fewer),
      () => this.#isTried(),
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
    await fewest(
      partsOfWorld(world),
      (fewer) => this.#try({ ...this.#case, world: worldOfParts(world, fewer) }),
      () => this.#isTried(),
    );
  }

  async #tryStimuli(stimuli: readonly Stimulus[]): Promise<boolean> {
    return this.#try({ ...this.#case, stimuli });
  }

  /** Takes the case over if it shows the same kind of divergence. */
  async #try(candidate: Case): Promise<boolean> {
    if (this.#isTried()) return false;
    this.#attempts++;
    if (performance.now() - this.#lastTurn > 20) {
      // Signals and progress lines get their turn.
      await nextTurn();
      this.#lastTurn = performance.now();
    }
    const finding = await this.#replay.find(candidate, this.#family);
    if (finding === undefined || !this.#hasSameCause(candidate, finding)) return false;
    // What comes after the diverging packet has no part in it.
    const stimuli = candidate.stimuli.slice(0, finding.packet + 1);
    this.#case = { ...candidate, stimuli };
    this.#finding = this.#withOthers(finding);
    await this.#options.onSmaller?.(this.#case, this.#finding);
    return true;
  }

  /** A smaller packet with a checksum that is wrong for another reason would explain another defect. */
  #hasSameCause(candidate: Case, finding: Finding): boolean {
    if (cameWrong(finding) && !cameWrong(this.#task.finding)) return false;
    if (this.#cause === undefined || this.#cause === 'unknown') return true;
    const came = candidate.stimuli[finding.packet]!.packet;
    return checksumCause(came, this.#withOthers(finding))?.id === this.#cause;
  }

  /** The packets that failed in the run stay with the finding: they tell its cause from a coincidence. */
  #withOthers(finding: Finding): Finding {
    const { others, got, expected, packet, part } = this.#task.finding;
    if (others === undefined || got === undefined) return finding;
    const came = this.#task.case.stimuli[packet]!.packet;
    const isStated = part === 'packet' && expected !== undefined && others.every(({ wanted }) => wanted);
    const found = { came, left: got.packet, ...(isStated ? { wanted: expected.packet } : {}) };
    return { ...finding, others: [found, ...others] };
  }

  /** The first attempt decides whether there is anything to shrink, however little time there is. */
  #isTried(): boolean {
    return this.#attempts > 0 && this.#isOver();
  }

  #isOver(): boolean {
    if (this.#stopped !== undefined) return true;
    if (this.#options.signal?.aborted === true) this.#stopped = { after: 'interrupt' };
    else if (this.#attempts >= this.#maxAttempts)
      this.#stopped = { after: 'attempts', limit: this.#maxAttempts };
    else if (performance.now() > this.#deadline)
      this.#stopped = { after: 'seconds', limit: this.#options.maxSeconds ?? DEFAULT_SECONDS };
    return this.#stopped !== undefined;
  }

  /** Trials reuse sessions by resetting them; the result must hold in sessions that nothing has happened in. */
  async #confirmed(): Promise<Shrunk> {
    const fresh = newReplay(this.#task);
    try {
      const finding = await fresh.find(this.#case, this.#family);
      if (finding === undefined) return this.#result('not repeated');
      this.#finding = this.#withOthers(finding);
      return this.#result(this.#stopped === undefined ? 'shrunk' : 'cut short');
    } finally {
      await fresh.close();
    }
  }

  #result(state: Shrunk['state']): Shrunk {
    const stopped = state === 'cut short' && this.#stopped !== undefined ? { stopped: this.#stopped } : {};
    return { case: this.#case, finding: this.#finding, state, attempts: this.#attempts, ...stopped };
  }
}

/** A fault is worse on a checksum that came right: the sender of one that came wrong may be to blame. */
function cameWrong({ fault }: Finding): boolean {
  return fault?.kind === 'wrong by another amount';
}

function newReplay({ program, engines, oracle, replay }: ShrinkTask): CaseReplay {
  return replay === undefined ? new Replay(program, engines, oracle) : replay();
}

/**
 * Leaves out as many items as possible: halves first, then ever smaller pieces (Zeller's ddmin, complements only).
 * @param holds tries a shorter list and says whether it still does what the whole one did
 * @param isOver asked before each trial: a world may have a million parts, and then even trials that are refused take long
 * @param current the list as it is after a success, where `holds` may have shortened it further
 */
async function fewest<T>(
  items: readonly T[],
  holds: (fewer: readonly T[]) => Promise<boolean>,
  isOver: () => boolean,
  current?: () => readonly T[],
): Promise<void> {
  let kept = items;
  for (let size = kept.length; size >= 1; size = Math.min(Math.floor(size / 2), kept.length)) {
    for (let end = kept.length; end > 0; ) {
      if (isOver()) return;
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
