import { describe, expect, it } from 'vitest';
import { runText } from '../test-support/run-text.ts';
import {
  leastLength,
  movedFront,
  movedHeaders,
  NEW_FRONT,
  ONLY_IN_TEST_RUNS,
  withRoom,
  withTransport,
} from './buffer-front.ts';

describe('what lies in front of a frame', () => {
  it('is enough for 64 bytes, and grows by as many', () => {
    expect(withRoom(NEW_FRONT, 64)).toBe(NEW_FRONT);
    expect(withRoom(NEW_FRONT, 65)).toMatchObject({ room: 128, isLarger: true });
    expect(withRoom(movedFront(NEW_FRONT, 60), 5)).toMatchObject({ room: 68 });
  });

  it('says nothing of a transport header until the buffer has grown: then it is where nobody put it', () => {
    expect(leastLength(movedFront(NEW_FRONT, 40), 14)).toBe(14);
    expect(leastLength(movedFront(withRoom(NEW_FRONT, 68), 68), 14)).toBe(3);
    expect(leastLength(movedFront(withRoom(NEW_FRONT, 768), 768), 14)).toBe(703);
    // In front of the frame, it says nothing either.
    expect(leastLength(withRoom(NEW_FRONT, 68), 14)).toBe(14);
  });

  it('has a transport header that goes along with the network header where it is in the same place', () => {
    const set = withTransport(NEW_FRONT, 34);
    expect(leastLength(set, 14)).toBe(34);
    expect(leastLength(movedHeaders(set, 10, 14), 14)).toBe(44);
    expect(leastLength(movedHeaders(set, 10, 34), 34)).toBe(34);
  });
});

describe('bpf_skb_change_tail', () => {
  const ipv4 = new Uint8Array(100);
  ipv4.set([0x08, 0, 0x45], 12);
  const cut = (room: number, flags: number, length: number): ReturnType<typeof runText> =>
    runText(
      `r6 = r1\nr2 = ${room}\nr3 = 0\nr4 = ${flags}\ncall bpf_skb_adjust_room\nr1 = r6\nr2 = ${length}\nr3 = 0\ncall bpf_skb_change_tail\nexit`,
      { hook: 'tc-ingress', packet: ipv4 },
    );
  const result = (...asked: readonly [number, number, number]): number =>
    Number(BigInt.asIntN(64, cut(...asked).r0));

  it('cuts a frame down to its network header, also where room was made', () => {
    expect(result(40, 0, 14)).toBe(0);
    expect(result(40, 0, 13)).toBe(-22);
    expect(result(68, 0, 14)).toBe(0);
    expect(result(68, 0, 2)).toBe(-22);
    expect(result(768, 0, 703)).toBe(0);
  });

  it('does not judge what only a test run takes, or only a device', () => {
    for (const [room, length] of [
      [68, 13],
      [68, 3],
      [768, 702],
      [768, 14],
    ] as const)
      expect(cut(room, 0, length).violation).toMatchObject({ unsupported: true, reason: ONLY_IN_TEST_RUNS });
  });

  it('refuses a tunnel, and first a length that does not reach its transport header', () => {
    expect(result(28, 2 | 16, 34)).toBe(-524);
    expect(result(28, 2 | 16, 33)).toBe(-22);
    expect(result(28, 2, 14)).toBe(-524);
  });
});
