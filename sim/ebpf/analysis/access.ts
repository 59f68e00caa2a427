/** Is an access to memory certainly right, certainly wrong, or to be looked at when it happens? */

import type { BpfMap } from '../bpf-object.ts';
import { ACCESS, type ContextLayout } from '../context/context-access.ts';
import { MAX_BPF_STACK } from '../instruction.ts';
import type { AbstractState } from './abstract-state.ts';
import { DATA_ID, isOwnBase, KIND, type Value } from './abstract-value.ts';

export const VERDICT = {
  /** To be checked at run time. */
  open: 0,
  proven: 1,
  /** The interpreter would stop here, whichever way this place was reached. */
  violation: 2,
} as const;

export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

/** `BPF_F_RDONLY_PROG`, `BPF_F_WRONLY_PROG`. */
const READ_ONLY: number = 1 << 7;
const WRITE_ONLY: number = 1 << 8;

/** The maps whose values are not memory that programs may write, whatever their flags say. */
const NEVER_WRITABLE: ReadonlySet<BpfMap['type']> = new Set([
  'DEVMAP',
  'DEVMAP_HASH',
  'CPUMAP',
  'ARRAY_OF_MAPS',
  'HASH_OF_MAPS',
]);

export function mayWrite(map: BpfMap): boolean {
  return (map.mapFlags & READ_ONLY) === 0 && map.global?.readOnly !== true && !NEVER_WRITABLE.has(map.type);
}

export function mayRead(map: BpfMap): boolean {
  return (map.mapFlags & WRITE_ONLY) === 0;
}

/**
 * Judges `size` bytes at `pointer` + `offset`; the context excepted.
 * @param most the largest size, where it is not known
 * @param least the smallest
 */
export function judgeMemory(
  state: AbstractState,
  maps: readonly BpfMap[],
  pointer: Value,
  offset: number,
  most: number,
  writes: boolean,
  least: number = most,
): Verdict {
  const low = pointer.min + offset;
  const high = pointer.max + offset + most;
  switch (pointer.kind) {
    case KIND.any:
      return VERDICT.open;
    case KIND.stack: {
      if (low >= -MAX_BPF_STACK && high <= 0) return VERDICT.proven;
      // Wherever in its interval the pointer is, some byte is outside.
      const outside = low + least > 0 || pointer.max + offset < -MAX_BPF_STACK;
      return outside && least > 0 ? VERDICT.violation : VERDICT.open;
    }
    case KIND.packet:
    case KIND.packetMeta: {
      const range = state.range(pointer);
      if (low >= 0 && high <= range.min) return VERDICT.proven;
      // Compared with the end on no path as far as this.
      const wrong = low < 0 ? pointer.id <= DATA_ID : low + least > range.max;
      return least > 0 && wrong ? VERDICT.violation : VERDICT.open;
    }
    case KIND.mapValue: {
      const map = maps[pointer.map];
      if (map === undefined) return VERDICT.open;
      if (pointer.nullable) {
        // An array's lookup by an index that the verifier knows cannot fail (Linux 6.14); and where paths have met, it
        // may have been compared on each of them.
        const certain = map.type === 'ARRAY' || map.type === 'PERCPU_ARRAY' || !isOwnBase(pointer.id);
        return certain ? VERDICT.open : VERDICT.violation;
      }
      if (writes ? !mayWrite(map) : !mayRead(map)) return VERDICT.violation;
      return low >= 0 && high <= map.valueSize ? VERDICT.proven : VERDICT.open;
    }
    case KIND.sample:
      if (pointer.nullable) return isOwnBase(pointer.id) ? VERDICT.violation : VERDICT.open;
      return low >= 0 && high <= pointer.map ? VERDICT.proven : VERDICT.open;
    default:
      return VERDICT.violation;
  }
}

/** What a load or store of a fixed size is. */
export interface Access {
  readonly verdict: Verdict;
  /** The pointer's value, for what may be taken from it: a fixed place on the stack, a field of the context. */
  readonly pointer: Value;
}

/** Judges a load or store instruction. */
export function judgeAccess(
  state: AbstractState,
  maps: readonly BpfMap[],
  layout: ContextLayout,
  pointer: Value,
  offset: number,
  size: number,
  writes: boolean,
  signExtending: boolean,
): Access {
  if (pointer.kind === KIND.context) {
    // Fields by their own offsets only, from the pointer as it was given.
    if (pointer.min > 0 || pointer.max < 0) return { verdict: VERDICT.violation, pointer };
    if (pointer.min !== pointer.max) return { verdict: VERDICT.open, pointer };
    const permitted = writes
      ? layout.write(offset, size)
      : layout.read(offset, size, signExtending) !== ACCESS.refused;
    return { verdict: permitted ? VERDICT.proven : VERDICT.violation, pointer };
  }
  const verdict = judgeMemory(state, maps, pointer, offset, size, writes);
  const misaligned =
    pointer.kind === KIND.stack && pointer.min === pointer.max && (pointer.min + offset) % size !== 0;
  return { verdict: misaligned ? VERDICT.violation : verdict, pointer };
}
