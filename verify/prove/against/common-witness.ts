/** One input for both builds: the packet, and a world whose maps and variables both have. */
import { Evaluator } from '../../../sim/ebpf/symbolic/evaluate.ts';
import type { PathState } from '../../../sim/ebpf/symbolic/path-state.ts';
import type { Stimulus } from '../../../sim/packet/packet-batch.ts';
import type { World } from '../../../sim/runtime/world.ts';
import { isWitness, onlyInMachine, usualValues, witnessFor } from '../witness.ts';
import type { Ended } from './outcome-differences.ts';

/**
 * @param second knows all that is to hold
 * @param given globals of the user's world
 * @returns why there is none
 */
export function commonWitness(
  first: Ended,
  second: Ended,
  given: World['globals'],
): { readonly world: World; readonly stimulus: Stimulus } | string {
  const { state } = second;
  if (state.values === undefined) return state.doubt ?? 'no packet is known';
  const both = withAnswersOf(first.state, state);
  const values = usualValues(second.inputs, both, state.values);
  if (values === undefined) return 'no seed was found that gives the random numbers of both';
  const made = witnessFor(second.inputs, both, values);
  if (!isWitness(made)) return made.reason;
  const only = onlyInMachine(made);
  if (only !== undefined) return only;
  const { world, stimulus } = made;
  const shared = new Map(
    Object.entries(world.maps ?? {}).filter(([name]) => {
      const map = second.inputs.machine.maps.findIndex((one) => one.name === name);
      const isShared = first.inputs.machine.maps[second.inputs.mapNumber(map)] !== undefined;
      return isShared && second.inputs.machine.object.maps[map]!.global === undefined;
    }),
  );
  const globals = { ...given, ...globalsOf(first, second, new Evaluator(values)) };
  const { maps: _, ...around } = world;
  return {
    stimulus,
    world: {
      ...around,
      ...(shared.size === 0 ? {} : { maps: Object.fromEntries(shared) }),
      ...(Object.keys(globals).length === 0 ? {} : { globals }),
    },
  };
}

/** A path with what helpers answered either program. */
function withAnswersOf(first: PathState, second: PathState): PathState {
  const both = second.copy();
  both.end = second.end;
  const names = new Set(first.answers.map(({ name }) => name));
  both.answers = [...first.answers, ...second.answers.filter(({ name }) => !names.has(name))];
  return both;
}

/** Variables that both builds have, where they are not to hold what they start with. */
function globalsOf(first: Ended, second: Ended, evaluator: Evaluator): Record<string, Uint8Array> {
  const globals: Record<string, Uint8Array> = {};
  for (const [map, { global }] of first.inputs.machine.object.maps.entries()) {
    const other = second.inputs.mapOf(map);
    const theirs = other === undefined ? undefined : second.inputs.machine.object.maps[other]!.global;
    if (global === undefined || theirs === undefined) continue;
    const isUsed = [first, second].some(({ state, inputs }) =>
      state.blocks.some((one) => one.what === 'globals' && inputs.mapNumber(one.map) === map),
    );
    if (!isUsed) continue;
    for (const [name, { offset, size }] of global.variables) {
      if (theirs.variables.get(name)?.size !== size) continue;
      if (global.readOnly && !first.inputs.isOpen(map, offset)) continue;
      const value = Uint8Array.from({ length: size }, (_, at) =>
        Number(evaluator.value(first.inputs.globalByte(map, offset + at))),
      );
      if (value.some((byte, at) => byte !== global.bytes[offset + at])) globals[name] = value;
    }
  }
  return globals;
}
