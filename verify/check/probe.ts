/** What the parts of `check` have in common that look for something no comparison shows: they run single cases, and say what they saw. */
import type { Case } from '../../corpus/cases/case.ts';
import { simplerPackets } from '../../corpus/simplify/shrink.ts';
import type { RunTrace, TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import { templateOf } from '../../sim/ebpf/made-maps.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import type { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { letOthersTurn } from '../../sim/runtime/turns.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EngineSide } from '../engine-side.ts';
import { summarize } from '../explain/summary.ts';
import type { Finding } from '../finding.ts';
import type { Breach } from '../invariants/invariant.ts';
import { ruleOf } from '../invariants/rules.ts';
import { SHORTEST_FRAME } from '../judging.ts';
import { originOf } from '../origin.ts';
import { type Outcome, outcomeAt, type SourcePlaceWithText } from '../outcome.ts';
import type { Divergence } from '../report.ts';
import type { Severity } from '../severity.ts';

/** A program that has changed a packet, or that came to an action: something to look closer at. */
export interface Sighting {
  readonly world: World;
  readonly stimulus: Stimulus;
}

/** Runs cases of a few packets through one engine, each from the world's state. */
export class CaseRunner {
  readonly engine: Engine;
  readonly #program: Program;
  #side: EngineSide;

  constructor(program: Program, engine: Engine) {
    this.#program = program;
    this.engine = engine;
    this.#side = new EngineSide(engine, program, 16);
  }

  /** @returns undefined where the engine cannot run the case */
  async run(
    world: World,
    stimuli: readonly Stimulus[],
  ): Promise<
    { readonly output: OutcomeBatch; readonly maps: readonly MapSnapshot[] | undefined } | undefined
  > {
    await letOthersTurn();
    const input = new PacketBatch(stimuli.length);
    for (const stimulus of stimuli) input.push(stimulus);
    const side = this.#side;
    if (side.takes(input) && (await side.run(world, input, true)))
      return { output: side.output, maps: side.maps };
    if (side.failure === undefined) return undefined;
    // One case that cannot be run does not end the others.
    await side.close();
    this.#side = new EngineSide(this.engine, this.#program, 16);
    return undefined;
  }

  /** What one packet comes to by itself. */
  async outcome(world: World, stimulus: Stimulus): Promise<Outcome | undefined> {
    const ran = await this.run(world, [stimulus]);
    return ran === undefined ? undefined : outcomeAt(ran.output, 0);
  }

  close(): Promise<void> {
    return this.#side.close();
  }
}

/** The world without what a test put into maps and variables. */
function bare({ maps: _, globals: __, slots: ___, ...rest }: World): World {
  return rest;
}

/** The same packet, in the world without what a test put there. */
export function inBareWorld({ world, stimulus }: Sighting): Sighting {
  return { world: bare(world), stimulus };
}

/** Does a world say what is in maps and variables? */
export function hasContents({ maps, globals, slots }: World): boolean {
  const lists = [...Object.values(maps ?? {}), ...Object.values(slots ?? {})];
  return lists.some((entries) => entries.length > 0) || Object.keys(globals ?? {}).length > 0;
}

/** Does a world say more of maps and variables than that there are entries, of zeros, and maps that user space makes? */
export function hasValues({ maps, globals, slots }: World): boolean {
  const values = Object.values(maps ?? {}).flatMap((entries) => entries.map(({ value }) => value));
  return (
    values.some((bytes) => bytes.some((byte) => byte !== 0)) ||
    Object.keys(globals ?? {}).length > 0 ||
    Object.values(slots ?? {}).some((list) => list.some(({ name }) => templateOf(name) === undefined))
  );
}

/** How many simpler packets are tried. */
const ATTEMPTS = 400;

/** The simplest packet for which it still holds, and that a kernel gives a program, if it gave it the first one. */
export async function simplest(
  stimulus: Stimulus,
  holds: (simpler: Stimulus) => Promise<boolean>,
): Promise<Stimulus> {
  const shortest = Math.min(SHORTEST_FRAME, stimulus.packet.length);
  let best = stimulus;
  let attempts = 0;
  for (let progress = true; progress; ) {
    progress = false;
    for (const simpler of simplerPackets(best)) {
      if (simpler.packet.length < shortest) continue;
      if (attempts++ >= ATTEMPTS) return best;
      if (!(await holds(simpler))) continue;
      best = simpler;
      progress = true;
      break;
    }
  }
  return best;
}

/** The world without contents that a test made up, where it shows the same; what the user says stays. */
export async function simplestWorld(
  { world, stimulus }: Sighting,
  isGiven: boolean,
  holds: (world: World, stimulus: Stimulus) => Promise<boolean>,
): Promise<World> {
  if (isGiven || !hasContents(world)) return world;
  const empty = bare(world);
  return (await holds(empty, stimulus)) ? empty : world;
}

/** What a probe saw, on the last packet of a case. */
export interface Seen {
  readonly world: World;
  readonly stimuli: readonly Stimulus[];
  readonly engine: Engine;
  readonly got: Outcome;
  readonly breach: Omit<Breach, 'severity' | 'summary'>;
  /** Where the probe knows better than the last write. */
  readonly source?: SourcePlaceWithText;
  /** Default: the rule's. */
  readonly severity?: Severity;
  /** Does it take a program that the test put into a slot, and may another one belong there? */
  readonly isByGuess?: true;
  /** Engines that show it; default: `engine`. */
  readonly confirmedBy?: readonly EngineName[];
}

/** A step's line without what else is known of it. */
export function sourceOf({ file, line, text }: SourcePlaceWithText): SourcePlaceWithText {
  return { file, line, text };
}

/** The same as a run of `verify` would have found it. */
export async function divergenceOf(program: Program, seed: string, seen: Seen): Promise<Divergence> {
  const { world, stimuli, engine, got } = seen;
  const { title, severity: usual } = ruleOf(seen.breach.invariant);
  const { severity = usual } = seen;
  const breach: Breach = { ...seen.breach, severity, summary: title };
  const shown = { program: program.name, world, stimuli };
  const finding: Finding = {
    engines: ['oracle', engine.name],
    part: 'invariant',
    field: breach.invariant,
    severity,
    packet: stimuli.length - 1,
    expected: undefined,
    got,
    breach,
  };
  const source = seen.source ?? (breach.size > 0 ? await originOf(program, shown, finding) : undefined);
  const placed = source === undefined ? finding : { ...finding, source };
  const summary = summarize(program, shown, placed);
  const note = { seed, engines: finding.engines, field: finding.field, summary };
  return {
    program: program.name,
    engines: finding.engines,
    part: 'invariant',
    field: finding.field,
    severity,
    summary,
    case: { ...shown, note },
    finding: placed,
    ...(seen.isByGuess === true ? { isByGuess: true } : {}),
    seen: { seed, packet: 0 },
    state: 'shrunk',
  };
}

/** What the interpreter does with the last packet of a case, step by step; undefined where it does not run to its end. */
export async function traceOf(
  program: Program,
  { world, stimuli }: Pick<Case, 'world' | 'stimuli'>,
): Promise<RunTrace | undefined> {
  const traces: RunTrace[] = [];
  const runner = new CaseRunner(program, createVmEngine({ onTrace: (trace) => void traces.push(trace) }));
  try {
    const ran = await runner.run(world, stimuli);
    const trace = traces.at(-1);
    if (ran === undefined || outcomeAt(ran.output, stimuli.length - 1).status !== 'ran') return undefined;
    return trace?.truncated === true ? undefined : trace;
  } finally {
    await runner.close();
  }
}

/** The line that decided what the last packet of a case came to: what read garbage, or what set the returned number last. */
export async function decidingLine(
  program: Program,
  { world, stimuli }: Pick<Case, 'world' | 'stimuli'>,
): Promise<SourcePlaceWithText | undefined> {
  const traces: RunTrace[] = [];
  const runner = new CaseRunner(program, createVmEngine({ onTrace: (trace) => void traces.push(trace) }));
  try {
    const ran = await runner.run(world, stimuli);
    if (ran === undefined) return undefined;
    const note = outcomeAt(ran.output, stimuli.length - 1).note;
    if (note?.warning === 'unwritten-stack' && note.source !== undefined) return note.source;
    const steps = traces.at(-1)?.steps ?? [];
    const step = steps.findLast(
      ({ source, registers }) =>
        source !== undefined && source.line > 0 && registers.some(({ register }) => register === 0),
    );
    return step?.source === undefined ? undefined : sourceOf(step.source);
  } finally {
    await runner.close();
  }
}

/** The line at which the ways of two packets part; undefined where they go the same. */
export async function partingLine(
  program: Program,
  world: World,
  one: Stimulus,
  other: Stimulus,
): Promise<SourcePlaceWithText | undefined> {
  return lastPartingLine(program, world, one, [other]);
}

/**
 * Where a packet's way parts from that of whichever goes along with it the longest: others that come to the same may part from it
 * earlier, where something is asked that does not decide.
 */
export async function lastPartingLine(
  program: Program,
  world: World,
  one: Stimulus,
  others: readonly Stimulus[],
): Promise<SourcePlaceWithText | undefined> {
  const own = await traceOf(program, { world, stimuli: [one] });
  if (own === undefined) return undefined;
  const traces: RunTrace['steps'][] = [];
  for (const other of others) {
    const trace = await traceOf(program, { world, stimuli: [other] });
    if (trace !== undefined) traces.push(trace.steps);
  }
  const source = own.steps[lastShared(own.steps, traces)]?.source;
  return source === undefined || source.line === 0 ? undefined : sourceOf(source);
}

/** The last step that a run shares with whichever goes along with it the longest; -1 where it shares none. */
export function lastShared<T extends Pick<TraceStep, 'instruction' | 'program'>>(
  own: readonly T[],
  others: readonly (readonly T[])[],
): number {
  const shared = others.map((other) => {
    const parted = own.findIndex(
      (step, at) => other[at]?.instruction !== step.instruction || other[at]?.program !== step.program,
    );
    return parted < 0 ? own.length : parted;
  });
  return Math.max(0, ...shared) - 1;
}
