/** A fixed list of packets as the source of a run: packet `index` of the run is item `index` of the list. */
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { PacketSource } from '../batch-runner.ts';

export class ListSource implements PacketSource {
  readonly #list: readonly Stimulus[];

  constructor(list: readonly Stimulus[]) {
    this.#list = list;
  }

  fill(batch: Parameters<PacketSource['fill']>[0], _seed: unknown, firstIndex: number, count: number): void {
    for (let index = firstIndex; index < firstIndex + count; index++) batch.push(this.#list[index]!);
  }
}
