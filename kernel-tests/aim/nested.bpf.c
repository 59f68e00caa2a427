// SPDX-License-Identifier: MIT OR GPL-2.0
/* Three lookups, each with what the one before found: an address, its group, the group's rule for a port. */
#include "guarded.h"
struct rule_key { __u32 group; __be16 port; __u16 pad; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 128); __type(key, __be32); __type(value, __u32); } hosts SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 16); __type(key, __u32); __type(value, __u32); } groups SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 128); __type(key, struct rule_key); __type(value, __u64); } rules SEC(".maps");
SEC("xdp") int nested(struct xdp_md *ctx)
{
	struct packet p;
	struct tcphdr *tcp;
	struct rule_key key = {};
	__u32 *host, *group;
	__u64 *rule;

	if (!parse(ctx, &p, IPPROTO_TCP, sizeof(*tcp)))
		return XDP_PASS;
	tcp = p.l4;
	host = bpf_map_lookup_elem(&hosts, &p.ip->saddr);
	if (!host)
		return XDP_PASS;
	group = bpf_map_lookup_elem(&groups, host);
	if (!group || *group != 0xcafe)
		return XDP_PASS;
	key.group = *group;
	key.port = tcp->dest;
	rule = bpf_map_lookup_elem(&rules, &key);
	if (rule && *rule == 0x1122334455667788ull)
		return REACHED;
	return XDP_DROP;
}
