/**
 * Paths that return a number which they compute: of each action that it may be, a path of its own, and one more of whatever is
 * no action. What an action means for the frame, and whether a redirect has a target, is then known on each.
 */
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { follow } from '../../sim/ebpf/symbolic/explore.ts';
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { isRefusedBehind } from '../invariants/action.ts';
import type { Confirmer } from './confirm.ts';
import { contentsIn } from './contents.ts';
import { confirmPath } from './paths.ts';
import type { Witness } from './witness.ts';

/** The least and the greatest action of a hook. */
export function actionBounds(hook: Hook): readonly [least: number, most: number] {
  return hook === 'xdp' ? [0, 4] : [-1, 8];
}

/** When a returned number is an action, behind a redirect one that the kernel knows there. */
export function isAction({ pool, hook, behindRedirect }: Inputs, action: Term): Term {
  const [least, most] = actionBounds(hook);
  const returned = pool.extract(action, 0, 32);
  const shifted = pool.addConst(returned, -least);
  const refused = ACTIONS.filter((number) => isRefusedBehind(behindRedirect, number));
  return pool.all([
    pool.less(shifted, pool.constant(32, most - least + 1)),
    ...refused.map((number) => pool.not(pool.equal(returned, pool.constant(32, number)))),
  ]);
}

/** Those of XDP. */
const ACTIONS: readonly number[] = [0, 1, 2, 3, 4];

/** A path whose action is known as far as that goes, and a packet that takes it. */
export interface ActionPath {
  readonly state: PathState;
  readonly witness: Witness | undefined;
}

/**
 * The paths that one becomes by what it may return. What a map or a variable holds is for user space to say: such numbers are
 * only told apart from those that are no action.
 * @param witness that takes the path, confirmed
 */
export async function byAction(
  inputs: Inputs,
  state: PathState,
  witness: Witness | undefined,
  feasibility: Feasibility,
  confirmer: Confirmer,
): Promise<ActionPath[]> {
  if (state.end?.kind !== 'exit') return [{ state, witness }];
  const { pool, hook } = inputs;
  const { action } = state.end;
  if (state.knowledge.only(action) !== undefined) return [{ state, witness }];
  const is = isAction(inputs, action);
  const ways: (readonly [condition: Term, action: Term])[] = [[pool.not(is), action]];
  const [least, most] = actionBounds(hook);
  if (contentsIn(inputs, action) !== undefined) ways.push([is, action]);
  else
    for (let number = least; number <= most; number++) {
      const returned = pool.constant(32, number);
      ways.push([pool.equal(pool.extract(action, 0, 32), returned), pool.zeroExtend(action.width, returned)]);
    }
  const paths: ActionPath[] = [];
  for (const [condition, returned] of ways) {
    const child = await follow(state, condition, feasibility);
    if (child === undefined) continue;
    child.end = { kind: 'exit', action: returned };
    paths.push({ state: child, witness: witnessWith(inputs, child, condition, witness, confirmer) });
  }
  return paths;
}

/** The path's packet where it comes to that action, or another one. */
function witnessWith(
  inputs: Inputs,
  state: PathState,
  condition: Term,
  witness: Witness | undefined,
  confirmer: Confirmer,
): Witness | undefined {
  if (witness !== undefined && new Evaluator(witness.values).isTrue(condition)) return witness;
  const made = confirmPath(inputs, state, confirmer, () => true);
  return made.confirmed ? made.witness : undefined;
}
