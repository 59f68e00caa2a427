/**
 * Proves a program: follows its paths, makes a packet for each and runs it, judges branches and properties, and says what
 * all of that rests on.
 */
import { hasOpenConstants } from '../../sim/ebpf/analysis/settable-data.ts';
import type { FeasibilityCounts } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { TIME_UP } from '../../sim/ebpf/symbolic/solver.ts';
import { isConst } from '../../sim/ebpf/symbolic/term.ts';
import { openMachine } from '../../sim/engines/machine-program.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { globalText } from '../explain/map-text.ts';
import { isOfHeaders } from '../invariants/rules.ts';
import { frameUses } from '../ip-first.ts';
import { SHORTEST_FRAME } from '../judging.ts';
import { isForEthernet, NO_LINK_HEADER } from '../link-header.ts';
import { assumptionsOf } from './assumptions.ts';
import type { BranchWay } from './branches.ts';
import { type ReadConstants, readConstants } from './constants.ts';
import { followPaths, type ProvedPath, type ProveOptions } from './paths.ts';
import { PropertyJudge } from './properties.ts';
import type { Property } from './property.ts';
import { worldOfPaths } from './world-of-paths.ts';

const STOPPED = 'verifier/stopped';

/** Milliseconds, for one program. */
export const PROOF_TIME = 120_000;
/** What of the time paths may take, and what may be over when branches that no path has settled get the rest. */
const PATHS_UNTIL = 1 / 2;
const PROPERTIES_UNTIL = 7 / 8;

export interface ProgramProof {
  readonly inputs: Inputs;
  readonly paths: readonly ProvedPath[];
  readonly branches: readonly BranchWay[];
  /** Why not every path was followed. */
  readonly cut: string | undefined;
  readonly properties: readonly Property[];
  readonly assumptions: readonly string[];
  /** The constants of the loader that it speaks of: for any values, or for those that the object has. */
  readonly constants: ReadConstants;
  readonly counts: FeasibilityCounts;
  readonly seconds: number;
}

/**
 * For any values of the constants that a loader sets; where that cannot be decided, as it is where a constant bounds a loop, for
 * those that the object has. Half of the time is left for that.
 * @param program with one entry: the one that is proved
 * @throws {EngineError} where the machine cannot run it
 */
export async function proveProgram(program: Program, options: ProveOptions): Promise<ProgramProof> {
  const now = options.now ?? (() => performance.now());
  const time = options.time ?? PROOF_TIME;
  const end = now() + time;
  const first = hasConstants(program, options) ? time / 2 : time;
  const any = await proofOf(program, { ...options, now, time: first, anyConstants: true });
  const ofObject = (): Promise<ProgramProof> =>
    proofOf(program, { ...options, now, time: Math.max(0, end - now()), anyConstants: false });
  const stop = any.properties.find(isStopByConstants);
  if (stop !== undefined) {
    const own = await ofObject();
    return { ...withOwnStop(program, any, stop, own), seconds: any.seconds + own.seconds };
  }
  if (isDecided(any) || any.constants.any.length === 0 || options.stopped?.() === true) return any;
  const fixed = await ofObject();
  return { ...(isDecided(fixed) ? fixed : any), seconds: any.seconds + fixed.seconds };
}

function hasConstants(program: Program, { asKernel }: ProveOptions): boolean {
  const options = asKernel === undefined ? {} : { asKernel };
  return hasOpenConstants(openMachine(program, worldOfPaths(program, {}), options).machine.object);
}

/** Does the machine stop the program where a loader has set constants? */
function isStopByConstants({ invariant, status, witness }: Property): boolean {
  return invariant === STOPPED && status === 'refuted' && witness?.world.globals !== undefined;
}

/**
 * The verifier knows what constants hold. It refuses a program that does what is forbidden with some of them, so that it never runs
 * there: only what the object's own lead to counts as a stop.
 */
function withOwnStop(program: Program, any: ProgramProof, stop: Property, own: ProgramProof): ProgramProof {
  const instead = own.properties.find(({ invariant }) => invariant === STOPPED);
  if (instead === undefined || instead.status !== 'proved')
    return { ...any, properties: any.properties.map((one) => (one === stop ? (instead ?? one) : one)) };
  const settings = Object.entries(stop.witness!.world.globals!).map(
    ([name, value]) => `${name} = ${globalText(program, name, value)}`,
  );
  const reason = `a kernel does not load it with ${settings.join(', ')} (load/refused-constant): ${stop.reason}`;
  const shown: Property = { ...instead, reason };
  return { ...any, properties: any.properties.map((one) => (one === stop ? shown : one)) };
}

/** Is something refuted, or all proved? */
function isDecided({ cut, paths, branches, properties }: ProgramProof): boolean {
  const isRefuted = properties.some(({ status }) => status === 'refuted');
  const isOpen = [...branches, ...properties].some(({ status }) => status === 'undecided');
  return isRefuted || !(isOpen || cut !== undefined || paths.some((one) => !one.confirmed));
}

type PassOptions = ProveOptions & Required<Pick<ProveOptions, 'now' | 'time'>>;

async function proofOf(program: Program, options: PassOptions): Promise<ProgramProof> {
  const { now, time, stopped = () => false } = options;
  const started = now();
  const followed = await followPaths(program, { ...options, time: time * PATHS_UNTIL });
  const { inputs, paths, feasibility } = followed;
  const propertyDeadline = started + time * PROPERTIES_UNTIL;
  const whyStopped = (): string | undefined =>
    stopped() ? 'it was interrupted' : now() > propertyDeadline ? TIME_UP : undefined;
  const judge = new PropertyJudge(inputs, feasibility, followed.confirmer, whyStopped);
  feasibility.deadline = propertyDeadline;
  let judged = 0;
  for (const { state, confirmed: isConfirmed, witness, stopped: why } of paths) {
    if (whyStopped() !== undefined) break;
    judge.stops(state, why === undefined ? undefined : witness, why);
    if (why === undefined && !isTooShort(inputs, state))
      await judge.judge(state, isConfirmed ? witness : undefined);
    judged++;
    options.onProgress?.({ paths: paths.length, waiting: paths.length - judged, reached: followed.reached });
  }
  let judgedLonger = 0;
  for (const { state, confirmed: isConfirmed, witness, stopped: why } of followed.longer) {
    if (whyStopped() !== undefined) break;
    judge.stops(state, why === undefined ? undefined : witness, why);
    if (why === undefined && !isTooShort(inputs, state))
      await judge.judgeLonger(state, isConfirmed ? witness : undefined);
    judgedLonger++;
  }
  const notJudged = paths.length + followed.longer.length - judged - judgedLonger;
  const left =
    notJudged > 0
      ? `${notJudged} ${notJudged === 1 ? 'path was' : 'paths were'} not judged: ${whyStopped() ?? TIME_UP}`
      : undefined;
  const branches = await followed.branches(started + time);
  const constants = readConstants([inputs]);
  const takesEthernet = isForPaths(program, paths);
  return {
    inputs,
    paths,
    branches,
    properties: judge
      .properties(followed.doubt ?? left)
      .map((one) => (takesEthernet ? one : withoutHeaders(one)))
      .filter(({ invariant }) => options.isOn?.(invariant) ?? true),
    cut: followed.cut,
    assumptions: assumptionsOf(
      inputs,
      paths.map((one) => one.state),
      judge.notJudged(),
      [...judge.assumed(), ...tooShort(inputs, paths)],
      constants,
    ),
    constants,
    counts: feasibility.counts,
    seconds: (now() - started) / 1000,
  };
}

/** Do the packets of its paths, which begin with an Ethernet header, have what the program takes them for? */
function isForPaths(program: Program, paths: readonly ProvedPath[]): boolean {
  if (!isForEthernet(program)) return false;
  const cases = paths.flatMap(({ witness }) =>
    witness === undefined
      ? []
      : [witness.stimulus, asIpv4(witness.stimulus)].map((one) => ({ world: witness.world, stimuli: [one] })),
  );
  const { ipFirst, ethernet } = frameUses(program, cases);
  return ethernet || !ipFirst;
}

/** A packet that takes a path may say that it is of any kind, where the program does not ask. */
function asIpv4(stimulus: Stimulus): Stimulus {
  const packet = stimulus.packet.slice();
  if (packet.length >= 14) packet.set([0x08, 0x00], 12);
  return { ...stimulus, packet };
}

/** What is said where such frames were left out. */
function tooShort(inputs: Inputs, paths: readonly ProvedPath[]): string[] {
  if (!paths.some(({ state }) => isTooShort(inputs, state) && !isPlain(state))) return [];
  return [`no frame is shorter than ${SHORTEST_FRAME} bytes where it is said what leaves or is returned`];
}

/** Does the path leave the frame alone and return a certain number, by nothing that nobody wrote? */
function isPlain({ packet, end, readsUnwritten }: PathState): boolean {
  const isCertain = end?.kind === 'exit' && isConst(end.action) && end.action.value <= 4n;
  return (
    isCertain &&
    packet.generation === 0 &&
    packet.bytes.written().length === 0 &&
    readsUnwritten === undefined
  );
}

/** Do only frames take this path that no kernel gives a program? */
function isTooShort({ length }: Inputs, { knowledge }: PathState): boolean {
  return knowledge.range(length).max < SHORTEST_FRAME;
}

/** Of a program that takes the frame for something else than it is, nothing about headers is proved, nor refuted. */
function withoutHeaders(property: Property): Property {
  if (!isOfHeaders(property.invariant)) return property;
  return { ...property, status: 'undecided', reason: NO_LINK_HEADER, witness: undefined, confirmedBy: [] };
}
