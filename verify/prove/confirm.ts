/** Runs a witness in the machine: does it take the predicted path, to the predicted outcome? */

import { looksAtSocket } from '../../sim/ebpf/context/socket.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import { CALL, isConditionalJump, jumpTarget } from '../../sim/ebpf/instruction.ts';
import { Interpreter } from '../../sim/ebpf/interpreter/interpreter.ts';
import type { State } from '../../sim/ebpf/interpreter/state.ts';
import type { Tracer } from '../../sim/ebpf/interpreter/tracer.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { RingBufferMap } from '../../sim/ebpf/maps/ring-buffer-map.ts';
import { CONTEXT_BASE, SOCKET_BASE, STACK_LIMIT, STACK_SIZE } from '../../sim/ebpf/memory.ts';
import { blockByte, packetByte } from '../../sim/ebpf/symbolic/access.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { heardSocket } from '../../sim/ebpf/symbolic/frame-socket.ts';
import { AnswerTracer } from '../../sim/ebpf/symbolic/heard-answers.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Answer, Decision, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Assignment, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import {
  type MachineProgram,
  type MachineProgramOptions,
  openMachine,
} from '../../sim/engines/machine-program.ts';
import { actionName, TC_ACT_REDIRECT, XDP_REDIRECT } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { unknownsIn } from './asking-anew.ts';

import { isInPieces, type Witness } from './witness.ts';

export interface Confirmation {
  readonly confirmed: boolean;
  /** What differed. */
  readonly reason: string | undefined;
  /** Why the machine stopped the program, if it did. */
  readonly stopped?: string;
  /** What the program asked for that the machine cannot do, though a kernel can. It says nothing against path or program. */
  readonly gap?: string;
  /** Of an input that helpers answer otherwise than the path wants it: which they are. It says nothing against the path. */
  readonly missed?: readonly Answer[];
  /** Why nobody can make the world of the input, if that is so. It says nothing against the path. */
  readonly noWorld?: string;
  /** What the path's unknowns were worth, with the answers that helpers gave. */
  readonly values: Assignment;
}

function confirmed(values: Assignment): Confirmation {
  return { confirmed: true, reason: undefined, values };
}

function differs(values: Assignment, reason: string): Confirmation {
  return { confirmed: false, reason, values };
}

/** Instructions of one run. */
const BUDGET = 8_000_000;

interface Opened {
  readonly opened: MachineProgram;
  readonly interpreter: Interpreter;
}

/** Machines are expensive to make: one is kept for the world that states nothing. */
export class Confirmer {
  readonly #program: Program;
  readonly #options: MachineProgramOptions;
  #plain: Opened | undefined;

  /** @param program with the one entry that is proved */
  constructor(program: Program, options: MachineProgramOptions = {}) {
    this.#program = program;
    this.#options = options;
  }

  confirm(inputs: Inputs, state: PathState, witness: Witness): Confirmation {
    const begun = this.#begin(witness);
    if (typeof begun === 'string') return { ...differs(witness.values, begun), noWorld: begun };
    const { opened, interpreter } = begun;
    const { machine, entries } = opened;
    const jumps = new JumpTracer(machine);
    const answers = state.answers.length === 0 ? undefined : new AnswerTracer(machine, state.answers);
    interpreter.tracer = answers === undefined ? jumps : both(answers, jumps);
    const result = interpreter.run(entries[0]!.program);
    interpreter.tracer = undefined;
    const given = answers?.heard(witness.values) ?? witness.values;
    const asksForSocket =
      inputs.hook !== 'xdp' && looksAtSocket(machine.object.programs[entries[0]!.program]!);
    const values = asksForSocket ? new Map([...given, ...heardSocket(state.pool, machine.memory)]) : given;
    if (answers?.broken !== undefined)
      return differs(values, `${answers.broken} answers what its record rules out`);
    const way = jumps.firstDifference(state.trail());
    const missed = answers === undefined ? [] : missedAnswers(state, values);
    if (missed.length > 0) {
      const names = [...new Set(missed.map((one) => one.helper))].join(', ');
      return { ...differs(values, `no input was found that ${names} answers as the path wants it`), missed };
    }
    if (result.violation !== undefined) {
      const { reason: stopped, unsupported } = result.violation;
      if (unsupported) return { ...differs(values, `the machine cannot run it: ${stopped}`), gap: stopped };
      if (state.end?.kind === 'violation') return { ...confirmed(values), stopped };
      return { ...differs(values, `the machine stops: ${stopped}`), stopped };
    }
    if (state.end?.kind === 'violation') return differs(values, 'the machine runs it to its end');
    if (way !== undefined && state.walks > 0)
      return {
        ...differs(values, 'no keys were found that the map is walked through in the order of the path'),
        missed: [],
      };
    if (way !== undefined) return differs(values, way);
    return state.end?.kind === 'exit'
      ? this.#outcome(inputs, state, values, machine, result.action, isInPieces(witness))
      : confirmed(values);
  }

  /** The frame as it leaves the machine, what the program returned and where it redirected to; undefined: the machine stopped it, or has no such world. */
  frameOf(
    witness: Witness,
  ): { readonly frame: Uint8Array; readonly action: number; readonly redirect: number } | undefined {
    const begun = this.#begin(witness);
    if (typeof begun === 'string') return undefined;
    const { opened, interpreter } = begun;
    const { machine, entries } = opened;
    const { violation, action } = interpreter.run(entries[0]!.program);
    if (violation !== undefined) return undefined;
    const { data, length } = machine.packet;
    return { frame: machine.memory.read(data, length), action, redirect: machine.redirectTarget };
  }

  /** Puts the witness's packet in place. @returns why there is no such world */
  #begin({ world, stimulus, context, rings, socket }: Witness): Opened | string {
    const made = this.#open(world);
    if (typeof made === 'string') return made;
    const { machine, entries } = made.opened;
    const metadata = stimulus.metadata ?? new Uint8Array(0);
    const arena = new Uint8Array(metadata.length + stimulus.packet.length);
    arena.set(metadata);
    arena.set(stimulus.packet, metadata.length);
    machine.begin(
      entries[0]!.hook,
      arena,
      metadata.length,
      stimulus.packet.length,
      metadata.length,
      stimulus.ingressIfindex ?? 1,
      stimulus.rxQueueIndex ?? 0,
      stimulus.skb,
    );
    for (const { map, unread } of rings) {
      const ring = machine.maps[map];
      if (ring instanceof RingBufferMap) ring.occupy(unread);
    }
    for (const [offset, value] of socket) machine.memory.u8[SOCKET_BASE + offset] = value;
    for (const [offset, value] of context) machine.memory.setU32(CONTEXT_BASE + offset, value);
    return made;
  }

  #open(world: World): Opened | string {
    const isPlain = Object.keys(world).length === 0;
    if (isPlain && this.#plain !== undefined) {
      this.#plain.opened.machine.reset();
      return this.#plain;
    }
    const opened = this.#machineOf(world);
    if (typeof opened === 'string') return opened;
    const made = { opened, interpreter: new Interpreter(opened.machine, opened.wanted, BUDGET) };
    if (isPlain) this.#plain = made;
    return made;
  }

  /** Maps refuse more than terms know of. The program itself has been opened before: what fails is its world. */
  #machineOf(world: World): MachineProgram | string {
    try {
      return openMachine(this.#program, world, this.#options);
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'input')
        return `no such world can be made: ${error.message}`;
      throw error;
    }
  }

  #outcome(
    inputs: Inputs,
    state: PathState,
    values: Assignment,
    machine: Machine,
    action: number,
    inPieces: boolean,
  ): Confirmation {
    const evaluator = new Evaluator(values);
    if (state.end?.kind !== 'exit') return confirmed(values);
    const expected = Number(BigInt.asIntN(32, evaluator.value(state.end.action)));
    if (expected !== action) {
      const [own, wanted] = [action, expected].map((one) => actionName(inputs.hook, one));
      return differs(values, `the machine returns ${own}, the path ${wanted}`);
    }
    const { packet } = machine;
    const data = Number(evaluator.value(state.packet.data));
    const end = Number(evaluator.value(state.packet.end));
    const meta = Number(evaluator.value(state.packet.meta));
    // Of a frame in pieces, less lies between `data` and `data_end`.
    const itsEnd = inPieces ? packet.frameEnd : packet.dataEnd;
    if (data !== packet.data || end !== itsEnd || meta !== packet.dataMeta) {
      return differs(values, 'the frame has other bounds in the machine');
    }
    if (!state.leaks) {
      for (let at = meta; at < end; at++) {
        const byte = Number(evaluator.value(packetByte(inputs, state, at)));
        if (byte !== machine.memory.u8[at]) {
          return differs(
            values,
            `byte ${at - data} of the frame is ${machine.memory.u8[at]} in the machine, ${byte} on the path`,
          );
        }
      }
    }
    const redirects = inputs.hook === 'xdp' ? action === XDP_REDIRECT : action === TC_ACT_REDIRECT;
    if (redirects && state.redirect !== undefined) {
      const target = Number(evaluator.value(state.redirect));
      if (target !== machine.redirectTarget)
        return differs(values, `the machine redirects to ${machine.redirectTarget}`);
    }
    return this.#maps(inputs, state, values, machine);
  }

  #maps(inputs: Inputs, state: PathState, values: Assignment, machine: Machine): Confirmation {
    const evaluator = new Evaluator(values);
    for (const entry of state.entries) {
      // Of those that user space makes, the world has only what it needs.
      const { name } = inputs.machine.maps[entry.map]!;
      const live = machine.maps.find((one) => one.name === name);
      if (
        live === undefined ||
        live.definition.type === 'LPM_TRIE' ||
        !['ARRAY', 'HASH'].some((one) => live.definition.type.endsWith(one))
      )
        continue;
      const key = Uint8Array.from(entry.key, (one) => Number(evaluator.value(one)));
      machine.memory.u8.set(key, SCRATCH);
      const address = live.lookup(SCRATCH);
      const isThere = evaluator.isTrue(entry.isThere);
      if (isThere !== (address !== 0))
        return differs(values, `map ${live.name} has another set of entries in the machine`);
      if (!isThere) continue;
      for (let at = 0; at < live.valueSize; at++) {
        const byte = Number(evaluator.value(blockByte(inputs, state, entry.block, at)));
        if (byte !== machine.memory.u8[address + at]) {
          return differs(values, `a value of map ${live.name} is another one in the machine`);
        }
      }
    }
    return confirmed(values);
  }
}

/** Room for a key, when the run is over: the stack of the last frame. */
const SCRATCH: number = STACK_LIMIT - STACK_SIZE;

function both(first: Tracer, second: Tracer): Tracer {
  return {
    before: (state, pc) => {
      first.before(state, pc);
      second.before(state, pc);
    },
  };
}

/** Answers on which conditions of the path depend that do not hold with what helpers answered. */
function missedAnswers(state: PathState, values: Assignment): Answer[] {
  const evaluator = new Evaluator(values);
  const broken = new Set<Term>();
  for (const { condition } of state.constraints) {
    if (!evaluator.isTrue(condition)) for (const one of unknownsOf(condition)) broken.add(one);
  }
  if (broken.size === 0) return [];
  return state.answers.filter((answer) => unknownsIn(answer).some((one) => broken.has(one)));
}

/** Notes which way every jump goes. */
class JumpTracer implements Tracer {
  readonly #machine: Machine;
  readonly #went: { readonly program: number; readonly slot: number; readonly next: number }[] = [];
  #pending: { readonly program: number; readonly slot: number } | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  before(state: State, pc: number): void {
    const { program } = state;
    if (this.#pending !== undefined) {
      const stays = this.#pending.program === program.index;
      this.#went.push({ ...this.#pending, next: stays ? pc : -1 });
      this.#pending = undefined;
    }
    const { instructions } = program.source;
    const isCall = instructions.opcode[pc] === CALL;
    const leaves =
      isCall && helperAt(this.#machine.object, program.source, pc)?.effects.leavesProgram === true;
    if (isConditionalJump(instructions.opcode[pc]!) || leaves)
      this.#pending = { program: program.index, slot: pc };
  }

  /** Where the machine left a path; undefined: nowhere. */
  firstDifference(trail: readonly Decision[]): string | undefined {
    const { programs } = this.#machine.object;
    for (const [index, { program, slot, taken }] of trail.entries()) {
      const went = this.#went[index];
      const { instructions } = programs[program]!;
      const isJump = isConditionalJump(instructions.opcode[slot]!);
      const next = taken ? (isJump ? jumpTarget(instructions, slot) : undefined) : slot + 1;
      const same =
        went !== undefined &&
        went.program === program &&
        went.slot === slot &&
        (next === undefined ? went.next === -1 || went.next === 0 : went.next === next);
      if (!same) return `the machine goes another way at jump ${index + 1} of the path, instruction ${slot}`;
    }
    return undefined;
  }
}
