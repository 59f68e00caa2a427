/**
 * Calls of helpers on a path. What a helper's record calls `exact` and is stated in `exact-helpers.ts` or
 * `packet-helpers.ts` does just that; `any value` leaves unknowns behind, as many as the record permits; everything else
 * ends the path undecided.
 */
import { ARGUMENT_TYPES, memoryOf } from '../helpers/argument-types.ts';
import type { Helper } from '../helpers/helper.ts';
import { HELPERS } from '../helpers/index.ts';
import { KERNEL_FUNCTIONS } from '../helpers/kernel-functions.ts';
import { addBlock, blockPointer, readBytes, writeBytes } from './access.ts';
import { EXACT_HELPERS } from './exact-helpers.ts';
import { callLoop, callTailCall } from './flow-helpers.ts';
import { Impossible } from './impossible.ts';
import type { Inputs } from './inputs.ts';
import { PACKET_HELPERS } from './packet-helpers.ts';
import { PathMemory } from './path-memory.ts';
import { type Answer, NotFollowed, type PathState, PathViolation, type Question } from './path-state.ts';
import type { Value } from './path-value.ts';
import { QUEUE_HELPERS } from './queue-helpers.ts';
import { SKB_ROOM_HELPERS } from './skb-room-helpers.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

const STATED: Readonly<Record<string, SymbolicHelper>> = {
  ...EXACT_HELPERS,
  ...PACKET_HELPERS,
  ...SKB_ROOM_HELPERS,
  ...QUEUE_HELPERS,
};

/** The names of helpers and kernel functions whose effect is stated term by term. */
export function isStated(name: string): boolean {
  return STATED[name] !== undefined || name === 'bpf_loop' || name === 'bpf_tail_call';
}

export function callHelper(inputs: Inputs, state: PathState, number: number): void {
  const helper = HELPERS.get(number);
  if (helper === undefined) throw new NotFollowed(`helper ${number}, which the machine does not have`);
  if (helper.name === 'bpf_tail_call') callTailCall(inputs, state);
  else if (helper.name === 'bpf_loop') callLoop(state);
  else run(inputs, state, helper);
}

export function callKernelFunction(inputs: Inputs, state: PathState, index: number): void {
  const name = inputs.machine.object.kfuncs[index] ?? `#${index}`;
  const helper = KERNEL_FUNCTIONS.get(name);
  if (helper === undefined) throw new NotFollowed(`kernel function ${name}, which the machine does not have`);
  run(inputs, state, helper);
}

function run(inputs: Inputs, state: PathState, helper: Helper): void {
  const args = helper.arguments.map((_, index) => {
    const value = state.registers[index + 1];
    if (value === undefined) throw new PathViolation(`R${index + 1} !read_ok`);
    return value;
  });
  const stated = STATED[helper.name];
  let result: Value | Term | undefined;
  if (stated !== undefined) result = stated(inputs, state, args);
  else if (helper.symbolic === 'any value') result = anyValue(inputs, state, helper, args);
  else throw new NotFollowed(helper.name);
  for (let number = 1; number <= 5; number++) state.registers[number] = undefined;
  if (result === undefined) state.registers[0] = undefined;
  else state.registers[0] = 'operation' in result ? { term: result, region: undefined } : result;
  state.slot++;
}

/** Everything that the record permits: unknowns in r0 and in the memory that the helper writes. */
function anyValue(
  inputs: Inputs,
  state: PathState,
  helper: Helper,
  args: readonly Value[],
): Value | Term | undefined {
  const { pool } = state;
  if (helper.effects.packet === 'written') throw new NotFollowed(`${helper.name}, which writes the packet`);
  const ordinal = state.answers.length;
  const question = questionOf(inputs, state, helper, args);
  const known = foretoldAnswer(state, helper.name, question);
  const fresh = `${inputs.isSecond ? 'second.' : ''}${helper.name}.${ordinal}`;
  const name = known?.name ?? fresh;
  const isNull = (): boolean => state.decide(pool.unknown(1, `${name}.null`));
  let result: Value | Term | undefined;
  switch (helper.returns) {
    case 'void':
      break;
    case 'int':
      result = pool.signExtend(64, intWithin(state, helper, name));
      break;
    case 'u64':
      // A random number has 32 bits, though the helper returns 64.
      result =
        helper.name === 'bpf_get_prandom_u32'
          ? pool.zeroExtend(64, pool.unknown(32, name))
          : pool.unknown(64, name);
      break;
    case 'sample_or_null': {
      const size = Number(state.number(args[1]!.term));
      if (isNull()) result = pool.constant(64, 0);
      else result = freshBlock(state, 'sample', size, name);
      break;
    }
    case 'map_value_or_null': {
      const { region } = args[0]!;
      if (region?.kind !== 'map') throw new NotFollowed(`${helper.name} of a map that is looked up itself`);
      const size = inputs.machine.maps[region.map]!.valueSize;
      if (isNull()) result = pool.constant(64, 0);
      else result = freshBlock(state, 'sample', size, name);
      break;
    }
    case 'slice':
    case 'slice_or_null': {
      const { region } = args[0] ?? {};
      if (region?.kind !== 'kernel variable') throw new NotFollowed(helper.name);
      const { size } = inputs.machine.variables[region.variable]!;
      if (helper.returns === 'slice_or_null' && isNull()) result = pool.constant(64, 0);
      else result = freshBlock(state, 'kernel variable', size, name);
      break;
    }
    case 'socket_or_null':
    case 'common_socket_or_null':
    case 'tcp_socket_or_null':
    case 'kernel_struct_or_null':
      if (isNull()) result = pool.constant(64, 0);
      else result = { term: pool.constant(64, 0x1_4100), region: { kind: 'opaque', what: name } };
      break;
    default:
      throw new NotFollowed(helper.name);
  }
  const written: Term[][] = [];
  for (const [index, pointer, access] of memoryArguments(helper, args)) {
    if (access === 'read') continue;
    const size = sizeOf(inputs, state, helper, index, args);
    const bytes = Array.from({ length: size }, (_, at) => pool.unknown(8, `${name}.${index}.${at}`));
    writeBytes(state, pointer, bytes);
    written.push(bytes);
  }
  if (helper.effects.packet === 'moved') state.packet.generation++;
  if (helper.effects.redirects) state.redirect = pool.unknown(32, `${name}.target`);
  state.answers = [
    ...state.answers,
    {
      helper: helper.name,
      name,
      question,
      ordinal,
      result: result === undefined || !('operation' in result) ? undefined : result,
      read: question.read,
      written,
      arguments: args.map((one) => one.term),
    },
  ];
  return result;
}

/** Arguments that point to memory: their index, the pointer, and what the helper does there. */
function* memoryArguments(
  helper: Helper,
  args: readonly Value[],
): Generator<readonly [index: number, pointer: Value, access: string]> {
  for (const [index, type] of helper.arguments.entries()) {
    if (ARGUMENT_TYPES[type].holds !== 'memory') continue;
    const { access, nullable } = memoryOf(type);
    const pointer = args[index]!;
    if (pointer.region !== undefined) yield [index, pointer, access];
    else if (nullable === 'never') throw new PathViolation(`R${index + 1} is no pointer`);
  }
}

/** What a helper is asked: the bytes that it reads, and its numbers; addresses are the compiler's business. */
function questionOf(inputs: Inputs, state: PathState, helper: Helper, args: readonly Value[]): Question {
  const read: Term[][] = [];
  for (const [index, pointer, access] of memoryArguments(helper, args)) {
    if (access !== 'written')
      read.push(readBytes(inputs, state, pointer, sizeOf(inputs, state, helper, index, args)));
  }
  const numbers = args.flatMap(({ term, region }) => (region === undefined ? [term] : []));
  const kinds = args.map(({ region }) =>
    region?.kind === 'map' ? `map ${inputs.mapNumber(region.map)}` : (region?.kind ?? 'number'),
  );
  return { shape: [...kinds, ...read.map(({ length }) => length)].join(), numbers, read };
}

/**
 * Another program that asks the same gets the same answer, and one that asks something else any other.
 * @throws {Split} where it depends on the input whether it is the same
 */
function foretoldAnswer(
  state: PathState,
  helper: string,
  { shape, numbers, read }: Question,
): Answer | undefined {
  const { pool } = state;
  const open = (state.foretold ?? []).filter(
    (one) =>
      one.helper === helper &&
      one.question.shape === shape &&
      !state.answers.some(({ name }) => name === one.name),
  );
  const asked = [...numbers, ...read.flat()];
  return open.find(({ question }) => {
    const before = [...question.numbers, ...question.read.flat()];
    return state.decide(pool.all(asked.map((term, index) => pool.equal(term, before[index]!))));
  });
}

/** A result of type int: a range of at most 2^20 numbers is an unknown of as many bits, so that it needs no condition. */
function intWithin(state: PathState, helper: Helper, name: string): Term {
  const { pool } = state;
  const bounds = helper.between?.[state.hook === 'xdp' ? 'xdp' : 'tc'] ?? KNOWN_BOUNDS.get(helper.name);
  const result = pool.unknown(32, name);
  if (bounds === undefined) return result;
  const [min, max] = bounds;
  const isBelow = pool.lessSigned(result, pool.constant(32, min));
  const isAbove = pool.lessSigned(pool.constant(32, max), result);
  if (state.decide(isBelow) || state.decide(isAbove)) throw new Impossible();
  return result;
}

/** `BPF_FIB_LKUP_RET_*` and errno; CPUs. */
const KNOWN_BOUNDS: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['bpf_fib_lookup', [-4095, 9]],
  ['bpf_check_mtu', [-4095, 2]],
  ['bpf_perf_event_output', [-4095, 0]],
  ['bpf_ringbuf_output', [-4095, 0]],
]);

function freshBlock(state: PathState, what: 'sample' | 'kernel variable', size: number, name: string): Value {
  const writable = what === 'sample';
  const block = addBlock(state, { what, map: -1, size, writable, name, memory: new PathMemory() });
  return blockPointer(state, block);
}

function sizeOf(
  inputs: Inputs,
  state: PathState,
  helper: Helper,
  index: number,
  args: readonly Value[],
): number {
  const { size } = memoryOf(helper.arguments[index]!);
  if (typeof size === 'number') return size;
  const map = args.find((one) => one.region?.kind === 'map')?.region;
  const definition = map?.kind === 'map' ? inputs.machine.maps[map.map]!.definition : undefined;
  switch (size) {
    case 'map key':
      if (definition !== undefined) return definition.keySize;
      break;
    case 'map value':
      if (definition !== undefined) return definition.valueSize;
      break;
    case 'next argument':
      return Number(state.number(args[index + 1]!.term));
    default:
  }
  throw new NotFollowed(helper.name);
}
