/** A packet whose label’s TTL is used up, and one under one more label, which looks like the begin of an IP header. */
import { describe, expect, it } from 'vitest';
import { packet } from '../../sim/packet/build.ts';
import { layersOf } from '../../sim/packet/walk-layers.ts';
import { withMoreLabels, withSpentLabels } from './label-variants.ts';
import { variantsOf } from './variants.ts';

const namesOf = (frame: Uint8Array): string[] => layersOf(frame, 0, frame.length).map(({ name }) => name);
const one = packet.ethernet().mpls().ipv4().udp().bytes();

describe('one more label', () => {
  it('begins like a header of each version, and says that it is the last one', () => {
    const all = [...withMoreLabels(one)];
    expect(all.map((frame) => frame[18])).toEqual([0x45, 0x60]);
    for (const frame of all) {
      expect(namesOf(frame)).toEqual(['ethernet', 'mpls', 'mpls', 'ipv4', 'udp']);
      expect([frame[16]! & 1, frame[20]! & 1]).toEqual([0, 1]);
      expect(frame.slice(22)).toEqual(one.slice(18));
    }
  });

  it('comes below the first of several', () => {
    const two = packet.ethernet().mpls().mpls().ipv6().udp().bytes();
    for (const frame of withMoreLabels(two))
      expect(namesOf(frame)).toEqual(['ethernet', 'mpls', 'mpls', 'mpls', 'ipv6', 'udp']);
  });

  it('is a variant of packets with labels, and of no others', () => {
    expect(variantsOf({ packet: one }).map((variant) => variant.packet)).toEqual([
      ...withSpentLabels(one),
      ...withMoreLabels(one),
    ]);
    for (const frame of [packet.ethernet().ipv4().udp().bytes(), one.slice(0, 18), one.slice(0, 15)])
      expect([...withMoreLabels(frame)]).toEqual([]);
  });
});

it('the TTL of the outermost label is used up, of the last one alone as well', () => {
  const two = packet.ethernet().mpls().mpls().ipv4().udp().bytes();
  for (const frame of [two, one, one.slice(0, 18)]) {
    const spent = [...withSpentLabels(frame)];
    expect(spent.map((copy) => copy[17])).toEqual([0, 1]);
    for (const copy of spent) expect(copy.with(17, frame[17]!)).toEqual(frame);
  }
  expect([...withSpentLabels(packet.ethernet().ipv4().udp().bytes())]).toEqual([]);
  expect([...withSpentLabels(one.slice(0, 17))]).toEqual([]);
});
