/** What a case in the making hangs on, besides its packets. */
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';

/** What the sequence was run in, and what it asked for. */
export interface Background {
  readonly machine: Machine;
  readonly calls: readonly FlowCall[];
  /** May maps that the program itself changes start with something? */
  readonly mayPreset: (map: number) => boolean;
  /** Does a world that this started from state the variable? Then the value is the user's. */
  readonly isStated: (global: string) => boolean;
  /** The same of an entry of a map, by the map's index and the entry's key. */
  readonly isStatedEntry: (map: number, key: Uint8Array) => boolean;
  /** Is a variable that programs may write left to whoever loads the object? */
  readonly mayFill: (global: string) => boolean;
}
