/** What is known of r0 after a call of a helper, by its return type. */

import type { BpfMap } from '../bpf-object.ts';
import type { Helper } from '../helpers/helper.ts';
import type { ReturnType } from '../helpers/return-types.ts';
import {
  ALL_BITS,
  ANY,
  KIND,
  mapPointer,
  mapValue,
  SCALAR,
  samplePointer,
  scalar,
  UNSET,
  type Value,
} from './abstract-value.ts';

/** What of a call decides about its result, as it was before the call. */
export interface AnalysedResult {
  readonly helper: Helper;
  readonly hook: 'xdp' | 'tc';
  /** r1 and r2. */
  readonly first: Value;
  readonly second: Value;
  /** What the first four bytes of its key are, where it takes one. */
  readonly key: Value | undefined;
  readonly maps: readonly BpfMap[];
  /** The map that stands for those in a map of maps. */
  readonly inside: ((outer: number) => number | undefined) | undefined;
  /** For a pointer that has to be compared with null. */
  readonly id: number;
}

const RESULTS: Readonly<Record<ReturnType, (call: AnalysedResult) => Value>> = {
  int: ({ helper, hook }) => {
    const [min, max] = helper.between?.[hook] ?? [-(2 ** 31), 2 ** 31 - 1];
    return scalar(min, max, ALL_BITS);
  },
  word: ({ helper, hook, second }) => {
    const isZero = second.kind === KIND.scalar && second.min === 0 && second.max === 0;
    if (helper.failsByFlags === true && isZero) return scalar(0, 0);
    const [min, max] = helper.between?.[hook] ?? [0, 2 ** 32 - 1];
    return scalar(min, max, ALL_BITS);
  },
  u64: () => SCALAR,
  void: () => UNSET,
  map_value_or_null: found,
  sample_or_null: ({ second, id }) =>
    second.kind === KIND.scalar && second.min === second.max && second.min > 0
      ? samplePointer(second.min, id)
      : ANY,
  slice_or_null: () => ANY,
  slice: () => ANY,
  socket_or_null: () => ANY,
  common_socket_or_null: () => ANY,
  tcp_socket_or_null: () => ANY,
  kernel_struct_or_null: () => ANY,
} satisfies Record<ReturnType, (call: AnalysedResult) => Value>;

export function resultOf(call: AnalysedResult): Value {
  return RESULTS[call.helper.returns](call);
}

function found({ helper, first, key, maps, id, inside }: AnalysedResult): Value {
  const source = first.kind === KIND.map ? maps[first.map] : undefined;
  switch (source?.type) {
    case undefined:
      return ANY;
    case 'ARRAY_OF_MAPS':
    case 'HASH_OF_MAPS':
      return mapPointer(inside?.(first.map) ?? -1, id);
    case 'XSKMAP':
    case 'SOCKMAP':
    case 'SOCKHASH':
      return ANY;
    case 'ARRAY':
    case 'PERCPU_ARRAY': {
      // Of this CPU, nothing but an index out of range fails.
      const thisCpu = helper.arguments.length === 2;
      if (key?.kind !== KIND.scalar || !thisCpu || key.min < 0) return mapValue(first.map, 0, id);
      if (key.min >= source.maxEntries) return scalar(0, 0);
      return mapValue(first.map, 0, id, key.max < source.maxEntries);
    }
    default:
      return mapValue(first.map, 0, id);
  }
}
