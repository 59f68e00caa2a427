// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that put labels of MPLS in front of packets, and swap them. */
#include "common.h"

#ifndef TC
/* Label 20 bits, traffic class 3, bottom of stack 1, TTL 8. */
#define BOTTOM 0x100
#define ENTRY(label, flags, ttl) ((label) << 12 | (flags) | (ttl))

/* Puts an entry in front of an IPv4 packet. */
INLINE int push(CONTEXT *ctx, __be32 entry)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ethhdr old;
	__be32 *label;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	old = *eth;
	old.h_proto = bpf_htons(ETH_P_MPLS_UC);
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*label)))
		return DROP;
	eth = (void *)(long)ctx->data;
	label = (void *)(eth + 1);
	if ((void *)(label + 1) > (void *)(long)ctx->data_end)
		return DROP;
	*eth = old;
	*label = entry;
	return TRANSMIT(ctx);
}

/* The last label says that it is, or not. */
PROGRAM int label_pushed(CONTEXT *ctx)
{
	return push(ctx, bpf_htonl(ENTRY(500, FAULTY_OR_RIGHT(0, BOTTOM), 64)));
}

/* The entry is in network order, or not. */
PROGRAM int label_order(CONTEXT *ctx)
{
	return push(ctx, FAULTY_OR_RIGHT(ENTRY(500, BOTTOM, 64), bpf_htonl(ENTRY(500, BOTTOM, 64))));
}

/* The entry has a TTL, or not. */
PROGRAM int label_unaged(CONTEXT *ctx)
{
	return push(ctx, bpf_htonl(ENTRY(500, BOTTOM, FAULTY_OR_RIGHT(0, 64))));
}

/* The first entry of a frame with labels; NULL: it has none. */
INLINE __be32 *first_label(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__be32 *label = (void *)(eth + 1);

	if ((void *)(label + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_MPLS_UC))
		return NULL;
	return label;
}

/* Swaps label 100 for 200, of packets whose TTL is not used up, or of some whose TTL is. */
PROGRAM int label_expired(CONTEXT *ctx)
{
	__be32 *label = first_label(ctx);
	__u32 entry;

	if (!label || bpf_ntohl(*label) >> 12 != 100)
		return PASS;
	entry = bpf_ntohl(*label);
	if ((entry & 0xff) <= FAULTY_OR_RIGHT(0, 1))
		return DROP;
	*label = bpf_htonl(ENTRY(200, entry & 0xf00, (entry & 0xff) - 1));
	return TRANSMIT(ctx);
}

/* The same, whatever the TTL is. */
PROGRAM int label_wrapped(CONTEXT *ctx)
{
	__be32 *label = first_label(ctx);
	__u32 entry;

	if (!label || bpf_ntohl(*label) >> 12 != 100)
		return PASS;
	entry = bpf_ntohl(*label);
	if ((entry & 0xff) FAULTY_OR_RIGHT(==, <=) 1)
		return DROP;
	*label = bpf_htonl(ENTRY(200, entry & 0xf00, ((entry & 0xff) - 1) & 0xff));
	return TRANSMIT(ctx);
}

/* Swaps the label, and lowers the TTL, or does not. */
PROGRAM int label_kept(CONTEXT *ctx)
{
	__be32 *label = first_label(ctx);
	__u32 entry;

	if (!label || bpf_ntohl(*label) >> 12 != 100)
		return PASS;
	entry = bpf_ntohl(*label);
	if ((entry & 0xff) <= 1)
		return DROP;
	*label = bpf_htonl(ENTRY(200, entry & 0xf00, (entry & 0xff) FAULTY_OR_RIGHT(, - 1)));
	return TRANSMIT(ctx);
}

/* Takes a label off that is the only one, or takes it for that. */
PROGRAM int label_popped(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__be32 *label = first_label(ctx);
	struct iphdr *ip = (void *)(label + 1);
	struct ethhdr old;

	if (!label || (void *)(ip + 1) > (void *)(long)ctx->data_end || ip->version != 4)
		return PASS;
	IF_RIGHT(if (!(*label & bpf_htonl(BOTTOM))) return PASS;)
	old = *eth;
	old.h_proto = bpf_htons(ETH_P_IP);
	if (bpf_xdp_adjust_head(ctx, sizeof(*label)))
		return DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return DROP;
	*eth = old;
	return PASS;
}
#endif
