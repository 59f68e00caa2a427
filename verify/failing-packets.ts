/** The packets of one batch that fail in the same way: which of them to show, and which to judge the cause by. */
import { faults } from '../corpus/simplify/well-formed.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Sample } from './outcome.ts';

/** Packets of one kind that are looked at: enough to find a whole one, and to tell a cause from a coincidence. */
const MOST_LOOKED_AT = 64;
const MOST_SAMPLES = 16;

export class FailingPackets<T> {
  readonly #kinds = new Map<string, { packet: number; faults: number; detail: T }[]>();

  /** @param detail what is found on this packet; asked for only where the packet counts */
  add(kind: string, packet: number, input: PacketBatch, detail: () => T): void {
    const failing = this.#kinds.get(kind) ?? [];
    if (failing.length === 0) this.#kinds.set(kind, failing);
    if (failing.length >= MOST_LOOKED_AT) return;
    failing.push({ packet, faults: faults(cameAs(input, packet)), detail: detail() });
  }

  /**
   * For each kind, in the order in which they were met, the packet to show: the first of those that are nearest to a
   * whole one.
   */
  *best(): Generator<{ kind: string; packet: number; detail: T; others: readonly number[] }, void, void> {
    for (const [kind, failing] of this.#kinds) {
      const ranked = [...failing].sort((a, b) => a.faults - b.faults || a.packet - b.packet);
      const [best, ...rest] = ranked;
      const others = rest.slice(0, MOST_SAMPLES - 1).map(({ packet }) => packet);
      yield { kind, packet: best!.packet, detail: best!.detail, others };
    }
  }
}

/** @param wanted what the packets should have left as */
export function samplesOf(
  input: PacketBatch,
  output: OutcomeBatch,
  packets: readonly number[],
  wanted?: OutcomeBatch,
): Sample[] {
  const ran = (packet: number): boolean =>
    output.status[packet] === STATUS.ran && (wanted === undefined || wanted.status[packet] === STATUS.ran);
  return packets.filter(ran).map((packet) => ({
    came: cameAs(input, packet).slice(),
    left: output.packet(packet),
    ...(wanted === undefined ? {} : { wanted: wanted.packet(packet) }),
  }));
}

function cameAs(input: PacketBatch, packet: number): Uint8Array {
  const offset = input.offset[packet]!;
  return input.bytes.subarray(offset, offset + input.length[packet]!);
}
