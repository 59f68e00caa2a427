import { describe, expect, it } from 'vitest';
import { sum as sumOf } from '../../sim/packet/checksum.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { CHECKSUM, verifyChecksums } from '../../verify/oracle/checksums.ts';
import { PacketGenerator } from '../generate/generator.ts';
import { NO_LIMITS } from '../generate/packet-limits.ts';
import { seedFromText } from '../generate/random.ts';
import { layout, repair } from './packet-layout.ts';
import { complexity, isSimpler, simplerPackets } from './shrink.ts';
import { faults } from './well-formed.ts';

const SEED = seedFromText('shrink');

/** Goes on from the first simpler stimulus that still fails, until none does: what `verify` does. */
function shrunk(start: Stimulus, fails: (stimulus: Stimulus) => boolean): { least: Stimulus; tried: number } {
  let least = start;
  let tried = 0;
  for (let found = true; found; ) {
    found = false;
    for (const candidate of simplerPackets(least)) {
      tried++;
      if (!fails(candidate)) continue;
      least = candidate;
      found = true;
      break;
    }
  }
  return { least, tried };
}

/** Generated packets that fail, from a run of packets of one kind. */
function failing(hints: object, fails: (stimulus: Stimulus) => boolean, count: number): Stimulus[] {
  const generator = new PacketGenerator(hints, ['xdp', 'tc-egress']);
  const found: Stimulus[] = [];
  for (let index = 0; found.length < count; index++) {
    const stimulus = generator.single(SEED, index, 0, NO_LIMITS);
    if (fails(stimulus)) found.push(stimulus);
    if (index > 200_000) expect.fail(`only ${found.length} of 200,000 packets fail`);
  }
  return found;
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

/** No bad checksum anywhere, says the oracle. */
function isValid(packet: Uint8Array): boolean {
  let bad = 0;
  verifyChecksums(packet, 0, packet.length, {
    checksum: ({ status }) => {
      if (status === CHECKSUM.bad || status === CHECKSUM.unverifiable) bad++;
    },
  });
  return bad === 0;
}

describe('complexity', () => {
  it('orders by what is wrong first, then length, then bytes that are not zero, then their sum', () => {
    const of = (...packet: number[]) => complexity({ packet: Uint8Array.from(packet) });
    expect(isSimpler(of(9, 9), of(0, 0, 0))).toBe(true);
    expect(isSimpler(of(0, 9), of(1, 1))).toBe(true);
    expect(isSimpler(of(0, 8), of(0, 9))).toBe(true);
    expect(isSimpler(of(1, 2), of(1, 2))).toBe(false);
    expect(isSimpler(of(2, 1), of(1, 2))).toBe(false);
    // A longer packet that is whole is simpler than a shorter one that is not.
    const headers = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    expect(isSimpler(of(...headers, 0x88, 0xb5, 1, 2, 3), of(...headers, 8, 0, 0x45))).toBe(true);
    expect(isSimpler(of(...headers, 0x88, 0xb5), of(1))).toBe(true);
  });

  it('counts metadata, and device, queue and entry off their defaults', () => {
    const packet = new Uint8Array(14);
    const plain = complexity({ packet });
    for (const more of [
      { metadata: new Uint8Array(4) },
      { ingressIfindex: 2 },
      { rxQueueIndex: 1 },
      { entry: 1 },
    ]) {
      expect(isSimpler(plain, complexity({ packet, ...more })), JSON.stringify(more)).toBe(true);
    }
    expect(complexity({ packet, ingressIfindex: 1, rxQueueIndex: 0, entry: 0 })).toEqual(plain);
  });
});

describe('simpler packets', () => {
  it('are simpler than their origin, every one, and leave it as it is', () => {
    const generator = new PacketGenerator({ metadata: true, ingressIfindexes: [1, 5] }, ['xdp', 'tc-egress']);
    let candidates = 0;
    for (let index = 0; index < 150; index++) {
      const stimulus = generator.single(SEED, index, 0, NO_LIMITS);
      if (stimulus.packet.length > 400) continue;
      const before = stimulus.packet.slice();
      const from = complexity(stimulus);
      for (const simpler of simplerPackets(stimulus)) {
        candidates++;
        if (!isSimpler(complexity(simpler), from)) expect.fail(`packet ${index}: a candidate is not simpler`);
      }
      expect(stimulus.packet).toEqual(before);
    }
    expect(candidates).toBeGreaterThan(10_000);
  });

  it('come to an end at an Ethernet header of zeros when everything fails', () => {
    for (const start of failing({ metadata: true }, () => true, 40)) {
      const { least, tried } = shrunk(start, () => true);
      expect(least.packet).toEqual(new Uint8Array(14));
      expect(least.metadata ?? []).toHaveLength(0);
      expect(least.ingressIfindex).toBe(1);
      expect(least.entry).toBe(0);
      expect(tried).toBeLessThan(400);
    }
    expect([...simplerPackets({ packet: new Uint8Array(14) })]).toEqual([]);
  });

  it('come to all zeros when only the length matters', () => {
    for (const start of failing({}, ({ packet }) => packet.length >= 33, 10)) {
      const { least } = shrunk(start, ({ packet }) => packet.length >= 33);
      expect(least.packet).toEqual(new Uint8Array(33));
    }
  });

  it('bring a fault of any echo request down to 42 bytes, a valid packet where the fault allows', () => {
    const isEcho = ({ packet }: Stimulus): boolean => {
      const parts = layout(packet);
      return (
        parts.version === 4 &&
        parts.protocol === 1 &&
        !parts.incomplete &&
        parts.upperAt > 0 &&
        parts.upperEnd - parts.upperAt >= 8 &&
        packet[parts.upperAt] === 8 &&
        isValid(packet)
      );
    };
    for (const start of failing({}, isEcho, 40)) {
      const { least, tried } = shrunk(start, isEcho);
      expect(least.packet).toHaveLength(42);
      expect(tried).toBeLessThan(2000);
    }
  });

  it('keep a checksum on which the fault hangs, and the packet valid, when the payload goes', () => {
    // An ICMPv6 echo request whose reply needs the second fold, from a packet with a long payload.
    const needsFold = ({ packet }: Stimulus): boolean => {
      const parts = layout(packet);
      return (
        parts.version === 6 &&
        parts.protocol === 58 &&
        parts.checksumAt > 0 &&
        parts.upperEnd - parts.upperAt >= 8 &&
        packet[parts.upperAt] === 128 &&
        packet[parts.upperAt + 1] === 0 &&
        u16(packet, parts.checksumAt) === 0
      );
    };
    const starts = failing(
      { kinds: { 'icmpv6-echo': 100 } },
      (one) => needsFold(one) && isValid(one.packet),
      20,
    );
    expect(Math.max(...starts.map(({ packet }) => packet.length))).toBeGreaterThan(80);
    for (const start of starts) {
      const { least } = shrunk(start, needsFold);
      expect(least.packet).toHaveLength(62);
      expect(isValid(least.packet)).toBe(true);
      expect(u16(least.packet, 56)).toBe(0);
    }
  });

  it('keep the checksum of an IPv4 header on which the fault hangs, and the packet whole', () => {
    // What a carry lost with the TTL needs: a header that verifies with a checksum from 0xff00 on.
    const overflows = ({ packet }: Stimulus): boolean => {
      const { version, networkAt } = layout(packet);
      return (
        version === 4 &&
        packet[networkAt] === 0x45 &&
        packet[networkAt + 10] === 0xff &&
        sumOf(packet, networkAt, 20) === 0xffff
      );
    };
    for (const start of failing({ kinds: { tcp: 50, udp: 50 } }, overflows, 15)) {
      const { least } = shrunk(start, overflows);
      expect(faults(least.packet)).toBe(0);
      expect(least.packet.length).toBeLessThanOrEqual(54);
    }
  });

  it('keep the options a fault hangs on, but only four bytes of them', () => {
    const hasOptions = ({ packet }: Stimulus): boolean => {
      const parts = layout(packet);
      return parts.version === 4 && parts.options.length === 1 && parts.protocol === 6 && isValid(packet);
    };
    for (const start of failing({}, hasOptions, 15)) {
      const { least } = shrunk(start, hasOptions);
      const parts = layout(least.packet);
      expect(parts.options).toEqual([{ from: 34, to: 38 }]);
      expect(parts.tags).toEqual([]);
      expect(least.packet.length).toBeLessThanOrEqual(58);
    }
  });

  it('drop extension headers one by one and mend the chain', () => {
    const hasRouting = ({ packet }: Stimulus): boolean => {
      const parts = layout(packet);
      return (
        parts.version === 6 &&
        parts.protocol === 17 &&
        parts.options.length >= 1 &&
        packet[parts.networkAt + 6] === 43
      );
    };
    for (const start of failing({ kinds: { udp6: 50 } }, hasRouting, 15)) {
      const { least } = shrunk(start, hasRouting);
      const parts = layout(least.packet);
      expect(parts.options).toHaveLength(1);
      expect(parts.fragmentHeader).toBeUndefined();
      expect(parts.tags).toEqual([]);
    }
  });

  it('cut a message within its header only where the fault hangs on that, with the lengths before it right', () => {
    const held = ({ packet }: Stimulus): number => {
      const { version, protocol, incomplete, upperAt, upperEnd } = layout(packet);
      return version === 4 && protocol === 1 && !incomplete && upperAt > 0 ? upperEnd - upperAt : -1;
    };
    const hasThree = (stimulus: Stimulus): boolean => held(stimulus) >= 3;
    for (const start of failing({}, hasThree, 15)) {
      expect(shrunk(start, hasThree).least.packet).toHaveLength(42);
    }
    const isShort = (stimulus: Stimulus): boolean => held(stimulus) >= 3 && held(stimulus) < 8;
    for (const start of failing({}, isShort, 15)) {
      const { packet } = shrunk(start, isShort).least;
      expect(packet).toHaveLength(37);
      expect(u16(packet, 16)).toBe(23);
    }
  });

  it('are whole wherever a whole packet fails, however the failing one came', () => {
    // What a program does to any packet of a protocol: lengths, checksums, addresses play no part.
    for (const [version, protocol, least] of [
      [4, 1, 42],
      [4, 6, 54],
      [4, 17, 42],
      [6, 6, 74],
      [6, 17, 62],
      [6, 58, 62],
    ] as const) {
      const names = ({ packet }: Stimulus): boolean => {
        const at = version === 4 ? 23 : 20;
        const type = version === 4 ? 0x0800 : 0x86dd;
        return packet.length >= 34 && u16(packet, 12) === type && packet[at] === protocol;
      };
      for (const start of failing({}, (one) => names(one) && faults(one.packet) > 0, 15)) {
        const { packet } = shrunk(start, names).least;
        expect(faults(packet), `${version}/${protocol}`).toBe(0);
        expect(packet, `${version}/${protocol}`).toHaveLength(least);
        expect([...packet.subarray(0, 12)]).toEqual([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
      }
    }
  });

  it('go from IPv6 to IPv4 where the fault does', () => {
    const isEcho = ({ packet }: Stimulus): boolean => {
      const { version, protocol, upperAt, payloadAt } = layout(packet);
      if (payloadAt - upperAt < 8 || packet[upperAt + 1] !== 0 || !isValid(packet)) return false;
      return (
        packet[upperAt] ===
        (version === 6 && protocol === 58 ? 128 : version === 4 && protocol === 1 ? 8 : -1)
      );
    };
    for (const start of failing({ kinds: { 'icmpv6-echo': 1000 } }, isEcho, 15)) {
      expect(shrunk(start, isEcho).least.packet).toHaveLength(42);
    }
  });

  it('keep a repeated byte pattern anywhere in noise, and nothing else', () => {
    const start = {
      packet: Uint8Array.from({ length: 300 }, (_, at) => (at === 217 ? 0xee : (at * 7 + 1) & 0x7f)),
    };
    const { least, tried } = shrunk(start, ({ packet }) => packet.includes(0xee));
    expect(least.packet).toHaveLength(14);
    expect([...least.packet].sort((a, b) => b - a)).toEqual([0xee, ...new Array<number>(13).fill(0)]);
    expect(tried).toBeLessThan(1000);
  });
});

describe('repair', () => {
  it('makes packets of every kind valid, by their checksum or by their content', () => {
    const generator = new PacketGenerator({
      kinds: { noise: 0, arp: 0, 'ethernet-other': 0, 'ip-other': 0, 'icmp-other': 0, 'icmpv6-other': 0 },
    });
    const repaired = { checksum: 0, content: 0 };
    for (let index = 0; index < 5000; index++) {
      for (const how of ['checksum', 'content'] as const) {
        const { packet } = generator.single(SEED, index);
        const before = layout(packet);
        if (before.incomplete || (before.version === 4 && before.options.length > 0)) continue;
        // Nor are addresses and hop counts its business.
        if (before.version === 0) continue;
        packet.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
        packet[before.networkAt + (before.version === 4 ? 8 : 7)] = 64;
        packet[before.networkAt + (before.version === 4 ? 12 : 8)] = 10;
        packet[before.networkAt + (before.version === 4 ? 16 : 24)] = 10;
        if (!repair(packet, how)) continue;
        const after = layout(packet);
        // Versions, ihl, fragments, data offsets and truncated headers are for the shrinker to leave alone or cut away.
        if (
          packet[after.networkAt]! >>> 4 !== after.version ||
          (after.version === 4 && packet[after.networkAt] !== 0x45) ||
          after.fragmentHeader !== undefined ||
          after.upperAt < 0 ||
          after.payloadAt - after.upperAt < (after.protocol === 6 ? 20 : 8) ||
          (after.protocol === 6 && packet[after.upperAt + 12]! >>> 4 !== 5)
        )
          continue;
        expect(faults(packet)).toBe(0);
        repaired[how]++;
      }
    }
    expect(repaired.checksum).toBeGreaterThan(3000);
    expect(repaired.content).toBeGreaterThan(3000);
  });

  it('by content leaves the checksum as it stands', () => {
    const generator = new PacketGenerator();
    let kept = 0;
    for (let index = 0; index < 3000; index++) {
      const { packet } = generator.single(SEED, index, 1);
      const { checksumAt, incomplete } = layout(packet);
      if (checksumAt < 0 || incomplete) continue;
      const before = u16(packet, checksumAt);
      if (!repair(packet, 'content')) continue;
      expect(u16(packet, checksumAt)).toBe(before);
      kept++;
    }
    expect(kept).toBeGreaterThan(1000);
  });
});
