// SPDX-License-Identifier: MIT OR GPL-2.0
/* Four ports in a row from one address; a wrong one starts all over. */
#include "guarded.h"
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 1024); __type(key, __be32); __type(value, __u8); } knocks SEC(".maps");
SEC("xdp") int knock(struct xdp_md *ctx)
{
	struct packet p;
	struct tcphdr *tcp;
	__u8 *seen, state, next;
	__be16 wanted;

	if (!parse(ctx, &p, IPPROTO_TCP, sizeof(*tcp)))
		return XDP_PASS;
	tcp = p.l4;
	seen = bpf_map_lookup_elem(&knocks, &p.ip->saddr);
	state = seen ? *seen : 0;
	wanted = state == 0 ? bpf_htons(7000) : state == 1 ? bpf_htons(8181) : state == 2 ? bpf_htons(9099) : bpf_htons(40001);
	if (tcp->dest != wanted) {
		bpf_map_delete_elem(&knocks, &p.ip->saddr);
		return XDP_DROP;
	}
	if (state == 3)
		return REACHED;
	next = state + 1;
	bpf_map_update_elem(&knocks, &p.ip->saddr, &next, BPF_ANY);
	return XDP_DROP;
}
