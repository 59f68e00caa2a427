// SPDX-License-Identifier: MIT OR GPL-2.0
/* Headers are rewritten so that no sum tells of it: in later fragments that is data. */
#include "common.h"

#define OFFSET bpf_htons(0x1fff)

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

/* A service listens on another port than the world knows. */
PROGRAM int port_with_checksum(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__be16 from, to = bpf_htons(80);

	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_TCP)
		return PASS;
	IF_RIGHT(if (packet.ip->frag_off & OFFSET) return PASS;)
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end || packet.length < sizeof(*tcp) || tcp->dest != bpf_htons(8080))
		return PASS;
	from = tcp->dest;
	tcp->dest = to;
	tcp->check = update(tcp->check, from, to);
	return PASS;
}

/* The same over IPv6, behind a fragment header where there is one. */
PROGRAM int port_over_ipv6(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct fragment_header *fragment = (void *)(ip + 1);
	struct tcphdr *tcp = (void *)fragment;
	__be16 from, to = bpf_htons(80);
	__u8 next;

	if ((void *)(fragment + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return PASS;
	next = ip->nexthdr;
	if (next == IPPROTO_FRAGMENT) {
		IF_RIGHT(if (fragment->offset & bpf_htons(0xfff8)) return PASS;)
		next = fragment->next;
		tcp = (void *)(fragment + 1);
	}
	if (next != IPPROTO_TCP || (void *)(tcp + 1) > end || tcp->dest != bpf_htons(8080))
		return PASS;
	if ((void *)(ip + 1) + bpf_ntohs(ip->payload_len) < (void *)(tcp + 1))
		return PASS;
	from = tcp->dest;
	tcp->dest = to;
	tcp->check = update(tcp->check, from, to);
	return PASS;
}

/* Where a datagram has no checksum, the port alone is written. */
PROGRAM int port_of_datagram(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__be16 from, to = bpf_htons(80);

	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_UDP)
		return PASS;
	IF_RIGHT(if (packet.ip->frag_off & OFFSET) return PASS;)
	udp = packet.l4;
	if (udp->dest != bpf_htons(8080))
		return PASS;
	from = udp->dest;
	udp->dest = to;
	udp->check = update_udp(udp->check, from, to);
	return PASS;
}

/* Datagrams go back to where they came from. */
PROGRAM int ports_swapped(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__be32 address;
	__be16 port;

	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_UDP)
		return PASS;
	IF_RIGHT(if (packet.ip->frag_off & OFFSET) return PASS;)
	if (packet.ip->daddr != bpf_htonl(0x0a0b0102) || !packet.ip->saddr)
		return PASS;
	udp = packet.l4;
	port = udp->source;
	udp->source = udp->dest;
	udp->dest = port;
	address = packet.ip->saddr;
	packet.ip->saddr = packet.ip->daddr;
	packet.ip->daddr = address;
	swap_macs(packet.data);
	return TRANSMIT(ctx);
}

/* Echo requests are answered. */
PROGRAM int echo_answered(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	__be32 address;

	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_ICMP)
		return PASS;
	IF_RIGHT(if (packet.ip->frag_off & OFFSET) return PASS;)
	icmp = packet.l4;
	if (icmp->type != ICMP_ECHO || icmp->code || packet.ip->daddr != bpf_htonl(0x0a0b0102))
		return PASS;
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = update(icmp->checksum, bpf_htons(ICMP_ECHO << 8), 0);
	address = packet.ip->saddr;
	packet.ip->saddr = packet.ip->daddr;
	packet.ip->daddr = address;
	swap_macs(packet.data);
	return TRANSMIT(ctx);
}

/* All fragments go to the same backend, whose address the transport header of the first one alone sums. */
PROGRAM int address_of_fragments(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__be32 from, to = bpf_htonl(0x0a0b0109);

	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_TCP)
		return PASS;
	from = packet.ip->daddr;
	if (from != bpf_htonl(0x0a0b0102))
		return PASS;
	packet.ip->daddr = to;
	packet.ip->check = update32(packet.ip->check, from, to);
	tcp = packet.l4;
	if (IF_RIGHT((packet.ip->frag_off & OFFSET) ||) (void *)(tcp + 1) > packet.end)
		return PASS;
	tcp->check = update32(tcp->check, from, to);
	return PASS;
}
