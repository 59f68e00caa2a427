/**
 * What following a program's paths gives to everything else: packets that take each of them, and the ways of its jumps
 * that no input takes.
 */
import type { Case } from '../../corpus/cases/case.ts';
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { type Inputs, isElsewhere } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Program, ProgramEntry } from '../../sim/runtime/program.ts';
import type { BranchWay } from './branches.ts';
import { atEachPlace } from './one-place.ts';
import { confirmPath, type FollowedPaths, followPaths, type ProvedPath, type ProveOptions } from './paths.ts';
import { notInCases, type Witness } from './witness.ts';
import { joinWords, wordsOf } from './words.ts';

/** Packets of one function that are made for other places than a path's own packet has. */
const MOST_OTHERS = 256;

/** One way of a jump. */
export interface ProvedWay {
  /** The function that coverage counts the jump in. */
  readonly function: string;
  /** Of the jump, from the function's first instruction on. */
  readonly instruction: number;
  readonly taken: boolean;
}

/** A way that an input takes, but none that an engine here can give. */
export interface OthersWay extends ProvedWay {
  /** "drivers that take no metadata". */
  readonly who: string;
}

export interface ProofAid {
  /**
   * One for each path with a packet that the machine confirmed: the world, the packet, and the path's condition in words. Behind
   * them those of paths that read behind headers of any length: one for each length, or for some of many.
   */
  readonly cases: readonly Case[];
  /** How many paths have a case. */
  readonly shown: number;
  /** Ways that no input takes, into whichever of the functions it comes. */
  readonly impossible: readonly ProvedWay[];
  /** Are these ways proved impossible for frames in one piece only, as all are that paths know of at TC? Absent: no. */
  readonly areLinear?: boolean;
  /** Ways that only what no engine here can stand for takes; absent: none. */
  readonly elsewhere?: readonly OthersWay[];
  /** That were followed and that an engine here may go, those of longer frames among them. */
  readonly paths: number;
  /** Those that take fields of the context which only a kernel fills (a tag that a device took off): no engine goes them. */
  readonly beyond: number;
  /** Why not all is known, of the first function that this is said of. */
  readonly doubt: string | undefined;
  readonly seconds: number;
}

/**
 * Follows each function of a program, one after the other.
 * @param options of which `time` holds for all of them together
 * @throws {EngineError} where the machine cannot run the program
 */
export async function proofAid(program: Program, options: ProveOptions): Promise<ProofAid> {
  const now = options.now ?? (() => performance.now());
  const started = now();
  const end = started + (options.time ?? Number.POSITIVE_INFINITY);
  const cases: Case[] = [];
  const atOtherPlaces: Case[] = [];
  const ways = new WaysOfAll(program);
  let paths = 0;
  let beyond = 0;
  let doubt: string | undefined;
  const functions = functionsOf(program);
  for (const [at, { entry, index }] of functions.entries()) {
    // What one function leaves of its share is the others'.
    const time = (end - now()) / (functions.length - at);
    const until = now() + time;
    const { after: _, ...alone } = entry;
    const own = { ...program, entries: [alone] };
    const followed = await followPaths(own, {
      ...options,
      anyConstants: true,
      ...(Number.isFinite(time) ? { time } : {}),
    });
    const all = [...followed.paths, ...followed.longer].filter(({ state }) => !isElsewhere(state));
    paths += all.length;
    doubt ??= followed.doubt;
    ways.add(await followed.branches());
    if (entry.after !== undefined) continue;
    for (const path of all) {
      const { witness, state } = path;
      if (!isShown(path) || witness === undefined) continue;
      if (notInCases(witness) !== undefined) {
        beyond++;
        continue;
      }
      cases.push(caseOf(program, index, followed.inputs, state, witness));
    }
    let left = MOST_OTHERS;
    for await (const { state, witness } of otherPlaces(followed, all)) {
      atOtherPlaces.push(caseOf(program, index, followed.inputs, state, witness));
      if (--left === 0 || now() > until) break;
    }
  }
  const elsewhere = ways.elsewhere();
  return {
    cases: [...cases, ...atOtherPlaces],
    shown: cases.length,
    impossible: ways.impossible(),
    ...(functions.some(({ entry }) => entry.hook !== 'xdp') ? { areLinear: true } : {}),
    ...(elsewhere.length === 0 ? {} : { elsewhere }),
    paths,
    beyond,
    doubt,
    seconds: (now() - started) / 1000,
  };
}

function isShown({ confirmed, stopped }: ProvedPath): boolean {
  return confirmed && stopped === undefined;
}

function caseOf(
  program: Program,
  entry: number,
  inputs: Inputs,
  state: PathState,
  { world, stimulus }: Witness,
): Case {
  const note = { kept: [joinWords(wordsOf(inputs, state)) || 'always'] };
  return { program: program.name, world, stimuli: [entry === 0 ? stimulus : { ...stimulus, entry }], note };
}

/** Paths that read behind headers of any length, behind those of each that the path's own packet does not have. */
async function* otherPlaces(
  { inputs, feasibility, confirmer }: FollowedPaths,
  paths: readonly ProvedPath[],
): AsyncGenerator<{ readonly state: PathState; readonly witness: Witness }, void, undefined> {
  for (const path of paths) {
    if (path.state.open.length === 0 || path.witness === undefined || !isShown(path)) continue;
    const own = new Evaluator(path.witness.values);
    const isOwn = ({ constraints }: PathState): boolean =>
      constraints.every(({ condition }) => own.isTrue(condition));
    for await (const state of atEachPlace(inputs, path.state, feasibility)) {
      if (state.values === undefined || isOwn(state)) continue;
      const moved = confirmPath(inputs, state, confirmer, () => false);
      const { witness } = moved;
      if (witness !== undefined && isShown(moved) && notInCases(witness) === undefined)
        yield { state, witness };
    }
  }
}

/** Each function once, by itself where it also stands behind another. */
function functionsOf({ entries }: Program): { readonly entry: ProgramEntry; readonly index: number }[] {
  const found = new Map<string, { readonly entry: ProgramEntry; readonly index: number }>();
  for (const [index, entry] of entries.entries()) {
    const known = found.get(entry.function);
    if (known === undefined || (known.entry.after !== undefined && entry.after === undefined)) {
      found.set(entry.function, { entry, index });
    }
  }
  return [...found.values()];
}

/** The ways that do not count towards what tests reach: no input takes them, or none that an engine here can give. */
export function notToReach({ impossible, elsewhere = [] }: ProofAid): readonly ProvedWay[] {
  return [...impossible, ...elsewhere];
}

/** A way is impossible where it is for every function from which it can be come to. */
class WaysOfAll {
  readonly #object: BpfObject;
  readonly #impossible = new Map<string, ProvedWay>();
  readonly #elsewhere = new Map<string, OthersWay>();
  readonly #possible = new Set<string>();

  constructor({ object }: Program) {
    this.#object = linkedObject(object!);
  }

  add(branches: readonly BranchWay[]): void {
    for (const { program, slot, taken, status, elsewhere } of branches) {
      const { subprograms } = this.#object.programs[program]!;
      const own = subprograms.findLast(({ start }) => start <= slot);
      if (own === undefined) continue;
      const way = { function: own.name, instruction: slot - own.start, taken };
      const key = `${way.function} ${way.instruction} ${taken}`;
      if (status === 'unreachable') this.#impossible.set(key, way);
      else if (elsewhere !== undefined) this.#elsewhere.set(key, { ...way, who: elsewhere });
      else this.#possible.add(key);
    }
  }

  impossible(): ProvedWay[] {
    return [...this.#impossible]
      .filter(([key]) => !this.#possible.has(key) && !this.#elsewhere.has(key))
      .map(([, way]) => way);
  }

  elsewhere(): OthersWay[] {
    return [...this.#elsewhere].filter(([key]) => !this.#possible.has(key)).map(([, way]) => way);
  }
}
