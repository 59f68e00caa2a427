// SPDX-License-Identifier: MIT OR GPL-2.0
/* Routers, each with a mistake in its use of bpf_fib_lookup. */
#include "common.h"

/* The parameters of a lookup for a packet that came in by the device. */
INLINE void ask_for(CONTEXT *ctx, struct packet *packet, struct bpf_fib_lookup *fib)
{
	fib->family = 2;
	fib->tot_len = bpf_ntohs(packet->ip->tot_len);
	fib->ifindex = ctx->ingress_ifindex;
	fib->tos = packet->ip->tos;
	fib->ipv4_src = packet->ip->saddr;
	fib->ipv4_dst = packet->ip->daddr;
}

INLINE int may_be_routed(CONTEXT *ctx, struct packet *packet)
{
	return parse_ipv4(ctx, packet, 0) && packet->ip->ttl > 1;
}

/* Forgets that the next hop has an address of its own. */
PROGRAM int mac_left(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;

	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	lower_ttl(packet.ip, 1);
	IF_RIGHT(__builtin_memcpy(packet.data, fib.dmac, ETH_ALEN);)
	__builtin_memcpy(packet.data + ETH_ALEN, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

/* Sends as if it were the host that the packet came from. */
PROGRAM int source_mac_left(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;

	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	lower_ttl(packet.ip, 1);
	__builtin_memcpy(packet.data, fib.dmac, ETH_ALEN);
	IF_RIGHT(__builtin_memcpy(packet.data + ETH_ALEN, fib.smac, ETH_ALEN);)
	return bpf_redirect(fib.ifindex, 0);
}

/* Takes the two addresses of the lookup for each other. */
PROGRAM int macs_exchanged(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;

	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	lower_ttl(packet.ip, 1);
	__builtin_memcpy(packet.data, FAULTY_OR_RIGHT(fib.smac, fib.dmac), ETH_ALEN);
	__builtin_memcpy(packet.data + ETH_ALEN, FAULTY_OR_RIGHT(fib.dmac, fib.smac), ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

/* Asks for the way from the destination to the source. */
PROGRAM int addresses_exchanged(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;

	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	fib.ipv4_src = FAULTY_OR_RIGHT(packet.ip->daddr, packet.ip->saddr);
	fib.ipv4_dst = FAULTY_OR_RIGHT(packet.ip->saddr, packet.ip->daddr);
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	lower_ttl(packet.ip, 1);
	__builtin_memcpy(packet.data, fib.dmac, ETH_ALEN);
	__builtin_memcpy(packet.data + ETH_ALEN, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

/* Sends out of the device that it asked about. */
PROGRAM int device_left(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;

	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	lower_ttl(packet.ip, 1);
	__builtin_memcpy(packet.data, fib.dmac, ETH_ALEN);
	__builtin_memcpy(packet.data + ETH_ALEN, fib.smac, ETH_ALEN);
	return bpf_redirect(FAULTY_OR_RIGHT(ctx->ingress_ifindex, fib.ifindex), 0);
}

/* Takes a route without a neighbour for one that can be used. */
PROGRAM int no_neighbour(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;
	long result;

	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	result = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	if (result != BPF_FIB_LKUP_RET_SUCCESS FAULTY_OR_RIGHT(&& result != BPF_FIB_LKUP_RET_NO_NEIGH, ))
		return PASS;
	lower_ttl(packet.ip, 1);
	__builtin_memcpy(packet.data, fib.dmac, ETH_ALEN);
	__builtin_memcpy(packet.data + ETH_ALEN, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

/* Looks an IPv4 address up as one of IPv6. */
PROGRAM int other_family(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;

	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	fib.family = FAULTY_OR_RIGHT(10, 2);
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	lower_ttl(packet.ip, 1);
	__builtin_memcpy(packet.data, fib.dmac, ETH_ALEN);
	__builtin_memcpy(packet.data + ETH_ALEN, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

/* Copies the total length as the header has it. */
PROGRAM int length_swapped(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct packet packet;

	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	fib.tot_len = FAULTY_OR_RIGHT(packet.ip->tot_len, bpf_ntohs(packet.ip->tot_len));
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	lower_ttl(packet.ip, 1);
	__builtin_memcpy(packet.data, fib.dmac, ETH_ALEN);
	__builtin_memcpy(packet.data + ETH_ALEN, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}

/* Sets what it knows of, and leaves protocol and ports as they are on the stack. */
PROGRAM int not_cleared(CONTEXT *ctx)
{
	struct bpf_fib_lookup fib;
	struct packet packet;

	IF_RIGHT(__builtin_memset(&fib, 0, sizeof(fib));)
	if (!may_be_routed(ctx, &packet))
		return PASS;
	ask_for(ctx, &packet, &fib);
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return PASS;
	lower_ttl(packet.ip, 1);
	__builtin_memcpy(packet.data, fib.dmac, ETH_ALEN);
	__builtin_memcpy(packet.data + ETH_ALEN, fib.smac, ETH_ALEN);
	return bpf_redirect(fib.ifindex, 0);
}
