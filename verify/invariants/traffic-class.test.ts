/** ECN bits and flow labels that left otherwise than they came. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  PASSED,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { ruleOf } from './rules.ts';
import { trafficClass } from './traffic-class.ts';

const pair = new FramePair();

/** What was wanted, and what was got. */
function judged(before: Uint8Array, after: Uint8Array): string {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = trafficClass.judge(pair, PASSED);
  if (breach === undefined) return '';
  expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return `${breach.invariant} at ${breach.at}: ${breach.expected}: ${breach.got}`;
}

const OTHER = [10, 0, 0, 9];

function inner4(tos: number, source = V4_A, destination = V4_B): Uint8Array {
  const packet = ipv4(17, udp(data(8), source, destination), { source, destination });
  packet[1] = tos;
  return packet;
}

function four(tos: number, source = V4_A, destination = V4_B): Uint8Array {
  return ethernet(0x0800, inner4(tos, source, destination));
}

/** @param flow traffic class and flow label: the lower 28 bits of the first word */
function six(flow: number, source = V6_A, destination = V6_B): Uint8Array {
  const packet = ipv6(17, udp(data(8), source, destination), source, destination);
  packet.set([0x60 | (flow >>> 24), flow >>> 16, flow >>> 8, flow]);
  return ethernet(0x86dd, packet);
}

const [NOT_ECT, ECT_1, ECT_0, CE] = [0, 1, 2, 3];
const NAMES = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE'];
const ALL = [NOT_ECT, ECT_1, ECT_0, CE];

describe('the ECN bits', () => {
  it('are only marked, and only where the sender says that they may be', () => {
    for (const then of ALL)
      for (const now of ALL) {
        const isRight = then === now || (now === CE && then !== NOT_ECT);
        const wanted = then === NOT_ECT || then === CE ? NAMES[then] : `${NAMES[then]} or CE`;
        const breach = (at: number): string =>
          isRight ? '' : `ecn/changed at ${at}: ${wanted}: ${NAMES[now]}`;
        expect(judged(four(0xb8 | then), four(0x28 | now))).toBe(breach(15));
        expect(judged(six((0xb8 | then) << 20), six((0x28 | now) << 20))).toBe(breach(15));
      }
  });

  it('are the program’s own in packets that it makes: answers, and new headers', () => {
    expect(judged(four(CE), four(0, V4_B, V4_A))).toBe('');
    expect(judged(four(CE), four(0, OTHER, V4_A))).toBe('');
    expect(judged(six(CE << 20), six(0, V6_B, V6_A))).toBe('');
    expect(judged(four(CE), ethernet(0x0800, ipv4(4, inner4(CE))))).toBe('');
    // What is translated in one address is the packet that it was.
    expect(judged(four(CE), four(0, OTHER, V4_B))).toBe('ecn/changed at 15: CE: Not-ECT');
    expect(judged(four(CE), four(0, V4_A, OTHER))).toBe('ecn/changed at 15: CE: Not-ECT');
  });

  it('are the program’s own in what answers a group, to that group, and where source and destination are one', () => {
    const [all, mdns] = [
      [255, 255, 255, 255],
      [224, 0, 0, 251],
    ];
    for (const group of [all, mdns]) {
      expect(judged(four(CE, V4_A, group), four(0, V4_B, group))).toBe('');
      expect(judged(four(CE, V4_A, group), four(0, V4_A, group))).toBe('ecn/changed at 15: CE: Not-ECT');
    }
    const group6 = [0xff, 2, ...new Array<number>(13).fill(0), 0xfb];
    expect(judged(six((CE << 20) | 0x12345, V6_A, group6), six(0, V6_B, group6))).toBe('');
    expect(judged(four(CE, V4_A, V4_A), four(0, V4_A, V4_A))).toBe('');
  });

  it('take over the marks of a header that was around them', () => {
    const tunnelled = (tos: number): Uint8Array => ethernet(0x0800, ipv4(4, inner4(tos)));
    expect(judged(tunnelled(ECT_0), four(ECT_1))).toBe('');
    expect(judged(tunnelled(ECT_0), four(CE))).toBe('');
    expect(judged(tunnelled(ECT_1), four(ECT_0))).toBe('ecn/changed at 15: ECT(1) or CE: ECT(0)');
    expect(judged(tunnelled(NOT_ECT), four(CE))).toBe('ecn/changed at 15: Not-ECT: CE');
    expect(judged(four(ECT_0), four(ECT_1))).not.toBe('');
  });

  it('are not looked for in what came with contradictory lengths, or is no IP packet', () => {
    const [before, after] = [four(CE), four(NOT_ECT)];
    for (const frame of [before, after]) frame[17] = 200;
    expect(judged(before, after)).toBe('');
    expect(judged(ethernet(0x0806, bytes(data(46))), ethernet(0x0806, bytes(0, data(45))))).toBe('');
  });
});

describe('the flow label', () => {
  it('arrives as it was sent, and may be filled in', () => {
    expect(judged(six(0x12345), six(0xb812345))).toBe('');
    expect(judged(six(0), six(0x12345))).toBe('');
    expect(judged(six(0x12345), six(0xb800000))).toBe('flow-label/changed at 15: 0x12345: 0x00000');
    expect(judged(six(0x12345), six(0x12346))).toBe('flow-label/changed at 15: 0x12345: 0x12346');
  });

  it('is the program’s own in answers', () => {
    expect(judged(six(0x12345), six(0, V6_B, V6_A))).toBe('');
  });
});
