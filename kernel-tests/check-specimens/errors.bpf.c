// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that answer with an ICMP error, made of the packet that it is about. */
#include "common.h"

#define GROWTH ((int)(sizeof(struct iphdr) + sizeof(struct icmphdr)))
/* A whole header without options, and the ports. */
#define QUOTED ((int)sizeof(struct iphdr) + 8)

/* Puts the headers of an error in front of what stays of the packet; 0 where that fails. */
INLINE struct icmphdr *make_error(CONTEXT *ctx, struct packet *packet, int quoted)
{
	int surplus = packet->end - packet->data - (int)sizeof(struct ethhdr) - quoted;
	struct ethhdr *eth, old;
	struct iphdr *ip, *about;
	void *end;

	if ((surplus > 0 && RESIZE(ctx, -surplus)) || bpf_xdp_adjust_head(ctx, -GROWTH))
		return 0;
	eth = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip = (void *)(eth + 1);
	about = (void *)ip + GROWTH;
	if ((void *)about + quoted > end)
		return 0;
	old = *(struct ethhdr *)((void *)eth + GROWTH);
	__builtin_memcpy(eth->h_dest, old.h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
	eth->h_proto = old.h_proto;
	__builtin_memset(ip, 0, GROWTH);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(GROWTH + quoted);
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	ip->saddr = about->daddr;
	ip->daddr = about->saddr;
	ip->check = ~fold(bpf_csum_diff(0, 0, (__be32 *)ip, sizeof(*ip), 0));
	return (void *)(ip + 1);
}

/* Is it a packet between two hosts that may be answered with an error? */
INLINE int may_be_answered(CONTEXT *ctx, struct packet *packet)
{
	return parse_ipv4(ctx, packet, IPPROTO_UDP) && ends_with_frame(packet) && is_host(packet->ip->saddr) &&
	       is_host(packet->ip->daddr);
}

/* Quotes the IP header, and leaves out by what the host finds the socket. */
PROGRAM int quote_short(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;

	if (!may_be_answered(ctx, &packet) || ((struct udphdr *)packet.l4)->dest != bpf_htons(33434))
		return PASS;
	icmp = make_error(ctx, &packet, FAULTY_OR_RIGHT(sizeof(struct iphdr), QUOTED));
	if (!icmp)
		return DROP;
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_PORT_UNREACH;
	icmp->checksum = ~fold(
		bpf_csum_diff(0, 0, (__be32 *)icmp, sizeof(*icmp) + FAULTY_OR_RIGHT(sizeof(struct iphdr), QUOTED), 0));
	return XDP_TX;
}

/* Quotes 600 bytes of a packet that has them. */
PROGRAM int quote_long(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;

	if (!may_be_answered(ctx, &packet) || bpf_ntohs(packet.ip->tot_len) < 600)
		return PASS;
	icmp = make_error(ctx, &packet, FAULTY_OR_RIGHT(600, 64));
	if (!icmp)
		return DROP;
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_PORT_UNREACH;
#ifdef FAULTY
	icmp->checksum = ~fold(bpf_csum_diff(0, 0, (void *)icmp + 304, 304, bpf_csum_diff(0, 0, (__be32 *)icmp, 304, 0)));
#else
	icmp->checksum = ~fold(bpf_csum_diff(0, 0, (__be32 *)icmp, sizeof(*icmp) + 64, 0));
#endif
	return XDP_TX;
}

/* Says in the wrong byte order how long a packet may be. */
PROGRAM int mtu_swapped(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;

	if (!may_be_answered(ctx, &packet) || bpf_ntohs(packet.ip->tot_len) <= 1400)
		return PASS;
	icmp = make_error(ctx, &packet, QUOTED);
	if (!icmp)
		return DROP;
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_FRAG_NEEDED;
	icmp->un.frag.mtu = FAULTY_OR_RIGHT(1400, bpf_htons(1400));
	icmp->checksum = ~fold(bpf_csum_diff(0, 0, (__be32 *)icmp, sizeof(*icmp) + QUOTED, 0));
	return XDP_TX;
}
