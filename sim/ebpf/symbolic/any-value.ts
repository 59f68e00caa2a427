/** Helpers that may answer anything that their record permits: the answer is made of unknowns. */
import { KERNEL_FORM } from '../context/socket.ts';
import { ARGUMENT_TYPES, memoryOf } from '../helpers/argument-types.ts';
import type { Helper } from '../helpers/helper.ts';
import {
  addBlock,
  blockPointer,
  holdAddresses,
  packetByte,
  readBytes,
  readString,
  writeBytes,
} from './access.ts';
import { noteAct } from './acts.ts';
import { contextByte } from './context-fields.ts';
import { Impossible } from './impossible.ts';
import type { Inputs } from './inputs.ts';
import { PathMemory } from './path-memory.ts';
import {
  type Answer,
  NotFollowed,
  type OpenAnswer,
  type PathState,
  PathViolation,
  type Question,
} from './path-state.ts';
import type { Value } from './path-value.ts';
import { opaque } from './socket-helpers.ts';
import type { Term } from './term.ts';

const NARROW: ReadonlySet<string> = new Set(['bpf_get_prandom_u32', 'bpf_get_hash_recalc']);

/** Bytes of sockets, in both of their forms, and of other structures, that are heard. */
const STRUCT_BYTES: number = KERNEL_FORM;

/** Everything that the record permits: unknowns in r0 and in the memory that the helper writes. */
export function anyValue(
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
  const own = `${inputs.isSecond ? 'second.' : ''}${helper.name}.${ordinal}`;
  const name = known?.name ?? own;
  let open: Omit<OpenAnswer, 'through'> = {};
  const isNull = (): boolean => {
    const unknown = pool.unknown(1, `${name}.null`);
    open = { isNull: unknown };
    return state.decide(unknown);
  };
  const fresh = (what: 'sample' | 'kernel variable', size: number, map: number = -1): Value => {
    open = { ...open, behind: Array.from({ length: size }, (_, at) => pool.unknown(8, `${name}.${at}`)) };
    return freshBlock(state, what, size, name, map);
  };
  let result: Value | Term | undefined;
  switch (helper.returns) {
    case 'void':
      break;
    case 'int': {
      const between = boundsOf(state, helper);
      const number = pool.unknown(32, name);
      requireWithin(state, number, between);
      open = { number, ...(between === undefined ? {} : { between }) };
      result = pool.signExtend(64, number);
      break;
    }
    case 'word': {
      const number = pool.unknown(32, name);
      open = { number };
      result = pool.zeroExtend(64, number);
      break;
    }
    case 'u64': {
      // Random numbers and hashes have 32 bits, though the helpers return 64.
      const number = pool.unknown(NARROW.has(helper.name) ? 32 : 64, name);
      requireNotBefore(state, helper.name, number);
      open = { number };
      result = pool.zeroExtend(64, number);
      break;
    }
    case 'sample_or_null': {
      const size = Number(state.number(args[1]!.term));
      if (isNull()) result = pool.constant(64, 0);
      else result = fresh('sample', size);
      break;
    }
    case 'map_value_or_null': {
      const { region } = args[0]!;
      if (region?.kind !== 'map') throw new NotFollowed(`${helper.name} of a map that is looked up itself`);
      const size = inputs.machine.maps[region.map]!.valueSize;
      if (isNull()) result = pool.constant(64, 0);
      else result = fresh('sample', size, region.map);
      break;
    }
    case 'slice':
    case 'slice_or_null': {
      const { region } = args[0] ?? {};
      if (region?.kind !== 'kernel variable') throw new NotFollowed(helper.name);
      const { size } = inputs.machine.variables[region.variable]!;
      if (helper.returns === 'slice_or_null' && isNull()) result = pool.constant(64, 0);
      else result = fresh('kernel variable', size);
      break;
    }
    case 'socket_or_null':
    case 'common_socket_or_null':
    case 'tcp_socket_or_null':
    case 'kernel_struct_or_null':
      if (isNull()) result = pool.constant(64, 0);
      else {
        const found = opaque(inputs, name);
        const behind = Array.from({ length: STRUCT_BYTES }, (_, at) => pool.unknown(8, `${name}.${at}`));
        open = { ...open, address: found.term, behind };
        result = found;
      }
      break;
    default:
      throw new NotFollowed(helper.name);
  }
  const written: Term[][] = [];
  const through: number[] = [];
  for (const [index, pointer, access] of memoryArguments(helper, args)) {
    if (access === 'read') continue;
    const size = sizeOf(inputs, state, helper, index, args);
    const bytes = Array.from({ length: size }, (_, at) => pool.unknown(8, `${name}.${index}.${at}`));
    writeBytes(state, pointer, bytes);
    written.push(bytes);
    through.push(index);
  }
  leave(state, helper, args, question);
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
      open: { ...open, through },
    },
  ];
  return result;
}

/** Notes what a call leaves that no outcome shows: the same as whoever asks the same. */
function leave(
  state: PathState,
  { name, effects }: Helper,
  args: readonly Value[],
  { shape, numbers, read }: Question,
): void {
  const { leaves, leavesUnlessZero } = effects;
  if (leaves === undefined) return;
  const given = leavesUnlessZero === undefined ? undefined : args[leavesUnlessZero]!.term;
  if (given !== undefined && state.knowledge.only(given) === 0n) return;
  noteAct(
    state,
    given === undefined ? name : `${name} (with flags)`,
    leaves,
    [...numbers, ...read.flat()],
    shape,
  );
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
  let holds = false;
  for (const [index, pointer, access] of memoryArguments(helper, args)) {
    if (access === 'written') continue;
    const size = sizeOf(inputs, state, helper, index, args);
    read.push(readBytes(inputs, state, pointer, size));
    holds ||= holdAddresses(state, pointer, size);
  }
  const numbers = args.flatMap(({ term, region }) => (region === undefined ? [term] : []));
  if (helper.effects.packet !== 'untouched')
    numbers.push(state.pool.subtract(state.packet.end, state.packet.data));
  const kinds = args.map(({ region }) => kindOf(inputs, region));
  // What lies behind addresses nobody compares: such a question is no other program's.
  if (holds) kinds.push(`addresses ${inputs.isSecond ? 'second' : 'first'}`);
  if (helper.effects.redirects || takesFrameAlong(state, helper, args)) {
    const { fields, terms } = sentNow(inputs, state);
    kinds.push(fields);
    numbers.push(...terms);
  }
  return { shape: [...kinds, ...read.map(({ length }) => length)].join(), numbers, read };
}

/** Does an event take bytes of the frame along (BPF_F_CTXLEN_MASK)? */
function takesFrameAlong(state: PathState, { name }: Helper, args: readonly Value[]): boolean {
  if (name !== 'bpf_perf_event_output') return false;
  const { pool, knowledge } = state;
  return knowledge.only(pool.extract(args[2]!.term, 32, 20)) !== 0n;
}

/** What an argument is, so that no other one is the same. */
function kindOf(inputs: Inputs, region: Value['region']): string {
  switch (region?.kind) {
    case 'map':
      return `map ${inputs.mapNumber(region.map)}`;
    case 'opaque':
      return `${region.what} from ${region.from}`;
    case 'kernel variable':
      return `variable ${inputs.machine.variables[region.variable]!.name}`;
    default:
      return region?.kind ?? 'number';
  }
}

/** What a helper that sends the frame at once sends: its bytes, and fields of the context that were written. */
function sentNow(
  inputs: Inputs,
  state: PathState,
): { readonly fields: string; readonly terms: readonly Term[] } {
  const { knowledge, packet, pool } = state;
  const from = knowledge.only(packet.data);
  // A frame that begins nobody knows where is like no other.
  if (from === undefined) return { fields: `frame of ${inputs.isSecond ? 'second' : 'first'}`, terms: [] };
  const most = Number(knowledge.range(pool.subtract(packet.end, packet.data)).max);
  const bytes = Array.from({ length: most }, (_, at) => packetByte(inputs, state, Number(from) + at));
  const written = state.context.written();
  return {
    fields: `frame of ${most}, fields ${written.join(' ')}`,
    terms: [...bytes, ...written.map((at) => contextByte(inputs, state, at))],
  };
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

/** Between which numbers a result of type int lies; undefined: it is any. */
function boundsOf(state: PathState, helper: Helper): readonly [number, number] | undefined {
  return helper.between?.[state.hook === 'xdp' ? 'xdp' : 'tc'] ?? KNOWN_BOUNDS.get(helper.name);
}

/** @throws {Impossible} on paths on which a result lies elsewhere */
function requireWithin(state: PathState, result: Term, between: readonly [number, number] | undefined): void {
  if (between === undefined) return;
  const { pool } = state;
  const [min, max] = between;
  const isBelow = pool.lessSigned(result, pool.constant(32, min));
  const isAbove = pool.lessSigned(pool.constant(32, max), result);
  if (state.decide(isBelow) || state.decide(isAbove)) throw new Impossible();
}

/** Clocks that nobody sets back (Documentation/core-api/timekeeping.rst); they are not compared with each other. */
const NEVER_BACK: ReadonlySet<string> = new Set([
  'bpf_ktime_get_ns',
  'bpf_ktime_get_boot_ns',
  'bpf_ktime_get_coarse_ns',
  'bpf_jiffies64',
]);

/** @throws {Impossible} on paths on which a clock goes back */
function requireNotBefore(state: PathState, helper: string, time: Term): void {
  if (!NEVER_BACK.has(helper)) return;
  const last = state.answers.findLast((one) => one.helper === helper)?.result;
  if (last !== undefined && state.decide(state.pool.less(time, last))) throw new Impossible();
}

/** `BPF_FIB_LKUP_RET_*` and errno; CPUs. */
const KNOWN_BOUNDS: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['bpf_fib_lookup', [-4095, 9]],
  ['bpf_check_mtu', [-4095, 2]],
  ['bpf_perf_event_output', [-4095, 0]],
  ['bpf_ringbuf_output', [-4095, 0]],
]);

function freshBlock(
  state: PathState,
  what: 'sample' | 'kernel variable',
  size: number,
  name: string,
  map: number,
): Value {
  const writable = what === 'sample';
  const block = addBlock(state, { what, map, size, writable, name, memory: new PathMemory() });
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
    case 'up to its zero':
      return readString(inputs, state, args[index]!).length;
    case 'next argument':
      return Number(state.number(args[index + 1]!.term));
    default:
  }
  throw new NotFollowed(helper.name);
}
