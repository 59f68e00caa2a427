/** Packets that go back with their addresses exchanged: with their ports, and without. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  data,
  ethernet,
  ipv4,
  ipv6,
  PASSED,
  tcp,
  u16,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import type { Passage } from './invariant.ts';
import { replyPorts } from './reply-ports.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const SENT_BACK: Passage = { ...PASSED, action: 3, delivery: 2 };
const REDIRECTED: Passage = { ...PASSED, action: 4, delivery: 3 };

function judged(before: Uint8Array, after: Uint8Array, passage = SENT_BACK): string {
  pair.set(before, 0, before.length, after, 0, after.length);
  const breach = replyPorts.judge(pair, passage);
  if (breach === undefined) return '';
  expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return `${breach.expected}: ${breach.got}`;
}

type Ports = readonly [number, number];
const OTHER = [10, 0, 0, 9];

function withPorts(transport: Uint8Array, [source, destination]: Ports): Uint8Array {
  transport.set([...u16(source), ...u16(destination)]);
  return transport;
}

function segment(ports: Ports, source = V4_A, destination = V4_B): Uint8Array {
  const transport = withPorts(tcp(data(4), source, destination), ports);
  return ethernet(0x0800, ipv4(6, transport, { source, destination }));
}

function datagram(ports: Ports, source = V4_A, destination = V4_B): Uint8Array {
  const transport = withPorts(udp(data(4), source, destination), ports);
  return ethernet(0x0800, ipv4(17, transport, { source, destination }));
}

function datagram6(ports: Ports, source = V6_A, destination = V6_B): Uint8Array {
  return ethernet(0x86dd, ipv6(17, withPorts(udp(data(4), source, destination), ports), source, destination));
}

describe('the ports of a reply', () => {
  it('are those of the packet, exchanged', () => {
    for (const make of [segment, datagram]) {
      const came = make([4000, 80]);
      expect(judged(came, make([80, 4000], V4_B, V4_A))).toBe('');
      expect(judged(came, make([4000, 80], V4_B, V4_A))).toBe('80 → 4000: 4000 → 80');
      expect(judged(came, make([4000, 4000], V4_B, V4_A))).toBe('80 → 4000: 4000 → 4000');
      expect(judged(came, make([4000, 80], V4_B, V4_A), REDIRECTED)).not.toBe('');
      expect(judged(came, make([4000, 80], V4_B, V4_A), PASSED)).toBe('');
    }
    expect(judged(datagram6([4000, 80]), datagram6([4000, 80], V6_B, V6_A))).toBe('80 → 4000: 4000 → 80');
  });

  it('may be one on both sides of UDP, and of TCP not', () => {
    expect(judged(datagram([4000, 3784]), datagram([3784, 3784], V4_B, V4_A))).toBe('');
    expect(judged(segment([4000, 80]), segment([80, 80], V4_B, V4_A))).toBe('80 → 4000: 80 → 80');
    expect(judged(datagram([123, 123]), datagram([123, 123], V4_B, V4_A))).toBe('');
  });

  it('may be others, which the program knows', () => {
    expect(judged(datagram([4000, 69]), datagram([2000, 4000], V4_B, V4_A))).toBe('');
    expect(judged(segment([4000, 80]), segment([8080, 4000], V4_B, V4_A))).toBe('');
  });

  it('stay what they are in tunnels and in what else goes to one port on both sides, as BFD does, and where the packet goes on to another host', () => {
    for (const port of [4789, 6081, 2152, 3784, 4784, 319])
      expect(judged(datagram([4000, port]), datagram([4000, port], V4_B, V4_A))).toBe('');
    expect(judged(segment([4000, 80]), segment([4000, 80], V4_A, OTHER))).toBe('');
    expect(judged(segment([4000, 80]), segment([4000, 80], OTHER, V4_A))).toBe('');
  });
});
