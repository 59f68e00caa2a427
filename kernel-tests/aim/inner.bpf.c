// SPDX-License-Identifier: MIT OR GPL-2.0
/* A map of maps: by ingress device, then by address; and a redirect that finds its slot. */
#include "guarded.h"
struct table { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 32); __type(key, __be32); __type(value, __u32); };
struct table table_a SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 8); __type(key, __u32); __array(values, struct table); } tables SEC(".maps");
SEC("xdp") int inner(struct xdp_md *ctx)
{
	struct packet p;
	__u32 ifindex = ctx->ingress_ifindex, *value;
	void *table;

	if (!parse(ctx, &p, IPPROTO_ICMP, sizeof(struct icmphdr)))
		return XDP_PASS;
	bpf_map_update_elem(&table_a, &p.ip->saddr, &ifindex, BPF_NOEXIST);
	table = bpf_map_lookup_elem(&tables, &ifindex);
	if (!table)
		return XDP_PASS;
	value = bpf_map_lookup_elem(table, &p.ip->daddr);
	if (value && *value == ifindex)
		return REACHED;
	return XDP_DROP;
}
