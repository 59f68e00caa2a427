// SPDX-License-Identifier: MIT OR GPL-2.0
/* The fourth packet of a host, if it is longer than the first one was. */
#include "guarded.h"
struct seen { __u32 packets, first; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 256); __type(key, __be32); __type(value, struct seen); } hosts SEC(".maps");
SEC("xdp") int counted(struct xdp_md *ctx)
{
	struct packet p;
	struct seen *seen, fresh = { 1, 0 };

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr)))
		return XDP_PASS;
	seen = bpf_map_lookup_elem(&hosts, &p.ip->saddr);
	if (!seen) {
		fresh.first = ctx->data_end - ctx->data;
		bpf_map_update_elem(&hosts, &p.ip->saddr, &fresh, BPF_NOEXIST);
		return XDP_PASS;
	}
	if (++seen->packets == 4 && ctx->data_end - ctx->data > seen->first)
		return REACHED;
	return XDP_PASS;
}
