/** Packets and bytes per action, as the programs marked S keep them. */
import { XDP_ABORTED, XDP_REDIRECT } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import { addU64 } from '../runtime/model-map.ts';
import type { MapEntry } from '../runtime/world.ts';

/** Key: the action. Value: `{ u64 rx_packets; u64 rx_bytes }`. */
export const statisticsMap: MapDefinition = {
  name: 'xdp_stats_map',
  type: 'PERCPU_ARRAY',
  keySize: 4,
  valueSize: 16,
  maxEntries: XDP_REDIRECT + 1,
};

/** All counters one short of what 32 bits can count: the next packet shows who counts in 64. */
export const longCounted: readonly MapEntry[] = Array.from(
  { length: statisticsMap.maxEntries },
  (_, action) => ({
    key: Uint8Array.of(action, 0, 0, 0),
    value: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
  }),
);

const RX_PACKETS = 0;
const RX_BYTES = 8;

/**
 * Counts the packet, with `data_end − data` as it is now, under the action and returns the action. One above
 * XDP_REDIRECT is not counted and becomes XDP_ABORTED.
 */
export function counted(context: ModelContext, action: number): number {
  const record = context.map(statisticsMap.name).lookupIndex(action);
  // The map has no entry above XDP_REDIRECT.
  if (record === undefined) return XDP_ABORTED;
  addU64(record, RX_PACKETS, 1);
  addU64(record, RX_BYTES, context.frame.dataEnd - context.frame.data);
  return action;
}

/** The model of a program marked S, given what it decides. */
export function withStatistics(decide: (context: ModelContext) => number): (context: ModelContext) => number {
  return (context) => counted(context, decide(context));
}
