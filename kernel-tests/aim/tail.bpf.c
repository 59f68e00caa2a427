// SPDX-License-Identifier: MIT OR GPL-2.0
/* A tail call into a program that somebody else puts there, chosen by the protocol, and another from that one. */
#include "guarded.h"
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 256); __type(key, __u32); __type(value, __u32); } handlers SEC(".maps");
SEC("xdp") int tail(struct xdp_md *ctx)
{
	struct packet p;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr)))
		return XDP_PASS;
	bpf_tail_call(ctx, &handlers, p.ip->tos);
	return XDP_DROP;
}
SEC("xdp") int second(struct xdp_md *ctx)
{
	struct packet p;
	struct udphdr *udp;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(*udp)))
		return XDP_ABORTED;
	udp = p.l4;
	if (udp->source != bpf_htons(61234))
		return XDP_DROP;
	bpf_tail_call(ctx, &handlers, 200);
	return XDP_PASS;
}
SEC("xdp") int third(struct xdp_md *ctx)
{
	struct packet p;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr)))
		return XDP_ABORTED;
	return p.ip->ttl == 99 ? REACHED : XDP_DROP;
}
