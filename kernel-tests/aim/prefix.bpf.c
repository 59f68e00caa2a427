// SPDX-License-Identifier: MIT OR GPL-2.0
/* Longest prefix match on an IPv6 source, its value an index into an array of limits. */
#include "guarded.h"
struct prefix { __u32 length; __u8 address[16]; };
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 64); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, struct prefix); __type(value, __u32); } prefixes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 8); __type(key, __u32); __type(value, __u16); } limits SEC(".maps");
SEC("xdp") int prefix(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = data + ETH_HLEN;
	struct prefix key = { .length = 128 };
	__u32 *index;
	__u16 *limit;

	if ((void *)(ip6 + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	__builtin_memcpy(key.address, &ip6->saddr, 16);
	index = bpf_map_lookup_elem(&prefixes, &key);
	if (!index)
		return XDP_PASS;
	limit = bpf_map_lookup_elem(&limits, index);
	if (limit && *limit > 300 && bpf_ntohs(ip6->payload_len) > *limit)
		return REACHED;
	return XDP_DROP;
}
