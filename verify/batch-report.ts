import type { Engine } from '../sim/engines/engine.ts';
import type { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import type { MapSnapshot } from '../sim/runtime/map-snapshot.ts';

/** What one engine showed of a case. */
export interface BatchReport {
  readonly engine: Engine;
  readonly output: OutcomeBatch;
  /** After the last packet; undefined where the engine cannot show maps. Asking may read all of them. */
  readonly maps: readonly MapSnapshot[] | undefined;
}
