/** The rules of the invariants that judge lengths, fragments and the EtherType. */
import { DECAPSULATION_RULES } from './decapsulation.ts';
import { OPTION_RULES } from './options.ts';
import { type Rule, rule } from './rule.ts';

export const FRAME_RULES: readonly Rule[] = [
  rule(
    'lengths/header',
    'error',
    'A header that goes beyond the packet',
    'After the change a header is not all there, or states a length of its own that does not fit.',
  ),
  rule(
    'lengths/version',
    'error',
    'An IP header of another version than its place says',
    'The first four bits of an IP header are its version: whoever writes the whole byte or word, for TOS, flow label or header length, has to keep it. Receivers drop what says another one.',
  ),
  rule(
    'lengths/total',
    'error',
    'The IPv4 total length and the frame disagree',
    'The frame was made longer or shorter, or the field was rewritten, and the two no longer agree: receivers drop what claims more than there is (`ip_rcv_core`), and cut off what lies behind.',
  ),
  rule(
    'lengths/payload',
    'error',
    'The IPv6 payload length and the frame disagree',
    'The same for IPv6, whose field does not count the header itself.',
  ),
  rule(
    'lengths/extension',
    'error',
    'An IPv6 extension header that goes beyond the packet',
    'The chain of extension headers no longer fits the packet.',
  ),
  rule(
    'lengths/surplus',
    'error',
    'Bytes behind the packet’s end',
    'Bytes were appended that no length counts, or a length was lowered and the frame was not made shorter: receivers cut off what lies behind. A trailer that is meant for a device in between is reported as a warning.',
  ),
  rule(
    'lengths/udp',
    'error',
    'The UDP length and the IP packet disagree',
    'The datagram was made longer or shorter in one of its two lengths only, or the length was written where no UDP header lies, and data were taken for one: where IPv4 options stand in front, say.',
  ),
  rule(
    'lengths/tcp-offset',
    'error',
    'The TCP data offset goes beyond the segment',
    'The data offset counts words of four bytes, in the upper four bits of its byte. Where the program left it alone, it wrote into a header that it took for something else: behind IPv4 options, say.',
  ),
  ...OPTION_RULES,
  ...DECAPSULATION_RULES,
  rule(
    'lengths/misplaced',
    'warning',
    'Ports looked for where they are not',
    'A header in front of TCP or UDP (options of IPv4, extension headers of IPv6, the authentication header) is taken for shorter or longer than it is: its options, or the data, are read as ports and flags. An error where something is written there, and where the length is multiplied by a wrong number, or by none (`ip + ip->ihl`, `tcp + tcp->doff`): then packets without options are misread, too. An IPv4 header has `ihl * 4` bytes, one of TCP `doff * 4`, an extension header `(hdrlen + 1) * 8`, an authentication header `(len + 2) * 4`.',
  ),
  rule(
    'fragments/set',
    'error',
    'A whole packet marked as a fragment',
    'The usual cause is "don’t fragment" in the wrong byte order: 0x4000 without `bpf_htons` is a fragment at offset 512. An ICMP error is a packet of its own, and whole even where it is about a fragment (RFC 791 §3.2): it does not take the field over from the packet that it quotes. Nor does a new header take it over from the fragment that it carries (RFC 2003 §3.1): the tunnel’s end would put together what are packets of their own.',
  ),
  rule(
    'fragments/cleared',
    'error',
    'A fragment marked as whole',
    'The fragment bits were overwritten, often with the word that also holds "don’t fragment".',
  ),
  rule(
    'fragments/changed',
    'error',
    'A fragment moved to another offset',
    'The offset or the flag for more fragments changed: the datagram cannot be put together any more.',
  ),
  rule(
    'fragments/written',
    'error',
    'A transport header written into a later fragment',
    'Only the first fragment holds a transport header. In the others, the program wrote over data.',
  ),
  rule(
    'fragments/ports-read',
    'warning',
    'Ports read from a later fragment',
    'What becomes of a later fragment depends on bytes in which only a first fragment has ports and flags: data that looks like a port decides. So it is where such bytes go into the key of an entry that the program makes: flows that nobody finds again fill the map; and where they choose the element of an array: what is counted there is of another class. Right for programs that classify by payload.',
  ),
  rule(
    'ethertype/stale',
    'error',
    'The EtherType does not name what follows',
    'A tag, a label or a header was taken off or put on, or a part of it, and the EtherType does not say what lies behind it now: receivers take the packet for something else. A warning where the program took off one MPLS label alone, which may stand for one version of IP (RFC 3032 §2.2).',
  ),
  rule(
    'ethertype/byte-order',
    'error',
    'The EtherType in the wrong byte order',
    'The number was written as the machine has it, without `bpf_htons`: 0x0008 in the place of 0x0800. Receivers take the packet for something else, or for a frame of IEEE 802.3 with that length. A warning where `bpf_skb_vlan_push` gets ETH_P_8021AD so: the kernel makes an 802.1Q tag of every type that it does not know. A note with ETH_P_8021Q, for which that is right by luck.',
  ),
  rule(
    'ethertype/compared',
    'error',
    'The EtherType compared in the wrong byte order',
    'The program does for a known EtherType in the wrong byte order, as 0x0008, what it was meant to do for the right one, 0x0800, which comes to the same as any other number: what it compares the field with lacks `bpf_htons`. So it is with the EtherTypes of frames in tunnels, and those that GRE, Geneve and ARP have in fields of their own.',
  ),
  rule(
    'ethertype/unchecked',
    'error',
    'Any frame is taken for an IP packet',
    'Nothing that the program asks tells IP packets from other frames: bytes of ARP, or of the other version of IP, decide as protocol, TTL or address. The second byte of the sender’s MAC address in an ARP packet lies where an IPv4 packet has its protocol: a program that drops UDP so drops the ARP of every host for which it is 0x11. Compare `eth->h_proto` with `bpf_htons(ETH_P_IP)` first (TC: `skb->protocol`). A warning for TC programs, which a filter can be attached with that gives them one protocol alone (`tc filter add ... protocol ip bpf ...`), and where it takes contents of maps that the test made up. Not looked at are programs that stand behind a tail call or in a map for redirects: what is in front of them may have looked. Right for XDP programs whose interface never gets anything else, and where a dispatcher looks at the EtherType first.',
  ),
  rule(
    'port/compared',
    'warning',
    'A port compared in the wrong byte order, as it seems',
    'The program does something of its own for a port that is a known one in the other byte order (20480 is 80), and the known one comes to the same as any other number: what it compares the field with lacks `bpf_htons`. Right where a service of your own has that port. So it is where it asks whether a port is larger or smaller than another number (`udp->dest < 1024`), which is asked of what `bpf_ntohs` makes of it: then ports decide that lie side by side only once their bytes are swapped. The lower byte of ports, by which a program takes a few flows of many, may look like 1,024 as a limit.',
  ),
  rule(
    'length/compared',
    'error',
    'A length compared in the wrong byte order',
    'The program asks whether a length of a header is larger or smaller than a number, and takes it as it lies in the packet, without `bpf_ntohs`: what decides is then its lower byte. For all numbers in turn the program does one thing where the length with its two bytes swapped is on one side of a limit, and another on the other side. A warning where the limit is a multiple of 256, as whoever asks for the lower byte of lengths (`len % 256 < 4`), to take a few packets of many, does the same.',
  ),
  rule(
    'vlan/compared',
    'error',
    'A VLAN id compared in the wrong byte order',
    'The program masks the tag with 0xfff, or the like, without `bpf_ntohs`: it then compares the priority and parts of the VLAN id, and leaves out other bits of the id. It does the same for 16 VLANs, and for the one that was meant nothing.',
  ),
  rule(
    'number/compared',
    'error',
    'A number of a header compared in the wrong byte order',
    'The program does something of its own for a number of two bytes that is a known one in the other byte order, and the known one comes to the same as any other number: what it compares the field with lacks `bpf_htons`. Numbers that are known: hardware types and operations of ARP, protocols of PPP, one question of DNS, and, as warnings, the identification and the window that scanners are known by. So it is where the bits that decide are those of a mask that everybody knows once its two bytes are swapped, as in `ip->frag_off & 0x1fff`, which is true of packets that must not be fragmented and overlooks fragments: flags and offset of fragments, flags of GRE, DNS and TCP. And where TCP’s window is compared with a limit (`tcp->window < 1024`).',
  ),
  rule(
    'address/compared',
    'warning',
    'An address compared in the wrong byte order, as it seems',
    'The program does something of its own for mirror images of addresses that everybody knows (those that end with 10, not those that begin with it), and the known ones come to the same as any other: as it seems, what it compares the field, or masks it, with lacks `bpf_htonl`. Prefixes that count: 10/8, 172.16/12, 192.168/16, 127/8, 169.254/16, 224/4 and 240/4; fe80::/10, fc00::/7, ff00::/8 and 2001:db8::/32. Right where the last byte of an address is what is meant.',
  ),
  rule(
    'encapsulation/room-flags',
    'error',
    'Flags of bpf_skb_adjust_room that contradict the header',
    'BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 and _IPV6 say which IP header the program puts in front, BPF_F_ADJ_ROOM_ENCAP_L4_GRE and _UDP what that one carries, and BPF_F_ADJ_ROOM_DECAP_L3_IPV4 and _IPV6 which header is the outermost once room was taken away. The kernel sets `skb->protocol` by them, and takes GSO packets apart by them (`bpf_skb_net_grow`, `bpf_skb_net_shrink`): with the wrong one it hands the packet to whoever receives the other version, or cuts it into segments at the wrong place.',
  ),
  rule(
    'ethertype/skb-protocol',
    'warning',
    'A new EtherType that the stack does not hear of',
    'At ingress, the stack hands a packet to whoever receives `skb->protocol`, which no write to the frame changes: a packet that goes on to the stack with a new EtherType is taken for what it was before, and dropped. `bpf_skb_vlan_push` and `bpf_skb_vlan_pop` change both; `bpf_skb_change_proto`, and `bpf_skb_adjust_room` with BPF_F_ADJ_ROOM_DECAP_L3_IPV4 or _IPV6, change `skb->protocol`, and the EtherType is the program’s to write; `bpf_redirect` with BPF_F_INGRESS reads the EtherType anew. Right on a port of a bridge, which forwards the frame as it is.',
  ),
];
