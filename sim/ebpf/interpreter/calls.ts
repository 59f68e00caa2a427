/** Calls of helpers and kernel functions: arguments checked, what is owed counted, results given their provenance. */
import { LAST_HELPER } from '../helper-names.ts';
import type { Helper, Obligation, ReadsAnywhere } from '../helpers/helper.ts';
import { HELPERS } from '../helpers/index.ts';
import { KERNEL_FUNCTIONS } from '../helpers/kernel-functions.ts';
import { noSuchHelper } from '../loader/core-patch.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { MACHINE_WORD, STACK_BASE } from '../memory.ts';
import { noteReadAnywhere } from './access.ts';
import { type CheckedCall, checkArguments, prepareArguments } from './argument-checks.ts';
import { KNOWN, LAST_STACK_REGION, STACK_REGION } from './provenance.ts';
import { type CallFacts, type Result, resultOf } from './results.ts';
import { forget, makeRoom, type State, violate } from './state.ts';

/** A helper, with what its calls take looked up once. */
interface PreparedCall extends CheckedCall {
  /** The helper's own, held here since helpers have many shapes. */
  readonly run: Helper['run'];
  readonly result: Result;
  readonly movesPacket: boolean;
  readonly obligation: Obligation;
  readonly readsAnywhere: ReadsAnywhere | undefined;
  /** The register whose value the verifier has to know to do without the call; 0: there is none. */
  readonly inlinedBy: number;
}

function prepare(helper: Helper): PreparedCall {
  return {
    helper,
    arguments: prepareArguments(helper.arguments),
    map: undefined,
    mapIndex: -1,
    accepted: undefined,
    run: helper.run,
    result: resultOf(helper.returns),
    movesPacket: helper.effects.packet === 'moved',
    obligation: helper.effects.obligation,
    readsAnywhere: helper.readsAnywhere,
    inlinedBy: helper.inlinedBy === undefined ? 0 : helper.inlinedBy + 1,
  };
}

/** By the helpers' numbers. */
const HELPER_CALLS: (PreparedCall | undefined)[] = Array.from({ length: LAST_HELPER + 1 }, (_, number) => {
  const helper = HELPERS.get(number);
  return helper === undefined ? undefined : prepare(helper);
});

const KERNEL_CALLS: ReadonlyMap<string, PreparedCall> = new Map(
  [...KERNEL_FUNCTIONS.values()].map((one) => [one.name, prepare(one)]),
);

/** Filled anew for every call: none makes an object. */
const FACTS: CallFacts = { map: undefined, mapIndex: -1, knownKey: false, size: 0 };

/**
 * Checks and runs a helper; r0 and the tags of r0 to r5 are then as after the call.
 * @returns the tag of r0; 0: a new unknown scalar
 */
export function callHelper(state: State, number: number): number {
  const call = HELPER_CALLS[number];
  if (call === undefined) return violate(noSuchHelper(number));
  return run(state, call);
}

/** The same for a kernel function, which instructions name by its place in the object's list. */
export function callKernelFunction(state: State, index: number): number {
  const name = state.machine.object.kfuncs[index] ?? `#${index}`;
  const call = KERNEL_CALLS.get(name);
  if (call === undefined) return violate(`calling kernel function ${name} is not allowed`);
  return run(state, call);
}

function run(state: State, call: PreparedCall): number {
  const { machine, provenance, lo, hi } = state;
  makeRoom(state);
  checkArguments(state, call);
  settle(state, call.obligation);
  if (call.readsAnywhere !== undefined) noteReadAnywhere(state, call.readsAnywhere);
  // Held here, since a helper's callbacks call helpers, too.
  const { map, mapIndex } = call;
  const knownKey = map !== undefined && hasKnownIndex(state, map);
  const words = machine.memory.i32;
  for (let index = 0; index < 5; index++) words[MACHINE_WORD.argumentHigh + index] = hi[index + 1]!;
  const size = lo[2]!;
  const first = state.tag[1]!;
  const { obligation, inlinedBy } = call;
  if (inlinedBy !== 0) words[MACHINE_WORD.inlined] = provenance.isKnown(state.tag[inlinedBy]!) ? 1 : 0;
  lo[0] = call.run(machine, lo[1]!, lo[2]!, lo[3]!, lo[4]!, lo[5]!);
  if (obligation === 'releases pointer') provenance.release(provenance.reference[first]!);
  if (call.movesPacket || machine.packetMoved) {
    machine.packetMoved = false;
    provenance.voidPackets();
  }
  clobber(state);
  FACTS.map = map;
  FACTS.mapIndex = mapIndex;
  FACTS.knownKey = knownKey;
  FACTS.size = size;
  const result = call.result(state, FACTS);
  if (obligation === 'acquires unless null') {
    provenance.acquire(result);
    state.references++;
  } else if (obligation === 'passes on') provenance.derive(result, first);
  return result;
}

/** Keeps count of what the program has to give back (kernel/bpf/verifier.c, `check_reference_leak`, `process_spin_lock`). */
function settle(state: State, obligation: Obligation): void {
  const lock = state.lo[1]!;
  switch (obligation) {
    case 'locks':
      if (state.lock !== 0) violate('Locking two bpf_spin_locks are not allowed');
      state.lock = lock;
      return;
    case 'unlocks':
      if (state.lock === 0) violate('bpf_spin_unlock without taking a lock');
      if (state.lock !== lock) violate('bpf_spin_unlock of different lock');
      state.lock = 0;
      return;
    case 'acquires':
      state.references++;
      break;
    case 'releases':
      if (state.references === 0) violate('R1 must be referenced when passed to release function');
      state.references--;
      break;
    case 'releases pointer':
      if (state.provenance.reference[state.tag[1]!] === 0) {
        violate('R1 must be referenced when passed to release function');
      }
      state.references--;
      break;
    default:
  }
  if (state.lock !== 0) violate('function calls are not allowed while holding a lock');
}

/** r1 to r5 are gone after every call. */
export function clobber(state: State): void {
  forget(state.tag, 1, 6);
}

/** Is the key of a lookup in an array on the stack, of bytes that the verifier knows? */
function hasKnownIndex(state: State, map: LiveMap): boolean {
  const { type } = map.definition;
  if (type !== 'ARRAY' && type !== 'PERCPU_ARRAY') return false;
  const tag = state.tag[2]!;
  if (tag < STACK_REGION || tag > LAST_STACK_REGION) return false;
  const at = state.lo[2]! - STACK_BASE;
  return at % 4 === 0 && state.provenance.loadStack(at, 4) === KNOWN;
}
