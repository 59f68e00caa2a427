import { expect, it } from 'vitest';
import { data, ethernet, ipv4, ipv6, udp } from '../test-support/packets.ts';
import { readdressed } from './readdressed.ts';
import { transportOf } from './variants.ts';

const TO = Uint8Array.of(10, 1, 2, 3);
const packet = ethernet(0x0800, ipv4(17, udp(data(9)), { destination: [...TO] }));
const world = {
  maps: {
    hosts: [{ key: Uint8Array.of(7, ...TO), value: TO }],
    rest: [{ key: Uint8Array.of(1), value: TO }],
  },
};

it('other hosts are in the packet and in keys, and nowhere else', () => {
  const others = readdressed({ world, stimulus: { packet, ingressIfindex: 4 } }, TO);
  const ends = others.map((one) => [...one.stimulus.packet.subarray(30, 34)]);
  expect(ends).toEqual([
    [10, 1, 2, 3 ^ 0x15],
    [10, 1, 2, 3 ^ 0x2a],
  ]);
  for (const [index, one] of others.entries()) {
    expect([...one.world.maps!.hosts![0]!.key]).toEqual([7, ...ends[index]!]);
    expect(one.world.maps!.hosts![0]!.value).toEqual(TO);
    expect(one.world.maps!.rest).toEqual(world.maps.rest);
    expect(one.stimulus.ingressIfindex).toBe(4);
    expect(transportOf(one.stimulus.packet)).toEqual(transportOf(packet));
    // The checksums are those of the new address.
    expect(one.stimulus.packet.subarray(24, 26)).not.toEqual(packet.subarray(24, 26));
  }
});

it('what has no such address has no others', () => {
  expect(readdressed({ world, stimulus: { packet } }, Uint8Array.of(10, 1, 2, 4))).toEqual([]);
  const six = ethernet(0x86dd, ipv6(17, udp(data(9))));
  expect(readdressed({ world, stimulus: { packet: six } }, TO)).toEqual([]);
});
