/**
 * Calls of helpers on a path. What a helper's record calls `exact` and is stated in `exact-helpers.ts` or
 * `packet-helpers.ts` does just that; `any value` leaves unknowns behind, as many as the record permits; everything else
 * ends the path undecided.
 */
import { ARGUMENT_TYPES, type ArgumentType, LARGEST_SIZE } from '../helpers/argument-types.ts';
import type { Helper } from '../helpers/helper.ts';
import { HELPERS } from '../helpers/index.ts';
import { KERNEL_FUNCTIONS } from '../helpers/kernel-functions.ts';
import { POISONED_RELOCATION } from '../loader/core-patch.ts';
import { anyValue } from './any-value.ts';
import { DYNPTR_HELPERS } from './dynptr-helpers.ts';
import { callForEach } from './element-walk.ts';
import { EXACT_HELPERS } from './exact-helpers.ts';
import { callLoop, callTailCall } from './flow-helpers.ts';
import type { Inputs } from './inputs.ts';
import { ITERATOR_HELPERS } from './iterator-helpers.ts';
import { MTU_HELPERS } from './mtu-helper.ts';
import { settlePlaces } from './open-places.ts';
import { PACKET_HELPERS } from './packet-helpers.ts';
import { NotFollowed, type PathState, PathViolation } from './path-state.ts';
import type { Value } from './path-value.ts';
import { QUEUE_HELPERS } from './queue-helpers.ts';
import { RING_HELPERS } from './ring-helpers.ts';
import { SECTION_HELPERS } from './section-helpers.ts';
import { SKB_META_HELPERS } from './skb-meta-helpers.ts';
import { SKB_ROOM_HELPERS } from './skb-room-helpers.ts';
import { SOCKET_HELPERS } from './socket-helpers.ts';
import { STRING_HELPERS } from './string-helpers.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';
import { TRACE_HELPERS } from './trace-helpers.ts';
import { TUNNEL_HELPERS } from './tunnel-helpers.ts';
import { VLAN_HELPERS } from './vlan-helpers.ts';

const STATED: Readonly<Record<string, SymbolicHelper>> = {
  ...EXACT_HELPERS,
  ...DYNPTR_HELPERS,
  ...ITERATOR_HELPERS,
  ...MTU_HELPERS,
  ...PACKET_HELPERS,
  ...SKB_ROOM_HELPERS,
  ...QUEUE_HELPERS,
  ...RING_HELPERS,
  ...SECTION_HELPERS,
  ...SKB_META_HELPERS,
  ...SOCKET_HELPERS,
  ...STRING_HELPERS,
  ...TRACE_HELPERS,
  ...TUNNEL_HELPERS,
  ...VLAN_HELPERS,
};

/** The names of helpers and kernel functions whose effect is stated term by term. */
export function isStated(name: string): boolean {
  return (
    STATED[name] !== undefined ||
    name === 'bpf_loop' ||
    name === 'bpf_for_each_map_elem' ||
    name === 'bpf_tail_call'
  );
}

export function callHelper(inputs: Inputs, state: PathState, number: number): void {
  const helper = HELPERS.get(number);
  state.firstCall ??= state.origin;
  if (number === POISONED_RELOCATION) throw new NotFollowed('a CO-RE relocation that failed');
  if (helper === undefined) throw new NotFollowed(`helper ${number}, which the machine does not have`);
  if (helper.name === 'bpf_tail_call') callTailCall(inputs, state);
  else if (helper.name === 'bpf_loop') callLoop(state);
  else if (helper.name === 'bpf_for_each_map_elem') callForEach(inputs, state);
  else run(inputs, state, helper);
}

export function callKernelFunction(inputs: Inputs, state: PathState, index: number): void {
  const name = inputs.machine.object.kfuncs[index] ?? `#${index}`;
  const helper = KERNEL_FUNCTIONS.get(name);
  state.firstCall ??= state.origin;
  if (helper === undefined) throw new NotFollowed(`kernel function ${name}, which the machine does not have`);
  run(inputs, state, helper);
}

function run(inputs: Inputs, state: PathState, helper: Helper): void {
  if (changesFrame(helper)) settlePlaces(state);
  const args = helper.arguments.map((_, index) => {
    const value = state.registers[index + 1];
    if (value === undefined) throw new PathViolation(`R${index + 1} !read_ok`);
    return value;
  });
  for (const [index, type] of helper.arguments.entries()) checkSize(state, type, index + 1, args[index]!);
  const stated = STATED[helper.name];
  let result: Value | Term | undefined;
  if (stated !== undefined && mayCopy(inputs, helper)) state.assume(MEMORY);
  if (stated !== undefined) result = stated(inputs, state, args);
  else if (helper.symbolic === 'any value') result = anyValue(inputs, state, helper, args);
  else throw new NotFollowed(helper.name);
  for (let number = 1; number <= 5; number++) state.registers[number] = undefined;
  if (result === undefined) state.registers[0] = undefined;
  else state.registers[0] = 'operation' in result ? { term: result, region: undefined } : result;
  state.slot++;
}

const MEMORY = 'the kernel has memory for the frames that helpers change';

/** A frame that others have, too, is copied before it changes (net/core/filter.c, `bpf_try_make_writable`), as is one that lacks room. */
function mayCopy({ hook }: Inputs, { effects }: Helper): boolean {
  return hook !== 'xdp' && changesFrame({ effects });
}

function changesFrame({ effects }: Pick<Helper, 'effects'>): boolean {
  return effects.packet === 'written' || effects.packet === 'moved';
}

/** A size that no memory has stops the program, as the verifier would have refused it (`check_mem_size_reg`). */
function checkSize(state: PathState, type: ArgumentType, register: number, { term }: Value): void {
  const { number } = ARGUMENT_TYPES[type];
  if (number === undefined) return;
  const { pool } = state;
  if (state.decide(pool.less(pool.constant(64, BigInt(LARGEST_SIZE)), term)))
    throw new PathViolation(`R${register} unbounded memory access`);
  if (number.least > 0 && state.decide(pool.equal(term, pool.constant(64, 0))))
    throw new PathViolation(`R${register} invalid zero-sized read`);
}
