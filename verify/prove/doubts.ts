/** Why not every path is known to its end, or why the machine goes other ways than they do; and what that leaves open. */
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import { CALL } from '../../sim/ebpf/instruction.ts';
import { XDP_LINEAR_LIMIT } from '../../sim/ebpf/memory.ts';
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
  const all = [...arrivals];
  return [...cutPaths(paths), ...partedPaths(inputs, paths, all), ...severalBuffers(inputs, all)];
}

/** What sees more of an XDP frame than its first buffer: how long it is, or bytes behind `data_end`. */
const SEES_ALL_BUFFERS: ReadonlySet<string> = new Set([
  'bpf_xdp_get_buff_len',
  'bpf_xdp_load_bytes',
  'bpf_xdp_store_bytes',
  'bpf_xdp_adjust_tail',
  'bpf_check_mtu',
  'bpf_dynptr_from_xdp',
]);

const SEVERAL_BUFFERS = `frames of more than ${XDP_LINEAR_LIMIT.toLocaleString('en-US')} bytes, which lie in several buffers, were not followed`;

/**
 * Paths know frames of one buffer only, and a program in section `xdp.frags` gets longer ones. To what looks at `data_end` alone these
 * are like one that fills the first buffer; to calls that see the others they are like none that was followed.
 */
function severalBuffers({ machine }: Inputs, arrivals: readonly PathState[]): Doubt[] {
  const from = arrivals.filter(({ program, slot }) => {
    const own = machine.object.programs[program]!;
    if (!own.frags || own.instructions.opcode[slot] !== CALL) return false;
    return SEES_ALL_BUFFERS.has(helperAt(machine.object, own, slot)?.name ?? '');
  });
  return from.length === 0 ? [] : [{ reason: SEVERAL_BUFFERS, from }];
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
function partedPaths(inputs: Inputs, paths: readonly TriedPath[], all: readonly PathState[]): Doubt[] {
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
