/** Faults by conversation: counted, told apart, and ordered. */
import { describe, expect, it } from 'vitest';
import { differenceOf, FlowFaults } from './flow-faults.ts';

/** One fault of a conversation, which is told by its key. */
function fault(flows: FlowFaults, low: number, packet: number, got = 5, layer = 'udp', high = 1): void {
  const key = { low, high };
  if (!flows.count(key, layer, got, 2)) flows.open(key, `flow ${low}/${high}`, layer, packet, got, 2);
}

describe('conversations with faults', () => {
  it('are listed with how many each has, the first packet, and by how much', () => {
    const flows = new FlowFaults();
    for (const packet of [3, 4, 9]) fault(flows, 7, packet);
    fault(flows, 8, 5);
    fault(flows, 8, 6, 6);
    fault(flows, 8, 7, 5);
    fault(flows, 9, 8);
    expect(flows.size).toBe(3);
    expect(flows.others).toBe(0);
    expect(flows.list()).toEqual([
      { flow: 'flow 7/1', layer: 'udp', faults: 3, firstPacket: 3, difference: 3 },
      { flow: 'flow 8/1', layer: 'udp', faults: 3, firstPacket: 5, difference: -1 },
      { flow: 'flow 9/1', layer: 'udp', faults: 1, firstPacket: 8, difference: 3 },
    ]);
    expect(flows.list(2).map(({ firstPacket }) => firstPacket)).toEqual([3, 5]);
  });

  it('come in the order of their faults, and of packets where they have as many', () => {
    const flows = new FlowFaults();
    fault(flows, 1, 30);
    fault(flows, 2, 10);
    fault(flows, 3, 20);
    fault(flows, 3, 40);
    expect(flows.list().map(({ firstPacket }) => firstPacket)).toEqual([20, 10, 30]);
  });

  it('are told by both halves of their key', () => {
    const flows = new FlowFaults();
    // 3 ^ 1 and 1 ^ 3 are looked for in one slot, and so are the others.
    for (const [low, high] of [
      [3, 1],
      [1, 3],
      [3, 1025],
      [1027, 1],
      [-1, -1],
      [0, 0],
    ] as const) {
      fault(flows, low, 1, 5, 'udp', high);
      fault(flows, low, 2, 5, 'udp', high);
    }
    expect(
      flows
        .list()
        .map(({ flow, faults }) => `${flow}: ${faults}`)
        .sort(),
    ).toEqual([
      'flow -1/-1: 2',
      'flow 0/0: 2',
      'flow 1/3: 2',
      'flow 1027/1: 2',
      'flow 3/1025: 2',
      'flow 3/1: 2',
    ]);
  });

  it('are known once they were opened', () => {
    const flows = new FlowFaults();
    expect(flows.countKnown(7, 1, 3)).toBe(false);
    fault(flows, 7, 1);
    expect(flows.countKnown(8, 1, 3)).toBe(false);
    expect(flows.countKnown(7, 2, 3)).toBe(false);
    expect(flows.countKnown(7, 1, 3)).toBe(true);
    expect(flows.list()).toMatchObject([{ faults: 2, difference: 3 }]);
    expect(flows.countKnown(7, 1, 4)).toBe(true);
    expect(flows.countKnown(7, 1, 3)).toBe(true);
    expect(flows.list()).toMatchObject([{ faults: 4, difference: -1 }]);
  });

  it('are none at first', () => {
    expect(new FlowFaults().list()).toEqual([]);
  });

  it('are 10,000: faults of others are counted together, and theirs go on being counted', () => {
    const flows = new FlowFaults();
    for (let low = 0; low < 10_003; low++) fault(flows, Math.imul(low, 0x9e3779b1), low);
    for (let low = 0; low < 10_003; low += 2) fault(flows, Math.imul(low, 0x9e3779b1), low);
    expect(flows.size).toBe(10_000);
    // 10,000 to 10,002, and of these again the even ones.
    expect(flows.others).toBe(5);
    const listed = flows.list();
    const wrong = listed.filter(({ faults, firstPacket }) => faults !== 2 - (firstPacket % 2));
    expect(wrong).toEqual([]);
    expect(listed.length).toBe(10_000);
  });
});

describe('the difference of two checksums', () => {
  it.each([
    [5, 2, 3],
    [2, 5, 0xfffc],
    [0, 0xffff, 0],
    [0xffff, 0, 0],
    [0, 1, 0xfffe],
    [0x1234, 0x1234, 0],
  ])('%d instead of %d is %d in ones’ complement', (got, expected, difference) => {
    expect(differenceOf('udp', got, expected)).toBe(difference);
  });

  it('is none of a CRC', () => {
    expect(differenceOf('sctp', 5, 2)).toBe(-1);
  });
});
