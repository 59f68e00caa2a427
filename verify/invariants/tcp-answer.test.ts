/** Numbers of TCP segments that answer one: those that the other side accepts, and those that it does not. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, data, ethernet, ipv4, PASSED, u16, V4_A, V4_B } from '../test-support/packets.ts';
import { ruleOf } from './rules.ts';
import { tcpAnswer } from './tcp-answer.ts';

const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];
const pair = new FramePair();

const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

interface Segment {
  readonly flags: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly size?: number;
}

function frame(
  { flags, seq = 0, ack = 0, size = 0 }: Segment,
  isBack = false,
  ports = [4000, 80],
): Uint8Array {
  const [from, to] = isBack ? [ports[1]!, ports[0]!] : [ports[0]!, ports[1]!];
  const [source, destination] = isBack ? [V4_B, V4_A] : [V4_A, V4_B];
  const segment = bytes(u16(from), u16(to), u32(seq), u32(ack), 0x50, flags, [0, 9, 0, 0, 0, 0], data(size));
  return ethernet(0x0800, ipv4(6, segment, { source, destination }));
}

function judged(came: Segment, left: Segment, delivery: 1 | 2 | 3 = 2): string {
  const [before, after] = [frame(came), frame(left, true)];
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = tcpAnswer.judge(pair, { ...PASSED, delivery });
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach === undefined ? '' : `${breach.invariant} ${breach.expected} ${breach.got}`;
}

const SEQ = 0x0102fffe;
const HASH = 0x9e3779b1;

describe('a SYN', () => {
  const syn = { flags: SYN, seq: SEQ };
  const answer = (ack: number): string => judged(syn, { flags: SYN | ACK, seq: HASH, ack });

  it('is acknowledged with its number plus one', () => {
    expect(answer(SEQ + 1)).toBe('');
    expect(judged({ flags: SYN, seq: 0xffffffff }, { flags: SYN | ACK, ack: 0 })).toBe('');
  });

  it.each([
    ['as it came', SEQ],
    ['with two added', SEQ + 2],
    ['as if it counted in the other byte order', 0x0202fffe],
    ['with nothing', 0],
  ])('is not acknowledged %s', (_, ack) => {
    expect(answer(ack)).toBe(`reply/syn-not-acknowledged ${SEQ + 1} ${ack}`);
  });

  it('with data may be acknowledged with these, or without', () => {
    const open = { ...syn, size: 30 };
    for (const more of [1, 31]) expect(judged(open, { flags: SYN | ACK, ack: SEQ + more })).toBe('');
    expect(judged(open, { flags: SYN | ACK, ack: SEQ + 32 })).toMatch(/^reply\/syn-not/);
  });

  it('may be answered with a number that is made up, and passed on with any', () => {
    expect(answer(HASH)).toBe('');
    expect(judged(syn, { flags: SYN | ACK, ack: SEQ }, 1)).toBe('');
  });
});

describe('a reset', () => {
  const segment = { flags: ACK, seq: SEQ, ack: HASH, size: 10 };

  it('has the number that is expected', () => {
    for (const flags of [RST, RST | ACK]) {
      expect(judged(segment, { flags, seq: HASH, ack: SEQ + 10 })).toBe('');
      expect(judged(segment, { flags, seq: 0 })).toBe(`reply/reset-number ${HASH} 0`);
      expect(judged(segment, { flags, seq: SEQ + 10 })).toBe(`reply/reset-number ${HASH} ${SEQ + 10}`);
    }
    // What keeps the connection knows what it has sent besides.
    expect(judged(segment, { flags: RST, seq: HASH + 500 })).toBe('');
  });

  it('acknowledges a SYN', () => {
    const syn = { flags: SYN, seq: SEQ };
    expect(judged(syn, { flags: RST | ACK, ack: SEQ + 1 })).toBe('');
    expect(judged(syn, { flags: RST | ACK, ack: SEQ })).toBe(`reply/reset-number ${SEQ + 1} ${SEQ}`);
    expect(judged(syn, { flags: RST })).toBe('reply/reset-number RST and ACK RST alone');
  });

  it('is no answer where another segment is, or a reset came', () => {
    expect(judged(segment, { flags: ACK | FIN, seq: 0 })).toBe('');
    expect(judged({ ...segment, flags: RST | ACK }, { flags: RST, seq: 0 })).toBe('');
    expect(judged(segment, { flags: RST, seq: 0 }, 1)).toBe('');
  });
});
