// SPDX-License-Identifier: MIT OR GPL-2.0
/* The routing table must know the way, and the map of devices the device; then a field of the packet counts. */
#include "guarded.h"
struct { __uint(type, BPF_MAP_TYPE_DEVMAP_HASH); __uint(max_entries, 64); __type(key, __u32); __type(value, __u32); } ports SEC(".maps");
SEC("xdp") int forward(struct xdp_md *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet p;
	__u32 *port;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr)))
		return XDP_PASS;
	fib.family = AF_INET;
	fib.tot_len = bpf_ntohs(p.ip->tot_len);
	fib.ipv4_src = p.ip->saddr;
	fib.ipv4_dst = p.ip->daddr;
	fib.ifindex = ctx->ingress_ifindex;
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return XDP_PASS;
	port = bpf_map_lookup_elem(&ports, &fib.ifindex);
	if (!port)
		return XDP_DROP;
	if (p.ip->frag_off == bpf_htons(0x4000) && p.ip->tos == 0xb8)
		return REACHED;
	return bpf_redirect_map(&ports, fib.ifindex, XDP_DROP);
}
