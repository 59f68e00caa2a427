/** Where a frame holds a number that is a known one in the other byte order: in all of its headers. */
import { describe, expect, it } from 'vitest';
import { packet } from '../../sim/packet/build.ts';
import { swappedPlaces } from './known-numbers.ts';

const VXLAN = 4789;

/** What is found in a frame whose word at a place has its bytes swapped. */
function found(frame: Uint8Array, at: number): string[] {
  const copy = frame.with(at, frame[at + 1]!).with(at + 1, frame[at]!);
  return [...swappedPlaces(copy)].map((place) => `${place.at}: ${place.meaning.what} ${place.value}`);
}

describe('a number that is a known one in the other byte order', () => {
  const ip = packet.ethernet().ipv4();
  const inner = packet.ethernet().ipv4().udp({ destinationPort: 53 }).bytes();

  it.each<readonly [string, Uint8Array, number]>([
    ['EtherType 8', ip.udp().bytes(), 12],
    ['ARP hardware type 256', packet.ethernet().arp().bytes(), 14],
    ['ARP protocol type 8', packet.ethernet().arp().bytes(), 16],
    ['ARP operation 512', packet.ethernet().arp({ operation: 2 }).bytes(), 20],
    ['identification 12756', packet.ethernet().ipv4({ identification: 54_321 }).udp().bytes(), 18],
    ['TCP window 4', ip.tcp({ window: 1024 }).bytes(), 48],
    ['GRE protocol type 22629', ip.gre().ethernet().ipv4().udp().bytes(), 36],
    ['number of questions 256', ip.udp({ destinationPort: 53 }).dns({ questions: 1 }).bytes(), 46],
    ['PPP protocol 8448', packet.ethernet().pppoe().ppp().ipv4().udp().bytes(), 20],
    ['EtherType 8', ip.udp({ destinationPort: VXLAN }).vxlan().payload(inner).bytes(), 50 + 12],
    ['port 13568', ip.udp({ destinationPort: VXLAN }).vxlan().payload(inner).bytes(), 50 + 36],
  ])('%s', (expected, frame, at) => {
    expect(found(frame, at)).toEqual([`${at}: ${expected}`]);
  });

  it('of PPP whatever length PPPoE states', () => {
    const frame = packet.ethernet().pppoe().ppp().ipv4().udp().bytes().fill(0, 18, 20);
    expect(found(frame, 20)).toEqual(['20: PPP protocol 8448']);
  });

  it('is none where it is right, or behind the end of a frame', () => {
    const frame = packet.ethernet().arp({ operation: 1 }).bytes();
    expect([...swappedPlaces(frame)]).toEqual([]);
    expect(found(frame, 20).length).toBe(1);
    expect([...swappedPlaces(frame.with(20, 1).with(21, 0).slice(0, 21))]).toEqual([]);
    expect([...swappedPlaces(frame.slice(0, 13))]).toEqual([]);
  });
});
