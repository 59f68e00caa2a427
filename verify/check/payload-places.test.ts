/** Data that is looked for where it is not, behind options: with functions in place of programs. */
import { describe, expect, it } from 'vitest';
import { XDP_DROP, XDP_PASS } from '../../sim/runtime/actions.ts';
import type { World } from '../../sim/runtime/world.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { data, ethernet, ipv4, ipv6, tcp, udp, V4_A, V4_B, V6_A, V6_B } from '../test-support/packets.ts';
import { type MovableData, movableData } from './moved-payload.ts';
import { PayloadPlaces } from './payload-places.ts';
import type { Seen } from './probe.ts';

const IP = 14;
const SIGN = [0x47, 0x45, 0x54, 0x20];

type Find = (packet: Uint8Array) => number;

const signed = (size: number): Uint8Array => Uint8Array.from([...SIGN, ...data(size)]);
const segment = ethernet(0x0800, ipv4(6, tcp(signed(20))));
const datagram = ethernet(0x0800, ipv4(17, udp(signed(20), V4_A, V4_B, 53)));
const segment6 = ethernet(0x86dd, ipv6(6, tcp(signed(20), V6_A, V6_B)));

const isV6 = (packet: Uint8Array): boolean => packet[IP]! >> 4 === 6;
const isTcp = (packet: Uint8Array): boolean => packet[isV6(packet) ? IP + 6 : IP + 9] === 6;
const behindIp: Find = (packet) => IP + (isV6(packet) ? 40 : (packet[IP]! & 15) * 4);
const counted: Find = (packet) => {
  const at = behindIp(packet);
  return at + (isTcp(packet) ? (packet[at + 12]! >> 4) * 4 : 8);
};
const shortTcp: Find = (packet) => behindIp(packet) + (isTcp(packet) ? 20 : 8);
const shortIp: Find = (packet) => IP + (isV6(packet) ? 40 : 20) + (isTcp(packet) ? 20 : 8);
const withoutOptions: Find = (packet) =>
  packet[IP] === 0x45 && packet[IP + 32] === 0x50 ? counted(packet) : packet.length;

const isSigned = (packet: Uint8Array, at: number): boolean =>
  SIGN.every((byte, index) => packet[at + index] === byte);
const drops =
  (find: Find): Behaviour =>
  ({ packet }) => ({ action: isSigned(packet, find(packet)) ? XDP_DROP : XDP_PASS });
const counts =
  (find: Find): Behaviour =>
  ({ packet }, state) => {
    if (isSigned(packet, find(packet))) state.counts.set(1, 1);
    return { action: XDP_PASS };
  };
const writes =
  (find: Find): Behaviour =>
  ({ packet }) => {
    const left = packet.slice();
    left[find(packet)] = 0x58;
    return { action: XDP_PASS, packet: left };
  };

async function found(
  behaviour: Behaviour,
  packet: Uint8Array,
  {
    world = {},
    isGiven = false,
    but = [],
  }: { readonly world?: World; readonly isGiven?: boolean; readonly but?: readonly string[] } = {},
): Promise<Seen[]> {
  const engine = fakeEngine('wasm', behaviour);
  const sightings = [{ world, stimulus: { packet } }];
  const seen = await new PayloadPlaces(FAKE_PROGRAM, isGiven).find(engine, sightings, new Set(but));
  expect(engine.log.closed).toBe(engine.log.opened);
  return seen;
}

describe('data is looked for', () => {
  it('where it is without options of TCP', async () => {
    const [seen, ...more] = await found(drops(shortTcp), segment);
    expect(more).toEqual([]);
    expect(seen?.severity).toBeUndefined();
    expect(seen?.breach).toEqual({
      invariant: 'payload/misplaced',
      ...{ at: 54, size: 0, expected: 'the data at byte 94', got: 'bytes at 54' },
      sentence:
        'behind TCP options the data begins at byte 94, but bytes from 54 on decide, where data begins without options: the program returns XDP_DROP instead of XDP_PASS',
    });
    expect((await found(drops(shortTcp), segment6)).length).toBe(1);
  });

  it('where it is without options of IPv4, be ports looked for there, too, or not', async () => {
    for (const find of [shortIp, (packet: Uint8Array) => (packet[IP + 22] === 0 ? shortIp(packet) : 0)]) {
      const seen = await found(drops(find), datagram);
      expect(seen.map(({ breach }) => breach.got)).toEqual(['bytes at 42']);
    }
    expect(await found(drops(shortIp), datagram, { but: ['IPv4 options'] })).toEqual([]);
  });

  it('where what is counted shows it', async () => {
    expect((await found(counts(shortTcp), segment)).length).toBe(1);
    expect(await found(counts(counted), segment)).toEqual([]);
  });

  it('and written, an error', async () => {
    const [seen] = await found(writes(shortTcp), segment);
    expect(seen?.severity).toBe('error');
    expect(seen?.breach).toMatchObject({ at: 54, size: 1 });
    expect(seen?.breach.sentence).toMatch(/and the program wrote at byte 54 as if it were there$/);
  });

  it.each<readonly [string, Find]>([
    ['where it is', counted],
    ['by who passes what has options', withoutOptions],
    ['behind the headers by who searches the frame', (packet) => Buffer.from(packet).indexOf('GET ')],
  ])('right: %s', async (_what, find) => {
    for (const packet of [segment, datagram, segment6])
      for (const behaviour of [drops(find), counts(find)]) expect(await found(behaviour, packet)).toEqual([]);
    if (find !== withoutOptions) expect(await found(writes(counted), segment)).toEqual([]);
  });

  it('right: what searches header and data at once finds what begins in the one and ends in the other', async () => {
    // The urgent pointer is 0.
    const isThere: Behaviour = ({ packet }) => {
      const window = Buffer.from(packet.subarray(34, 98));
      return { action: window.includes(Buffer.of(0, ...SIGN)) ? XDP_DROP : XDP_PASS };
    };
    expect(await found(isThere, segment)).toEqual([]);
    expect(await found(isThere, segment6)).toEqual([]);
    // Behind the header without options alone it is another matter.
    const isBehind: Behaviour = ({ packet }) => ({
      action: packet[shortTcp(packet) - 1] === 0 && isSigned(packet, shortTcp(packet)) ? XDP_DROP : XDP_PASS,
    });
    expect((await found(isBehind, segment)).length).toBe(1);
  });

  it('right: what leaves has no such options, or is no IP any more', async () => {
    const answers: Behaviour = ({ packet }) => {
      const left = packet.slice();
      left[IP] = (left[IP]! & 0xf0) | (isV6(packet) ? left[IP]! & 15 : 5);
      if (isTcp(packet)) left[shortIp(packet) - 8] = 0x50;
      left[shortIp(packet)] = 0x58;
      return { action: XDP_PASS, packet: left };
    };
    const scrambles: Behaviour = ({ packet }) => {
      const left = packet.map((byte, at) => (at < shortIp(packet) ? byte : byte ^ 0x5a));
      left.set([0x88, 0xb5], 12);
      return { action: XDP_PASS, packet: left };
    };
    for (const packet of [segment, datagram, segment6])
      for (const behaviour of [answers, scrambles]) expect(await found(behaviour, packet)).toEqual([]);
  });

  it('right: a trailer, which the end of the frame says where it is, and options or not', async () => {
    const trailer = (payload: Uint8Array): Uint8Array => Uint8Array.from([...payload, ...SIGN]);
    const atTheEnd: Find = (packet) => packet.length - SIGN.length;
    for (const size of [40, 60]) {
      expect(await found(drops(atTheEnd), ethernet(0x0800, ipv4(17, udp(trailer(data(size))))))).toEqual([]);
      expect(await found(drops(atTheEnd), ethernet(0x0800, ipv4(6, tcp(trailer(data(size))))))).toEqual([]);
      expect(await found(counts(atTheEnd), ethernet(0x0800, ipv4(6, tcp(trailer(data(size))))))).toEqual([]);
    }
  });

  it('right: lengths alone decide', async () => {
    const byLength: Behaviour = ({ packet }) => ({ action: packet.length > 90 ? XDP_DROP : XDP_PASS });
    for (const packet of [segment, datagram]) expect(await found(byLength, packet)).toEqual([]);
  });

  it('nowhere: a hash of all the frame decides', async () => {
    for (const share of [2, 3, 5, 7]) {
      const hashed: Behaviour = ({ packet }) => {
        const step = (hash: number, byte: number): number => Math.imul(hash ^ byte, 0x01000193) >>> 0;
        const hash = packet.subarray(0, 90).reduce(step, 0x811c9dc5);
        return { action: (hash >>> 9) % share === 0 ? XDP_DROP : XDP_PASS };
      };
      for (let last = 0; last < 40; last++) expect(await found(hashed, segment.with(11, last))).toEqual([]);
    }
  });

  it('right: a bad option is dropped, and data behind options is not looked at', async () => {
    const careful: Behaviour = ({ packet }) => {
      const at = behindIp(packet) + 20;
      const hasOptions = counted(packet) > at;
      const isBad = hasOptions ? packet[at]! > 30 : isSigned(packet, at);
      return { action: isBad ? XDP_DROP : XDP_PASS };
    };
    expect(await found(careful, segment)).toEqual([]);
  });

  it('with empty maps, where that shows it', async () => {
    const world: World = { maps: { counts: [{ key: new Uint8Array(4), value: new Uint8Array(8).fill(1) }] } };
    expect((await found(drops(shortTcp), segment, { world }))[0]?.world).toEqual({});
    expect((await found(drops(shortTcp), segment, { world, isGiven: true }))[0]?.world).toEqual(world);
  });
});

function statusesOf(packet: Uint8Array): unknown[] {
  const statuses: unknown[] = [];
  verifyChecksums(packet, 0, packet.length, { checksum: ({ status }) => statuses.push(status) });
  return statuses;
}

describe('packets whose data moves', () => {
  it.each([
    ['TCP', segment, 3],
    ['UDP', datagram, 2],
    ['TCP over IPv6', segment6, 1],
  ])('of %s are whole, of one length, and have right checksums', (_what, packet, ways) => {
    const [movable] = movableData(packet) as [MovableData];
    expect(movable.ways.length).toBe(ways);
    for (const { plain, disguised, moved, bare } of movable.ways) {
      const made = [plain, disguised, ...moved, bare].map((make) => make(movable.data));
      expect(new Set(made.map(({ length }) => length)).size).toBe(1);
      for (const one of made) expect(statusesOf(one)).toEqual(statusesOf(packet));
    }
  });

  it('are made of what options move, too, wherever its data is taken from', () => {
    const [own] = movableData(segment) as [MovableData];
    const [truly, fixed, ...more] = movableData(own.ways[0]!.moved[0]!(own.data));
    expect(more).toEqual([]);
    expect(Buffer.from(truly!.data.subarray(0, 4)).toString()).toBe('GET ');
    expect([...fixed!.data.subarray(0, 8)]).toEqual([1, 1, 1, 1, ...SIGN]);
    expect(truly!.ways[0]!.plain(truly!.data).subarray(0, 14 + 20 + 13)).toEqual(
      own.ways[0]!.plain(truly!.data).subarray(0, 14 + 20 + 13),
    );
  });

  it('are none without data, and of other protocols', () => {
    expect(movableData(ethernet(0x0800, ipv4(6, tcp(data(0)))))).toEqual([]);
    expect(movableData(ethernet(0x0800, ipv4(50, data(40))))).toEqual([]);
    expect(movableData(ethernet(0x0806, data(28)))).toEqual([]);
  });
});
