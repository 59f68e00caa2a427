/** What is known of each way of each jump: a packet takes it, no input does, or nobody found out. */
import { type Reach, reachOf, WAY } from '../../sim/ebpf/analysis/reach.ts';
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import { BPF_JCOND, CALL, isConditionalJump, LDDW, OPERATION_MASK } from '../../sim/ebpf/instruction.ts';
import { sourceAt } from '../../sim/ebpf/object.ts';
import { type Exploration, jumpKey, wayKey } from '../../sim/ebpf/symbolic/explore.ts';
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import { type Constraint, Knowledge } from '../../sim/ebpf/symbolic/knowledge.ts';
import { type PathState, PathViolation } from '../../sim/ebpf/symbolic/path-state.ts';
import { connected } from '../../sim/ebpf/symbolic/repair.ts';
import { jumpCondition } from '../../sim/ebpf/symbolic/step.ts';
import { isConst, type Term } from '../../sim/ebpf/symbolic/term.ts';
import { hookOf, type MachineProgram } from '../../sim/engines/machine-program.ts';
import { behind, type Place, reachedFrom } from './behind.ts';

export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

export interface BranchWay {
  readonly program: number;
  readonly function: string;
  /** Slot of the jump in its program. */
  readonly slot: number;
  readonly taken: boolean;
  readonly source: SourcePlace | undefined;
  readonly status: 'reached' | 'unreachable' | 'undecided';
  /** Of `undecided`: why. Of `unreachable`: in words. */
  readonly reason: string | undefined;
  /** Of `undecided`: who goes this way, where that is nobody whom an engine here can stand for; absent: others may, too. */
  readonly elsewhere?: string;
  /** Of `unreachable`: the lines whose conditions exclude each other. */
  readonly because: readonly SourcePlace[];
}

/** What paths have shown so far. */
export interface Seen {
  /** Ways of jumps, by `wayKey`, that a confirmed packet takes. */
  readonly confirmed: ReadonlySet<string>;
  /** Ways that a path takes, and why no packet has been confirmed for it. */
  readonly unconfirmed: ReadonlyMap<string, string>;
  /** Of these the ways that none but paths take which no engine here can go, and who goes them. */
  readonly elsewhere: ReadonlyMap<string, string>;
  /** Why the paths are not all that there are, or cannot be relied on, and from which instructions on; nobody knows more of what is behind. */
  readonly doubts: readonly Doubt[];
  /** Bytes of the longest frames of which all paths were followed. */
  readonly longest: number;
  /** Were constants taken to be anything? Then the object's own say nothing of what is impossible. */
  readonly anyConstants: boolean;
}

/** Why not all is known of what lies behind some instructions, these included. */
export interface Doubt {
  readonly reason: string;
  /** Undefined: of the whole program. */
  readonly from: readonly Place[] | undefined;
}

/** Ways that may be gone though no path shows it. */
interface OpenWays {
  readonly reason: string;
  isOpen(program: number, slot: number, taken: boolean): boolean;
}

/** Questions to the solver for one explanation. */
const MOST_QUESTIONS = 24;

export function placeOf(program: BpfProgram, slot: number): SourcePlace | undefined {
  const source = sourceAt(program, slot);
  return source === undefined ? undefined : { file: source.file, line: source.line, text: source.text };
}

export async function judgeBranches(
  opened: MachineProgram,
  exploration: Exploration,
  seen: Seen,
  feasibility: Feasibility,
): Promise<BranchWay[]> {
  const { machine } = opened;
  const ways: BranchWay[] = [];
  const open = openWays(machine.object, exploration, seen);
  for (const index of [...opened.wanted].sort((a, b) => a - b)) {
    const program = machine.object.programs[index]!;
    const reach = reachOf(machine, program, hookOf(opened, index));
    for (const { slot, isTailCall } of jumpsOf(opened, program)) {
      for (const taken of isTailCall ? [true] : [true, false]) {
        const judged = await judgeWay(
          opened,
          index,
          slot,
          taken,
          exploration,
          seen,
          open,
          feasibility,
          reach,
        );
        const name = functionAt(program, slot);
        ways.push({ program: index, function: name, slot, taken, source: placeOf(program, slot), ...judged });
      }
    }
  }
  return ways;
}

function openWays(object: BpfObject, { longer }: Exploration, { doubts, longest }: Seen): OpenWays[] {
  const cut = new Set(longer.map(({ program, slot, holds }) => wayKey(program, slot, holds)));
  const behindCut = behind(object, longer);
  return [
    ...doubts.map(({ reason, from }) => {
      const places = from === undefined ? undefined : reachedFrom(object, from);
      return {
        reason,
        isOpen: (program: number, slot: number) => places?.has(jumpKey(program, slot)) ?? true,
      };
    }),
    {
      reason: `frames of more than ${longest} bytes may go this way`,
      isOpen: (program, slot, taken) =>
        cut.has(wayKey(program, slot, taken)) || behindCut.has(jumpKey(program, slot)),
    },
  ];
}

function functionAt(program: BpfProgram, slot: number): string {
  return program.subprograms.findLast((one) => one.start <= slot)?.name ?? program.function;
}

function* jumpsOf(
  { machine }: MachineProgram,
  program: BpfProgram,
): Generator<{ slot: number; isTailCall: boolean }> {
  const { opcode, count } = program.instructions;
  for (let slot = 0; slot < count; slot++) {
    const code = opcode[slot]!;
    if (isConditionalJump(code)) yield { slot, isTailCall: false };
    else if (code === CALL && helperAt(machine.object, program, slot)?.effects.leavesProgram === true) {
      yield { slot, isTailCall: true };
    }
    if (code === LDDW) slot++;
  }
}

type Judged = Pick<BranchWay, 'status' | 'reason' | 'because' | 'elsewhere'>;

async function judgeWay(
  opened: MachineProgram,
  index: number,
  slot: number,
  taken: boolean,
  exploration: Exploration,
  seen: Seen,
  opens: readonly OpenWays[],
  feasibility: Feasibility,
  reach: Reach,
): Promise<Judged> {
  const key = wayKey(index, slot, taken);
  if (seen.confirmed.has(key)) return { status: 'reached', reason: undefined, because: [] };
  const undecided = (reason: string): Judged => ({ status: 'undecided', reason, because: [] });
  const open = opens.find((one) => one.isOpen(index, slot, taken))?.reason;
  const unconfirmed = seen.unconfirmed.get(key);
  const doubt = exploration.doubts.get(key);
  const elsewhere = (open ?? doubt) === undefined ? seen.elsewhere.get(key) : undefined;
  if (unconfirmed !== undefined)
    return { ...undecided(unconfirmed), ...(elsewhere === undefined ? {} : { elsewhere }) };
  if (doubt !== undefined) return undecided(doubt);
  const program = opened.machine.object.programs[index]!;
  const arrival = exploration.arrivals.get(jumpKey(index, slot));
  const { opcode } = program.instructions;
  if (taken && (opcode[slot]! & OPERATION_MASK) === BPF_JCOND && isConditionalJump(opcode[slot]!)) {
    return undecided('may_goto ends a loop after eight million rounds only');
  }
  if (opcode[slot] === CALL && arrival !== undefined) {
    return undecided('which program stands in the map is for user space to say');
  }
  if (open !== undefined) {
    const isImpossible = !seen.anyConstants && (reach.ways[slot]! & (taken ? WAY.taken : WAY.notTaken)) === 0;
    if (!isImpossible) return undecided(open);
  }
  if (arrival === undefined) {
    return { status: 'unreachable', reason: 'no path leads to it', because: [] };
  }
  const because = await contradiction(opened, arrival, taken, feasibility);
  return { status: 'unreachable', reason: because.reason, because: because.places };
}

/** Which of a path's conditions exclude the way, with their lines. */
async function contradiction(
  opened: MachineProgram,
  arrival: PathState,
  taken: boolean,
  feasibility: Feasibility,
): Promise<{ readonly reason: string; readonly places: SourcePlace[] }> {
  const { pool } = arrival;
  const { programs } = opened.machine.object;
  const own = placeOf(programs[arrival.program]!, arrival.slot);
  let condition: Term;
  try {
    condition = jumpCondition(arrival, programs[arrival.program]!.instructions);
  } catch (error) {
    if (!(error instanceof PathViolation)) throw error;
    const reason = `the program is stopped at the comparison: ${error.message}`;
    return { reason, places: own === undefined ? [] : [own] };
  }
  const way = taken ? condition : pool.not(condition);
  if (isConst(way)) {
    return { reason: 'the comparison has one result only', places: own === undefined ? [] : [own] };
  }
  let needed: Constraint[] = connected(arrival.constraints, way);
  let questions = 0;
  for (const one of [...needed].reverse()) {
    if (questions++ >= MOST_QUESTIONS) break;
    const fewer = needed.filter((each) => each !== one);
    const knowledge = new Knowledge(pool);
    for (const each of fewer) knowledge.add(each.condition, each.origin);
    const { answer } = await feasibility.ask(knowledge, way, arrival.values);
    if (answer === 'no') needed = fewer;
  }
  const places: SourcePlace[] = [];
  for (const { origin } of needed) {
    if (origin === undefined) continue;
    const place = placeOf(programs[origin.program]!, origin.slot);
    if (place !== undefined && !places.some((one) => one.line === place.line && one.file === place.file)) {
      places.push(place);
    }
  }
  if (own !== undefined && !places.some((one) => one.line === own.line && one.file === own.file))
    places.push(own);
  return { reason: 'the conditions of these lines exclude each other', places };
}
