/** What a worker of `xdpsim verify` does: runs models, machines and kernel. It saves nothing and prints nothing. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { worldsOf } from '../../verify/batch-plan.ts';
import { BatchRunner } from '../../verify/batch-runner.ts';
import type { EngineFailure } from '../../verify/engine-side.ts';
import { testedApart } from '../../verify/guessed-slots.ts';
import type { Guidance } from '../../verify/guide/guide.ts';
import { guidedCases } from '../../verify/guide/guided-run.ts';
import { inWorldsOfModel } from '../../verify/guide/model-worlds.ts';
import { inSharedWorlds, sampled, withCases, withOwnPackets } from '../../verify/guide/own-packets.ts';
import {
  inPossibleWorlds,
  type KernelToAsk,
  withPossibleWorlds,
} from '../../verify/guide/possible-worlds.ts';
import { investigate } from '../../verify/investigate.ts';
import { totalPackets } from '../../verify/run.ts';
import type { Found, Segment } from '../../verify/segment.ts';
import { useCompiler } from '../compile/settings.ts';
import { chooseEngines, createEngineAs, requireAvailable } from '../engines.ts';
import { toFailure } from '../failure.ts';
import { guidanceOf } from '../input/guided.ts';
import { notTested, resolvePrograms } from '../input/program-source.ts';
import { giveWarningsTo } from '../input/read-object.ts';
import { toldApart } from '../input/told-apart.ts';
import { placePrograms, statesWorld, worldsIn } from '../input/world-options.ts';
import { type Answer, type Request, type SentFailure, withoutFunctions } from './messages.ts';
import { ownCases } from './own-cases.ts';
import type { VerifyPlan } from './plan.ts';
import { casesOf } from './saved-cases.ts';

export class VerifyWork {
  /** Hands an answer over. Resolves when it is on its way: whatever happens to a process then, it arrives. */
  readonly #post: (answer: Answer) => Promise<void>;
  #plan!: VerifyPlan;
  #programs: readonly Program[] = [];
  /** With what the user states of them, of each program; empty where that is nothing. */
  #worlds: readonly (readonly NamedWorld[])[] = [];
  #program!: Program;
  #guidance: Guidance | undefined;
  /** The packets that the user names, in each world. */
  #own: readonly SavedCase[] = [];
  /** Packets for the program's paths. */
  #proved: readonly SavedCase[] = [];
  readonly #ownOfPrograms = new Map<Program, readonly SavedCase[]>();
  #runner: BatchRunner | undefined;
  #stopping = new AbortController();
  #hurrying = new AbortController();
  #goOn: (() => void) | undefined;

  constructor(post: (answer: Answer) => Promise<void>) {
    this.#post = post;
  }

  /** What fails is an answer, too. */
  async take(request: Request): Promise<void> {
    try {
      await this.#handle(request);
    } catch (error) {
      await this.#post({ is: 'failed', failure: toSent(error) });
    }
  }

  async #handle(request: Request): Promise<void> {
    switch (request.do) {
      case 'open':
        this.#plan = request.plan;
        return this.#open();
      case 'begin':
        this.#stopping = new AbortController();
        this.#hurrying = new AbortController();
        this.#proved = request.cases;
        return this.#begin(this.#programs[request.program]!, this.#worlds[request.program]);
      case 'replay':
        return this.#hand(this.#runner!.replay(this.#casesToReplay()));
      case 'run':
        return this.#hand(this.#runner!.run(request.range));
      case 'go on':
        return this.#goOn?.();
      case 'stop':
        this.#stopping.abort();
        if (request.shrinkingToo) this.#hurrying.abort();
        return this.#goOn?.();
      case 'restart':
        return this.#restart(request.failed);
      case 'investigate':
        return this.#look(request.found);
      case 'finish':
        return this.#post({ is: 'segment', segment: await this.#runner!.finish() });
      case 'exit':
        await this.#runner?.close();
    }
  }

  async #open(): Promise<void> {
    useCompiler(this.#plan.compiler);
    const warnings: string[] = [];
    const printAgain = giveWarningsTo((text) => warnings.push(text));
    const resolved = await resolvePrograms(this.#plan.programs, this.#plan.object, (module) =>
      this.#post({ is: 'importing', module }),
    ).finally(printAgain);
    const placed = placePrograms(toldApart(resolved), this.#plan.surroundings);
    this.#programs = placed.map(({ program: one }) => one);
    this.#worlds = statesWorld(this.#plan.surroundings) ? placed.map(worldsIn) : [];
    // What cannot be read is said before anything runs.
    for (const [index, one] of this.#programs.entries())
      this.#ownOfPrograms.set(
        one,
        await ownCases(this.#plan.packets, one, this.#worlds[index] ?? worldsOf(one)),
      );
    requireAvailable(chooseEngines(this.#plan.engines, this.#plan.live, this.#plan.asKernel), this.#programs);
    const left = notTested(this.#plan.programs);
    await this.#post({ is: 'programs', programs: this.#programs.map(withoutFunctions), left, warnings });
  }

  async *#casesToReplay(): AsyncGenerator<SavedCase> {
    yield* this.#own;
    yield* this.#proved;
    yield* casesOf(this.#program, [this.#plan.directory]);
    if (this.#guidance !== undefined) yield* guidedCases(this.#program, this.#guidance);
  }

  async #begin(chosen: Program, started: readonly NamedWorld[] | undefined): Promise<void> {
    this.#program = chosen;
    const worldsOfRun = started ?? worldsOf(this.#program);
    this.#own = this.#ownOfPrograms.get(this.#program) ?? [];
    // What maps hold, the user has said.
    const [stated] = started ?? [];
    if (stated !== undefined)
      this.#proved = this.#proved.map((one) => ({ ...one, case: { ...one.case, world: stated.world } }));
    const kernel = createEngineAs('testrun', this.#plan.asKernel);
    const asked = { programs: [this.#program], worlds: worldsOfRun, kernel };
    this.#proved = await savedInPossibleWorlds(this.#proved, asked);
    const packets = this.#own.flatMap((saved) => saved.case.stimuli);
    const world = worldsOfRun[0]!.world;
    const proved = inSharedWorlds(
      sampled(this.#proved).map((one) => one.case),
      worldsOfRun,
    );
    const sequences = [...sampled(packets).map((stimulus) => ({ world, stimuli: [stimulus] })), ...proved];
    const found = this.#plan.guided
      ? await guidanceOf(this.#program, {
          ...{ seed: this.#plan.seed, worlds: started, sequences },
          signal: this.#stopping.signal,
        })
      : undefined;
    this.#guidance = found === undefined ? undefined : await withPossibleWorlds(found, asked);
    let mixed = this.#guidance;
    if (packets.length > 0) mixed = withOwnPackets(this.#program, mixed, packets, worldsOfRun);
    if (proved.length > 0) mixed = withCases(this.#program, mixed, proved);
    this.#runner = new BatchRunner({
      program: this.#program,
      testedApart: testedApart(this.#program, this.#programs),
      engines: chooseEngines(this.#plan.engines, this.#plan.live, this.#plan.asKernel).engines,
      seed: this.#plan.seed,
      total: totalPackets(this.#plan),
      oracle: this.#plan.oracle,
      witness: createEngineAs('vm', this.#plan.asKernel),
      kernel,
      isOver: () => this.#stopping.signal.aborted,
      ...(started === undefined ? {} : { worlds: started }),
      ...(mixed === undefined ? {} : { guidance: mixed }),
    });
    await this.#post({ is: 'segment', segment: this.#runner.segment(0) });
  }

  async #hand(segments: AsyncIterable<Segment>): Promise<void> {
    for await (const segment of segments) {
      await this.#post({ is: 'segment', segment });
      if (!segment.waits || this.#stopping.signal.aborted) continue;
      await new Promise<void>((resolve) => {
        this.#goOn = resolve;
      });
      this.#goOn = undefined;
    }
    await this.#post({ is: 'done' });
  }

  async #restart(failed: ReadonlyMap<EngineName, EngineFailure>): Promise<void> {
    this.#stopping = new AbortController();
    await this.#runner!.restart(failed);
    await this.#post({ is: 'done' });
  }

  async #look(found: Found): Promise<void> {
    const investigation = await investigate(found, {
      program: this.#program,
      engines: this.#runner!.engines,
      witness: createEngineAs('vm', this.#plan.asKernel),
      kernel: createEngineAs('testrun', this.#plan.asKernel),
      shrink:
        this.#plan.shrinkSeconds === 0
          ? false
          : { maxSeconds: this.#plan.shrinkSeconds, signal: this.#hurrying.signal },
      onSmaller: (shown, finding) => this.#post({ is: 'smaller', case: shown, finding }),
    });
    await this.#post({ is: 'investigated', investigation });
  }
}

export function toSent(error: unknown): SentFailure {
  const failure = toFailure(error);
  if (failure === undefined)
    return { defect: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  const { exitCode, message, remedy, log } = failure;
  return { exitCode, message, remedy, log };
}

async function savedInPossibleWorlds(list: readonly SavedCase[], asked: KernelToAsk): Promise<SavedCase[]> {
  const cases = list.map((one) => one.case);
  const possible = await inPossibleWorlds(inWorldsOfModel(asked.programs[0]!, cases), asked);
  return list.map((one, index) => ({ ...one, case: possible[index]! }));
}
