/** Calls that lead elsewhere: tail calls, and loops over a function. */
import { E2BIG, EINVAL } from '../../runtime/errno.ts';
import { INLINED_E2BIG } from '../helpers/callback-helpers.ts';
import { MAX_LOOPS, MAX_TAIL_CALLS } from '../limits.ts';
import { enter, type Following } from './frames.ts';
import type { Inputs } from './inputs.ts';
import { PathMemory } from './path-memory.ts';
import { type LoopRound, NotFollowed, type PathState, PathViolation } from './path-state.ts';
import { stackPointer } from './path-value.ts';
import type { Term } from './term.ts';

/** Into the programs that the object itself puts into the map; what user space may put there nobody knows. */
export function callTailCall(inputs: Inputs, state: PathState): void {
  const { pool, registers } = state;
  const region = registers[2]?.region;
  const index = registers[3];
  if (region?.kind !== 'map' || index === undefined) throw new PathViolation('bpf_tail_call without a map');
  const map = inputs.machine.maps[region.map]!;
  const slot = pool.extract(index.term, 0, 32);
  const { programs } = inputs.machine.object;
  for (const { key, name } of map.source.initial) {
    if (typeof key !== 'number' || !state.decide(pool.equal(slot, pool.constant(32, key)))) continue;
    const target = programs.findIndex((one) => one.function === name);
    if (target < 0 || state.tailCalls >= MAX_TAIL_CALLS) break;
    if (state.frames.length > 0) throw new NotFollowed('a tail call from a subprogram');
    state.decisions = { program: state.program, slot: state.slot, taken: true, before: state.decisions };
    state.tailCalls++;
    state.program = target;
    state.slot = 0;
    state.stacks[0] = new PathMemory();
    const context = registers[1];
    registers.fill(undefined);
    registers[1] = context;
    registers[10] = stackPointer(state.pool, 0);
    return;
  }
  if (map.source.initial.length < map.definition.maxEntries) {
    state.assume(`map ${map.name} holds the programs that the object puts there, and no others`);
  }
  state.decisions = { program: state.program, slot: state.slot, taken: false, before: state.decisions };
  for (let number = 0; number <= 5; number++) registers[number] = undefined;
  state.slot++;
}

/** `bpf_loop`: round by round. */
export function callLoop(state: PathState): void {
  const { pool, registers } = state;
  const [count, callback, context, flags] = [registers[1], registers[2], registers[3], registers[4]];
  if (
    callback?.region?.kind !== 'function' ||
    count === undefined ||
    context === undefined ||
    flags === undefined
  ) {
    throw new PathViolation('bpf_loop without a function');
  }
  const rounds = pool.zeroExtend(64, pool.extract(count.term, 0, 32));
  const none = withoutRounds(state, rounds, flags.term);
  if (none !== undefined) {
    for (let number = 1; number <= 5; number++) registers[number] = undefined;
    registers[0] = { term: pool.constant(64, none), region: undefined };
    state.slot++;
    return;
  }
  const { target } = callback.region;
  registers[1] = { term: pool.constant(64, 0), region: undefined };
  registers[2] = context;
  for (let number = 3; number <= 5; number++) registers[number] = undefined;
  enter(state, target, state.slot + 1, { kind: 'round', target, round: 0n, rounds, context });
}

/** What the helper returns where it makes no round. */
function withoutRounds(state: PathState, rounds: Term, flags: Term): number | bigint | undefined {
  const { pool } = state;
  if (!state.decide(pool.equal(flags, pool.constant(64, 0)))) return -EINVAL;
  if (state.decide(pool.less(pool.constant(64, MAX_LOOPS), rounds)))
    return flags.operation === 'const' ? INLINED_E2BIG : -E2BIG;
  return state.decide(pool.equal(rounds, pool.constant(64, 0))) ? 0 : undefined;
}

/** What comes behind a round: r1 and r2 of another one, or the result. */
export function nextRound(state: PathState, { target, round, rounds, context }: LoopRound): Following {
  const { pool } = state;
  const next = pool.constant(64, round + 1n);
  const goesOn =
    state.decide(pool.equal(state.registers[0]!.term, pool.constant(64, 0))) &&
    state.decide(pool.less(next, rounds));
  if (!goesOn) return { result: next };
  return {
    callback: { kind: 'round', target, round: round + 1n, rounds, context },
    registers: [{ term: next, region: undefined }, context],
  };
}
