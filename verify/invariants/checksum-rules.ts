/** What the oracle for checksums can find, by its cause: one rule for each that can be told apart. */
import type { CauseId } from '../explain/cause.ts';
import { type Rule, rule } from './rule.ts';

const TEXTS: Readonly<Record<CauseId, readonly [title: string, why: string]>> = {
  recomputed: [
    'A wrong checksum made right',
    'The packet came with a wrong checksum, and left with one that was computed from scratch: damage that the receiver would have noticed is hidden.',
  ],
  'other zero': [
    'The other zero',
    'The checksum verifies, but says 0xFFFF where computing it gives 0x0000, or the other way round (RFC 1624 §3).',
  ],
  'all-zero message': [
    'An all-zero message with checksum 0x0000',
    'Over nothing but zeros only 0xFFFF verifies (RFC 1624 §3).',
  ],
  'udp zero lost': [
    'A computed UDP checksum of 0 sent as 0',
    'UDP sends a computed 0x0000 as 0xFFFF (RFC 768): 0 says that there is no checksum, over IPv6 the packet is dropped.',
  ],
  'udp none updated': [
    'A UDP checksum of 0 updated',
    '0 says "no checksum" (RFC 768) and has to stay 0, or to become a sum over the whole datagram: what an update makes of it is wrong, and the receiver drops the packet.',
  ],
  'udp none carried to ipv6': [
    'No UDP checksum, carried from IPv4 to IPv6',
    'UDP over IPv6 needs a checksum (RFC 8200 §8.1): a translator has to compute one where IPv4 had none (RFC 7915 §4.5).',
  ],
  'udp checksum removed over ipv6': [
    'The UDP checksum removed over IPv6',
    '0 in place of the checksum is illegal over IPv6 (RFC 8200 §8.1), tunnels apart (RFC 6935).',
  ],
  'zero left alone': [
    'A checksum of 0 taken for none',
    '0 says “no checksum” in UDP alone (RFC 768): in TCP, ICMP and ICMPv6 it is a sum like any other, which one packet in 65,536 has, and has to be updated. A program that tests for 0 before it updates, or passes BPF_F_MARK_MANGLED_0 to `bpf_l4_csum_replace`, which then does nothing where the field is 0, must know that it is UDP.',
  ],
  'not updated': [
    'The checksum was not updated',
    'Something that the checksum covers changed (an address in the pseudo-header, a port, a length, payload), and the checksum stayed as it was.',
  ],
  'never computed': [
    'The checksum of an added header was never computed',
    'The program put a header in front of the packet and left its checksum 0.',
  ],
  'folded once': [
    'Folded only once',
    'The first fold may leave a carry: a sum needs two folds to come below 0x10000. Of a sum of few 16-bit words, one packet in thousands gets a wrong checksum; of 32-bit words, as `bpf_csum_diff` sums them, every other one may.',
  ],
  'fold forgotten': [
    'Not folded at all',
    'The upper half of the 32-bit sum was thrown away instead of being added.',
  ],
  'carry lost': [
    'The end-around carry was lost',
    'The difference was added without the carry of ones’ complement arithmetic: `check += htons(1)` is wrong whenever it overflows. So is a sum of addresses in 32 bits.',
  ],
  'delta byte order': [
    'The difference in the wrong byte order',
    'The old and the new value went into the sum in host order, the checksum is in network order. Or they are in network order, and lie at an odd offset, as behind a NOP among the options: there their bytes have to be swapped, as `csum_block_add` does.',
  ],
  'delta twice': [
    'The difference was applied twice',
    'The checksum was updated for the same change two times.',
  ],
  'delta negated': ['The difference with the wrong sign', 'Old and new value are mixed up in the update.'],
  'bytes swapped': [
    'The checksum with its bytes swapped',
    'The right checksum was stored in the wrong byte order.',
  ],
  'not complemented': [
    'The sum was not complemented',
    'What was stored is the sum itself, not its complement.',
  ],
  'pseudo-header counted': [
    'A pseudo-header where there is none',
    'ICMP (for IPv4) sums no pseudo-header: a change of addresses must not reach its checksum.',
  ],
  'pseudo-header left out': [
    'The pseudo-header was left out',
    'TCP, UDP and ICMPv6 sum the addresses, the length and the protocol, too.',
  ],
  'pseudo-header length': [
    'The wrong length in the pseudo-header',
    'The length is that of the TCP, UDP or ICMPv6 header with all that follows it, in network order: neither a number that fits one packet only nor what the IP header says.',
  ],
  'pseudo-header protocol': [
    'The wrong protocol in the pseudo-header',
    'The protocol is that of the header that is summed: 58 for ICMPv6, whatever stands in front of it.',
  ],
  'old checksum counted': [
    'The old checksum was summed, too',
    'The field has to be 0 while the checksum is computed.',
  ],
  'tail left out': [
    'The last bytes were left out',
    'A length that is no multiple of the loop’s step leaves bytes at the end that were not summed; so does a sum over a fixed number of bytes.',
  ],
  'start only': [
    'Only the start was summed',
    'The sum ends where a header does, or after so many bytes, and the message goes on: identifier, sequence number, data are left out.',
  ],
  'odd byte misplaced': [
    'The odd last byte in the wrong place',
    'The last byte of an odd length is the high half of its word (RFC 1071 §4.1).',
  ],
  'ihl not multiplied': [
    'The header length in words taken for bytes',
    '`ihl` counts words of four bytes: only a part of the header was summed.',
  ],
  'options left out': ['IP options were left out', 'Only the first 20 bytes of the IPv4 header were summed.'],
  'padding counted': [
    'Padding was summed, too',
    'What lies behind the IP total length is no part of the packet: short Ethernet frames are padded.',
  ],
  'wrong place': [
    'The checksum went to another place',
    'The value is right for a header at another offset: behind a VLAN tag, or behind IP options.',
  ],
  'change left out': [
    'A change was left out of the update',
    'The checksum was updated for some of the changes that it covers, and not for others.',
  ],
  'change counted twice': [
    'A change was counted twice',
    'The checksum was updated for one of the changes two times.',
  ],
  'change not made': [
    'An update for a change that was not made',
    'The checksum was updated for a TTL that is one lower, and the TTL in the header is what it was.',
  ],
  'later fragment': [
    'A later fragment changed as if it had a header',
    'Only the first fragment holds ports and a checksum: in the others, data lies in their place.',
  ],
  'ttl wrapped': [
    'A TTL went below 0, and the checksum with it',
    'The TTL went from 0 to 255, and the checksum was updated for one step down: in sixteen bits that is another number. Look at the TTL before you lower it.',
  ],
  unknown: [
    'A wrong checksum',
    'The checksum is wrong as the packet leaves, or more or less wrong than it came, in a way that none of the usual mistakes explains.',
  ],
};

/** Layers whose checksum programs do not know: that they broke it says more than how. */
const OTHER_LAYERS: ReadonlyMap<string, readonly [name: string, why: string]> = new Map([
  [
    'sctp',
    [
      'SCTP',
      'SCTP has a CRC-32C over the whole packet (RFC 9260 §6.8), no sum that can be updated: a program that changes ports has to compute it anew, or leave SCTP alone.',
    ],
  ],
  [
    'udplite',
    [
      'UDP-Lite',
      'UDP-Lite sums the pseudo-header, as UDP does, and as much of the packet as its coverage says (RFC 3828 §3.1): whoever rewrites addresses has to update it, too.',
    ],
  ],
  [
    'dccp',
    ['DCCP', 'DCCP sums the pseudo-header and as much of the packet as its coverage says (RFC 4340 §9).'],
  ],
  [
    'gre',
    [
      'GRE',
      'With the C bit, GRE sums its header and everything inside (RFC 2784 §2.5): whoever rewrites the inner packet has to update it.',
    ],
  ],
  [
    'igmp',
    [
      'IGMP',
      'IGMP sums its message (RFC 3376 §4.1.2): a program that took one for something with ports wrote into it.',
    ],
  ],
  [
    'pim',
    [
      'PIM',
      'PIM sums its message, over IPv6 the addresses, too (RFC 7761 §4.9): the program rewrote an address, or took the message for something with ports.',
    ],
  ],
  [
    'vrrp',
    [
      'VRRP',
      'VRRP sums its message, and over IPv6 the addresses, too (RFC 9568 §5.2.8): the program rewrote an address, or took the message for something with ports.',
    ],
  ],
  [
    'ospf',
    [
      'OSPF',
      'OSPF sums its packet (RFC 2328 §A.3.1): a program that took one for something with ports wrote into it.',
    ],
  ],
  [
    'ospf3',
    [
      'OSPF for IPv6',
      'OSPF for IPv6 sums its packet and the addresses (RFC 5340 §A.3.1): the program rewrote an address, or took the packet for something with ports.',
    ],
  ],
  [
    'icmpext',
    [
      'ICMP extension',
      'The extensions of an ICMP message sum themselves alone (RFC 4884 §7), beside the sum of the message: a program that writes them has to make both, and one that rewrites what an error quotes has to stay within it.',
    ],
  ],
]);

/** @param layer the checksum's (`CHECKSUM_LAYERS`) */
export function checksumId(cause: CauseId | undefined, layer?: string): string {
  if (layer !== undefined && OTHER_LAYERS.has(layer)) return `checksum/${layer}`;
  return `checksum/${(cause ?? 'unknown').replaceAll(' ', '-')}`;
}

export const CHECKSUM_RULES: readonly Rule[] = [
  ...(Object.keys(TEXTS) as CauseId[]).map((cause) => rule(checksumId(cause), 'error', ...TEXTS[cause])),
  ...[...OTHER_LAYERS].map(([layer, [name, why]]) =>
    rule(checksumId(undefined, layer), 'error', `The ${name} checksum is wrong`, why),
  ),
  rule(
    'checksum/pseudo-header-flag',
    'error',
    'BPF_F_PSEUDO_HDR left out, or given for something else',
    '`bpf_l4_csum_replace` has to be told whether what changed is in the pseudo-header (an address) or behind it (a port, an ICMP identifier). Of a packet that leaves its checksum to the device (CHECKSUM_PARTIAL), as this host and its containers send them, the field holds the sum of the pseudo-header alone: without the flag it is not updated, with it for a port it is spoilt (`inet_proto_csum_replace4`), and the packet arrives with a wrong checksum. Test runs do not show it: their packets have no offload. Of ICMP and ICMPv6, whose sums hosts compute themselves, it is a note: the sum that a receiving device took (CHECKSUM_COMPLETE) alone becomes wrong, and the kernel sums anew. Not judged where the message itself becomes longer or shorter, and inside of tunnels.',
  ),
];
