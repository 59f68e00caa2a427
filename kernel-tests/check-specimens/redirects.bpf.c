// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that redirect. */
#include "common.h"

#ifdef TC
#define REDIRECT TC_ACT_REDIRECT
#else
#define REDIRECT XDP_REDIRECT
#endif

/* The action alone, as if it were enough. */
PROGRAM int redirect_bare(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	return FAULTY_OR_RIGHT(REDIRECT, bpf_redirect(ctx->ingress_ifindex, 0));
}

/* To a device that was looked for and not found. */
PROGRAM int redirect_zero(CONTEXT *ctx)
{
	struct packet packet;
	int device = FAULTY_OR_RIGHT(0, 2);

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	return bpf_redirect(device, 0);
}

/* A flag of the other hook, or none at all. */
PROGRAM int redirect_flags(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	return bpf_redirect(ctx->ingress_ifindex, FAULTY_OR_RIGHT(1 << 5, 0));
}

/* As if the call were enough. */
PROGRAM int redirect_unused(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	return FAULTY_OR_RIGHT((bpf_redirect(2, 0), PASS), bpf_redirect(2, 0));
}

/* A router whose TTLs go down by two. */
PROGRAM int ttl_step(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	if (packet.ip->ttl <= 2)
		return PASS;
	lower_ttl(packet.ip, FAULTY_OR_RIGHT(2, 1));
	next_hop(packet.data);
	return bpf_redirect(2, 0);
}

/* Another one that asks the kernel for the route, and leaves the TTL. */
PROGRAM int ttl_left(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;
	struct ethhdr *eth;

	if (!parse_ipv4(ctx, &packet, 0) || packet.ip->ttl <= 1)
		return PASS;
	fib.family = 2;
	fib.ipv4_src = packet.ip->saddr;
	fib.ipv4_dst = packet.ip->daddr;
	fib.tot_len = bpf_ntohs(packet.ip->tot_len);
	fib.ifindex = 2;
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	IF_RIGHT(lower_ttl(packet.ip, 1);)
	eth = packet.data;
	__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

#ifndef TC
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

/* One of four slots, of which the program takes eight for granted. */
PROGRAM int redirect_slot(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	return bpf_redirect_map(&ports, ((struct udphdr *)packet.l4)->source & FAULTY_OR_RIGHT(7, 3), 0);
}

/* Looks a target up and does not look whether there was one. */
PROGRAM int redirect_ignored(CONTEXT *ctx)
{
	struct packet packet;
	long action;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	action = bpf_redirect_map(&ports, ((struct udphdr *)packet.l4)->source & 7, XDP_PASS);
	IF_FAULTY(if (action != XDP_ABORTED) return XDP_REDIRECT;)
	return action;
}
#endif
