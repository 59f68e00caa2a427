/** Where the packets of a run come from. */
import type { LimitsByHook } from '../corpus/generate/packet-limits.ts';
import type { Seed } from '../corpus/generate/random.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { World } from '../sim/runtime/world.ts';

/** What fills batches; `PacketGenerator` does. */
export interface PacketSource {
  /** @param world the one that the packets meet, for sources that aim at it */
  fill(
    batch: PacketBatch,
    seed: Seed,
    firstIndex: number,
    count: number,
    limits: LimitsByHook,
    world?: World,
  ): void;
}
