// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that lower a TTL, answer, or return an action. */
#include "common.h"

/* Forwards without looking whether the packet may go any further. */
PROGRAM int ttl_expired(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	IF_RIGHT(if (packet.ip->ttl <= 1) return PASS;)
	lower_ttl(packet.ip, 1);
	return PASS;
}

/* Takes a TTL of 1 for the only one that must not be lowered. */
PROGRAM int ttl_wrapped(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	if (packet.ip->ttl FAULTY_OR_RIGHT(==, <=) 1)
		return DROP;
	lower_ttl(packet.ip, 1);
	return TRANSMIT(ctx);
}

PROGRAM int hop_limit_expired(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv6(ctx, &packet, IPPROTO_UDP))
		return PASS;
	IF_RIGHT(if (packet.ip6->hop_limit <= 1) return PASS;)
	packet.ip6->hop_limit--;
	return PASS;
}

/* An echo server that answers whatever was asked, groups included. */
PROGRAM int echo_group(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	__be32 address;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP))
		return PASS;
	icmp = packet.l4;
	if (icmp->type != ICMP_ECHO || icmp->code != 0)
		return PASS;
#ifndef FAULTY
	if ((packet.ip->daddr & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || packet.ip->daddr == 0xffffffff ||
	    packet.ip->daddr == 0 || !is_host(packet.ip->saddr))
		return PASS;
#endif
	address = packet.ip->daddr;
	packet.ip->daddr = packet.ip->saddr;
	packet.ip->saddr = address;
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = update(icmp->checksum, bpf_htons(ICMP_ECHO << 8), 0);
	if (icmp->checksum == 0)
		icmp->checksum = 0xffff;
	swap_macs(packet.data);
	return TRANSMIT(ctx);
}

/* Answers a ping, whoever sent it. */
PROGRAM int echo_anyone(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	__be32 address;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP))
		return PASS;
	icmp = packet.l4;
	if (icmp->type != ICMP_ECHO || icmp->code != 0 || !is_host(packet.ip->daddr))
		return PASS;
	IF_RIGHT(if (!is_host(packet.ip->saddr)) return PASS;)
	address = packet.ip->daddr;
	packet.ip->daddr = packet.ip->saddr;
	packet.ip->saddr = address;
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = update(icmp->checksum, bpf_htons(ICMP_ECHO << 8), 0);
	if (icmp->checksum == 0)
		icmp->checksum = 0xffff;
	swap_macs(packet.data);
	return TRANSMIT(ctx);
}

/* Answers UDP on port 7, and forgets to say from where. */
PROGRAM int echo_unset(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__be32 from, to;
	__u16 port;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	udp = packet.l4;
	from = packet.ip->saddr; IF_RIGHT(if (!is_host(from)) return PASS;)
	to = packet.ip->daddr;
	if (udp->dest != bpf_htons(7) || to == 0 || to == 0xffffffff || (to & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000))
		return PASS;
	port = udp->source;
	udp->source = udp->dest;
	udp->dest = port;
	packet.ip->daddr = from;
	packet.ip->saddr = FAULTY_OR_RIGHT(0, to);
#ifdef FAULTY
	packet.ip->check = update32(packet.ip->check, to, 0);
	udp->check = update_udp(update_udp(udp->check, to, 0), to >> 16, 0);
#endif
	swap_macs(packet.data);
	return TRANSMIT(ctx);
}

/* An action from another table. */
PROGRAM int unknown_action(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	tcp = packet.l4;
	if (tcp->dest == bpf_htons(23))
		return FAULTY_OR_RIGHT(31, DROP);
	return PASS;
}

/* Returns what a helper that failed returned. */
PROGRAM int error_returned(CONTEXT *ctx)
{
	struct packet packet;
	int error;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	if (((struct udphdr *)packet.l4)->dest != bpf_htons(4789))
		return PASS;
	error = RESIZE(ctx, -4096);
	if (error)
		return FAULTY_OR_RIGHT(error, DROP);
	return PASS;
}

/* Sets the maximum segment size of SYNs, where it is the first option. */
PROGRAM int mss_set(CONTEXT *ctx)
{
	const __u16 most = 1360;
	struct packet packet;
	struct tcphdr *tcp;
	__be16 *option;
	__u16 old;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP) || !ends_with_frame(&packet))
		return PASS;
	tcp = packet.l4;
	option = (void *)(tcp + 1);
	if ((void *)(option + 2) > packet.end)
		return PASS;
	if (tcp->doff < 6 || tcp->doff * 4 > packet.length || !tcp->syn || option[0] != bpf_htons(0x0204))
		return PASS;
	old = bpf_ntohs(option[1]);
	if (FAULTY_OR_RIGHT(old == most, old <= most))
		return PASS;
	tcp->check = update(tcp->check, option[1], bpf_htons(most));
	option[1] = bpf_htons(most);
	return PASS;
}
