/** Indices that helpers take in a register: where they stand, and what is known of the 32 bits that the kernel looks at. */
import type { MapType } from '../../runtime/maps.ts';
import type { AbstractState } from './abstract-state.ts';
import { isConstant, KIND, scalar, type Value } from './abstract-value.ts';

/** Maps whose keys are indices below `max_entries`. */
export const INDEXED: ReadonlySet<MapType> = new Set<MapType>([
  'ARRAY',
  'PERCPU_ARRAY',
  'ARRAY_OF_MAPS',
  'PROG_ARRAY',
  'PERF_EVENT_ARRAY',
  'CGROUP_ARRAY',
  'DEVMAP',
  'CPUMAP',
  'XSKMAP',
]);

/** Registers of the map and the index. */
interface IndexPlace {
  readonly map: number;
  readonly index: number;
  /** May the call be right whatever the index is? */
  readonly isSpared?: (registers: AbstractState['registers'], index: Value | undefined) => boolean;
}

const HALF = 2 ** 32;
/** Stands for the CPU that the program runs on. */
const BPF_F_CURRENT_CPU = 0xffff_ffff;
const BPF_F_BROADCAST = 8;

const isCurrentCpu: IndexPlace['isSpared'] = (_registers, index) =>
  index === undefined || index.max >= BPF_F_CURRENT_CPU;
/** A broadcast asks for no key (`__bpf_xdp_redirect_map`). */
const mayBroadcast: IndexPlace['isSpared'] = (registers) => {
  const flags = registers[3]!;
  return !isConstant(flags) || (flags.min & BPF_F_BROADCAST) !== 0;
};

const PLACES: ReadonlyMap<string, IndexPlace> = new Map([
  ['bpf_tail_call', { map: 2, index: 3 }],
  ['bpf_redirect_map', { map: 1, index: 2, isSpared: mayBroadcast }],
  ['bpf_perf_event_output', { map: 2, index: 3, isSpared: isCurrentCpu }],
  ['bpf_perf_event_read', { map: 1, index: 2, isSpared: isCurrentCpu }],
  ['bpf_perf_event_read_value', { map: 1, index: 2, isSpared: isCurrentCpu }],
  ['bpf_skb_under_cgroup', { map: 2, index: 3 }],
  ['bpf_current_task_under_cgroup', { map: 1, index: 2 }],
]);

/** The map of a call and its index, which is undefined where nothing is held against it; undefined: the call has none in a register. */
export function indexGiven(
  name: string,
  registers: AbstractState['registers'],
): { readonly map: Value; readonly index: Value | undefined } | undefined {
  const place = PLACES.get(name);
  if (place === undefined) return undefined;
  const index = lowHalf(registers[place.index]!);
  const isSpared = place.isSpared?.(registers, index) === true;
  return { map: registers[place.map]!, index: isSpared ? undefined : index };
}

/** The lower half of a number, as one without a sign; undefined where it is any. */
function lowHalf({ kind, min, max }: Value): Value | undefined {
  const above = Math.floor(min / HALF);
  if (kind !== KIND.scalar || !Number.isFinite(above) || Math.floor(max / HALF) !== above) return undefined;
  return scalar(min - above * HALF, max - above * HALF);
}
