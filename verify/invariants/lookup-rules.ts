/** The rules about what routes are looked up for. */
import { type Rule, rule } from './rule.ts';

export const LOOKUP_RULES: readonly Rule[] = [
  rule(
    'lookup/byte-order',
    'error',
    'A parameter of a helper in the wrong byte order',
    'In `struct bpf_fib_lookup`, addresses and ports are in network order, `tot_len` is in host order. With `tot_len` as the header has it, without `bpf_ntohs`, nearly every packet is found too long (BPF_FIB_LKUP_RET_FRAG_NEEDED), and some that are too long pass. Addresses and ports of `struct bpf_sock_tuple` are in network order, too: another socket is found, or none. `remote_ipv4` and `local_ipv4` of `struct bpf_tunnel_key` are in host order: `bpf_skb_set_tunnel_key` turns them itself. Reported where several packets show it, and none comes with a value that is right.',
  ),
  rule(
    'lookup/family',
    'error',
    'A route looked up for an address of the other family',
    'The parameters of `bpf_fib_lookup` hold an address of the packet, and `family` is not that address’s: 2 (AF_INET) belongs to IPv4, 10 (AF_INET6) to IPv6. The kernel takes the bytes for an address of the family that it is told, and finds the route of something else, or none. Reported where several packets show it.',
  ),
  rule(
    'lookup/prefix-length',
    'error',
    'A prefix longer than the keys of the trie, or counted in bytes',
    'The first four bytes of a key of BPF_MAP_TYPE_LPM_TRIE say how many bits of the others count: at most eight times as many as there are bytes behind them, 32 for an IPv4 address. With more, a lookup finds nothing, whatever the map holds (`trie_lookup_elem`), and an update is refused. A warning where the length is the number of bytes: of an IPv4 address 4 bits are asked for, and no entry with a longer prefix is found.',
  ),
  rule(
    'lookup/beyond-array',
    'warning',
    'An element that the array never has',
    'An array has the elements from 0 to `max_entries` - 1, and every index that this call may ask for lies behind them: a lookup always finds nothing, an update is always refused (-E2BIG), and what stands behind them never runs: a counter beyond the last one never counts. So it is with slots of maps of targets (`bpf_redirect_map` then returns what the lower bits of its flags say), of programs (`bpf_tail_call` goes on behind the call) and of events (`bpf_perf_event_output`: -E2BIG). Found in the text of the program; nothing is said of an index that may be right for any input. Make the map larger, or count the index from 0.',
  ),
  rule(
    'lookup/prefix-order',
    'warning',
    'An address in the machine’s byte order in the key of a trie',
    'A trie compares bits from the first byte on: an address has to stand there as packets have it. After `bpf_ntohl`, its last byte comes first, and no entry but one of all 32 bits says what it was meant to.',
  ),
  rule(
    'lookup/not-cleared',
    'error',
    'Parameters of bpf_fib_lookup that the program never wrote',
    'The kernel reads protocol, ports, length, device and TOS of `struct bpf_fib_lookup` as well as the addresses. Where rules or several next hops decide by them, packets of one flow go whatever way bytes of the stack say. Clear the structure first.',
  ),
  rule(
    'lookup/mac-left',
    'error',
    'A routed frame with the destination MAC address that it came with',
    '`bpf_fib_lookup` gave the next hop’s MAC address, and the frame is redirected to the device of the route without it: it still bears this host’s address, and no neighbour takes it. Copy `dmac` into the frame, or let `bpf_redirect_neigh` write it. Other addresses than these are not judged: a program may have them from elsewhere.',
  ),
  rule(
    'lookup/source-mac-left',
    'error',
    'A routed frame with the source MAC address that it came with',
    'The frame has the next hop’s MAC address, and bears the address of the host that it came from as its source: switches on the way learn that this host is here, and send what is meant for it to the wrong place. Copy `smac` into the frame.',
  ),
  rule(
    'lookup/macs-exchanged',
    'error',
    'A routed frame with the MAC addresses of the lookup the wrong way round',
    '`dmac` is the next hop’s address and belongs in the frame’s destination, `smac` is that of the device of the route and belongs in its source. The other way round, the frame goes to the device that it leaves from, and no neighbour takes it.',
  ),
  rule(
    'lookup/addresses-exchanged',
    'error',
    'A route looked up from the packet’s destination to its source',
    'The parameters of `bpf_fib_lookup` hold the destination of the packet as the source, and the source as the destination, and the frame goes that way: back to where it came from. To look the way back up is right where only the device is compared, as a check of source addresses does.',
  ),
  rule(
    'lookup/device-left',
    'error',
    'A routed frame sent out of the device that it came in by',
    '`bpf_fib_lookup` gave the device of the route in `ifindex`, and `bpf_redirect` was called with the device that was asked about, which the packet came in by: the frame has the MAC addresses of one network, and goes out to another. XDP_TX is not judged: some have one device only.',
  ),
  rule(
    'lookup/no-neighbour',
    'error',
    'A routed frame with MAC addresses that the lookup did not fill in',
    'With BPF_FIB_LKUP_RET_NO_NEIGH there is a route, but the kernel does not know the next hop’s MAC address, and fills none in; nor does it with BPF_FIB_LOOKUP_SKIP_NEIGH, or where a lookup fails. A frame that is redirected all the same goes to address 0, or to the one that it came to: nobody takes it. Pass it to the stack, which asks for the neighbour, or use `bpf_redirect_neigh`.',
  ),
];
