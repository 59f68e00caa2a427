/** The packets that `check` makes of others, and what it takes from those that a program changed. */
import { describe, expect, it } from 'vitest';
import { OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { CHECKSUM_LAYERS, CHECKSUM_STATUSES, verifyChecksums } from '../oracle/checksums.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, data, ethernet, icmpv6, ipv4, ipv6, udp, V4_A, V4_B } from '../test-support/packets.ts';
import { changed, fingerprint } from '../test-support/recorded.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { type OnChanged, RewrittenWords } from './rewritten.ts';
import { ttlOf } from './ttl-steps.ts';
import { laterFragment, transportOf, variantsOf } from './variants.ts';

function checksums(packet: Uint8Array): string {
  const found: string[] = [];
  verifyChecksums(packet, 0, packet.length, {
    checksum: ({ layer, status }) => found.push(`${CHECKSUM_LAYERS[layer]} ${CHECKSUM_STATUSES[status]}`),
  });
  return found.join(', ');
}

describe('neighbours of a packet', () => {
  it('have no wrong checksum where it had none', () => {
    const wrong: string[] = [];
    for (const [name, packet] of Object.entries(RIGHT_PACKETS)) {
      if (/ (bad|illegal|unverifiable)/.test(checksums(packet))) continue;
      for (const variant of variantsOf({ packet }))
        if (/ bad/.test(checksums(variant.packet))) wrong.push(`${name}: ${toHex(variant.packet)}`);
    }
    // DCCP says itself how much of it its checksum covers.
    expect(wrong.filter((line) => !/^(UDP-Lite|DCCP)/.test(line))).toEqual([]);
  });

  it('are as recorded', async () => {
    const lines = Object.entries(RIGHT_PACKETS).map(([name, packet]) => {
      const variants = variantsOf({ packet, ingressIfindex: 3 }).map((one) => {
        expect(one.ingressIfindex).toBe(3);
        return `${toHex(one.packet)} ${checksums(one.packet)}`;
      });
      for (let length = 12; length < Math.min(90, packet.length); length += 2)
        for (const one of variantsOf({ packet: packet.subarray(0, length) }))
          variants.push(toHex(one.packet));
      return `${name}: ${fingerprint(`variants ${name}`, variants)}`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/variants.txt');
  });

  it('of ICMP include a message of zeros behind its type, with the checksum that follows', () => {
    const echo = RIGHT_PACKETS['an ICMP echo']!;
    const zeros = variantsOf({ packet: echo })
      .map(({ packet }) => packet)
      .filter((packet) => packet.length === echo.length && packet.subarray(38).every((byte) => byte === 0));
    expect(zeros.map((packet) => toHex(packet.subarray(34, 38)))).toContain('0800f7ff');
    expect(zeros.every((packet) => !/ bad/.test(checksums(packet)))).toBe(true);
  });

  it('of ICMPv6 include an echo reply of zeros, with the checksum that follows', () => {
    const echo = RIGHT_PACKETS.ICMPv6!;
    const replies = variantsOf({ packet: echo }).filter(
      ({ packet }) => packet.length === echo.length && packet[54] === 129,
    );
    expect(replies.map(({ packet }) => toHex(packet.subarray(58)))).toEqual(['00'.repeat(echo.length - 58)]);
    expect(replies.every(({ packet }) => !/ bad/.test(checksums(packet)))).toBe(true);
  });

  it('include those that come from where no host is', () => {
    const sources = (name: string, from: number, to: number): string[] => {
      const packet = RIGHT_PACKETS[name]!;
      const others = variantsOf({ packet }).map((one) => toHex(one.packet.subarray(from, to)));
      return [...new Set(others)];
    };
    expect(sources('an ICMP echo', 26, 30)).toEqual(
      expect.arrayContaining(['00000000', 'e0000005', 'ffffffff']),
    );
    expect(sources('ICMPv6', 22, 38)).toEqual(
      expect.arrayContaining(['00'.repeat(16), `ff02${'00'.repeat(13)}05`]),
    );
  });

  it('of TCP include one with the flag of resets beside its own', () => {
    const resets = (name: string): number => {
      const packet = RIGHT_PACKETS[name]!;
      const { at } = transportOf(packet)!;
      const variants = variantsOf({ packet }).map((one) => one.packet);
      return variants.filter((one) => one.length === packet.length && one[at + 13] === (packet[at + 13]! | 4))
        .length;
    };
    expect(resets('TCP')).toBe(1);
    expect(resets('TCP with options')).toBe(1);
  });

  it('of a SYN include a SYN-ACK', () => {
    const packet = RIGHT_PACKETS.TCP!.slice();
    const { at } = transportOf(packet)!;
    packet[at + 13] = 2;
    const flags = variantsOf({ packet }).map((one) => one.packet[at + 13]);
    expect(flags).toContain(0x12);
    packet[at + 13] = 0x18;
    expect(variantsOf({ packet }).map((one) => one.packet[at + 13])).not.toContain(0x12);
  });

  it('of DNS queries include a response, and one with an OPT record', () => {
    const query = [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
    const packet = ethernet(0x0800, ipv4(17, udp(Uint8Array.from(query))));
    const messages = variantsOf({ packet })
      .map((one) => toHex(one.packet.subarray(42)))
      .filter((one) => one.startsWith('abcd'));
    for (const question of ['0000010001', '03775777' + '0000010001']) {
      expect(messages).toContain(`abcd01000001000000000000${question}`);
      expect(messages).toContain(`abcd81000001000000000000${question}`);
      expect(messages).toContain(`abcd01000001000000000001${question}00002904d0000000000000`);
    }
    // What has no question gets one.
    const bare = Uint8Array.of(0xab, 0xcd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const asked = variantsOf({ packet: ethernet(0x0800, ipv4(17, udp(bare))) }).map((one) =>
      toHex(one.packet),
    );
    expect(asked.some((one) => one.endsWith('abcd00000001000000000000037757770000010001'))).toBe(true);
    const answered = variantsOf({
      packet: ethernet(0x0800, ipv4(17, udp(Uint8Array.from(query), V4_A, V4_B, 54))),
    });
    expect(answered.map((one) => one.packet[44])).not.toContain(0x81);
  });

  it('include those that met congestion, of IPv6 with a flow label', () => {
    const seconds = (name: string, size: number): string[] =>
      variantsOf({ packet: RIGHT_PACKETS[name]! }).map((one) => toHex(one.packet.subarray(15, 15 + size)));
    expect(seconds('UDP', 1)).toContain('03');
    expect(seconds('ICMPv6', 3)).toContain('3a5c31');
  });

  it('of UDP to the port of Geneve include a frame behind an option, of other ports none', () => {
    const optional = (port: number): string[] => {
      const datagram = udp(data(60));
      datagram.set([port >> 8, port & 255], 2);
      return variantsOf({ packet: ethernet(0x0800, ipv4(17, datagram)) })
        .map((one) => one.packet)
        .filter((one) => toHex(one.subarray(42, 46)) === '01006558')
        .map((one) => `${one.length} ${checksums(one)}`);
    };
    expect(optional(6081)).toEqual(['96 ipv4 good, udp good, ipv4 good, udp good']);
    expect(optional(4789)).toEqual([]);
  });

  it('of a neighbour solicitation include that of a host without an address, of other messages none', () => {
    const [asker, group, target] = [1, 2, 0xabcdef].map((last) =>
      bytes([0xfe, 0x80], new Uint8Array(11), [last >> 16, (last >> 8) & 255, last & 255]),
    );
    const unspecified = (type: number): string[] => {
      const option = [1, 1, 2, 0, 0, 0, 0, 1];
      const message = icmpv6(type, [0, 0, 0, 0], bytes(target!, option), [...asker!], [...group!]);
      const packet = ethernet(0x86dd, ipv6(58, message, [...asker!], [...group!]));
      return variantsOf({ packet })
        .map((one) => one.packet)
        .filter((one) => one.subarray(22, 38).every((byte) => byte === 0))
        .map(
          (one) =>
            `${toHex(one.subarray(0, 6))} ${toHex(one.subarray(18, 20))} ${toHex(one.subarray(38, 54))} ${one.length} ${checksums(one)}`,
        );
    };
    expect(unspecified(135)).toEqual(['3333ffabcdef 0018 ff0200000000000000000001ffabcdef 78 icmpv6 good']);
    expect(unspecified(136)).toEqual([]);
  });

  it('include longer ones, of which every header says so', () => {
    const lengthsOf = (name: string, ...fields: readonly number[]): string[] =>
      variantsOf({ packet: RIGHT_PACKETS[name]! })
        .filter(({ packet }) => packet.length > 250 && packet[12] !== 0x81)
        .map(({ packet }) =>
          [packet.length, ...fields.map((at) => packet[at]! * 256 + packet[at + 1]!)].join(),
        );
    const ofUdp = [255, 256, 263, 275, 512, 1400, 1500].map((ip) => `${ip + 14},${ip},${ip - 20}`);
    expect(lengthsOf('UDP', 16, 38)).toEqual(ofUdp);
    const ofUdp6 = [255, 256, 263, 275, 512, 1400, 1460].map((ip) => `${ip + 54},${ip},${ip}`);
    expect(lengthsOf('UDP over IPv6', 18, 58)).toEqual(ofUdp6);
    // The message inside grows with the tunnel around it.
    expect(lengthsOf('6in4', 16, 38)[0]).toBe('269,255,195');
  });

  it('of UDP are these', async () => {
    const lines = ['UDP', 'UDP over IPv6'].flatMap((name) =>
      variantsOf({ packet: RIGHT_PACKETS[name]! }).map(
        ({ packet }) => `${toHex(packet)} ${checksums(packet)}`,
      ),
    );
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/variants-of-udp.txt');
  });

  it('include the same packet as a later fragment, and its transport is found, as recorded', async () => {
    const lines = Object.entries(RIGHT_PACKETS).map(([name, packet]) => {
      const later = laterFragment(packet);
      const all: string[] = [];
      for (const [, copy] of changed(packet, 60))
        all.push(JSON.stringify([transportOf(copy) ?? null, transportOf(copy, true) ?? null]));
      for (let length = 12; length < Math.min(90, packet.length); length += 1)
        all.push(JSON.stringify(transportOf(packet.subarray(0, length)) ?? null));
      const found = JSON.stringify([transportOf(packet) ?? null, later && transportOf(later, true)]);
      const text = later === undefined ? 'no fragment' : fingerprint('', [toHex(later)]);
      return `${name}: ${found} ${text} (${fingerprint(`transport ${name}`, all)})`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/transports.txt');
  });
});

/** What a program made of a packet. */
type Made = readonly [left: Uint8Array, action: number];

function observed(words: RewrittenWords, packet: Uint8Array, [left, action]: Made, status?: number): void {
  const input = new PacketBatch(1);
  input.push({ packet });
  const output = new OutcomeBatch(1);
  const at = output.reserve(left.length);
  output.bytes.set(left, at);
  output.commit(action, left.length, 0);
  if (status !== undefined) output.status[0] = status;
  words.observe({}, input, { output });
}

const textOf = (words: RewrittenWords): string =>
  words.words
    .map(({ name, at, balance }) => `${name} at ${at}${balance < 0 ? '' : ` for ${balance}`}`)
    .join('; ');

/** What programs rewrite: of each, the words from `at` on. */
const EDITS: Readonly<Record<string, (packet: Uint8Array) => Uint8Array>> = {
  addresses: (packet) => bytes(packet.subarray(6, 12), packet.subarray(0, 6), packet.subarray(12)),
  'a byte in the first header': (packet) =>
    bytes(packet.subarray(0, 22), packet[22]! ^ 1, packet.subarray(23)),
  'a header, with its checksum': (packet) =>
    bytes(packet.subarray(0, 22), packet[22]! - 1, packet[23]!, packet[24]! + 1, packet.subarray(25)),
  'both addresses of IPv4': (packet) => bytes(packet.subarray(0, 26), data(8), packet.subarray(34)),
  'ports and the checksum behind them': (packet) =>
    bytes(packet.subarray(0, 34), data(2), packet.subarray(36, 40), 1, 2, packet.subarray(42)),
  'much of it': (packet) =>
    bytes(
      packet.subarray(0, 20),
      packet.subarray(20).map((byte) => byte ^ 0x55),
    ),
  'a tag pushed': (packet) => bytes(packet.subarray(0, 12), 0x81, 0, 0, 5, packet.subarray(12)),
  'a tag popped': (packet) => bytes(packet.subarray(0, 12), packet.subarray(16)),
  'an odd byte pushed': (packet) => bytes(1, packet),
  'data cut off': (packet) => packet.subarray(0, packet.length - 3),
};

describe('words that a program rewrites', () => {
  it('are as recorded', async () => {
    const lines = Object.entries(RIGHT_PACKETS).map(([name, packet]) => {
      const all = Object.entries(EDITS).map(([edit, apply]) => {
        const words = new RewrittenWords(['xdp']);
        observed(words, packet, [apply(packet), 3]);
        return `${edit}: ${textOf(words)}`;
      });
      const words = new RewrittenWords(['xdp']);
      for (const apply of Object.values(EDITS)) observed(words, packet, [apply(packet), 3]);
      return `${name}: ${words.words.length} (${fingerprint(`words ${name}`, all)})`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/words.txt');
  });

  it('of three packets are these', async () => {
    const lines = ['TCP', 'UDP over IPv6', 'VXLAN'].flatMap((name) =>
      Object.entries(EDITS).map(([edit, apply]) => {
        const words = new RewrittenWords(['xdp']);
        observed(words, RIGHT_PACKETS[name]!, [apply(RIGHT_PACKETS[name]!), 3]);
        return `${name}, ${edit}: ${textOf(words)}`;
      }),
    );
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/words-in-full.txt');
  });

  it('are taken once for each action, and of checksums three times', () => {
    const words = new RewrittenWords(['xdp']);
    const packet = RIGHT_PACKETS.TCP!;
    const left = EDITS['a header, with its checksum']!(packet);
    for (let time = 0; time < 5; time++) observed(words, packet, [left, 3]);
    expect(textOf(words)).toBe(
      'ipv4+8 at 22; ipv4+10 at 24 for 18; ipv4+10 at 24 for 18; ipv4+10 at 24 for 18',
    );
    observed(words, packet, [left, 2]);
    expect(words.words).toHaveLength(6);
    expect(words.left).toBe(0);
  });

  it('are not taken from packets that are dropped, faulty, fragments, or that stay as they are', () => {
    const packet = RIGHT_PACKETS.TCP!;
    const left = EDITS.addresses!(packet);
    const taken = (came: Uint8Array, made: Made, status?: number): number => {
      const words = new RewrittenWords(['xdp']);
      observed(words, came, made, status);
      return words.words.length;
    };
    expect(taken(packet, [left, 3])).toBe(2);
    expect(taken(packet, [left, 1])).toBe(0);
    expect(taken(packet, [left, 3], STATUS.fault)).toBe(0);
    expect(taken(packet, [packet, 3])).toBe(0);
    const wrong = bytes(packet.subarray(0, 24), 0, 1, packet.subarray(26));
    expect(taken(wrong, [EDITS.addresses!(wrong), 3])).toBe(0);
    const fragment = RIGHT_PACKETS['a later fragment of UDP']!;
    expect(taken(fragment, [EDITS.addresses!(fragment), 3])).toBe(0);
  });

  it('are told when they are redirected', () => {
    const seen: string[] = [];
    const onChanged: OnChanged = (pair, _world, _input, packet, delivery) => {
      if (delivery === DELIVERY.redirected) seen.push(`${packet} ${pair.is.count}`);
    };
    for (const action of [1, 2, 3, 4])
      observed(new RewrittenWords(['xdp'], onChanged), RIGHT_PACKETS.TCP!, [
        EDITS.addresses!(RIGHT_PACKETS.TCP!),
        action,
      ]);
    expect(seen).toEqual(['0 2']);
  });
});

describe('the TTL of a routed packet', () => {
  const pair = new FramePair();
  const ttl = (before: Uint8Array, after: Uint8Array): unknown => {
    // Neither frame stands at the start of its arena.
    const came = bytes(data(3), before);
    const left = bytes(data(5), after);
    return pair.set(came, 3, before.length, left, 5, after.length) ? ttlOf(pair) : undefined;
  };
  const routed = (packet: Uint8Array, at: number): Uint8Array => {
    const copy = EDITS.addresses!(packet).slice();
    copy[at]!--;
    return copy;
  };

  it('is that of the outermost IP header', () => {
    expect(ttl(RIGHT_PACKETS.TCP!, routed(RIGHT_PACKETS.TCP!, 22))).toMatchObject({
      came: 64,
      left: 63,
      at: 22,
    });
    const six = RIGHT_PACKETS['UDP over IPv6']!;
    expect(ttl(six, routed(six, 21))).toMatchObject({ came: 64, left: 63, at: 21 });
    const tagged = RIGHT_PACKETS['one VLAN tag']!;
    expect(ttl(tagged, routed(tagged, 26))).toMatchObject({ came: 64, left: 63, at: 26 });
  });

  it('is none where the next hop or an address differs, or the frame is another', () => {
    const packet = RIGHT_PACKETS.TCP!;
    const left = routed(packet, 22);
    const same = bytes(packet.subarray(0, 6), left.subarray(6));
    expect(ttl(packet, same)).toBeUndefined();
    for (const at of [0, 5])
      expect(ttl(packet, bytes(same.subarray(0, at), 9, same.subarray(at + 1)))).toBeDefined();
    for (const at of [26, 29, 30, 33])
      expect(ttl(packet, bytes(left.subarray(0, at), 99, left.subarray(at + 1)))).toBeUndefined();
    for (const at of [25, 34, 37])
      expect(ttl(packet, bytes(left.subarray(0, at), 99, left.subarray(at + 1)))).toBeDefined();
    const six = RIGHT_PACKETS['UDP over IPv6']!;
    for (const at of [22, 53])
      expect(
        ttl(six, bytes(routed(six, 21).subarray(0, at), 99, routed(six, 21).subarray(at + 1))),
      ).toBeUndefined();
    expect(ttl(packet, EDITS['a tag pushed']!(left))).toBeUndefined();
    expect(ttl(packet, RIGHT_PACKETS.ARP!)).toBeUndefined();
    const impossible = bytes(left.subarray(0, 14), 0x4f, left.subarray(15, 30));
    expect(ttl(packet, impossible)).toBeUndefined();
  });
});
