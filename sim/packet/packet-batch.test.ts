import { describe, expect, it } from 'vitest';
import { DEFAULT_INGRESS_IFINDEX, PacketBatch, type Stimulus } from './packet-batch.ts';

const counting = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => first + index);

const PLAIN = { ingressIfindex: 1, rxQueueIndex: 0, entry: 0 };

/** With everything that a stimulus can say. */
const FULL: Stimulus = {
  packet: counting(20, 1),
  metadata: counting(8, 101),
  ingressIfindex: 7,
  rxQueueIndex: 3,
  entry: 2,
  skb: { mark: 5 },
};

describe('a batch of packets', () => {
  it('gives back what was put in, and defaults for what was not said', () => {
    const batch = new PacketBatch(4);
    expect(
      [{ packet: counting(3, 1) }, FULL, { packet: counting(0, 0) }].map((one) => batch.push(one)),
    ).toEqual([0, 1, 2]);
    expect(batch.stimulus(0)).toEqual({ packet: counting(3, 1), ...PLAIN });
    expect(batch.stimulus(1)).toEqual(FULL);
    expect(batch.stimulus(2)).toEqual({ packet: counting(0, 0), ...PLAIN });
    expect([batch.count, batch.used, batch.capacity]).toEqual([3, 31, 4]);
    expect(DEFAULT_INGRESS_IFINDEX).toBe(1);
  });

  it('gives copies, which later changes leave alone', () => {
    const batch = new PacketBatch(1);
    batch.push(FULL);
    const { packet, metadata } = batch.stimulus(0);
    batch.bytes.fill(0xff);
    expect({ packet, metadata }).toEqual({ packet: FULL.packet, metadata: FULL.metadata });
  });

  it('grows where a packet does not fit, and keeps what is in it', () => {
    for (const [arena, sizes] of [
      [0, [1, 1, 1]],
      [10, [10]],
      [10, [11]],
      [10, [4, 6, 1, 30]],
      [10, [9, 2]],
    ] as const) {
      const batch = new PacketBatch(4, arena);
      for (const [index, size] of sizes.entries()) batch.push({ packet: counting(size, 10 * index) });
      sizes.forEach((size, index) => {
        expect(batch.stimulus(index).packet).toEqual(counting(size, 10 * index));
      });
    }
    const batch = new PacketBatch(4, 10);
    expect([batch.reserve(10), batch.bytes.length]).toEqual([0, 10]);
    expect([batch.reserve(11), batch.bytes.length]).toEqual([0, 20]);
    expect([batch.reserve(50), batch.bytes.length]).toEqual([0, 50]);
  });

  it('has room for packets of 256 bytes unless said otherwise', () => {
    expect(new PacketBatch(3).bytes.length).toBe(768);
  });

  it('takes no more packets than it was made for', () => {
    const batch = new PacketBatch(2);
    batch.push(FULL);
    batch.push(FULL);
    expect(() => batch.push(FULL)).toThrow('a batch of 2 packets is full');
  });

  it('begins anew after it was cleared, with nothing of what was there', () => {
    const batch = new PacketBatch(2);
    batch.push(FULL);
    batch.push(FULL);
    batch.clear();
    expect([batch.count, batch.used, batch.skb.size]).toEqual([0, 0, 0]);
    batch.push({ packet: counting(2, 1) });
    expect(batch.stimulus(0)).toEqual({ packet: counting(2, 1), ...PLAIN });
  });

  it('takes bytes that somebody has written as a packet, with defaults', () => {
    const batch = new PacketBatch(2);
    batch.push(FULL);
    batch.clear();
    batch.bytes.set(counting(9, 1), batch.reserve(9));
    expect(batch.commit(5, 4)).toBe(0);
    expect(batch.stimulus(0)).toEqual({ metadata: counting(4, 1), packet: counting(5, 5), ...PLAIN });
    expect(batch.offset[batch.commit(6)]).toBe(9);
  });

  it('takes packets whose bytes come later, all together, with device and entry', () => {
    const batch = new PacketBatch(3, 4);
    batch.push({ packet: counting(3, 1) });
    batch.commit(4, 4, 7, 2);
    batch.commit(2);
    batch.fillIn(3, counting(20, 50), 10);
    expect(batch.stimulus(0)).toEqual({ packet: counting(3, 1), ...PLAIN });
    const placed = { ...PLAIN, ingressIfindex: 7, entry: 2 };
    expect(batch.stimulus(1)).toEqual({ metadata: counting(4, 50), packet: counting(4, 54), ...placed });
    expect(batch.stimulus(2)).toEqual({ packet: counting(2, 58), ...PLAIN });
    expect(batch.used).toBe(13);
  });

  it('copies metadata and frame from another, and no more', () => {
    const from = new PacketBatch(3);
    from.push({ packet: counting(5, 50) });
    from.push(FULL);
    from.push({ packet: counting(5, 60) });
    const batch = new PacketBatch(2, 0);
    expect([batch.pushFrom(from, 1), batch.pushFrom(from, 2)]).toEqual([0, 1]);
    expect(batch.stimulus(0)).toEqual({ packet: FULL.packet, metadata: FULL.metadata, ...PLAIN });
    expect(batch.stimulus(1)).toEqual({ packet: counting(5, 60), ...PLAIN });
  });
});
