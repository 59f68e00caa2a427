// SPDX-License-Identifier: MIT OR GPL-2.0
/* Large tables, of which a packet touches an entry or two. */
#include "styles.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2000000);
	__type(key, __u32);
	__type(value, __u32);
} bitmap SEC(".maps");

/* A bit for each possible source in an array of 8 MB. */
SEC("xdp") int large_bitmap(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);

	if (!ip)
		return XDP_PASS;
	__u32 address = bpf_ntohl(ip->saddr), index = address >> 5;
	__u32 *word = bpf_map_lookup_elem(&bitmap, &index);

	if (FAULT(!word, 0))
		return XDP_PASS;
	if (*word & 1u << (address & 31))
		return XDP_DROP;
	*word |= 1u << (address & 31);
	return XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1000000);
	__type(key, __u64);
	__type(value, __u64[4]);
} seen SEC(".maps");

SEC("xdp") int large_lru(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	__u64 fresh[4] = { 1 };

	if (!ip)
		return XDP_PASS;
	__u64 key = (__u64)ip->saddr << 32 | ip->daddr, *known = bpf_map_lookup_elem(&seen, &key);

	if (known) {
		known[0]++;
		known[3] = bpf_ktime_get_ns();
		return known[FAULT(0, 4)] > 3 ? XDP_DROP : XDP_PASS;
	}
	bpf_map_update_elem(&seen, &key, fresh, BPF_ANY);
	return XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64[2]);
} ports SEC(".maps");

/* Packets and bytes of each destination port. */
SEC("xdp") int large_ports(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *udp = (void *)(ip + 1);

	if (!ip || FAULT(!FITS(udp, end), (void *)udp > end))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	__u32 key = bpf_ntohs(udp->dest);
	__u64 *counters = bpf_map_lookup_elem(&ports, &key);

	if (!counters)
		return XDP_ABORTED;
	counters[0]++;
	counters[1] += end - data;
	return XDP_PASS;
}

struct prefix {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 500000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} prefixes SEC(".maps");

/* What no prefix covers is learnt by its /24. */
SEC("xdp") int large_prefixes(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct prefix key = { .length = FAULT(32, 32) };
	__u32 one = 1, *known;

	if (FAULT(!ip, data + 33 > end))
		return XDP_PASS;
	ip = data + 14;
	key.address = ip->daddr;
	known = bpf_map_lookup_elem(&prefixes, &key);
	if (known)
		return ++*known > 10 ? XDP_DROP : XDP_PASS;
	key.length = 24;
	bpf_map_update_elem(&prefixes, &key, &one, BPF_ANY);
	return XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, __u8[16]);
	__type(value, __u8[64]);
} hosts SEC(".maps");

SEC("tc") int large_hosts(struct __sk_buff *skb)
{
	void *data = DATA(skb), *end = DATA_END(skb);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	__u8 fresh[64] = {}, *known;

	if (!ip6)
		return TC_ACT_OK;
	known = bpf_map_lookup_elem(&hosts, &ip6->saddr);
	if (!known) {
		__builtin_memcpy(fresh, ((struct ethhdr *)data)->h_source, 6);
		bpf_map_update_elem(&hosts, &ip6->saddr, fresh, BPF_NOEXIST);
		return TC_ACT_OK;
	}
	for (int i = 0; i < 6; i++)
		if (known[i] != ((struct ethhdr *)data)->h_source[i])
			known[FAULT(63, 64)] = 1;
	return known[63] ? TC_ACT_SHOT : TC_ACT_OK;
}
