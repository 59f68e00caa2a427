/** Why not every path is known to its end, or why the machine goes other ways than they do; and what that leaves open. */
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import { CALL } from '../../sim/ebpf/instruction.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Place } from './behind.ts';
import type { Doubt } from './branches.ts';

/** A path that was followed, and what became of the packet that was made for it. */
export interface TriedPath {
  readonly state: PathState;
  /** Undefined: none could be made. */
  readonly witness: object | undefined;
  readonly confirmed: boolean;
  readonly reason: string | undefined;
  /** With any of these, the machine did not part from the path: it stopped, lacks something, or answered otherwise. */
  readonly stopped?: string | undefined;
  readonly gap?: string | undefined;
  readonly missed?: readonly object[] | undefined;
}

/**
 * @param cut why not every path was followed
 * @param arrivals paths as they came to jumps and calls
 */
export function doubtsOf(
  inputs: Inputs,
  cut: string | undefined,
  paths: readonly TriedPath[],
  arrivals: Iterable<PathState>,
): Doubt[] {
  if (cut !== undefined) return [{ reason: `not every path was followed: ${cut}`, from: undefined }];
  return [...cutPaths(paths), ...partedPaths(inputs, paths, arrivals)];
}

/** What a path would have come to lies behind the instruction that it ends at. */
function cutPaths(paths: readonly TriedPath[]): Doubt[] {
  const found = new Map<string, Place[]>();
  for (const { state } of paths) {
    if (state.end?.kind !== 'not followed') continue;
    const reason = `a path ends before the program does: ${state.end.reason}`;
    found.set(reason, [...(found.get(reason) ?? []), { program: state.program, slot: state.slot }]);
  }
  return [...found].map(([reason, from]) => ({ reason, from }));
}

/**
 * Where machine and terms part, nothing can be relied on that hangs on the same: what lies behind the first call of the path, as
 * instructions alone are the same to both, and behind every call that asks the same helper for an answer, or one of the same maps.
 */
function partedPaths(inputs: Inputs, paths: readonly TriedPath[], arrivals: Iterable<PathState>): Doubt[] {
  const all = [...arrivals];
  return paths.filter(isParted).map((path) => ({
    reason: `a packet went another way than was predicted: ${path.reason}`,
    from:
      path.state.firstCall === undefined
        ? undefined
        : [path.state.firstCall, ...callsOf(inputs, path.state, all)],
  }));
}

function isParted({ witness, confirmed, stopped, gap, missed }: TriedPath): boolean {
  return (
    witness !== undefined && !confirmed && stopped === undefined && gap === undefined && missed === undefined
  );
}

function callsOf({ machine }: Inputs, path: PathState, arrivals: readonly PathState[]): Place[] {
  const maps = new Set([...path.blocks.map(({ map }) => map), ...path.pushed.keys(), ...path.rings.keys()]);
  for (const { map } of path.entries) maps.add(map);
  const helpers = new Set(path.answers.map(({ helper }) => helper));
  return arrivals.filter(({ program, slot, registers }) => {
    const own = machine.object.programs[program]!;
    if (own.instructions.opcode[slot] !== CALL) return false;
    const asked = registers.some((one) => one?.region?.kind === 'map' && maps.has(one.region.map));
    return asked || helpers.has(helperAt(machine.object, own, slot)?.name ?? '');
  });
}
