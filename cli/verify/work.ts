/**
 * What a worker process of `xdpsim verify` does: models, machines and kernel run here, where the main process can end them
 * whatever they are doing. It saves nothing and prints nothing.
 */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { worldsOf } from '../../verify/batch-plan.ts';
import { BatchRunner } from '../../verify/batch-runner.ts';
import type { EngineFailure } from '../../verify/engine-side.ts';
import type { Guidance } from '../../verify/guide/guide.ts';
import { guidedCases } from '../../verify/guide/guided-run.ts';
import { sampled, withOwnPackets } from '../../verify/guide/own-packets.ts';
import { investigate } from '../../verify/investigate.ts';
import { totalPackets } from '../../verify/run.ts';
import type { Found, Segment } from '../../verify/segment.ts';
import { useCompiler } from '../compile/settings.ts';
import { chooseEngines, createEngineAs, requireAvailable } from '../engines.ts';
import { inputFailure, toFailure } from '../failure.ts';
import { guidanceOf } from '../input/guided.ts';
import { leaveEndsToParent } from '../input/program-module.ts';
import { notTested, resolvePrograms } from '../input/program-source.ts';
import { giveWarningsTo } from '../input/read-object.ts';
import { placePrograms, statesWorld, worldsIn } from '../input/world-options.ts';
import { type Answer, type Request, type SentFailure, withoutFunctions } from './messages.ts';
import { ownCases } from './own-cases.ts';
import type { VerifyPlan } from './plan.ts';
import { casesOf } from './saved-cases.ts';

/** Modules of the user's that have been loaded. */
const modules: string[] = [];
let plan: VerifyPlan;
let programs: readonly Program[] = [];
/** With what the user states of them, of each program; empty where that is nothing. */
let worlds: readonly (readonly NamedWorld[])[] = [];
let program: Program;
let guidance: Guidance | undefined;
/** The packets that the user names, in each world. */
let own: readonly SavedCase[] = [];
const ownOfPrograms = new Map<Program, readonly SavedCase[]>();
let runner: BatchRunner | undefined;
let stopping = new AbortController();
let hurrying = new AbortController();
let goOn: (() => void) | undefined;

leaveEndsToParent();
process.on('uncaughtException', (error) => void fail(error).then(() => process.exit(70)));
process.on('message', (request: Request) => {
  handle(request).catch(fail);
});

/** Resolves when the message is on its way: whatever happens to this process then, it arrives. */
function post(answer: Answer): Promise<void> {
  return new Promise((resolve) => process.send!(answer, undefined, {}, () => resolve()));
}

function fail(error: unknown): Promise<void> {
  return post({ is: 'failed', failure: toSent(error) });
}

function toSent(error: unknown): SentFailure {
  const failure = toFailure(error);
  if (failure === undefined)
    return { defect: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  const { exitCode, message, remedy, log } = failure;
  return { exitCode, message, remedy, log };
}

async function handle(request: Request): Promise<void> {
  switch (request.do) {
    case 'open':
      plan = request.plan;
      return open();
    case 'begin':
      stopping = new AbortController();
      hurrying = new AbortController();
      return begin(programs[request.program]!, worlds[request.program]);
    case 'replay':
      return hand(runner!.replay(casesToReplay()));
    case 'run':
      return hand(runner!.run(request.range));
    case 'go on':
      return goOn?.();
    case 'stop':
      stopping.abort();
      if (request.shrinkingToo) hurrying.abort();
      return goOn?.();
    case 'restart':
      return restart(request.failed);
    case 'investigate':
      return look(request.found);
    case 'finish':
      return post({ is: 'segment', segment: await runner!.finish() });
    case 'exit':
      process.exit();
  }
}

async function open(): Promise<void> {
  // Nothing else keeps the process alive now: a module that never finishes loading lets it end, which is noticed.
  process.channel?.unref();
  process.setSourceMapsEnabled(true);
  process.on('beforeExit', neverLoaded);
  useCompiler(plan.compiler);
  const warnings: string[] = [];
  giveWarningsTo((text) => warnings.push(text));
  const resolved = await resolvePrograms(plan.programs, plan.object, (module) => {
    modules.push(module);
    return post({ is: 'importing', module });
  });
  const placed = placePrograms(resolved, plan.surroundings);
  programs = placed.map(({ program: one }) => one);
  worlds = statesWorld(plan.surroundings) ? placed.map(worldsIn) : [];
  // What cannot be read is said before anything runs.
  for (const [index, one] of programs.entries())
    ownOfPrograms.set(one, await ownCases(plan.packets, one, worlds[index] ?? worldsOf(one)));
  process.off('beforeExit', neverLoaded);
  process.channel?.ref();
  requireAvailable(chooseEngines(plan.engines, plan.live, plan.asKernel), programs);
  const left = notTested(plan.programs);
  await post({ is: 'programs', programs: programs.map(withoutFunctions), left, warnings });
}

function neverLoaded(): void {
  const failure = inputFailure(
    `${modules.at(-1)}: never finishes loading`,
    'an `await` at its top level waits for something that does not happen',
  );
  void fail(failure).then(() => process.exit(failure.exitCode));
}

async function* casesToReplay(): AsyncGenerator<SavedCase> {
  yield* own;
  yield* casesOf(program, [plan.directory]);
  if (guidance !== undefined) yield* guidedCases(program, guidance);
}

async function begin(chosen: Program, started: readonly NamedWorld[] | undefined): Promise<void> {
  program = chosen;
  const worldsOfRun = started ?? worldsOf(program);
  own = ownOfPrograms.get(program) ?? [];
  const packets = own.flatMap((saved) => saved.case.stimuli);
  const world = worldsOfRun[0]!.world;
  const sequences = sampled(packets).map((stimulus) => ({ world, stimuli: [stimulus] }));
  guidance = plan.guided ? guidanceOf(program, { seed: plan.seed, worlds: started, sequences }) : undefined;
  const mixed = packets.length === 0 ? guidance : withOwnPackets(program, guidance, packets, worldsOfRun);
  runner = new BatchRunner({
    program,
    engines: chooseEngines(plan.engines, plan.live, plan.asKernel).engines,
    seed: plan.seed,
    total: totalPackets(plan),
    oracle: plan.oracle,
    witness: createEngineAs('vm', plan.asKernel),
    kernel: createEngineAs('testrun', plan.asKernel),
    isOver: () => stopping.signal.aborted,
    ...(started === undefined ? {} : { worlds: started }),
    ...(mixed === undefined ? {} : { guidance: mixed }),
  });
  await post({ is: 'segment', segment: runner.segment(0) });
}

async function hand(segments: AsyncIterable<Segment>): Promise<void> {
  for await (const segment of segments) {
    await post({ is: 'segment', segment });
    if (!segment.waits || stopping.signal.aborted) continue;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    goOn = undefined;
  }
  await post({ is: 'done' });
}

async function restart(failed: ReadonlyMap<EngineName, EngineFailure>): Promise<void> {
  stopping = new AbortController();
  await runner!.restart(failed);
  await post({ is: 'done' });
}

async function look(found: Found): Promise<void> {
  const investigation = await investigate(found, {
    program,
    engines: runner!.engines,
    witness: createEngineAs('vm', plan.asKernel),
    kernel: createEngineAs('testrun', plan.asKernel),
    shrink: plan.shrinkSeconds === 0 ? false : { maxSeconds: plan.shrinkSeconds, signal: hurrying.signal },
    onSmaller: (shown, finding) => post({ is: 'smaller', case: shown, finding }),
  });
  await post({ is: 'investigated', investigation });
}
