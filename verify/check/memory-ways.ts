/**
 * Ways that a program goes where the kernel has no memory left: `bpf_skb_store_bytes` and its relatives fail for frames that are shorter
 * than asked for, and, where these are long enough, for nothing but that. No test makes it. So how often a program checks what they
 * return would decide how much of it counts as tested. Frames that went up to such a check are cut to every length: where one is too
 * short for the call, it goes that way; where none is, the program has seen to it before.
 */
import type { SavedCase } from '../../corpus/cases/case.ts';
import { repair } from '../../corpus/simplify/packet-layout.ts';
import { nextSlots } from '../../sim/ebpf/analysis/next-slots.ts';
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ETHERNET_HEADER } from '../../sim/ebpf/packet-area.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Coverage } from '../../sim/runtime/coverage.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { edgeId, type Sequence, TracedRuns } from '../guide/traced-runs.ts';
import type { ProvedWay } from '../prove/aid.ts';
import { withoutImpossible } from '../prove/proved-coverage.ts';
import { comparedResult, locateFunction, missingWay } from '../unreached.ts';
import { of } from './verdict.ts';

/** Helpers that change a frame in place (net/core/filter.c): `bpf_try_make_writable` fails for want of bytes, or of memory. */
const IN_PLACE: ReadonlySet<string> = new Set([
  'bpf_skb_store_bytes',
  'bpf_l3_csum_replace',
  'bpf_l4_csum_replace',
  'bpf_skb_pull_data',
]);

/** Cases whose frames are cut, of those that go up to one check. */
const CASES = 12;
/** Longer sequences, and longer frames, are others over again. */
const MOST_PACKETS = 8;
const LONGEST = 512;

/** A way on which such a helper has failed, and that no packet has gone. */
interface MemoryWay extends ProvedWay {
  readonly program: BpfProgram;
  /** Of the check, from the program's first instruction on. */
  readonly slot: number;
  readonly helper: string;
}

/** What cut frames have shown. */
export interface CutFrames {
  /** Those that go a way on which a helper fails. */
  readonly cases: readonly SavedCase[];
  /** Ways that none of them goes. */
  readonly left: readonly ProvedWay[];
  /** The helpers that fail there. */
  readonly helpers: readonly string[];
}

const NONE: CutFrames = { cases: [], left: [], helpers: [] };

/** @param cases that may go up to these checks */
export function cutFrames(
  program: Program,
  coverage: Coverage | undefined,
  cases: readonly Sequence[],
): CutFrames {
  if (program.object === undefined || coverage === undefined) return NONE;
  const ways = memoryWays(linkedObject(program.object), coverage);
  if (ways.length === 0) return NONE;
  const cutting = new Cutting(program, cases);
  const judged = ways.map((way) => ({ way, shown: cutting.judge(way) }));
  const left = judged.filter(({ shown }) => shown === 'none').map(({ way }) => way);
  return {
    cases: judged.flatMap(({ shown }, index) =>
      typeof shown === 'string'
        ? []
        : [{ path: `cut frame ${index + 1}`, case: { program: program.name, ...shown } }],
    ),
    left: left.map(({ function: name, instruction, taken }) => ({ function: name, instruction, taken })),
    helpers: [...new Set(left.map(({ helper }) => helper))].sort(),
  };
}

/** What to say of ways that were left out, if any. */
export function memoryWaysText({ left, helpers }: Pick<CutFrames, 'left' | 'helpers'>): string[] {
  if (left.length === 0) return [];
  const [fail, ways] = [helpers.length === 1 ? 'fails' : 'fail', left.length === 1 ? 'it is' : 'they are'];
  return [
    `what it does on ${of(left.length, 'way')} where ${helpers.join(', ')} ${fail} for lack of memory: no frame was too short for that, and ${ways} not counted`,
  ];
}

/**
 * Where only such a failure leads: the check stands behind the call, or what jumps in between has failed in the same way, as where
 * one function's calls are checked and what it returns is checked again.
 */
function memoryWays(object: BpfObject, coverage: Coverage): MemoryWay[] {
  const waiting = new Set(candidates(object, coverage));
  const found: MemoryWay[] = [];
  for (let known = -1; known < found.length; ) {
    known = found.length;
    const closed = withoutImpossible(coverage, object, found);
    const jumps = new Map<string, Jumps>();
    for (const way of waiting) {
      const own = jumps.get(way.function) ?? openJumps(way.program, way.function, closed);
      jumps.set(way.function, own);
      if (isEnteredBetween(way, own)) continue;
      waiting.delete(way);
      found.push(way);
    }
  }
  return found;
}

interface Candidate extends MemoryWay {
  readonly call: number;
}

function* candidates(object: BpfObject, { functions }: Coverage): Generator<Candidate> {
  for (const row of functions) {
    const own = locateFunction(object.programs, row.function);
    if (own === undefined) continue;
    const { program, subprogram } = own;
    for (const branch of row.branches) {
      const way = missingWay(row, branch);
      if (way === undefined) continue;
      const slot = subprogram.start + branch.instruction;
      const compared = comparedResult(object, program, subprogram.start, slot, way);
      const fails = compared?.said === 'other' || compared?.said === 'negative';
      if (compared === undefined || !fails || !IN_PLACE.has(compared.called.name)) continue;
      const { called, call } = compared;
      const at = { function: row.function, instruction: branch.instruction, taken: way === 'taken' };
      yield { ...at, program, slot, call, helper: called.name };
    }
  }
}

/** Of jumps that packets may go: from where, and where to. */
type Jumps = readonly (readonly [from: number, to: number])[];

/** Those of the function that a check is in. */
function openJumps({ instructions, subprograms }: BpfProgram, name: string, { functions }: Coverage): Jumps {
  const own = subprograms.find((one) => one.name === name)!;
  const row = functions.find((one) => one.function === name);
  const branches = new Map(row?.branches.map((branch) => [branch.instruction, branch]));
  const jumps: (readonly [number, number])[] = [];
  for (let at = 0; at < own.count; at++) {
    if (row?.unreachable[at] === 1) continue;
    const branch = branches.get(at);
    const from = own.start + at;
    for (const [way, to] of nextSlots(instructions, from).entries()) {
      const isClosed = way === 0 ? branch?.takenImpossible : branch?.notTakenImpossible;
      if (to !== from + 1 && isClosed !== true) jumps.push([from, to]);
    }
  }
  return jumps;
}

/** Does anything that packets can reach jump between the call and the check of its result? */
function isEnteredBetween({ call, slot }: Candidate, jumps: Jumps): boolean {
  return jumps.some(([from, to]) => to > call && to <= slot && (from < call || from >= slot));
}

/** Cuts the last frames of cases. */
class Cutting {
  readonly #runs: TracedRuns;
  /** Each with the ways that it goes. */
  readonly #cases: { readonly sequence: Sequence; readonly ways: ReadonlySet<number> }[] = [];
  readonly #cut = new Map<Sequence, { readonly sequence: Sequence; readonly ways: ReadonlySet<number> }[]>();

  constructor(program: Program, cases: readonly Sequence[]) {
    this.#runs = new TracedRuns(program);
    for (const { world, stimuli } of cases) {
      const sequence = { world, stimuli };
      const last = stimuli.at(-1);
      if (last === undefined || last.packet.length > LONGEST || stimuli.length > MOST_PACKETS) continue;
      const run = this.#runs.run(sequence);
      if (run !== undefined) this.#cases.push({ sequence, ways: run.ways });
    }
  }

  /** A case that goes that way; `none` where frames were cut and none does, `unknown` where no case comes there. */
  judge(way: MemoryWay): Sequence | 'none' | 'unknown' {
    const [wanted, other] = [this.#edge(way, way.taken), this.#edge(way, !way.taken)];
    const coming = this.#cases.filter(({ ways }) => other !== undefined && ways.has(other)).slice(0, CASES);
    for (const { sequence } of coming) {
      const found = this.#shortened(sequence).find(({ ways }) => wanted !== undefined && ways.has(wanted));
      if (found !== undefined) return found.sequence;
    }
    return coming.length === 0 ? 'unknown' : 'none';
  }

  #edge({ function: name, instruction }: MemoryWay, taken: boolean): number | undefined {
    const [first] = this.#cases;
    const { object } = (first === undefined ? undefined : this.#runs.machineOf(first.sequence.world)) ?? {};
    const programs = object?.programs ?? [];
    const program = programs.findIndex(({ subprograms }) => subprograms.some((one) => one.name === name));
    const own = programs[program]?.subprograms.find((one) => one.name === name);
    return own === undefined ? undefined : edgeId({ program, slot: own.start + instruction, taken });
  }

  #shortened(sequence: Sequence): readonly { sequence: Sequence; ways: ReadonlySet<number> }[] {
    const known = this.#cut.get(sequence);
    if (known !== undefined) return known;
    const before = sequence.stimuli.slice(0, -1);
    const all = shorterFrames(sequence.stimuli.at(-1)!).flatMap((stimulus) => {
      const one = { ...sequence, stimuli: [...before, stimulus] };
      const run = this.#runs.run(one);
      return run === undefined ? [] : [{ sequence: one, ways: run.ways }];
    });
    this.#cut.set(sequence, all);
    return all;
  }
}

/** Cut to every length, as they are and with headers that say so. */
function shorterFrames(stimulus: Stimulus): Stimulus[] {
  const { packet } = stimulus;
  const frames: Stimulus[] = [];
  for (let length = packet.length - 1; length >= ETHERNET_HEADER; length--) {
    const cut = packet.slice(0, length);
    const sound = cut.slice();
    repair(sound, 'checksum');
    frames.push({ ...stimulus, packet: cut }, { ...stimulus, packet: sound });
  }
  return frames;
}
