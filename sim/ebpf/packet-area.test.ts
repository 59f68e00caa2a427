import { describe, expect, it } from 'vitest';
import { EACCES, EINVAL } from '../runtime/errno.ts';
import { XDP_LAYOUT } from './context/xdp-md.ts';
import { CONTEXT_BASE, LinearMemory, XDP_DATA } from './memory.ts';
import { PacketArea } from './packet-area.ts';

function area(length: number, metaLength = 0): { packet: PacketArea; memory: LinearMemory } {
  const memory = new LinearMemory();
  const packet = new PacketArea(memory, XDP_LAYOUT);
  const bytes = Uint8Array.from({ length: metaLength + length }, (_, index) => index + 1);
  packet.placeXdp(bytes, metaLength, length, metaLength);
  return { packet, memory };
}

describe('placing a frame', () => {
  it('shows its bounds in the context', () => {
    const { memory } = area(64, 8);
    expect([0, 4, 8].map((at) => memory.u32(CONTEXT_BASE + at))).toEqual([
      XDP_DATA,
      XDP_DATA + 64,
      XDP_DATA - 8,
    ]);
  });

  it('keeps what exceeds the linear part behind data_end', () => {
    const { packet } = area(4000);
    expect(packet.dataEnd - packet.data).toBe(3520);
    expect(packet.length).toBe(4000);
  });

  it('copies small frames and large ones alike', () => {
    for (const length of [14, 63, 64, 399, 400, 401, 1514]) {
      const { packet, memory } = area(length, 4);
      const expected = Uint8Array.from({ length: length + 4 }, (_, index) => index + 1);
      expect(memory.read(packet.dataMeta, length + 4)).toEqual(expected);
    }
  });

  it('leaves zeros where the last program pushed its headers', () => {
    const { packet, memory } = area(64);
    packet.adjustHead(-100);
    memory.u8.fill(0xee, packet.data, packet.data + 100);
    packet.placeXdp(new Uint8Array(64), 0, 64, 0);
    packet.adjustHead(-100);
    expect(memory.read(packet.data, 100)).toEqual(new Uint8Array(100));
  });
});

describe('adjust_head', () => {
  it('leaves room for struct xdp_frame in front and an Ethernet header behind', () => {
    expect(area(64).packet.adjustHead(-216)).toBe(0);
    expect(area(64).packet.adjustHead(-217)).toBe(-EINVAL);
    expect(area(64).packet.adjustHead(50)).toBe(0);
    expect(area(64).packet.adjustHead(51)).toBe(-EINVAL);
  });

  it('takes metadata along', () => {
    const { packet, memory } = area(64, 4);
    expect(packet.adjustHead(-20)).toBe(0);
    expect(packet.data - packet.dataMeta).toBe(4);
    expect([...memory.read(packet.dataMeta, 4)]).toEqual([1, 2, 3, 4]);
    expect(packet.adjustHead(-193)).toBe(-EINVAL);
  });

  it('changes nothing when it refuses', () => {
    const { packet } = area(64);
    packet.adjustHead(-1000);
    expect([packet.data, packet.dataEnd, packet.dataMeta]).toEqual([XDP_DATA, XDP_DATA + 64, XDP_DATA]);
  });
});

describe('adjust_tail', () => {
  it('zeroes what it gains, up to the end of the page', () => {
    const { packet, memory } = area(64);
    memory.u8.fill(0xee, packet.dataEnd, packet.dataEnd + 10);
    expect(packet.adjustTail(10)).toBe(0);
    expect(memory.read(packet.dataEnd - 10, 10)).toEqual(new Uint8Array(10));
    expect(packet.length).toBe(74);
    expect(packet.adjustTail(3520 - 74)).toBe(0);
    expect(packet.adjustTail(1)).toBe(-EINVAL);
  });

  it('leaves an Ethernet header', () => {
    expect(area(64).packet.adjustTail(-50)).toBe(0);
    expect(area(64).packet.adjustTail(-51)).toBe(-EINVAL);
  });
});

describe('adjust_meta', () => {
  it('takes multiples of 4, at most what the headroom holds', () => {
    expect(area(64).packet.adjustMeta(-4)).toBe(0);
    expect(area(64).packet.adjustMeta(-6)).toBe(-EACCES);
    expect(area(64).packet.adjustMeta(-216)).toBe(0);
    expect(area(64).packet.adjustMeta(-220)).toBe(-EINVAL);
    expect(area(64).packet.adjustMeta(4)).toBe(-EINVAL);
    expect(area(64, 8).packet.adjustMeta(8)).toBe(0);
  });
});
