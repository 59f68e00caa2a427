/** The packets of one batch that fail in the same way: which of them to show, and which to judge the cause by. */

import { faults } from '../corpus/simplify/well-formed.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Sample } from './outcome.ts';
import { cameAs } from './rows.ts';

/** Packets of one kind that are looked at: enough to find a whole one, and to tell a cause from a coincidence. */
const MOST_LOOKED_AT = 64;
/** The same of each shape, where these are told apart. */
const MOST_OF_SHAPE = 16;
const MOST_SAMPLES = 16;

export class FailingPackets<T> {
  readonly #kinds = new Map<string, Failing<T>>();

  /**
   * @param detail what is found on this packet; asked for only where the packet counts
   * @param shape tells packets that fail in the same way apart
   */
  add(kind: string, packet: number, input: PacketBatch, detail: () => T, shape?: string): void {
    const key = shape === undefined ? kind : `${kind} ${shape}`;
    let failing = this.#kinds.get(key);
    if (failing === undefined) {
      failing = { kind, shape, packets: [] };
      this.#kinds.set(key, failing);
    }
    const most = shape === undefined ? MOST_LOOKED_AT : MOST_OF_SHAPE;
    if (failing.packets.length >= most) return;
    failing.packets.push({ packet, faults: faults(cameAs(input, packet)), detail: detail() });
  }

  /**
   * For each kind and shape, in the order in which they were met, the packet to show: the first of those that are nearest to a
   * whole one.
   */
  *best(): Generator<BestOf<T>, void, void> {
    for (const { kind, shape, packets } of this.#kinds.values()) {
      const ranked = [...packets].sort((a, b) => a.faults - b.faults || a.packet - b.packet);
      const [best, ...rest] = ranked;
      const others = rest.slice(0, MOST_SAMPLES - 1).map(({ packet }) => packet);
      yield { kind, shape, packet: best!.packet, detail: best!.detail, others };
    }
  }
}

interface Failing<T> {
  readonly kind: string;
  readonly shape: string | undefined;
  readonly packets: { packet: number; faults: number; detail: T }[];
}

interface BestOf<T> {
  readonly kind: string;
  readonly shape: string | undefined;
  readonly packet: number;
  readonly detail: T;
  readonly others: readonly number[];
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
