import { describe, expect, it } from 'vitest';
import { CONTEXT_BASE, LinearMemory, SKB_DATA } from '../memory.ts';
import { ACCESS } from './context-access.ts';
import {
  PACKET_BROADCAST,
  PACKET_HOST,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
  packetTypeOf,
  protocolOf,
  SK_BUFF,
  SK_BUFF_LAYOUT,
  writeSkBuff,
} from './sk-buff.ts';
import { XDP_LAYOUT } from './xdp-md.ts';

function frame(...bytes: number[]): LinearMemory {
  const memory = new LinearMemory();
  memory.u8.set(bytes, SKB_DATA);
  return memory;
}

const ethernet = (type: number, destination = [2, 0, 0, 0, 0, 1]): number[] => [
  ...destination,
  2,
  0,
  0,
  0,
  0,
  2,
  type >> 8,
  type & 255,
];

describe('eth_type_trans', () => {
  it('takes the type, or tells 802.3 from 802.2 where the field is a length', () => {
    expect(protocolOf(frame(...ethernet(0x0800)), SKB_DATA, 60)).toBe(0x0800);
    expect(protocolOf(frame(...ethernet(46), 0xff, 0xff), SKB_DATA, 60)).toBe(1);
    expect(protocolOf(frame(...ethernet(46), 0xaa, 0xaa), SKB_DATA, 60)).toBe(4);
    // What a longer frame left behind this one is not looked at.
    expect(protocolOf(frame(...ethernet(46), 0xff, 0xff), SKB_DATA, 14)).toBe(4);
    expect(protocolOf(frame(...ethernet(46), 0xff, 0xff), SKB_DATA, 15)).toBe(4);
    expect(protocolOf(frame(...ethernet(46), 0xff, 0xff), SKB_DATA, 16)).toBe(1);
  });

  it('tells whose frame it is', () => {
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
    const type = (destination: number[]): number =>
      packetTypeOf(frame(...ethernet(0x0800, destination)), SKB_DATA, mac);
    expect(type([2, 0, 0, 0, 0, 1])).toBe(PACKET_HOST);
    expect(type([2, 0, 0, 0, 0, 9])).toBe(PACKET_OTHERHOST);
    expect(type([1, 0, 0x5e, 0, 0, 1])).toBe(PACKET_MULTICAST);
    expect(type([255, 255, 255, 255, 255, 255])).toBe(PACKET_BROADCAST);
    expect(packetTypeOf(frame(), SKB_DATA, undefined)).toBe(PACKET_HOST);
    // The loopback device has no broadcast address.
    const all = frame(...ethernet(0x0800, [255, 255, 255, 255, 255, 255]));
    expect(packetTypeOf(all, SKB_DATA, undefined)).toBe(PACKET_MULTICAST);
  });
});

it('a fresh __sk_buff has length, protocol in network order and devices, and nothing of the last packet', () => {
  const memory = frame(...ethernet(0x0800));
  memory.u8.fill(0xee, CONTEXT_BASE, CONTEXT_BASE + 192);
  writeSkBuff(memory, SKB_DATA, 60, { ifindex: 7, ingressIfindex: 3, mac: undefined });
  const field = (at: number): number => memory.u32(CONTEXT_BASE + at);
  expect(field(SK_BUFF.len)).toBe(60);
  expect(field(SK_BUFF.protocol)).toBe(0x0008);
  expect(field(SK_BUFF.ifindex)).toBe(7);
  expect(field(SK_BUFF.ingressIfindex)).toBe(3);
  expect([SK_BUFF.mark, SK_BUFF.cb, SK_BUFF.hash, SK_BUFF.tcClassid].map(field)).toEqual([0, 0, 0, 0]);
});

describe('access rules of __sk_buff', () => {
  it('scalars in part, at their alignment', () => {
    for (const size of [1, 2, 4]) expect(SK_BUFF_LAYOUT.read(SK_BUFF.mark, size, false)).toBe(ACCESS.scalar);
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.mark, 8, false)).toBe(ACCESS.refused);
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.mark + 1, 2, false)).toBe(ACCESS.refused);
  });

  it('packet pointers whole, and without their sign', () => {
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.data, 4, false)).toBe(ACCESS.data);
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.dataEnd, 4, false)).toBe(ACCESS.dataEnd);
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.dataMeta, 4, false)).toBe(ACCESS.dataMeta);
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.data, 4, true)).toBe(ACCESS.refused);
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.data, 2, false)).toBe(ACCESS.refused);
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.data + 2, 2, false)).toBe(ACCESS.refused);
  });

  it('no socket fields, no padding', () => {
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.sk, 8, false)).toBe(ACCESS.socket);
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.sk, 4, false)).toBe(ACCESS.refused);
    for (const at of [88, 92, 100, 116, 132, 136, 144, 168, 181, 182, 183, 192]) {
      expect(SK_BUFF_LAYOUT.read(at, 1, false)).toBe(ACCESS.refused);
    }
    expect(SK_BUFF_LAYOUT.read(SK_BUFF.tstampType, 1, false)).toBe(ACCESS.scalar);
  });

  it('writes where TC programs may write', () => {
    const writable = [];
    for (let at = 0; at < 192; at += 4)
      if (SK_BUFF_LAYOUT.write(at, 4)) writable.push(SK_BUFF_LAYOUT.field(at));
    expect(writable).toEqual([
      'mark',
      'queue_mapping',
      'priority',
      'tc_index',
      'cb[0]',
      'cb[1]',
      'cb[2]',
      'cb[3]',
      'cb[4]',
      'tc_classid',
    ]);
    expect(SK_BUFF_LAYOUT.write(SK_BUFF.tstamp, 8)).toBe(true);
    expect(SK_BUFF_LAYOUT.write(SK_BUFF.cb + 3, 1)).toBe(true);
    expect(SK_BUFF_LAYOUT.write(SK_BUFF.mark, 2)).toBe(false);
  });
});

it('xdp_md is read in whole words, written not at all, and without egress_ifindex', () => {
  const read = (at: number, size = 4): number => XDP_LAYOUT.read(at, size, false);
  expect([0, 4, 8, 12, 16, 20, 24].map((at) => read(at))).toEqual([
    ACCESS.data,
    ACCESS.dataEnd,
    ACCESS.dataMeta,
    ACCESS.scalar,
    ACCESS.scalar,
    ACCESS.refused,
    ACCESS.refused,
  ]);
  expect([read(12, 2), read(12, 8), read(13, 1), read(-4)]).toEqual([0, 0, 0, 0]);
  expect(XDP_LAYOUT.write(12, 4)).toBe(false);
});
