/**
 * The symbolic reader in lockstep with the interpreter: the path of one packet, whose every question is answered by what
 * the packet's bytes are, and by what helpers answer in the machine. After each instruction all numbers in registers are
 * what the machine has there, and lie within what terms and path know of them; and so are frame and maps at the end.
 */
import type { SkbInput } from '../../packet/packet-batch.ts';
import type { Hook } from '../../runtime/actions.ts';
import { helperAt } from '../helpers/helper-at.ts';
import { CALL } from '../instruction.ts';
import { Interpreter } from '../interpreter/interpreter.ts';
import type { State } from '../interpreter/state.ts';
import type { Tracer } from '../interpreter/tracer.ts';
import type { Machine } from '../machine.ts';
import { STACK_LIMIT } from '../memory.ts';
import { blockByte, packetByte } from '../symbolic/access.ts';
import { Evaluator } from '../symbolic/evaluate.ts';
import { heardSocket } from '../symbolic/frame-socket.ts';
import { AnswerTracer } from '../symbolic/heard-answers.ts';
import { Inputs } from '../symbolic/inputs.ts';
import { Enumerate, NotFollowed, type PathState, PathViolation, Split } from '../symbolic/path-state.ts';
import { step } from '../symbolic/step.ts';
import { allOnes, type Term, unknownsOf } from '../symbolic/term.ts';
import { TermPool } from '../symbolic/term-pool.ts';

export interface LockstepResult {
  /** Instructions that were compared. */
  readonly steps: number;
  /** Why the reader left the path; undefined: it followed it to its end. */
  readonly left: string | undefined;
  /** What differed, and where; undefined: nothing. */
  readonly difference: string | undefined;
}

export interface LockstepRun {
  readonly machine: Machine;
  readonly program: number;
  readonly hook: Hook;
  readonly packet: Uint8Array;
  /** Instructions that are compared at the most. */
  readonly mostSteps: number;
  /** What the frame comes with besides its bytes: what of it unknowns stand for, `held` says. */
  readonly skb?: SkbInput;
  /** What else unknowns are, by width and name: what maps held before the packet came. */
  readonly held?: readonly (readonly [width: number, name: string, value: number])[];
}

/** Questions of one instruction. */
const MOST_QUESTIONS = 10_000;

/** Where numbers and addresses part, the reader is wrong. */
class Difference extends Error {}

export function lockstep({
  machine,
  program,
  hook,
  packet,
  mostSteps,
  skb,
  held = [],
}: LockstepRun): LockstepResult {
  const interpreter = new Interpreter(machine);
  machine.begin(hook, packet, 0, packet.length, 0, 1, 0, skb);
  const pool = new TermPool();
  const inputs = new Inputs(pool, machine, hook, machine.object.programs[program]!, {
    shortest: 0,
    longest: 4096,
    mostMetadata: 32,
  });
  const path = inputs.start(program);
  const values = new Map<Term, bigint>([
    ...path.values!,
    [inputs.length, BigInt(packet.length)],
    [inputs.ingressIfindex, 1n],
  ]);
  for (const [at, byte] of packet.entries()) values.set(inputs.frameByte(at), BigInt(byte));
  for (const [unknown, value] of heardSocket(pool, machine.memory)) values.set(unknown, value);
  for (const [width, name, value] of held) values.set(pool.unknown(width, name), BigInt(value));
  const follower = new Follower(inputs, path, values, mostSteps);
  interpreter.tracer = follower;
  try {
    const { violation, action } = interpreter.run(program);
    if (follower.left === undefined) {
      follower.finish();
      if (follower.left === undefined && violation !== undefined)
        throw new Difference(`the machine stops: ${violation.reason}`);
      if (follower.left === undefined) compareEnds(inputs, path, follower.evaluator, action);
    }
    return { steps: follower.steps, left: follower.left, difference: undefined };
  } catch (error) {
    if (!(error instanceof Difference)) throw error;
    return { steps: follower.steps, left: follower.left, difference: error.message };
  }
}

/** What a call may read and has answered, as the machine had it before and has it now. */
interface Moment {
  readonly isCall: boolean;
  /** r1 to r5. */
  readonly registers: readonly number[];
}

class Follower implements Tracer {
  readonly #inputs: Inputs;
  readonly #path: PathState;
  readonly #values: Map<Term, bigint>;
  readonly #mostSteps: number;
  readonly evaluator: Evaluator;
  #last: Moment | undefined;
  steps = 0;
  left: string | undefined;

  constructor(inputs: Inputs, path: PathState, values: Map<Term, bigint>, mostSteps: number) {
    this.#inputs = inputs;
    this.#path = path;
    this.#values = values;
    this.#mostSteps = mostSteps;
    this.evaluator = new Evaluator(values);
  }

  before({ lo, hi, tag, provenance, program }: State, pc: number): void {
    if (this.left !== undefined) return;
    if (this.steps >= this.#mostSteps) {
      this.left = `after ${this.steps} instructions`;
      return;
    }
    const path = this.#path;
    if (this.#last !== undefined) this.#step(this.#last, lo[0]!, hi[0]!, { pc, key: lo[2]!, value: lo[3]! });
    if (this.left !== undefined) return;
    this.steps++;
    const where = `step ${this.steps} at slot ${pc} of program ${program.index}`;
    if (path.slot !== pc || path.program !== program.index)
      throw new Difference(`the path is at slot ${path.slot} of program ${path.program}: ${where}`);
    for (let register = 0; register < 10; register++) {
      const held = path.registers[register];
      const isNumber = provenance.isScalar(tag[register]!) && tag[register] !== 0;
      if (held === undefined || held.region !== undefined || !isNumber) continue;
      const expected = wide(lo[register]!, hi[register]!);
      const problem = difference(path, held.term, this.evaluator.value(held.term), expected);
      if (problem !== undefined) throw new Difference(`r${register} ${problem}: ${where}`);
    }
    const { instructions } = program.source;
    this.#last = { isCall: instructions.opcode[pc] === CALL, registers: [...lo.subarray(1, 6)] };
  }

  /** Which entry a walk through a map comes to: one that the path knows, by its number, or another, or none. */
  #walk(unknown: Term, next: Next | undefined): void {
    const path = this.#path;
    const { machine } = this.#inputs;
    const callback = path.frames.at(-1)?.callback;
    const visit = callback?.kind === 'element' ? callback : undefined;
    const given = path.registers[2]?.region;
    const target = visit?.target ?? (given?.kind === 'function' ? given.target : -1);
    const region = path.registers[1]?.region;
    const map = visit?.map ?? (region?.kind === 'map' ? region.map : -1);
    const known = path.entries.flatMap((one, position) => (one.map === map ? [{ one, position }] : []));
    const there = known.filter(
      ({ one, position }) =>
        this.evaluator.isTrue(one.isThere) && (visit === undefined || visit.known.includes(position)),
    );
    const isEntered = next !== undefined && next.pc === target;
    const { u8 } = machine.memory;
    const isMet = ({ one: { key } }: (typeof known)[number]): boolean =>
      isEntered && key.every((byte, at) => Number(this.evaluator.value(byte)) === u8[next.key + at]);
    const what = unknown.name.split('.').at(-1)!;
    if (what !== 'other') {
      this.#values.set(unknown, isMet(there[Number(what)]!) ? 1n : 0n);
      return;
    }
    const isOther = isEntered && !there.some(isMet);
    this.#values.set(unknown, isOther ? 1n : 0n);
    if (!isOther) return;
    const name = this.#inputs.entryName(map, known.length);
    const { definition, valueSize } = machine.maps[map]!;
    const set = (place: string, byte: number): void => {
      this.#values.set(this.#inputs.pool.unknown(8, `${name}.${place}`), BigInt(byte));
    };
    for (let at = 0; at < definition.keySize; at++) set(`key.${at}`, u8[next.key + at]!);
    for (let at = 0; at < valueSize; at++) set(`${at}`, u8[next.value + at]!);
  }

  /** The last instruction, which the machine has run to the program's end. */
  finish(): void {
    if (this.#last !== undefined) this.#step(this.#last, 0, 0, undefined);
  }

  /** One instruction, however often its question has to be answered first. */
  #step({ isCall, registers }: Moment, low: number, high: number, next: Next | undefined): void {
    const path = this.#path;
    const { pool } = path;
    const { machine } = this.#inputs;
    const { length: known } = path.answers;
    const bpf = machine.object.programs[path.program]!;
    const helper = isCall ? helperAt(machine.object, bpf, path.slot)?.name : undefined;
    const hear = (term: Term): void => {
      for (const unknown of unknownsOf(term)) {
        if (this.#values.has(unknown)) continue;
        if (unknown.name === `${helper}.${known}`)
          this.#values.set(unknown, wide(low, high) & allOnes(unknown.width));
        else if (unknown.name === `${helper}.${known}.null`)
          this.#values.set(unknown, low === 0 && high === 0 ? 1n : 0n);
        else if (/^walk/.test(unknown.name)) this.#walk(unknown, next);
        else if (unknown.name.startsWith(`${helper}.${known}.`)) {
          // A byte that the helper has written: through which argument, and where.
          const [argument, at] = unknown.name.split('.').slice(-2).map(Number);
          this.#values.set(unknown, BigInt(machine.memory.u8[registers[argument!]! + at!]!));
        }
      }
    };
    for (let questions = 0; ; questions++) {
      if (questions > MOST_QUESTIONS) throw new Difference(`the path asks again at ${path.slot}`);
      try {
        step(this.#inputs, path);
        break;
      } catch (error) {
        // It becomes another one where the path comes to know what lies where.
        const { knowledge } = path;
        if (error instanceof Split) {
          hear(error.condition);
          const holds = this.evaluator.isTrue(error.condition);
          knowledge.add(holds ? error.condition : pool.not(error.condition), path.origin);
        } else if (error instanceof Enumerate) {
          const { term } = error;
          hear(term);
          const value = this.evaluator.value(term);
          knowledge.add(pool.equal(term, pool.constant(term.width, value)), path.origin);
          knowledge.fix(term, value);
        } else if (error instanceof NotFollowed || error instanceof PathViolation) {
          this.left = error.message;
          return;
        } else throw error;
      }
    }
    const answer = path.answers[known];
    if (answer === undefined) return;
    const tracer = new AnswerTracer(machine, path.answers);
    tracer.hear(answer, registers, low, high);
    if (tracer.broken !== undefined)
      throw new Difference(`${tracer.broken} answers what its record rules out`);
    for (const [unknown, value] of tracer.heard(new Map())) this.#values.set(unknown, value);
  }
}

/** Where the machine goes on, and what it hands to a function that a walk through a map calls. */
interface Next {
  readonly pc: number;
  /** Addresses. */
  readonly key: number;
  readonly value: number;
}

function wide(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** What of a register differs from the machine's, or from what is known of it; undefined: nothing. */
function difference(path: PathState, term: Term, value: bigint, expected: bigint): string | undefined {
  if (value !== expected) return `is 0x${value.toString(16)}, not 0x${expected.toString(16)}`;
  if (value < term.min || value > term.max) return `lies outside of ${term.min} to ${term.max}`;
  const { min, max } = path.knowledge.range(term);
  if (value < min || value > max) return `lies outside of ${min} to ${max}, which the path knows`;
  if ((value & term.ones) !== term.ones || (value & ~term.maybe) !== 0n) return 'has other bits';
  return undefined;
}

function compareEnds(inputs: Inputs, path: PathState, evaluator: Evaluator, action: number): void {
  const { machine } = inputs;
  if (path.end?.kind !== 'exit') throw new Difference(`the path ends otherwise: ${JSON.stringify(path.end)}`);
  const returned = Number(BigInt.asIntN(32, evaluator.value(path.end.action)));
  if (returned !== (action | 0)) throw new Difference(`the path returns ${returned}, the machine ${action}`);
  const number = (term: Term): number => Number(evaluator.value(term));
  const [meta, data, end] = [number(path.packet.meta), number(path.packet.data), number(path.packet.end)];
  const { packet, memory } = machine;
  if (meta !== packet.dataMeta || data !== packet.data || end !== packet.dataEnd)
    throw new Difference(`the frame has other bounds: ${[meta - data, data, end - data]}`);
  for (let at = meta; at < end && !path.leaks; at++) {
    const byte = number(packetByte(inputs, path, at));
    if (byte !== memory.u8[at])
      throw new Difference(`byte ${at - data} of the frame is ${memory.u8[at]}, not ${byte}`);
  }
  if (path.leaks) return;
  for (const { map, key, isThere, block } of path.entries) {
    const live = machine.maps[map]!;
    if (!/ARRAY$|HASH$/.test(live.definition.type)) continue;
    memory.u8.set(key.map(number), STACK_LIMIT - 64);
    const address = live.lookup(STACK_LIMIT - 64);
    if (evaluator.isTrue(isThere) !== (address !== 0)) throw new Difference(`an entry of map ${live.name}`);
    if (address === 0) continue;
    for (let at = 0; at < live.valueSize; at++) {
      const byte = number(blockByte(inputs, path, block, at));
      if (byte !== memory.u8[address + at])
        throw new Difference(
          `byte ${at} of a value of map ${live.name} is ${memory.u8[address + at]}, not ${byte}`,
        );
    }
  }
}
