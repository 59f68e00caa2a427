// SPDX-License-Identifier: MIT OR GPL-2.0
/* Small XDP programs, each an idiom of the field: what compilers make of it has to run in the machine as in the kernel. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define INLINE static __always_inline
#define NOINLINE static __attribute__((noinline))

struct flow {
	__be32 saddr, daddr;
	__be16 sport, dport;
	__u8 proto, pad[3];
};

struct counter {
	__u64 packets, bytes;
};

#define MAP(name, kind, keys, values, entries)   \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_##kind); \
		__uint(max_entries, entries);    \
		__type(key, keys);               \
		__type(value, values);           \
	} name SEC(".maps")

MAP(totals, ARRAY, __u32, struct counter, 4);
MAP(flows, HASH, struct flow, struct counter, 512);
MAP(per_cpu, PERCPU_ARRAY, __u32, struct counter, 256);
MAP(ports, HASH, __u16, __u32, 64);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 8);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct { __u32 length; __u8 data[4]; });
	__type(value, __u32);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

const volatile __u32 limit = 40;
const volatile __u8 table[16] = { 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233 };
__u64 seen, last[8];
static __u32 histogram[32];

struct cursor {
	void *at, *end;
};

INLINE struct cursor cursor_of(struct xdp_md *ctx)
{
	return (struct cursor){ (void *)(long)ctx->data, (void *)(long)ctx->data_end };
}

INLINE void *take(struct cursor *cursor, __u32 size)
{
	void *at = cursor->at;

	if (at + size > cursor->end)
		return 0;
	cursor->at = at + size;
	return at;
}

INLINE struct iphdr *ipv4_of(struct cursor *cursor)
{
	struct ethhdr *eth = take(cursor, sizeof(*eth));
	struct iphdr *ip;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	ip = take(cursor, sizeof(*ip));
	if (!ip || ip->ihl < 5 || !take(cursor, ip->ihl * 4 - sizeof(*ip)))
		return 0;
	return ip;
}

SEC("xdp") int total(struct xdp_md *ctx)
{
	__u32 key = ctx->rx_queue_index & 3;
	struct counter *counter = bpf_map_lookup_elem(&totals, &key);

	if (!counter)
		return XDP_ABORTED;
	__sync_fetch_and_add(&counter->packets, 1);
	counter->bytes += ctx->data_end - ctx->data;
	return XDP_PASS;
}

SEC("xdp") int flow_counter(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct iphdr *ip = ipv4_of(&cursor);
	struct counter fresh = { .packets = 1 }, *counter;
	struct flow flow = {};
	__be16 *ports;

	if (!ip)
		return XDP_PASS;
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.proto = ip->protocol;
	if ((ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) && !(ip->frag_off & bpf_htons(0x1fff))) {
		ports = take(&cursor, 4);
		if (!ports)
			return XDP_DROP;
		flow.sport = ports[0];
		flow.dport = ports[1];
	}
	counter = bpf_map_lookup_elem(&flows, &flow);
	if (counter) {
		counter->packets++;
		counter->bytes += bpf_ntohs(ip->tot_len);
	} else {
		fresh.bytes = bpf_ntohs(ip->tot_len);
		bpf_map_update_elem(&flows, &flow, &fresh, BPF_NOEXIST);
	}
	return XDP_PASS;
}

SEC("xdp") int by_first_byte(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	__u8 *first = take(&cursor, 1);
	struct counter *counter;
	__u32 key;

	if (!first)
		return XDP_DROP;
	key = *first;
	counter = bpf_map_lookup_elem(&per_cpu, &key);
	if (counter)
		counter->bytes ^= key << 3 | counter->packets++;
	return XDP_PASS;
}

SEC("xdp") int tcp_options(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct iphdr *ip = ipv4_of(&cursor);
	struct tcphdr *tcp;
	__u8 *at, *end;
	__u32 mss = 0;

	if (!ip || ip->protocol != IPPROTO_TCP || !(tcp = take(&cursor, sizeof(*tcp))))
		return XDP_PASS;
	at = cursor.at;
	end = (__u8 *)tcp + tcp->doff * 4;
	for (int i = 0; i < 10; i++) {
		if (at >= end || (void *)(at + 1) > cursor.end || *at == 0)
			break;
		if (*at == 1) {
			at++;
			continue;
		}
		if ((void *)(at + 4) > cursor.end || at[1] < 2)
			break;
		if (at[0] == 2)
			mss = at[2] << 8 | at[3];
		at += at[1];
	}
	seen += mss;
	return mss > 1400 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int vlan_stack(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	__be16 proto;
	int depth = 0;

	if (!eth)
		return XDP_DROP;
	proto = eth->h_proto;
#pragma unroll
	for (int i = 0; i < 3; i++) {
		__be16 *tag;

		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		tag = take(&cursor, 4);
		if (!tag)
			return XDP_DROP;
		proto = tag[1];
		depth++;
	}
	last[depth & 7]++;
	return proto == bpf_htons(ETH_P_IPV6) ? XDP_PASS : XDP_TX;
}

SEC("xdp") int swap(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	unsigned char mac[ETH_ALEN];

	if (!eth)
		return XDP_ABORTED;
	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	return XDP_TX;
}

INLINE bool same_mac(const unsigned char *a, const unsigned char *b)
{
	for (int i = 0; i < ETH_ALEN; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

SEC("xdp") int same_macs(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	static const unsigned char ours[ETH_ALEN] = { 2, 0, 0, 0, 0, 1 };

	if (!eth)
		return XDP_ABORTED;
	if (same_mac(eth->h_dest, ours))
		return XDP_TX;
	return same_mac(eth->h_dest, eth->h_source) ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int ttl(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct iphdr *ip = ipv4_of(&cursor);
	__u32 sum;

	if (!ip || ip->ttl <= 1)
		return XDP_DROP;
	sum = ip->check + bpf_htons(0x0100);
	ip->check = sum + (sum >= 0xffff);
	ip->ttl--;
	return XDP_TX;
}

SEC("xdp") int payload_sum(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	__u16 *word = cursor.at;
	__u64 sum = 0;

	for (int i = 0; i < 64; i++, word++) {
		if ((void *)(word + 1) > cursor.end)
			break;
		sum += bpf_ntohs(*word);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	seen = ~sum & 0xffff;
	return sum % 3 ? XDP_PASS : XDP_DROP;
}

NOINLINE int is_private(__be32 address)
{
	__u32 host = bpf_ntohl(address);

	return host >> 24 == 10 || (host & 0xfff00000) == 0xac100000 || host >> 16 == 0xc0a8;
}

SEC("xdp") int private_only(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct iphdr *ip = ipv4_of(&cursor);

	if (!ip)
		return XDP_PASS;
	return is_private(ip->saddr) && is_private(ip->daddr) ? XDP_PASS : XDP_DROP;
}

NOINLINE void note(struct counter *counter, struct ethhdr *eth, void *end)
{
	if ((void *)(eth + 1) > end)
		return;
	counter->packets += eth->h_proto;
}

SEC("xdp") int noted(struct xdp_md *ctx)
{
	__u32 key = 1;
	struct counter *counter = bpf_map_lookup_elem(&totals, &key);

	if (!counter)
		return XDP_ABORTED;
	note(counter, (void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return XDP_PASS;
}

NOINLINE int parse(struct cursor *cursor, struct flow *flow)
{
	struct iphdr *ip = ipv4_of(cursor);

	if (!ip)
		return -1;
	flow->saddr = ip->saddr;
	flow->proto = ip->protocol;
	return ip->ihl;
}

SEC("xdp") int by_pointer(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct flow flow = {};
	int ihl = parse(&cursor, &flow);

	if (ihl < 0)
		return XDP_PASS;
	last[ihl & 7] += flow.saddr + flow.proto;
	return flow.proto == IPPROTO_UDP ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int lookup_table(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	__u8 *bytes = take(&cursor, 16);
	__u32 index, sum = 0;

	if (!bytes)
		return XDP_PASS;
	for (index = 0; index < 16; index++)
		sum += table[bytes[index] & 15];
	histogram[sum & 31]++;
	if (sum < sizeof(table))
		sum += table[sum];
	return sum > limit ? XDP_PASS : XDP_DROP;
}

SEC("xdp") int port_policy(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct iphdr *ip = ipv4_of(&cursor);
	struct udphdr *udp;
	__u32 *action;
	__u16 port;

	if (!ip || ip->protocol != IPPROTO_UDP || !(udp = take(&cursor, sizeof(*udp))))
		return XDP_PASS;
	port = bpf_ntohs(udp->dest);
	action = bpf_map_lookup_elem(&ports, &port);
	if (!action) {
		__u32 pass = port & 1 ? XDP_PASS : XDP_DROP;

		return bpf_map_update_elem(&ports, &port, &pass, BPF_ANY) ? XDP_ABORTED : XDP_PASS;
	}
	switch (*action) {
	case XDP_DROP:
		return XDP_DROP;
	case XDP_TX:
		return XDP_TX;
	default:
		return XDP_PASS;
	}
}

SEC("xdp") int longest_prefix(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct iphdr *ip = ipv4_of(&cursor);
	struct { __u32 length; __u8 data[4]; } key = { .length = 32 };
	__u32 *found, hops = 1;

	if (!ip)
		return XDP_PASS;
	__builtin_memcpy(key.data, &ip->daddr, 4);
	found = bpf_map_lookup_elem(&prefixes, &key);
	if (found)
		return *found & 1 ? XDP_DROP : XDP_PASS;
	key.length = 8 + (key.data[3] & 15);
	bpf_map_update_elem(&prefixes, &key, &hops, BPF_ANY);
	return XDP_TX;
}

SEC("xdp") int sample(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct { __u32 length; unsigned char head[14]; } *event;

	if (!eth)
		return XDP_PASS;
	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (!event)
		return XDP_DROP;
	event->length = cursor.end - (void *)eth;
	__builtin_memcpy(event->head, eth, sizeof(event->head));
	if (event->length & 1)
		bpf_ringbuf_discard(event, 0);
	else
		bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}

SEC("xdp") int decap(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct ethhdr *eth, copy;
	struct iphdr *ip = ipv4_of(&cursor);

	if (!ip || ip->protocol != IPPROTO_IPIP || ip->ihl != 5)
		return XDP_PASS;
	eth = (void *)(long)ctx->data;
	__builtin_memcpy(&copy, eth, sizeof(copy));
	if (bpf_xdp_adjust_head(ctx, sizeof(*ip)))
		return XDP_ABORTED;
	cursor = cursor_of(ctx);
	eth = take(&cursor, sizeof(*eth));
	if (!eth)
		return XDP_DROP;
	*eth = copy;
	return XDP_TX;
}

SEC("xdp") int trailer(struct xdp_md *ctx)
{
	struct cursor cursor;
	__u64 *stamp;
	int length = ctx->data_end - ctx->data;

	if (length > 1000 || bpf_xdp_adjust_tail(ctx, sizeof(*stamp)))
		return XDP_PASS;
	cursor = cursor_of(ctx);
	if (length < 14 || length > 1000)
		return XDP_DROP;
	stamp = cursor.at + length;
	if ((void *)(stamp + 1) > cursor.end)
		return XDP_DROP;
	*stamp = length * 0x0101010101010101ull;
	return XDP_TX;
}

SEC("xdp") int marked(struct xdp_md *ctx)
{
	__u32 *meta;
	void *data;

	if (bpf_xdp_adjust_meta(ctx, -8))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	data = (void *)(long)ctx->data;
	if ((void *)(meta + 2) > data)
		return XDP_ABORTED;
	meta[0] = ctx->ingress_ifindex;
	meta[1] = ctx->data_end - ctx->data;
	return XDP_PASS;
}

SEC("xdp") int small_types(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	signed char *bytes = take(&cursor, 8);
	short halves;
	int sum = 0;

	if (!bytes)
		return XDP_PASS;
	for (int i = 0; i < 8; i++)
		sum += bytes[i] * (i - 3);
	halves = sum;
	seen = (__u16)halves / 7 + (__u32)halves % 5;
	return sum < -100 ? XDP_DROP : sum > 100 ? XDP_TX : XDP_PASS;
}

SEC("xdp") int wide_arithmetic(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	__u64 *words = take(&cursor, 24), a, b;

	if (!words)
		return XDP_PASS;
	a = words[0];
	b = words[1] | 1;
	last[0] = a / b;
	last[1] = a % b;
	last[2] = (a >> (b & 31)) ^ (a << (b & 63));
	last[3] = bpf_be64_to_cpu(a) + __builtin_bswap32(b);
	last[4] = (a > b) + ((__s64)a > (__s64)b) * 2 + ((__u32)a > (__u32)b) * 4;
	return last[0] & 1 ? XDP_PASS : XDP_DROP;
}

SEC("xdp") int masked_index(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	__u8 *bytes = cursor.at, offset;

	if (cursor.at + 80 > cursor.end)
		return XDP_DROP;
	offset = bytes[0] & 0x3f;
	if (cursor.at + offset + 1 > cursor.end)
		return XDP_DROP;
	bytes[1] = bytes[offset];
	return XDP_TX;
}

SEC("xdp") int ipv6_headers(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct ipv6hdr *ip6;
	__u8 next;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IPV6) || !(ip6 = take(&cursor, sizeof(*ip6))))
		return XDP_PASS;
	next = ip6->nexthdr;
	for (int i = 0; i < 4; i++) {
		__u8 *header;

		if (next != 0 && next != 43 && next != 60)
			break;
		header = take(&cursor, 8);
		if (!header)
			return XDP_DROP;
		next = header[0];
		if (!take(&cursor, header[1] * 8))
			return XDP_DROP;
	}
	return next == IPPROTO_TCP ? XDP_DROP : XDP_PASS;
}

struct search {
	__u8 wanted, found;
	__u8 window[32];
};

NOINLINE long look(__u32 index, struct search *search)
{
	if (index < sizeof(search->window) && search->window[index] == search->wanted) {
		search->found = index + 1;
		return 1;
	}
	return 0;
}

SEC("xdp") int searching(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	__u8 *bytes = take(&cursor, 33);
	struct search search = {};

	if (!bytes)
		return XDP_PASS;
	search.wanted = bytes[32];
	__builtin_memcpy(search.window, bytes, 32);
	bpf_loop(32, look, &search, 0);
	return search.found ? XDP_TX : XDP_DROP;
}

SEC("xdp") int difference(struct xdp_md *ctx)
{
	struct cursor cursor = cursor_of(ctx);
	struct iphdr *ip = ipv4_of(&cursor), before;
	__u32 sum;

	if (!ip || ip->ihl != 5)
		return XDP_PASS;
	before = *ip;
	ip->tos ^= 0x10;
	ip->id = 0;
	sum = bpf_csum_diff((__be32 *)&before, sizeof(before), (__be32 *)ip, sizeof(*ip), ~before.check & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
