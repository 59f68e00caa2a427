/**
 * Puts the segments of a run together, in the order of its batches, whoever ran them: the report is the same for one
 * runner and for many. The only party that saves divergences.
 */
import type { Case } from '../corpus/cases/case.ts';
import type { EngineName } from '../sim/engines/register.ts';
import { actionNames } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import { type EngineFailure, failureOf } from './engine-side.ts';
import { mapEntryText } from './explain/map-text.ts';
import { summarize } from './explain/summary.ts';
import { type Finding, kindOf } from './finding.ts';
import { guessedSlots, guessText } from './guessed-slots.ts';
import type { Investigation } from './investigate.ts';
import type { NotCompared } from './not-compared.ts';
import {
  type Divergence,
  type Further,
  mergeReports,
  type ProgramReport,
  type Saved,
  withCoverageFigures,
} from './report.ts';
import type { Found, Segment } from './segment.ts';

export interface CollectorOptions {
  readonly program: Program;
  readonly seed: string;
  readonly maxDivergences: number;
  /** Are findings that take a guess (`Found.isByGuess`) notes, of which as many again have room? Default: no. */
  readonly notesGuesses?: boolean;
  /** How many packets there will be; infinite where time decides. */
  readonly total: number;
  /** After how long to stop. */
  readonly seconds?: number;
  /** Ends the run early; the report is complete for what was done. */
  readonly signal?: AbortSignal;
  /**
   * Saves a divergence, at once when it is found and again whenever it got smaller (`file` then says where it is). A
   * divergence that cannot be saved is reported all the same, with what this says, or throws.
   */
  readonly save?: (divergence: Divergence) => Promise<Saved>;
  /** Tells findings of one kind apart. */
  readonly places?: {
    placeOf(found: Found): Promise<string | undefined>;
    causeOf?(found: Found): string | undefined;
  };
  /** Called a few times a second. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly program: string;
  readonly packets: number;
  /** How many there will be; infinite where time decides. */
  readonly total: number;
  readonly seconds: number;
  readonly divergences: number;
  /** Is a divergence being shrunk? */
  readonly shrinking: boolean;
}

/** Whoever found it looks into it. Calls back with every smaller case. */
export type Investigator = (
  found: Found,
  onSmaller: (smaller: Case, finding: Finding) => Promise<void>,
) => Promise<Investigation>;

const PROGRESS_EVERY_MS = 200;
const SAVE_EVERY_MS = 250;

export class Collector {
  readonly #options: CollectorOptions;
  readonly #start: number = performance.now();
  readonly #kinds = new Set<string>();
  readonly #divergences: Divergence[] = [];
  readonly #further: Further[] = [];
  #sum: ProgramReport | undefined;
  #lastProgress: number = this.#start;
  #failure: EngineFailure | undefined;
  #isShrinking = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Must nothing more be run? */
  isOver(): boolean {
    const { seconds, signal } = this.#options;
    const isTimeOver = seconds !== undefined && this.seconds >= seconds;
    return signal?.aborted === true || isTimeOver || this.hasEnough();
  }

  /** Is everything behind the segments so far no part of the run? */
  hasEnough(): boolean {
    return (
      this.#countLike({}) >= this.#options.maxDivergences ||
      this.#sum?.engines.every((engine) => engine.status !== 'ran') === true
    );
  }

  /** Of those that have room together. */
  #countLike({ isByGuess }: Pick<Found, 'isByGuess'>): number {
    if (this.#options.notesGuesses !== true) return this.#divergences.length;
    return this.#divergences.filter((one) => one.isByGuess === isByGuess).length;
  }

  /** The engines that have failed. */
  failures(): Map<EngineName, EngineFailure> {
    const failed = (this.#sum?.engines ?? []).flatMap(({ name, failure }) =>
      failure === undefined ? [] : ([[name, failure]] as const),
    );
    return new Map(failed);
  }

  /** The run cannot go on: the report says why. */
  fail(failure: EngineFailure): void {
    this.#failure = failure;
  }

  /** Since the run began. */
  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** Of what has been put together. */
  get packets(): number {
    return this.#sum?.packets ?? 0;
  }

  /** @returns whether an engine failed in this segment that had not failed before */
  async take(segment: Segment, investigate: Investigator): Promise<boolean> {
    const failed = this.failures().size;
    this.#sum = this.#sum === undefined ? segment.report : mergeReports([this.#sum, segment.report]);
    this.progress();
    for (const found of segment.found) {
      const place = (await this.#options.places?.placeOf(found)) ?? '';
      const guess = `${guessText(found.case.world)}${found.isByGuess === true ? ', which it takes' : ''}`;
      const cause = this.#options.places?.causeOf?.(found) ?? '';
      const kind = `${kindOf(found.finding)} ${place} ${cause}${guess}`;
      if (this.#kinds.has(kind)) continue;
      this.#kinds.add(kind);
      if (this.#countLike(found) < this.#options.maxDivergences) await this.#keep(found, investigate);
      else this.#further.push({ engines: found.finding.engines, field: found.finding.field });
    }
    return this.failures().size > failed;
  }

  /** Saves the divergence before anything else is done, then makes it small and saves it again. */
  async #keep(found: Found, investigate: Investigator): Promise<void> {
    const at = this.#divergences.length;
    const { finding, case: shown, savedIn } = found;
    const state = savedIn === undefined ? 'found' : 'saved';
    this.#divergences.push(
      this.#divergence(finding, shown, found, state, {
        ...this.#runOf(found),
        ...(savedIn === undefined ? {} : { file: savedIn }),
      }),
    );
    if (savedIn === undefined) await this.#save(at);
    let lastSave = performance.now();
    this.#isShrinking = savedIn === undefined;
    const result = await investigate(found, async (smaller, shows) => {
      this.progress();
      const before = this.#divergences[at]!;
      this.#divergences[at] = this.#divergence(shows, smaller, found, 'found', before);
      if (performance.now() - lastSave < SAVE_EVERY_MS) return;
      lastSave = performance.now();
      await this.#save(at);
    });
    this.#isShrinking = false;
    const before = this.#divergences[at]!;
    this.#divergences[at] = {
      ...this.#divergence(result.finding, result.case, found, result.state, before),
      ...(result.stopped === undefined ? {} : { stopped: result.stopped }),
      ...(result.witness === undefined ? {} : { witness: result.witness }),
    };
    // What nobody tried to make smaller is in its file already.
    if (result.state !== 'saved' && result.state !== 'found') await this.#save(at);
  }

  /** Of several that one packet shows in one field, at other lines say: each but the first has a number, and a file of its own. */
  #runOf({ finding, seen }: Found): Pick<Divergence, 'run'> {
    const nameOf = (one: Pick<Divergence, 'engines' | 'field' | 'seen'>): string =>
      JSON.stringify([one.engines, one.field, one.seen]);
    const name = nameOf({ ...finding, seen });
    const before = this.#divergences.filter((one) => nameOf(one) === name).length;
    return before === 0 ? {} : { run: `${before + 1}` };
  }

  #divergence(
    finding: Finding,
    shown: Case,
    { seen, isByGuess }: Found,
    state: Divergence['state'],
    { file, unsaved, run }: Saved & Pick<Divergence, 'run'>,
  ): Divergence {
    const { program, seed } = this.#options;
    const { engines, part, field, severity = 'error' } = finding;
    const summary = summarize(program, shown, finding);
    const note = { seed, engines, field, summary };
    return {
      program: program.name,
      engines,
      part,
      field,
      severity,
      summary,
      ...(finding.map === undefined ? {} : { map: mapEntryText(this.#options.program, finding.map) }),
      case: { ...shown, note },
      finding,
      // Made small, it may no longer take one.
      ...(isByGuess === true && guessedSlots(shown.world).length > 0 ? { isByGuess } : {}),
      seen,
      state,
      ...(run === undefined ? {} : { run }),
      ...(file === undefined ? {} : { file }),
      ...(unsaved === undefined ? {} : { unsaved }),
    };
  }

  async #save(at: number): Promise<void> {
    const divergence = this.#divergences[at]!;
    const { save } = this.#options;
    if (save === undefined) return;
    const { unsaved: _, ...rest } = divergence;
    try {
      this.#divergences[at] = { ...rest, ...(await save(divergence)) };
    } catch (error) {
      // Whatever goes wrong with the file: what was found is reported.
      const unsaved = { path: rest.file ?? 'a file', reason: failureOf(error).message };
      this.#divergences[at] = { ...rest, unsaved };
    }
  }

  /** @param ahead packets that were run and not yet put together */
  progress(ahead: number = 0): void {
    const now = performance.now();
    if (now - this.#lastProgress < PROGRESS_EVERY_MS) return;
    this.#lastProgress = now;
    const { program, total, onProgress } = this.#options;
    onProgress?.({
      program: program.name,
      packets: this.packets + ahead,
      total,
      seconds: this.seconds,
      divergences: this.#divergences.length,
      shrinking: this.#isShrinking,
    });
  }

  report(): ProgramReport {
    const { program } = this.#options;
    const sum = withCoverageFigures(this.#sum ?? NOTHING);
    return {
      ...sum,
      name: program.name,
      seconds: this.seconds,
      interrupted: this.#options.signal?.aborted === true,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
      divergences: this.#divergences,
      ...(this.#further.length === 0 ? {} : { further: this.#further }),
      notCompared: sortedGaps(sum.notCompared),
      actions: sortedActions(program, sum.actions),
    };
  }
}

const NOTHING: ProgramReport = {
  name: '',
  packets: 0,
  savedPackets: 0,
  savedCases: 0,
  compared: 0,
  judged: 0,
  seconds: 0,
  interrupted: false,
  engines: [],
  notCompared: [],
  divergences: [],
  warnings: [],
  defects: [],
  actions: {},
};

/** Counted ones last, in an order that does not depend on where segments end. */
function sortedGaps(gaps: readonly NotCompared[]): NotCompared[] {
  const counted = gaps.filter(({ packets }) => packets !== undefined);
  counted.sort((a, b) => (`${a.engine} ${a.what}` < `${b.engine} ${b.what}` ? -1 : 1));
  return [...gaps.filter(({ packets }) => packets === undefined), ...counted];
}

/** In an order that does not depend on which was met first. */
function sortedActions(program: Program, actions: Readonly<Record<string, number>>): Record<string, number> {
  const order = program.entries.flatMap((entry) => actionNames(entry.hook));
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.fromEntries(
    Object.entries(actions).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)),
  );
}
