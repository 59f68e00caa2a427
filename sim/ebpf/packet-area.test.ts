import { describe, expect, it } from 'vitest';
import { EACCES, EINVAL } from '../runtime/errno.ts';
import { SK_BUFF_LAYOUT } from './context/sk-buff.ts';
import { XDP_LAYOUT } from './context/xdp-md.ts';
import { behaviourOf, type KernelVersion } from './kernel-versions.ts';
import {
  CONTEXT_BASE,
  LinearMemory,
  MACHINE_WORD,
  PACKET_BASE,
  PACKET_LIMIT,
  SKB_DATA,
  XDP_DATA,
} from './memory.ts';
import { PacketArea } from './packet-area.ts';

function area(
  length: number,
  metaLength = 0,
  kernel?: KernelVersion,
): { packet: PacketArea; memory: LinearMemory } {
  const memory = new LinearMemory();
  const packet = new PacketArea(memory, XDP_LAYOUT, behaviourOf(kernel));
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

/** A frame whose linear part has 3520 bytes, and what is behind them in pages of 4096. */
describe('a frame with fragments', () => {
  it('loses its last bytes first, and linear ones once the fragments are gone', () => {
    const { packet } = area(4000);
    expect([packet.adjustTail(-480), packet.length, packet.dataEnd - packet.data]).toEqual([0, 3520, 3520]);
    const other = area(4000).packet;
    expect([other.adjustTail(-481), other.length, other.dataEnd - other.data]).toEqual([0, 3519, 3519]);
  });

  it('keeps an Ethernet header', () => {
    expect(area(4000).packet.adjustTail(-3987)).toBe(-EINVAL);
    const { packet } = area(4000);
    expect([packet.adjustTail(-3986), packet.length, packet.dataEnd - packet.data]).toEqual([0, 14, 14]);
  });

  it('stays as it is where the kernel’s int has no positive counterpart', () => {
    const { packet } = area(4000);
    expect([packet.adjustTail(-0x8000_0000), packet.length]).toEqual([0, 4000]);
  });

  it('grows by zeros, as far as the page of its last fragment reaches', () => {
    const { packet, memory } = area(4000);
    memory.u8.fill(0xee, packet.frameEnd, packet.frameEnd + 5000);
    expect(packet.adjustTail(4096 - 480 + 1)).toBe(-EINVAL);
    expect([packet.adjustTail(4096 - 480), packet.length]).toEqual([0, 3520 + 4096]);
    expect(memory.read(XDP_DATA + 4000, 3616)).toEqual(new Uint8Array(3616));
    expect(memory.u8[packet.frameEnd]).toBe(0xee);
    expect(packet.adjustTail(1)).toBe(-EINVAL);
    expect(packet.adjustTail(0)).toBe(0);
  });

  it('has bytes one behind the other only within the linear part and within a fragment', () => {
    const { packet } = area(3520 + 4096 + 100);
    const seen = [
      [0, 3520],
      [0, 3521],
      [3519, 1],
      [3519, 2],
      [3520, 4096],
      [3520, 4097],
      [3521, 4096],
      [7615, 1],
      [7615, 2],
      [7616, 100],
    ] as const;
    expect(seen.filter(([offset, size]) => packet.isContiguous(offset, size))).toEqual([
      [0, 3520],
      [3519, 1],
      [3520, 4096],
      [7615, 1],
      [7616, 100],
    ]);
  });

  it('has more in its linear part after a pull, which moves that forward where there is no room behind', () => {
    const { packet, memory } = area(4000);
    const before = memory.read(packet.data, 4000);
    expect(packet.pull(3520)).toBe(0);
    expect(packet.dataEnd - packet.data).toBe(3520);
    expect(packet.pull(4001)).toBe(-EINVAL);
    // The headroom has 256 bytes, 40 of which are the kernel's.
    expect(packet.pull(3520 + 217)).toBe(-EINVAL);
    expect(packet.pull(3520 + 216)).toBe(0);
    expect([packet.dataEnd - packet.data, packet.length, packet.data]).toEqual([3736, 4000, XDP_DATA - 216]);
    expect(memory.read(packet.data, 4000)).toEqual(before);
    // 216 bytes of the first fragment are gone: its page ends as far behind as before.
    expect(packet.adjustTail(4096 - 480 + 1)).toBe(-EINVAL);
    expect(packet.adjustTail(4096 - 480)).toBe(0);
  });
});

describe('what older kernels have otherwise', () => {
  it('no growing frames before Linux 5.8', () => {
    expect(area(64, 0, '5.4').packet.adjustTail(1)).toBe(-EINVAL);
    expect(area(64, 0, '5.4').packet.adjustTail(0)).toBe(-EINVAL);
    expect(area(64, 0, '5.4').packet.adjustTail(-1)).toBe(0);
  });

  it('metadata of at most 32 bytes before Linux 6.15', () => {
    expect(area(64, 0, '6.1').packet.adjustMeta(-32)).toBe(0);
    expect(area(64, 0, '6.1').packet.adjustMeta(-36)).toBe(-EACCES);
  });
});

describe('placing a frame for TC', () => {
  it('shows its bounds, and where its network header is; room is all that there is', () => {
    const memory = new LinearMemory();
    const packet = new PacketArea(memory, SK_BUFF_LAYOUT);
    packet.placeSkb(
      Uint8Array.from({ length: 70 }, (_, index) => index + 1),
      6,
      64,
      4,
    );
    const word = (name: keyof typeof MACHINE_WORD): number => memory.i32[MACHINE_WORD[name]]!;
    expect([packet.dataMeta, packet.data, packet.dataEnd, packet.frameEnd]).toEqual([
      SKB_DATA - 4,
      SKB_DATA,
      SKB_DATA + 64,
      SKB_DATA + 64,
    ]);
    expect([word('hardStart'), word('hardEnd'), word('networkHeader')]).toEqual([
      PACKET_BASE,
      PACKET_LIMIT,
      SKB_DATA + 14,
    ]);
    expect([...memory.read(packet.dataMeta, 5)]).toEqual([3, 4, 5, 6, 7]);
    const out = new Uint8Array(80);
    packet.copyOut(out, 5);
    expect([...out.subarray(4, 8), ...out.subarray(72, 74)]).toEqual([0, 3, 4, 5, 70, 0]);
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
