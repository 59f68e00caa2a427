/** Mistakes in calls of helpers, as small programs make them, and right programs that look alike. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { EngineSide } from '../engine-side.ts';
import {
  data,
  ethernet,
  icmpv6,
  ipv4,
  ipv6,
  slowSum,
  tcp,
  udp,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { HelperCalls } from './helper-calls.ts';
import { ChecksumRepair } from './sweep-packets.ts';

const TCP = [1, 2, 3, 4].map((length) => ethernet(0x0800, ipv4(6, tcp(data(length * 50)))));
const UDP = ethernet(0x0800, ipv4(17, udp(data(100))));

/** The rules that are found broken, each with what was got. */
async function found(
  text: string,
  hook: Hook = 'tc-ingress',
  packets: readonly Uint8Array[] = TCP,
  maps: readonly BpfMap[] = [],
): Promise<string[]> {
  const object = writeElf({ main: text }, maps);
  const program: Program = { name: 'p', entries: [{ function: 'main', hook }], object };
  const side = new EngineSide(createVmEngine(), program, packets.length);
  const input = new PacketBatch(packets.length);
  for (const packet of packets) input.push({ packet });
  expect(await side.run({}, input)).toBe(true);
  const calls = new HelperCalls(program, false);
  calls.observe({}, input, side);
  await side.close();
  return (await calls.find()).map(
    ({ breach, severity }) => `${severity === 'info' ? 'note ' : ''}${breach.invariant}: ${breach.got}`,
  );
}

const call = (helper: string, ...values: (string | number)[]): string =>
  [...values.map((value, index) => `r${index + 2} = ${value}`), 'r1 = r6', `call ${helper}`].join('\n');

/** A program that has read a frame, in r7, and lets it go on. */
const frame = (body: string, start = 76): string => `r6 = r1
  r7 = *(u32 *)(r1 + ${start})
  r8 = *(u32 *)(r1 + ${start + 4})
  r0 = r7
  r0 += 54
  if r0 > r8 goto out
  ${body}
  out:
  r0 = ${start === 76 ? 0 : 2}
  exit`;

const stored = (at: number, from: number, size: number): string =>
  `r3 = r10\nr3 += ${from}\nr1 = r6\nr2 = ${at}\nr4 = ${size}\nr5 = 0\ncall bpf_skb_store_bytes`;

describe('BPF_F_PSEUDO_HDR', () => {
  const address = (flags: number): string => `r9 = *(u32 *)(r7 + 30)
    *(u32 *)(r10 - 8) = 0x6300000a
    ${call('bpf_l3_csum_replace', 24, 'r9', 0x6300000a, 4)}
    ${call('bpf_l4_csum_replace', 50, 'r9', 0x6300000a, flags)}
    r3 = r10
    r3 += -8
    r1 = r6
    r2 = 30
    r4 = 4
    r5 = 0
    call bpf_skb_store_bytes`;
  const port = (flags: number): string => `r7 = *(u32 *)(r6 + 76)
    r8 = *(u32 *)(r6 + 80)
    r0 = r7
    r0 += 54
    if r0 > r8 goto out
    r9 = *(u16 *)(r7 + 36)
    *(u16 *)(r10 - 8) = 0x901f
    ${call('bpf_l4_csum_replace', 50, 'r9', 0x901f, flags)}
    r3 = r10
    r3 += -8
    r1 = r6
    r2 = 36
    r4 = 2
    r5 = 0
    call bpf_skb_store_bytes`;

  it('is missed for an address, alone and beside a port', async () => {
    const expected = ['checksum/pseudo-header-flag: no BPF_F_PSEUDO_HDR'];
    expect(await found(frame(address(4)))).toEqual(expected);
    expect(await found(frame(`${address(4)}\n${port(2)}`))).toEqual(expected);
  });

  it('is too much for a port', async () => {
    expect(await found(frame(port(0x12)))).toEqual(['checksum/pseudo-header-flag: BPF_F_PSEUDO_HDR']);
  });

  it('is seen, though many packets came before that keep their port', async () => {
    // The new port is the first word of the sequence number: of most packets, the one that they have.
    const own = (flags: number): string =>
      frame(`${address(0x14)}\n${port(flags)}`)
        .replaceAll('*(u16 *)(r10 - 8) = 0x901f', 'r8 = *(u16 *)(r7 + 38)\n*(u16 *)(r10 - 8) = r8')
        .replaceAll('r4 = 36895', 'r4 = r8');
    const withSequence = (length: number, word: number): Uint8Array => {
      const segment = tcp(data(length));
      new DataView(segment.buffer, segment.byteOffset).setUint16(4, word);
      const packet = ethernet(0x0800, ipv4(6, segment));
      new ChecksumRepair().apply(packet, 0, packet.length, 38, word, -1);
      return packet;
    };
    const same = Array.from({ length: 40 }, (_, index) => withSequence(2 * index, 80));
    const packets = [...same, withSequence(20, 8080)];
    expect(await found(own(0x12), 'tc-ingress', same)).toEqual([]);
    expect(await found(own(0x12), 'tc-ingress', packets)).toEqual([
      'checksum/pseudo-header-flag: BPF_F_PSEUDO_HDR',
    ]);
    expect(await found(own(2), 'tc-ingress', packets)).toEqual([]);
  });

  it('is no more than a note for ICMPv6, whose sums no host leaves to a device', async () => {
    const came = ethernet(0x86dd, ipv6(58, icmpv6(128, [0, 1, 0, 0], data(60))));
    const identifier = (flags: number): string =>
      frame(`r9 = *(u16 *)(r7 + 58)
        *(u16 *)(r10 - 8) = 0x901f
        ${call('bpf_l4_csum_replace', 56, 'r9', 0x901f, flags)}
        ${stored(58, -8, 2)}`).replace('r0 += 54', 'r0 += 60');
    expect(await found(identifier(0x12), 'tc-ingress', [came])).toEqual([
      'note checksum/pseudo-header-flag: BPF_F_PSEUDO_HDR',
    ]);
    expect(await found(identifier(2), 'tc-ingress', [came])).toEqual([]);
  });

  describe('of a translator from IPv6 to IPv4', () => {
    const segment = tcp(data(60), V6_A, V6_B);
    const came = ethernet(0x86dd, ipv6(6, segment));
    const header = ipv4(6, segment).subarray(0, 20);
    const wordAt = (at: number): number => new DataView(header.buffer, header.byteOffset).getInt32(at, true);
    /** What the sum of the addresses changes by, as the machine reads it. */
    const difference = (): number => {
      const sum = slowSum(header.subarray(12, 20)) + (~slowSum(came.subarray(22, 54)) & 0xffff);
      const folded = (sum & 0xffff) + (sum >> 16);
      return ((folded & 0xff) << 8) | (folded >> 8);
    };
    const translator = (flags: number): string =>
      frame(`${call('bpf_skb_change_proto', 8, 0)}
        if r0 != 0 goto out
        ${[0, 4, 8, 12, 16].map((at) => `*(u32 *)(r10 - ${20 - at}) = ${wordAt(at)}`).join('\n')}
        *(u16 *)(r10 - 24) = 8
        ${stored(14, -20, 20)}
        ${stored(12, -24, 2)}
        ${call('bpf_l4_csum_replace', 50, 0, difference(), flags)}`);

    it('is looked at, though it makes frames shorter', async () => {
      expect(await found(translator(0), 'tc-ingress', [came])).toEqual([
        'checksum/pseudo-header-flag: no BPF_F_PSEUDO_HDR',
      ]);
      expect(await found(translator(0x10), 'tc-ingress', [came])).toEqual([]);
    });
  });

  it.each([
    ['an address with it', address(0x14)],
    ['a port without it', port(2)],
    ['both, each as it should be', `${address(0x14)}\n${port(2)}`],
  ])('is right: %s', async (_, body) => expect(await found(frame(body))).toEqual([]));
});

describe('skb->protocol', () => {
  const retyped = '*(u16 *)(r7 + 12) = 0xdd86';

  it('is stale where the EtherType is written into the frame', async () => {
    expect(await found(frame(retyped))).toEqual(['ethertype/skb-protocol: 0x0800']);
  });

  it('is stale behind a type of the user’s own, and told of nothing that came as LLC', async () => {
    const came = (type: number): Uint8Array[] => [ethernet(type, data(60))];
    // Which of them the smallest packet has is no matter.
    const own = [expect.stringMatching(/^ethertype\/skb-protocol: 0x88/)];
    expect(await found(frame(retyped), 'tc-ingress', came(0x88b5))).toEqual(own);
    expect(await found(frame(retyped), 'tc-ingress', came(60))).toEqual([]);
  });

  it.each([
    ['changed by bpf_skb_change_proto', call('bpf_skb_change_proto', 0xdd86, 0)],
    ['put behind a tag', call('bpf_skb_vlan_push', 0x0081, 7)],
    ['put behind two tags', [0x0081, 0xa888].map((type) => call('bpf_skb_vlan_push', type, 7)).join('\n')],
    ['behind a tag for a while', `${call('bpf_skb_vlan_push', 0x0081, 7)}\nr1 = r6\ncall bpf_skb_vlan_pop`],
    ['dropped', `${retyped}\nr0 = 2\nexit`],
  ])('is right, or never asked for: %s', async (_, body) => expect(await found(frame(body))).toEqual([]));

  it('is nobody’s business at egress', async () => {
    expect(await found(frame(retyped), 'tc-egress')).toEqual([]);
  });
});

describe('the flags of bpf_skb_adjust_room', () => {
  const [MAC, L3_4, L3_6, GRE, UDP_IN, DECAP_4, DECAP_6] = [1, 2, 4, 8, 16, 128, 256] as const;
  /** Room for an IPv4 header, which is written there with this protocol. */
  const around = (protocol: number, flags: number): string =>
    frame(`${call('bpf_skb_adjust_room', 24, MAC, flags | 1)}
      if r0 != 0 goto out
      *(u32 *)(r10 - 24) = 0x00000045
      *(u32 *)(r10 - 20) = 0
      *(u32 *)(r10 - 16) = ${64 | (protocol << 8)}
      *(u32 *)(r10 - 12) = 0x0100000a
      *(u32 *)(r10 - 8) = 0x0200000a
      *(u32 *)(r10 - 4) = 0x00080000
      r1 = r6
      r2 = 14
      r3 = r10
      r3 += -24
      r4 = 24
      r5 = 0
      call bpf_skb_store_bytes`);

  it('name another header than is put in front', async () => {
    expect(await found(around(47, L3_6 | GRE), 'tc-egress')).toEqual([
      'encapsulation/room-flags: BPF_F_ADJ_ROOM_ENCAP_L3_IPV6',
    ]);
    expect(await found(around(47, L3_4 | UDP_IN), 'tc-egress')).toEqual([
      'encapsulation/room-flags: BPF_F_ADJ_ROOM_ENCAP_L4_UDP',
    ]);
    expect(await found(around(4, L3_4 | GRE), 'tc-egress')).toEqual([
      'encapsulation/room-flags: BPF_F_ADJ_ROOM_ENCAP_L4_GRE',
    ]);
  });

  it.each([
    ['GRE in IPv4', 47, L3_4 | GRE],
    ['IPv4 in IPv4, which no flag of layer 4 is for', 4, L3_4],
    ['UDP in IPv4', 17, L3_4 | UDP_IN],
    ['none at all', 47, 0],
  ])('are right: %s', async (_, protocol, flags) =>
    expect(await found(around(protocol, flags), 'tc-egress')).toEqual([]),
  );

  it('name another header than is left', async () => {
    const packets = [1, 2].map((length) => ethernet(0x0800, ipv4(4, ipv4(6, tcp(data(length * 50))))));
    const off = (flags: number): string => frame(call('bpf_skb_adjust_room', -20, MAC, flags | 1));
    expect(await found(off(DECAP_6), 'tc-egress', packets)).toEqual([
      'encapsulation/room-flags: BPF_F_ADJ_ROOM_DECAP_L3_IPV6',
    ]);
    expect(await found(off(DECAP_4), 'tc-egress', packets)).toEqual([]);
    expect(await found(off(0), 'tc-egress', packets)).toEqual([]);
  });
});

describe('the key of a trie', () => {
  const trie = testMap('routes', 'LPM_TRIE', { keySize: 8 });
  const packets = [5, 6, 7, 8].map((host) =>
    ethernet(0x0800, ipv4(17, udp(data(4 * host)), { source: [192, 0, 2, host] })),
  );
  const asks = (length: number, change = '', helper = 'bpf_map_lookup_elem'): string =>
    frame(
      `r9 = *(u32 *)(r7 + 26)\n${change}\n*(u32 *)(r10 - 4) = r9\n*(u32 *)(r10 - 8) = ${length}
       r2 = r10\nr2 += -8\nr1 = map[routes]\ncall ${helper}`,
      0,
    );

  it('has no more bits than there are', async () => {
    expect(await found(asks(128), 'xdp', packets, [trie])).toEqual(['lookup/prefix-length: 128 bits']);
    expect(await found(asks(33, '', 'bpf_map_delete_elem'), 'xdp', packets, [trie])).toEqual([
      'lookup/prefix-length: 33 bits',
    ]);
  });

  it('is judged of each map where two are asked by one call', async () => {
    const trie6 = testMap('routes6', 'LPM_TRIE', { keySize: 20 });
    const either = frame(
      `r9 = *(u32 *)(r7 + 26)
       *(u64 *)(r10 - 24) = 0
       *(u64 *)(r10 - 16) = 0
       *(u32 *)(r10 - 8) = 0
       *(u32 *)(r10 - 20) = r9
       *(u32 *)(r10 - 24) = 128
       r1 = *(u8 *)(r7 + 29)
       if r1 == 5 goto other
       r1 = map[routes6]
       goto ask
       other:
       r1 = map[routes]
       ask:
       r2 = r10
       r2 += -24
       call bpf_map_lookup_elem`,
      0,
    );
    const wide = testMap('routes', 'LPM_TRIE', { keySize: 20 });
    expect(await found(either, 'xdp', packets, [trie, trie6])).toEqual(['lookup/prefix-length: 128 bits']);
    expect(await found(either, 'xdp', packets, [wide, trie6])).toEqual([]);
  });

  it('has a length in bits, which few packets do not prove', async () => {
    expect(await found(asks(4), 'xdp', packets, [trie])).toEqual(['lookup/prefix-length: 4 bits']);
    expect(await found(asks(4), 'xdp', packets.slice(0, 2), [trie])).toEqual([]);
  });

  it('has a length of few bits where the same trie is asked for more of the same address, too', async () => {
    const lookup = (length: number, of: 'routes' | 'others'): string =>
      `*(u32 *)(r10 - 8) = ${length}\nr2 = r10\nr2 += -8\nr1 = map[${of}]\ncall bpf_map_lookup_elem`;
    const both = (of: 'routes' | 'others'): string =>
      frame(`r9 = *(u32 *)(r7 + 26)\n*(u32 *)(r10 - 4) = r9\n${lookup(4, 'routes')}\n${lookup(28, of)}`, 0);
    const others = testMap('others', 'LPM_TRIE', { keySize: 8 });
    expect(await found(both('routes'), 'xdp', packets, [trie, others])).toEqual([]);
    expect(await found(both('others'), 'xdp', packets, [trie, others])).toEqual([
      'lookup/prefix-length: 4 bits',
    ]);
  });

  it('has an address as the packet has it, which few packets do not prove', async () => {
    const swapped = asks(32, 'r9 = be32 r9');
    expect(await found(swapped, 'xdp', packets, [trie])).toEqual([
      expect.stringMatching(/^lookup\/prefix-order: \d+\.\d+\.\d+\.(10|192)$/),
    ]);
    expect(await found(swapped, 'xdp', packets.slice(0, 2), [trie])).toEqual([]);
  });

  it.each([
    ['an address', asks(32)],
    [
      'a length that the packet says',
      asks(32, 'r1 = *(u8 *)(r7 + 29)\nr1 <<= 2\nr1 += 8\n*(u32 *)(r10 - 16) = r1').replace(
        '*(u32 *)(r10 - 8) = 32',
        'r1 = *(u32 *)(r10 - 16)\n*(u32 *)(r10 - 8) = r1',
      ),
    ],
    ['its network', asks(24, 'r9 &= 0xffffff')],
    ['its first bits, without the others', asks(4, 'r9 &= 0xf0')],
    ['its first byte', asks(8)],
    ['a number of the program’s own', asks(32, 'r9 = 0x01020304')],
    ['nothing', asks(0)],
  ])('is right: %s', async (_, text) => expect(await found(text, 'xdp', packets, [trie])).toEqual([]));
});

it('the type of a tag is passed in network order', async () => {
  expect(await found(frame(call('bpf_skb_vlan_push', 0x88a8, 7)))).toEqual(['ethertype/byte-order: 0x88a8']);
});

describe('bpf_fib_lookup', () => {
  const lookup = (length: string, port = 'r9 = *(u16 *)(r7 + 36)'): string => {
    const zeros = Array.from({ length: 8 }, (_, at) => `*(u64 *)(r10 - ${64 - 8 * at}) = 0`).join('\n');
    return frame(
      `${zeros}
      *(u8 *)(r10 - 64) = 2
      *(u32 *)(r10 - 56) = 1
      ${length}
      *(u16 *)(r10 - 58) = r9
      ${port}
      *(u16 *)(r10 - 60) = r9
      r9 = *(u32 *)(r7 + 26)
      *(u32 *)(r10 - 48) = r9
      r9 = *(u32 *)(r7 + 30)
      *(u32 *)(r10 - 32) = r9
      r2 = r10
      r2 += -64
      r1 = r6
      r3 = 64
      r4 = 0
      call bpf_fib_lookup`,
      0,
    );
  };
  const asInHeader = 'r9 = *(u16 *)(r7 + 16)';
  const swapped = `${asInHeader}\nr9 = be16 r9`;

  it('reads a length in network order wrong, which one packet does not prove', async () => {
    const [wrong] = await found(lookup(asInHeader), 'xdp');
    expect(wrong).toMatch(/^lookup\/byte-order: tot_len \d+$/);
    expect(await found(lookup(asInHeader), 'xdp', [UDP])).toEqual([]);
  });

  it.each([
    ['the length in host order', swapped],
    ['no length', 'r9 = 0'],
  ])('is right: %s', async (_, length) => expect(await found(lookup(length), 'xdp')).toEqual([]));
});

describe('struct bpf_sock_tuple', () => {
  const PACKETS = [1, 2, 3, 4].map((number) => {
    const segment = tcp(data(20));
    segment.set([0x9c, number, 0x01, 0xb0 + number]);
    return ethernet(0x0800, ipv4(6, segment, { source: [192, 0, 2, number] }));
  });
  /** A lookup of what the packet has; each field is turned, or not. */
  const lookup = (turned: { address?: boolean; port?: boolean }): string => {
    const copied = (from: number, size: 16 | 32, to: number, isTurned = false): string =>
      `r9 = *(u${size} *)(r7 + ${from})
      ${isTurned ? `r9 = be${size} r9` : ''}
      *(u${size} *)(r10 - ${to}) = r9`;
    return frame(
      `${copied(26, 32, 16, turned.address)}
      ${copied(30, 32, 12, turned.address)}
      ${copied(34, 16, 8, turned.port)}
      ${copied(36, 16, 6, turned.port)}
      r1 = r6
      r2 = r10
      r2 += -16
      r3 = 12
      r4 = -1
      r5 = 0
      call bpf_skc_lookup_tcp
      if r0 == 0 goto out
      r1 = r0
      call bpf_sk_release`,
    );
  };

  it('has ports and addresses in network order', async () => {
    expect(await found(lookup({}), 'tc-ingress', PACKETS)).toEqual([]);
    const ports = await found(lookup({ port: true }), 'tc-ingress', PACKETS);
    expect(ports.map((one) => one.replace(/\d+$/, 'N'))).toEqual([
      'lookup/byte-order: ipv4.sport N',
      'lookup/byte-order: ipv4.dport N',
    ]);
    const addresses = await found(lookup({ address: true }), 'tc-ingress', PACKETS);
    expect(addresses).toEqual([
      'lookup/byte-order: ipv4.saddr 1.0.0.10',
      'lookup/byte-order: ipv4.daddr 2.0.0.10',
    ]);
  });
});

describe('struct bpf_tunnel_key', () => {
  const PACKETS = [1, 2, 3].map((number) =>
    ethernet(0x0800, ipv4(6, tcp(data(20)), { destination: [10, 1, 2, number] })),
  );
  const key = (remote: string, flags = 0): string => {
    const zeros = Array.from({ length: 6 }, (_, at) => `*(u64 *)(r10 - ${48 - 8 * at}) = 0`).join('\n');
    return frame(`${zeros}
      ${remote}
      *(u32 *)(r10 - 44) = r9
      r1 = r6
      r2 = r10
      r2 += -48
      r3 = 44
      r4 = ${flags}
      call bpf_skb_set_tunnel_key`);
  };
  const destination = 'r9 = *(u32 *)(r7 + 30)';

  it('has IPv4 addresses in host order', async () => {
    expect(await found(key(destination), 'tc-ingress', PACKETS)).toEqual([
      'lookup/byte-order: remote_ipv4 2.0.0.10',
    ]);
    expect(await found(key(`${destination}\nr9 = be32 r9`), 'tc-ingress', PACKETS)).toEqual([]);
    // Of one packet, others are made; 0.0.0.0 reads the same both ways.
    for (const to of [
      [10, 1, 2, 1],
      [0, 0, 0, 0],
    ]) {
      const one = [ethernet(0x0800, ipv4(6, tcp(data(20)), { destination: to }))];
      expect(await found(key(destination), 'tc-ingress', one)).toHaveLength(1);
      expect(await found(key(`${destination}\nr9 = be32 r9`), 'tc-ingress', one)).toEqual([]);
    }
    // One address of the program's own may look like one of a packet; and those of IPv6 are no numbers.
    expect(await found(key('r9 = 0x0302010a'), 'tc-ingress', PACKETS)).toEqual([]);
    expect(await found(key(destination, 1), 'tc-ingress', PACKETS)).toEqual([]);
  });
});

describe('a call that is refused', () => {
  const key = (size: number, flags: number, use = ''): string => {
    const zeros = Array.from({ length: 6 }, (_, at) => `*(u64 *)(r10 - ${48 - 8 * at}) = 0`).join('\n');
    return frame(
      `${zeros}\nr1 = r6\nr2 = r10\nr2 += -48\nr3 = ${size}\nr4 = ${flags}\ncall bpf_skb_set_tunnel_key\n${use}`,
    );
  };

  it('is found where nobody looks at the result: a flag, or a size, that there is not', async () => {
    expect(await found(key(44, 0x102))).toEqual(['helper/refused: -EINVAL']);
    expect(await found(key(4, 2))).toEqual(['helper/refused: -EINVAL']);
    expect(await found(frame(call('bpf_l3_csum_replace', 24, 0, 0, 0x12)))).toEqual([
      'helper/refused: -EINVAL',
    ]);
    expect(await found(frame(call('bpf_clone_redirect', 7, 0x10)))).toEqual(['helper/refused: -EINVAL']);
    expect(await found(frame(call('bpf_skb_change_type', 7)))).toEqual(['helper/refused: -EINVAL']);
    expect(await found(frame(call('bpf_csum_level', 4)))).toEqual(['helper/refused: -EINVAL']);
    // One packet may be refused for what it is.
    expect(await found(key(4, 2), 'tc-ingress', TCP.slice(0, 1))).toEqual([]);
  });

  it('is found where metadata is no multiple of words, and is none where there is metadata already', async () => {
    const metadata = (delta: number): string => `r2 = ${delta}
      call bpf_xdp_adjust_meta
      r0 = 2
      exit`;
    expect(await found(metadata(-6), 'xdp')).toEqual(['helper/refused: -EACCES']);
    expect(await found(metadata(-8), 'xdp')).toEqual([]);
    // There is none to take away, here.
    expect(await found(metadata(4), 'xdp')).toEqual([]);
  });

  it('is found where elements of an array are deleted, and not those of a table', async () => {
    const deletes = `*(u32 *)(r10 - 4) = 0
      r1 = map[m]
      r2 = r10
      r2 += -4
      call bpf_map_delete_elem
      r0 = 0
      exit`;
    const inMap = (type: 'ARRAY' | 'HASH'): Promise<string[]> =>
      found(deletes, 'tc-ingress', TCP, [testMap('m', type)]);
    expect(await inMap('ARRAY')).toEqual(['helper/refused: -EINVAL']);
    expect(await inMap('HASH')).toEqual([]);
  });

  it.each([
    ['it is taken', key(44, 2)],
    ['the result decides', key(44, 0x102, 'if r0 s< 0 goto out')],
    ['the result decides later', key(44, 0x102, 'r7 = 1\nif r7 == 2 goto out\nr9 = r0\nif r9 != 0 goto out')],
    ['what fails is another matter', frame(call('bpf_clone_redirect', 7, 0))],
    ['the type is one', frame(call('bpf_skb_change_type', 3))],
  ])('is no matter where %s', async (_, text) => expect(await found(text)).toEqual([]));
});

describe('a redirect whose result is thrown away', () => {
  const redirects = (hook: Hook, after: string): string => `r1 = 3
    r2 = 0
    call bpf_redirect
    ${after}
    r0 = ${hook === 'xdp' ? 2 : 0}
    out:
    exit`;

  it.each(['xdp', 'tc-ingress'] as const)('is found where nothing goes there: %s', async (hook) => {
    const action = hook === 'xdp' ? 'XDP_PASS' : 'TC_ACT_OK';
    expect(await found(redirects(hook, ''), hook)).toEqual([`redirect/unused: ${action}`]);
    expect(await found(redirects(hook, ''), hook, TCP.slice(0, 1))).toHaveLength(1);
  });

  it.each(['xdp', 'tc-ingress'] as const)('is none where some packet goes there: %s', async (hook) => {
    const [start, end] = hook === 'xdp' ? [0, 4] : [76, 80];
    const some = `r6 = r1
      r8 = *(u32 *)(r6 + ${start})
      r9 = *(u32 *)(r6 + ${end})
      r1 = 3
      r2 = 0
      call bpf_redirect
      r8 += 200
      if r8 > r9 goto out
      r0 = ${hook === 'xdp' ? 2 : 0}
      out:
      exit`;
    expect(await found(some, hook)).toEqual([]);
  });

  it('is none of a map without an entry: nothing was stored', async () => {
    const text = `r1 = map[m]
      r2 = 0
      r3 = 0
      call bpf_redirect_map
      r0 = 2
      exit`;
    expect(await found(text, 'xdp', TCP, [testMap('m', 'DEVMAP')])).toEqual([]);
  });

  it('is found by a packet that was looked for, and its relatives', async () => {
    const text = `r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r0 = r2
      r0 += 54
      if r0 > r3 goto out
      r0 = *(u8 *)(r2 + 30)
      if r0 != 77 goto out
      r1 = 3
      r2 = 0
      call bpf_redirect
      out:
      r0 = 2
      exit`;
    const object = writeElf({ main: text }, []);
    const program: Program = { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
    const calls = new HelperCalls(program, false);
    expect(await calls.find()).toEqual([]);
    const sighting = { world: {}, stimulus: { packet: TCP[0]!.with(30, 77) } };
    const seen = await calls.find([sighting]);
    expect(seen.map(({ breach }) => breach.invariant)).toEqual(['redirect/unused']);
  });
});
