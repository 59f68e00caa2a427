/** Counts of checksums by layer and status: the sink for millions of packets. */
import {
  CHECKSUM_LAYERS,
  CHECKSUM_STATUSES,
  type ChecksumLayer,
  type ChecksumSink,
  type ChecksumStatus,
  type FoundChecksum,
} from './checksums.ts';

export class ChecksumTally implements ChecksumSink {
  readonly #counts = new Float64Array(CHECKSUM_LAYERS.length * CHECKSUM_STATUSES.length);

  checksum(found: FoundChecksum): void {
    this.#counts[found.layer * CHECKSUM_STATUSES.length + found.status]! += 1;
  }

  count(layer: ChecksumLayer, status: ChecksumStatus): number {
    const row = CHECKSUM_LAYERS.indexOf(layer);
    return this.#counts[row * CHECKSUM_STATUSES.length + CHECKSUM_STATUSES.indexOf(status)]!;
  }

  /** The counts as `xdpsim checksum --json` prints them. */
  toJSON(): Record<ChecksumLayer, Record<ChecksumStatus, number>> {
    const row = (layer: ChecksumLayer): Record<ChecksumStatus, number> => ({
      good: this.count(layer, 'good'),
      bad: this.count(layer, 'bad'),
      illegal: this.count(layer, 'illegal'),
      absent: this.count(layer, 'absent'),
      unverifiable: this.count(layer, 'unverifiable'),
    });
    return Object.fromEntries(CHECKSUM_LAYERS.map((layer) => [layer, row(layer)])) as Record<
      ChecksumLayer,
      Record<ChecksumStatus, number>
    >;
  }
}
