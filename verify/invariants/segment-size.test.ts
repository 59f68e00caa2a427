/** SYNs whose maximum segment size left otherwise than it came. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, ethernet, ipv4, ipv6, PASSED, u16 } from '../test-support/packets.ts';
import { ruleOf } from './rules.ts';
import { segmentSize } from './segment-size.ts';

const pair = new FramePair();

/** What was wanted, and what was got; the frames may differ in length. */
function judged(before: Uint8Array, after: Uint8Array): string {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = segmentSize.judge(pair, PASSED);
  if (breach === undefined) return '';
  expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  expect((after[breach.at]! << 8) | after[breach.at + 1]!).toBe(Number(breach.got));
  return `${breach.expected}: ${breach.got}`;
}

const [SYN, SYN_ACK, ACK] = [2, 0x12, 0x10];

function segment(list: readonly number[], flags = SYN, seq = 7, port = 80): Uint8Array {
  const offset = (5 + list.length / 4) << 4;
  return bytes(
    u16(4000),
    u16(port),
    u16(0),
    u16(seq),
    u16(0),
    u16(0),
    offset,
    flags,
    [0, 9, 0, 0, 0, 0],
    list,
  );
}

const size = (mss: number): number[] => [2, 4, mss >> 8, mss & 0xff];

function frame(list: readonly number[], flags?: number, seq?: number, port?: number): Uint8Array {
  return ethernet(0x0800, ipv4(6, segment(list, flags, seq, port)));
}

describe('the maximum segment size of a SYN', () => {
  it.each([SYN, SYN_ACK])('is not raised (flags %i)', (flags) => {
    expect(judged(frame(size(1300), flags), frame(size(1360), flags))).toBe('1300 or less: 1360');
    expect(judged(frame(size(1300), flags), frame(size(1300), flags, 7, 81))).toBe('');
    expect(judged(frame(size(1460), flags), frame(size(1360), flags))).toBe('');
  });

  it('is found behind other options, also where their order changed', () => {
    const before = [...[4, 2, 1, 1], ...size(1300), 0, 0, 0, 0];
    expect(judged(frame(before), frame([...[4, 2, 1, 1], ...size(1301), 0, 0, 0, 0]))).toBe(
      '1300 or less: 1301',
    );
    expect(judged(frame(before), frame([...size(1400), ...[1, 1, 4, 2], 0, 0, 0, 0]))).toBe(
      '1300 or less: 1400',
    );
    // Behind the end of the list is none.
    expect(judged(frame([0, 0, 0, 0, ...size(1300)]), frame([0, 0, 0, 0, ...size(1400)]))).toBe('');
  });

  it('is another one’s in a segment that the program makes', () => {
    expect(judged(frame(size(1300)), frame(size(1460), SYN_ACK))).toBe('');
    expect(judged(frame(size(1300)), frame(size(1460), SYN, 8))).toBe('');
  });

  it('says nothing of a segment without SYN, and of one that came or left without the option', () => {
    expect(judged(frame(size(1300), ACK), frame(size(1460), ACK))).toBe('');
    expect(judged(frame([1, 1, 1, 1]), frame(size(1460)))).toBe('');
    expect(judged(frame(size(1300)), frame([1, 1, 1, 1]))).toBe('');
    expect(judged(frame([2, 3, 5, 0]), frame([2, 3, 6, 0]))).toBe('');
  });

  it('is as large as the other version leaves room where it is translated', () => {
    const six = ethernet(0x86dd, ipv6(6, segment(size(1440))));
    expect(judged(six, frame(size(1460)))).toBe('');
    expect(judged(six, ethernet(0x86dd, ipv6(6, segment(size(1460)))))).toBe('1440 or less: 1460');
  });
});
