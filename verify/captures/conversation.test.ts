/** Whose checksum it is, and whether the network card had yet to finish it. */
import { describe, expect, it } from 'vitest';
import { packet as packetOf } from '../../sim/packet/build.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { CHECKSUM_LAYERS, type FoundChecksum } from '../oracle/found.ts';
import {
  bytes,
  data,
  ethernet,
  icmp,
  ipv4,
  ipv6,
  slowSum,
  tcp,
  u16,
  udp,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { extension } from '../test-support/right-packets.ts';
import { BeforeAfter } from './before-after.ts';
import { ConversationReader, conversationText } from './conversation.ts';
import { isUnfinished } from './offload.ts';
import { identify } from './packet-identity.ts';
import type { PairedPacket } from './pairing.ts';

const L4 = 34;
const TCP = ethernet(0x0800, ipv4(6, tcp(data(20))));
const UDP = ethernet(0x0800, ipv4(17, udp(data(20))));
const UDP6 = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));
const PING = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 2], data(20))));
/** An error about a datagram of others, with extensions behind it. */
const ERROR = ethernet(
  0x0800,
  ipv4(
    1,
    icmp(
      11,
      0,
      [0, 32, 0, 0],
      bytes(
        packetOf
          .ipv4({ source: '10.9.9.1', destination: '10.9.9.2' })
          .udp({ destinationPort: 53 })
          .payload(data(100))
          .bytes(),
        extension,
      ),
    ),
  ),
);
const SCTP = packetOf
  .ethernet()
  .ipv4({ source: '10.0.0.1', destination: '10.0.0.2' })
  .sctp({ sourcePort: 7, destinationPort: 9 })
  .bytes();

/** What is said of each checksum of a frame, which lies behind other bytes. */
function each<T>(
  frame: Uint8Array,
  say: (reader: ConversationReader, arena: Uint8Array, at: number, found: FoundChecksum) => T,
): Record<string, T> {
  const arena = bytes(data(5), frame);
  const reader = new ConversationReader();
  const said: Record<string, T> = {};
  verifyChecksums(arena, 5, frame.length, {
    checksum: (found) => {
      reader.note(found);
      said[CHECKSUM_LAYERS[found.layer]!] = say(reader, arena, 5, found);
    },
  });
  return said;
}

describe('a conversation', () => {
  const textsOf = (frame: Uint8Array): Record<string, string> =>
    each(frame, (reader, arena, at, found) => conversationText(reader.read(arena, at, found)));

  it.each<[what: string, frame: Uint8Array, texts: Record<string, string>]>([
    ['has ports over TCP', TCP, { ipv4: '10.11.1.1 → 10.11.1.2', tcp: '10.11.1.1:40000 → 10.11.1.2:80' }],
    ['has ports over UDP', UDP, { ipv4: '10.11.1.1 → 10.11.1.2', udp: '10.11.1.1:40000 → 10.11.1.2:53' }],
    [
      'has ports over SCTP, which has no pseudo-header',
      SCTP,
      { ipv4: '10.0.0.1 → 10.0.0.2', sctp: '10.0.0.1:7 → 10.0.0.2:9' },
    ],
    ['has brackets over IPv6', UDP6, { udp: '[fc00:dead:cafe:1::1]:40000 → [fc00:dead:cafe:1::2]:53' }],
    [
      'has those of an ICMP error, not of what it quotes, for its extensions',
      ERROR,
      {
        ipv4: '10.9.9.1 → 10.9.9.2',
        icmp: '10.11.1.1 → 10.11.1.2',
        udp: '10.9.9.1:40000 → 10.9.9.2:53',
        icmpext: '10.11.1.1 → 10.11.1.2',
      },
    ],
    ['has no ports over ICMP', PING, { ipv4: '10.11.1.1 → 10.11.1.2', icmp: '10.11.1.1 → 10.11.1.2' }],
  ])('%s', (_what, frame, texts) => {
    expect(textsOf(frame)).toEqual(texts);
  });

  it('is none without addresses, and of a packet before', () => {
    expect(conversationText({})).toBe('');
    expect(conversationText({ source: '10.0.0.1' })).toBe('');
    const said = each(SCTP, (reader, arena, at, found) => {
      reader.clear();
      return conversationText(reader.read(arena, at, found));
    });
    expect(said.sctp).toBe('');
  });

  it('has addresses where the header is known to lie', () => {
    const said = each(SCTP, (reader, arena, at, found) => {
      reader.noteIpv4(14);
      return conversationText(reader.read(arena, at, found));
    });
    expect(said.sctp).toBe('10.0.0.1:7 → 10.0.0.2:9');
  });
});

describe('the key of a conversation', () => {
  const keysOf = (frame: Uint8Array): Record<string, string> =>
    each(frame, (reader, arena, at, found) => {
      reader.readKey(arena, at, found);
      return `${reader.low} ${reader.high}`;
    });
  const put = (packet: Uint8Array, at: number, value: number): Uint8Array => {
    const copy = packet.slice();
    copy[at] = value;
    return copy;
  };

  it('is the same whatever else the packet holds', () => {
    for (const at of [22, L4 + 4, L4 + 12]) expect(keysOf(put(UDP, at, 77)).udp).toBe(keysOf(UDP).udp);
    expect(keysOf(UDP).udp).toBe(keysOf(ethernet(0x0800, ipv4(17, udp(data(9))))).udp);
  });

  it('is another with every byte of addresses and ports, for each layer and depth', () => {
    const at4 = Array.from({ length: 12 }, (_, index) => 26 + index);
    const at6 = Array.from({ length: 36 }, (_, index) => 22 + index);
    const keys = [
      keysOf(UDP).udp,
      keysOf(UDP).ipv4,
      ...at4.map((at) => keysOf(put(UDP, at, 0xee)).udp),
      keysOf(UDP6).udp,
      ...at6.map((at) => keysOf(put(UDP6, at, 0xee)).udp),
      keysOf(ethernet(0x0800, ipv4(4, UDP.subarray(14)))).ipv4,
    ];
    expect(new Set(keys).size).toBe(keys.length);
    // Neither half is by itself what another one is.
    for (const half of [0, 1])
      expect(new Set(keys.map((key) => key!.split(' ')[half])).size).toBeGreaterThan(keys.length - 3);
  });

  it('of ICMP is that of the addresses', () => {
    expect(keysOf(put(PING, L4 + 5, 9)).icmp).toBe(keysOf(PING).icmp);
    expect(keysOf(put(PING, 29, 9)).icmp).not.toBe(keysOf(PING).icmp);
  });
});

/** The packet with its pseudo-header's sum in the field. @param length what is said of the segment's length */
function unready(
  packet: Uint8Array,
  field: number,
  addresses: number,
  transport: number,
  protocol: number,
  length: number,
): Uint8Array {
  const copy = packet.slice();
  copy.set(u16(slowSum([...packet.subarray(addresses, transport), ...u16(protocol), ...u16(length)])), field);
  return copy;
}

const unfinishedOf = (frame: Uint8Array): Record<string, boolean> =>
  each(frame, (_reader, arena, at, found) =>
    isUnfinished(new DataView(arena.buffer, arena.byteOffset, arena.byteLength), at, found),
  );

describe('a checksum that the network card finishes', () => {
  const sized = (size: number): Uint8Array => ethernet(0x0800, ipv4(6, tcp(data(size - 20))));
  const of = (size: number, length: number): boolean =>
    unfinishedOf(unready(sized(size), L4 + 16, 26, L4, 6, length)).tcp!;

  it('is the sum of its pseudo-header', () => {
    expect(of(40, 40)).toBe(true);
    expect(unfinishedOf(unready(UDP, L4 + 6, 26, L4, 17, 28)).udp).toBe(true);
    expect(unfinishedOf(unready(UDP6, 60, 22, 54, 17, 28)).udp).toBe(true);
  });

  it('is none that differs by anything', () => {
    expect(unfinishedOf(TCP)).toEqual({ ipv4: false, tcp: false });
    expect(of(40, 41)).toBe(false);
    expect(unfinishedOf(unready(UDP, L4 + 6, 26, L4, 6, 28)).udp).toBe(false);
    expect(unfinishedOf(unready(UDP, L4 + 6, 26, L4 - 2, 17, 28)).udp).toBe(false);
    expect(unfinishedOf(unready(UDP, L4 + 6, 28, L4, 17, 28)).udp).toBe(false);
  });

  it('may leave the length out from 1400 bytes on', () => {
    expect(of(1399, 0)).toBe(false);
    expect(of(1400, 0)).toBe(true);
    expect(of(1400, 1400)).toBe(true);
  });

  it('is 0 in SCTP, and nothing else', () => {
    const empty = SCTP.slice();
    empty.fill(0, L4 + 8, L4 + 12);
    expect([unfinishedOf(SCTP).sctp, unfinishedOf(empty).sctp]).toEqual([false, true]);
  });

  it('is none where nothing but the segment is covered', () => {
    const empty = PING.slice();
    empty.fill(0, L4 + 2, L4 + 4);
    expect(unfinishedOf(empty)).toEqual({ ipv4: false, icmp: false });
  });
});

describe('a device', () => {
  const of = (packet: number, frame: Uint8Array): PairedPacket => ({
    packet,
    frame,
    identity: identify(frame)!,
  });
  const judged = (came: Uint8Array, left: Uint8Array, strict = false, maxFaults = 10): BeforeAfter => {
    const judge = new BeforeAfter({ strict, maxFaults });
    judge.judge(of(3, came), of(5, left));
    judge.judge(of(4, came), of(6, left));
    return judge;
  };
  const put = (packet: Uint8Array, at: number, ...values: number[]): Uint8Array => {
    const copy = packet.slice();
    copy.set(values, at);
    return copy;
  };

  it('that changes nothing, or repairs what it changes, has no fault', () => {
    const judge = judged(UDP, UDP);
    expect([judge.faultCount, judge.unfinished, judge.unjudged, judge.faults]).toEqual([0, 0, 0, []]);
  });

  it('is blamed with both packets, whose it is, and the cause', () => {
    const judge = judged(UDP, put(UDP, L4 + 1, 0x41));
    expect(judge.faultCount).toBe(2);
    expect(judge.faults[0]).toMatchObject({
      ...{ packet: 5, before: 3, layer: 'udp', depth: 0, kind: 'wrong' },
      ...{ source: '10.11.1.1', sourcePort: 40_001, destination: '10.11.1.2', destinationPort: 53 },
      cause: { id: 'not updated' },
    });
    expect(judge.faults[1]).toMatchObject({ packet: 6, before: 4 });
  });

  it('is blamed for as many as are listed, and all are counted', () => {
    const judge = judged(UDP, put(UDP, L4 + 1, 0x41), false, 1);
    expect([judge.faultCount, judge.faults.length]).toEqual([2, 1]);
  });

  it('leaves to the network card what that has yet to finish, unless one is strict', () => {
    const left = unready(UDP, L4 + 6, 26, L4, 17, 28);
    const judge = judged(UDP, left);
    expect([judge.faultCount, judge.unfinished, judge.faults]).toEqual([0, 2, []]);
    const strict = judged(UDP, left, true);
    expect([strict.faultCount, strict.unfinished, strict.faults.length]).toEqual([2, 0, 2]);
  });

  it('is blamed for the checksum that is wrong, of several of its kind', () => {
    const tunnel = (inner: Uint8Array): Uint8Array => ethernet(0x0800, ipv4(4, inner));
    const inner = ipv4(17, udp(data(20)));
    const [fault] = judged(tunnel(inner), tunnel(put(inner, 8, 3))).faults;
    expect(fault).toMatchObject({ layer: 'ipv4', depth: 1 });
  });

  it('is not judged on what it cut off', () => {
    expect(judged(UDP, UDP.subarray(0, 50))).toMatchObject({ unjudged: 2, faultCount: 0 });
  });
});
