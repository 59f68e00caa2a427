// SPDX-License-Identifier: MIT OR GPL-2.0
/* A list of rules that every packet is held against, one after the other, until one of them is its own. */
#include "guarded.h"
struct rule {
	__be16 port;
	__u16 longer_than;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct rule);
} rules SEC(".maps");
struct bpf_map;
struct search {
	__be16 port;
	__u16 length;
	int found;
};

static long hold(struct bpf_map *map, __u32 *key, struct rule *rule, struct search *search)
{
	if (!rule->port || rule->port != search->port)
		return 0;
	search->found = search->length > rule->longer_than;
	return 1;
}

SEC("xdp") int elements(struct xdp_md *ctx)
{
	struct search search = {};
	struct packet p;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr)))
		return XDP_PASS;
	search.port = ((struct udphdr *)p.l4)->dest;
	search.length = bpf_ntohs(((struct udphdr *)p.l4)->len);
	if (bpf_for_each_map_elem(&rules, hold, &search, 0) < 1)
		return XDP_PASS;
	return search.found ? REACHED : XDP_DROP;
}
