/** What comes back in r0 of a call of a helper, by its return type: its upper half, and its provenance. */
import type { ReturnType } from '../helpers/return-types.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { MACHINE_WORD } from '../memory.ts';
import { region } from './access.ts';
import { KIND, SLICE_ON_PACKET, SLICE_WRITABLE } from './provenance.ts';
import type { State } from './state.ts';

/** The caller takes this for "r0 may not be read". */
export const UNREADABLE: number = 1 << 30;

/** What of a call decides about its result, as it was before the call. */
export interface CallFacts {
  map: LiveMap | undefined;
  /** Its place among the machine's. */
  mapIndex: number;
  /** Is its key an index that the verifier knows? */
  knownKey: boolean;
  /** What its second argument was, a size for those who return a sample. */
  size: number;
}

/** Sets the upper half of r0. @returns the tag of r0; 0: a new unknown scalar */
export type Result = (state: State, facts: CallFacts) => number;

const RESULTS: Readonly<Record<ReturnType, Result>> = {
  int: ({ lo, hi }) => {
    hi[0] = lo[0]! >> 31;
    return 0;
  },
  word: ({ hi }) => {
    hi[0] = 0;
    return 0;
  },
  u64: ({ hi, machine }) => {
    hi[0] = machine.memory.i32[MACHINE_WORD.resultHigh]!;
    return 0;
  },
  void: ({ lo, hi }) => {
    hi[0] = lo[0]! >> 31;
    return UNREADABLE;
  },
  map_value_or_null: mapValue,
  sample_or_null: (state, { size }) => pointer(state, KIND.sampleOrNull, size, SLICE_WRITABLE),
  slice_or_null: slice,
  slice: (state) => {
    const made = slice(state);
    state.provenance.proveNonNull(made, false, true, state.machine.sliceWritable);
    return made;
  },
  socket_or_null: (state) => pointer(state, KIND.fullSocketOrNull, 0, 0),
  common_socket_or_null: (state) => pointer(state, KIND.commonSocketOrNull, 0, 0),
  tcp_socket_or_null: (state) => pointer(state, KIND.tcpSocketOrNull, 0, 0),
  kernel_struct_or_null: (state) => pointer(state, KIND.kernelStructOrNull, 0, 0),
} satisfies Record<ReturnType, Result>;

export function resultOf(type: ReturnType): Result {
  return RESULTS[type];
}

function pointer(state: State, kind: number, size: number, detail: number): number {
  state.hi[0] = 0;
  return region(state.provenance.create(kind, state.lo[0]!, size, detail));
}

function slice(state: State): number {
  const { machine } = state;
  const { sliceSize, sliceWritable, sliceOnPacket } = machine;
  machine.sliceOnPacket = false;
  const detail = (sliceWritable ? SLICE_WRITABLE : 0) | (sliceOnPacket ? SLICE_ON_PACKET : 0);
  return pointer(state, KIND.sliceOrNull, sliceSize, detail);
}

function mapValue(state: State, { map, mapIndex: index, knownKey }: CallFacts): number {
  const { machine, provenance, lo } = state;
  const address = lo[0]!;
  switch (map!.definition.type) {
    case 'ARRAY_OF_MAPS':
    case 'HASH_OF_MAPS':
      return pointer(
        state,
        KIND.mapOrNull,
        0,
        address === 0 ? -1 : machine.maps.indexOf(machine.mapAt(address)),
      );
    case 'SOCKMAP':
    case 'SOCKHASH':
      return pointer(state, KIND.fullSocketOrNull, 0, 0);
    case 'XSKMAP':
      return pointer(state, KIND.socketOrNull, 0, index);
    default: {
      const made = pointer(state, KIND.valueOrNull, map!.valueSize, index);
      // An index that the verifier knows, in bounds: it sees that the lookup cannot fail (Linux 6.14).
      if (knownKey && address !== 0) {
        provenance.proveNonNull(made, false, map!.programReadable, map!.programWritable);
      }
      return made;
    }
  }
}
