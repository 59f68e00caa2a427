/**
 * Runs cases in the interpreter and follows the flow of data in them. Machines are kept: where worlds differ in the
 * contents of maps, in clock or chance alone, one machine serves them all.
 */
import { reachOf, WAY } from '../../sim/ebpf/analysis/reach.ts';
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { distanceTo } from '../../sim/ebpf/dataflow/distance.ts';
import { FlowMemory } from '../../sim/ebpf/dataflow/flow-memory.ts';
import { oppositeOf } from '../../sim/ebpf/dataflow/flow-trace.ts';
import { FlowTracer, type PlainComparison } from '../../sim/ebpf/dataflow/flow-tracer.ts';
import { CALL, isConditionalJump } from '../../sim/ebpf/instruction.ts';
import { Interpreter } from '../../sim/ebpf/interpreter/interpreter.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import { singleFunctions } from '../../sim/engines/chained-session.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import {
  hookOf,
  type MachineEntry,
  type MachineProgram,
  openMachine,
  refusalReason,
} from '../../sim/engines/machine-program.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { XDP_PASS } from '../../sim/runtime/actions.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { isSameMachine } from './same-machine.ts';

/** A world and the packets that meet it, one after the other. */
export interface Sequence {
  readonly world: World;
  readonly stimuli: readonly Stimulus[];
}

/** Of one run of a sequence. */
export interface TracedRun {
  readonly trace: FlowTracer;
  /** Ways and ends that no run had reached before, with the packet that did. */
  readonly fresh: readonly { readonly id: number; readonly packet: number }[];
  /** Ways and ends that the run reached. */
  readonly ways: ReadonlySet<number>;
  /** The same as one number: runs with the same number went the same ways. */
  readonly signature: number;
  /** Did the machine stop the program on one of the packets? */
  readonly stopped: boolean;
  /** Ways that no run has gone, where the program compared numbers that depend on no input: by how little these missed. */
  readonly missed: ReadonlyMap<number, Missed>;
}

/** How a run came to a conditional jump, and went the other way. */
export interface Missed {
  /** By how much what is compared would have to change. */
  readonly distance: number;
  /** How often it came there. */
  readonly times: number;
  /** The ways that it went last before, the latest last. */
  readonly behind: readonly number[];
}

/** A conditional jump or tail call, and one of its ways. */
export interface Edge {
  readonly program: number;
  readonly slot: number;
  readonly taken: boolean;
}

/** Machines that are open at a time. */
const MAX_MACHINES = 12;

/** Slots of a program, at the most (`MAX_INSTRUCTIONS`), twice over for both ways. */
const PROGRAM_STRIDE = 2 ** 21;
/** Ends: from here on ids are an end's slot and the action. */
const ENDS = 2 ** 40;

/** Changes of maps: from here on ids are the place and the number of the value written there. */
const CHANGES = 2 ** 51;
/** Values that one instruction may write to a map and be new. */
const MAX_VALUES = 16;

/** Ways before a comparison that are remembered. */
const MOST_BEHIND = 4;

/** What a run costs besides its instructions, in these. */
const RUN_COST = 60;
/** What it costs to open a machine for a world, in these: a search through worlds is mostly that. */
const OPEN_COST = 12_000;

interface Opened {
  readonly world: World;
  readonly opened: MachineProgram;
  readonly interpreter: Interpreter;
}

export interface TracedRunsOptions {
  /** Are bytes of the stack that the program never wrote inputs, too? Default: no. */
  readonly followsStack?: boolean;
  /** Is what a packet finds in maps an input, even where a packet before it stored that? Default: no. */
  readonly forgetsMaps?: boolean;
}

export class TracedRuns {
  readonly #program: Program;
  readonly #options: TracedRunsOptions;
  readonly #functions: Program['entries'];
  readonly #machines: Opened[] = [];
  readonly #counts = new Map<number, number>();
  /** What each place has written to maps. */
  readonly #values = new Map<number, readonly string[]>();
  readonly #single = new PacketBatch(1);
  #fresh: { id: number; packet: number }[] = [];
  #stopped = false;
  #gone = new Set<number>();
  #missed = new Map<number, Missed>();
  /** Ways that the run went last, the latest last. */
  #last: number[] = [];
  readonly #watched = new Set<number>();
  #packet = 0;
  /** Instructions that ran in all. */
  steps = 0;
  runs = 0;

  constructor(program: Program, options: TracedRunsOptions = {}) {
    this.#program = program;
    this.#options = options;
    this.#functions = singleFunctions(program.entries);
  }

  /** How often an edge was run. */
  timesOf(edge: Edge): number {
    return this.#counts.get(edgeId(edge)) ?? 0;
  }

  count(id: number): number {
    return this.#counts.get(id) ?? 0;
  }

  /** The object as the machine of a world has it; undefined where the world cannot be had. */
  machineOf(world: World): Machine | undefined {
    return this.#open(world)?.opened.machine;
  }

  /** Every way that some input may go, as far as the analysis can tell, of the programs that the entries may run. */
  edges(world: World): Edge[] {
    const open = this.#open(world);
    if (open === undefined) return [];
    const { machine, wanted } = open.opened;
    return [...wanted].flatMap((program) => edgesOf(machine, program, hookOf(open.opened, program)));
  }

  /** @returns undefined where world or packets cannot be had */
  run(sequence: Sequence): TracedRun | undefined {
    const open = this.#open(sequence.world);
    if (open === undefined) return undefined;
    const { opened, interpreter } = open;
    const { machine } = opened;
    machine.world = withDefaultDevices(sequence.world, machine.object.maps);
    try {
      machine.reset();
    } catch (error) {
      if (error instanceof ObjectError) return undefined;
      throw error;
    }
    const tracer = new FlowTracer(
      new FlowMemory(machine, this.#options.forgetsMaps),
      (program, slot, taken) => this.#go(edgeId({ program, slot, taken })),
      { followsStack: this.#options.followsStack, onPlain: (compared) => this.#compare(compared) },
    );
    this.#fresh = [];
    this.#missed = new Map();
    this.#last = [];
    this.#stopped = false;
    this.#gone = new Set();
    interpreter.tracer = tracer;
    try {
      for (const [packet, stimulus] of sequence.stimuli.entries()) {
        this.#packet = packet;
        if (!this.#runPacket(open, tracer, packet, stimulus)) return undefined;
      }
    } finally {
      interpreter.tracer = undefined;
    }
    for (const { program, slot, value, packet } of tracer.effects) this.#change(program, slot, value, packet);
    this.steps += tracer.steps + RUN_COST;
    this.runs++;
    return {
      trace: tracer,
      fresh: this.#fresh,
      ways: this.#gone,
      signature: signatureOf(this.#gone),
      stopped: this.#stopped,
      missed: this.#missed,
    };
  }

  /** By how much numbers that no input can be solved for miss a way that no run has gone, or that somebody watches. */
  #compare({ program, slot, taken, comparison, bits, numbers }: PlainComparison): void {
    const id = edgeId({ program, slot, taken: !taken });
    if (this.count(id) > 0 && !this.#watched.has(id)) return;
    const distance = distanceTo(taken ? oppositeOf(comparison) : comparison, bits, ...numbers());
    const before = this.#missed.get(id);
    const isNearer = before === undefined || distance < before.distance;
    this.#missed.set(id, {
      distance: isNearer ? distance : before.distance,
      times: (before?.times ?? 0) + 1,
      behind: isNearer ? this.#last.slice(0, -1) : before.behind,
    });
  }

  /** From now on, runs say by how much they miss this way, though runs have gone it. */
  watch(id: number): void {
    this.#watched.add(id);
  }

  /** What a program writes to a map is new if its constant parts are: states, not counters or copies of packets. */
  #change(program: number, slot: number, value: string, packet: number): void {
    const place = program * PROGRAM_STRIDE + slot;
    const known = this.#values.get(place) ?? [];
    let index = known.indexOf(value);
    if (index < 0) {
      if (known.length >= MAX_VALUES) return;
      index = known.length;
      this.#values.set(place, [...known, value]);
    }
    this.#packet = packet;
    this.#hit(CHANGES + place * MAX_VALUES + index);
  }

  #go(id: number): void {
    this.#hit(id);
    this.#last.push(id);
    if (this.#last.length > MOST_BEHIND + 1) this.#last.shift();
  }

  #hit(id: number): void {
    this.#gone.add(id);
    const before = this.#counts.get(id) ?? 0;
    if (before === 0) this.#fresh.push({ id, packet: this.#packet });
    this.#counts.set(id, before + 1);
  }

  #runPacket(
    { opened, interpreter }: Opened,
    tracer: FlowTracer,
    packet: number,
    stimulus: Stimulus,
  ): boolean {
    const { machine, entries } = opened;
    this.#single.clear();
    this.#single.push(stimulus);
    if (refusalReason(this.#program, this.#single, 0) !== undefined) return false;
    const entry = this.#program.entries[stimulus.entry ?? 0]!;
    const numberOf = (name: string): number => this.#functions.findIndex((one) => one.function === name);
    const begin = (
      which: MachineEntry,
      bytes: Uint8Array,
      at: number,
      length: number,
      metaLength: number,
    ): void => {
      const { ingressIfindex = 1, rxQueueIndex = 0, skb } = stimulus;
      machine.begin(which.hook, bytes, at, length, metaLength, ingressIfindex, rxQueueIndex, skb);
      tracer.enterPacket(packet);
    };
    const run = (which: MachineEntry): number | undefined => {
      const { action, violation } = interpreter.run(which.program);
      const slot = violation === undefined ? tracer.exitSlot : violation.instruction;
      const kind = violation === undefined ? action & 0xff : 0x100;
      this.#hit(ENDS + (which.program * PROGRAM_STRIDE + slot) * 512 + kind);
      this.#stopped ||= violation !== undefined;
      return violation === undefined ? action : undefined;
    };
    const { bytes, offset, length, metaLength } = this.#single;
    const first = entry.after === undefined ? undefined : entries[numberOf(entry.after)]!;
    const last = entries[numberOf(entry.function)]!;
    begin(first ?? last, bytes, offset[0]!, length[0]!, metaLength[0]!);
    if (first === undefined) {
      run(last);
      return true;
    }
    if (run(first) !== XDP_PASS) return true;
    const { dataMeta, data, frameEnd } = machine.packet;
    const left = machine.memory.u8.slice(dataMeta, frameEnd);
    begin(last, left, data - dataMeta, frameEnd - data, data - dataMeta);
    run(last);
    return true;
  }

  #open(world: World): Opened | undefined {
    const at = this.#machines.findIndex((one) => isSameMachine(one.world, world));
    const known = this.#machines[at];
    if (known !== undefined) {
      this.#machines.splice(at, 1);
      this.#machines.push(known);
      return known;
    }
    this.steps += OPEN_COST;
    try {
      const opened = openMachine({ ...this.#program, entries: this.#functions }, world, {});
      const interpreter = new Interpreter(opened.machine, opened.wanted);
      const made = { world, opened, interpreter };
      if (this.#machines.length >= MAX_MACHINES) this.#machines.shift();
      this.#machines.push(made);
      return made;
    } catch (error) {
      if (error instanceof EngineError || error instanceof RangeError) return undefined;
      throw error;
    }
  }
}

/** The order does not matter: 53 bits of sums over the ids, each mixed. */
function signatureOf(ids: ReadonlySet<number>): number {
  let high = 0;
  let low = 0;
  for (const id of ids) {
    const mixed = Math.imul(id ^ (id >>> 15) ^ Math.floor(id / 2 ** 32), 0x2c1b3c6d);
    low = (low + Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39)) | 0;
    high = (high + Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)) | 0;
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

export function edgeId({ program, slot, taken }: Edge): number {
  return program * PROGRAM_STRIDE + slot * 2 + (taken ? 1 : 0);
}

/** The edge of an id; undefined: it is a program's end. */
export function edgeOf(id: number): Edge | undefined {
  if (id >= ENDS) return undefined;
  const program = Math.floor(id / PROGRAM_STRIDE);
  const rest = id % PROGRAM_STRIDE;
  return { program, slot: rest >> 1, taken: (rest & 1) === 1 };
}

function edgesOf(machine: Machine, program: number, hook: 'xdp' | 'tc'): Edge[] {
  const { object }: { readonly object: BpfObject } = machine;
  const source = object.programs[program]!;
  const { ways, reached } = reachOf(machine, source, hook);
  const { opcode, count } = source.instructions;
  const edges: Edge[] = [];
  for (let slot = 0; slot < count; slot++) {
    if (reached[slot] === 0 || opcode[slot] === CALL || !isConditionalJump(opcode[slot]!)) continue;
    if ((ways[slot]! & WAY.taken) !== 0) edges.push({ program, slot, taken: true });
    if ((ways[slot]! & WAY.notTaken) !== 0) edges.push({ program, slot, taken: false });
  }
  return edges;
}
