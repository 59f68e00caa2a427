// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that compute a checksum from scratch, or update one, each with a mistake of its own. */
#include "common.h"

/* The sum of a header without options whose checksum field is skipped. */
INLINE __u32 header_sum(struct iphdr *ip)
{
	__u16 *word = (__u16 *)ip;
	__u32 sum = 0;
	int at;

#pragma unroll
	for (at = 0; at < 10; at++)
		if (at != 5)
			sum += word[at];
	return sum;
}

/* Marks packets, and computes the header's checksum anew. */
INLINE int mark(CONTEXT *ctx, struct packet *packet)
{
	if (!parse_ipv4(ctx, packet, 0))
		return 0;
	packet->ip->tos = (packet->ip->tos & 3) | 0x2c;
	return 1;
}

PROGRAM int not_complemented(CONTEXT *ctx)
{
	struct packet packet;

	if (!mark(ctx, &packet))
		return PASS;
	packet.ip->check = FAULTY_OR_RIGHT(, ~) fold(header_sum(packet.ip));
	return PASS;
}

PROGRAM int bytes_swapped(CONTEXT *ctx)
{
	struct packet packet;
	__u16 check;

	if (!mark(ctx, &packet))
		return PASS;
	check = ~fold(header_sum(packet.ip));
	packet.ip->check = FAULTY_OR_RIGHT(bpf_htons(check), check);
	return PASS;
}

PROGRAM int old_counted(CONTEXT *ctx)
{
	struct packet packet;

	if (!mark(ctx, &packet))
		return PASS;
	packet.ip->check = ~fold(header_sum(packet.ip) FAULTY_OR_RIGHT(+ packet.ip->check, ));
	return PASS;
}

PROGRAM int word_forgotten(CONTEXT *ctx)
{
	struct packet packet;

	if (!mark(ctx, &packet))
		return PASS;
	packet.ip->check = ~fold(header_sum(packet.ip) FAULTY_OR_RIGHT(-packet.ip->id, ));
	return PASS;
}

PROGRAM int delta_negated(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__u16 from, to = bpf_htons(8443);

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end || packet.length < sizeof(*tcp))
		return PASS;
	from = tcp->dest;
	tcp->dest = to;
	tcp->check = FAULTY_OR_RIGHT(update(tcp->check, to, from), update(tcp->check, from, to));
	return PASS;
}

/* Address and port change; the checksum of TCP hears of one of them. */
PROGRAM int change_left_out(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__be32 address, other = bpf_htonl(0xc6336407);
	__u16 from, to = bpf_htons(8443);

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end || packet.length < sizeof(*tcp))
		return PASS;
	address = packet.ip->daddr;
	packet.ip->daddr = other;
	packet.ip->check = update32(packet.ip->check, address, other);
	from = tcp->dest;
	tcp->dest = to;
	tcp->check = update32(tcp->check, address, other);
	IF_RIGHT(tcp->check = update(tcp->check, from, to);)
	IF_FAULTY((void)from;)
	return PASS;
}

PROGRAM int change_twice(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to = bpf_htons(5353), source, other = bpf_htons(40000);

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	udp = packet.l4;
	from = udp->dest;
	source = udp->source;
	udp->dest = to;
	udp->source = other;
	udp->check = update_udp(update_udp(udp->check, from, to), source, other);
	IF_FAULTY(udp->check = update_udp(udp->check, source, other);)
	return PASS;
}

/* Off with the checksum, which only IPv4 allows. */
PROGRAM int udp6_removed(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to = bpf_htons(5353);

	if (!parse_ipv6(ctx, &packet, IPPROTO_UDP))
		return PASS;
	udp = packet.l4;
	from = udp->dest;
	udp->dest = to;
	udp->check = FAULTY_OR_RIGHT(0 * from, update_udp(udp->check, from, to));
	return PASS;
}

PROGRAM int udp6_zero_lost(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to = bpf_htons(5353);

	if (!parse_ipv6(ctx, &packet, IPPROTO_UDP))
		return PASS;
	udp = packet.l4;
	from = udp->dest;
	udp->dest = to;
	udp->check = FAULTY_OR_RIGHT(update(udp->check, from, to), update_udp(udp->check, from, to));
	return PASS;
}

/* An address of IPv6 changes, and ICMPv6 is taken for ICMP. */
PROGRAM int icmp6_pseudo_left(CONTEXT *ctx)
{
	struct packet packet;
	struct icmp6hdr *icmp;
	__u16 from, to = bpf_htons(0xbeef);

	if (!parse_ipv6(ctx, &packet, IPPROTO_ICMPV6))
		return PASS;
	icmp = packet.l4;
	from = packet.ip6->saddr.in6_u.u6_addr16[7];
	packet.ip6->saddr.in6_u.u6_addr16[7] = to;
	IF_RIGHT(icmp->icmp6_cksum = update(icmp->icmp6_cksum, from, to);)
	(void)icmp;
	(void)from;
	return PASS;
}

/* An empty echo becomes its reply, whose sum is zero where identifier and number are. */
PROGRAM int all_zero_message(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	__u16 check;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP))
		return PASS;
	icmp = packet.l4;
	if (icmp->type != ICMP_ECHO || icmp->code != 0)
		return PASS;
	icmp->type = ICMP_ECHOREPLY;
	check = update(icmp->checksum, bpf_htons(ICMP_ECHO << 8), 0);
	icmp->checksum = FAULTY_OR_RIGHT(check, check == 0 ? 0xffff : check);
	return PASS;
}

/* The TTL goes down, and the checksum up, without the carry around. */
PROGRAM int ttl_carry(CONTEXT *ctx)
{
	struct packet packet;
	__u32 check;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	if (packet.ip->ttl <= 1)
		return PASS;
	check = packet.ip->check + bpf_htons(0x0100);
	packet.ip->check = FAULTY_OR_RIGHT(check, check + (check >= 0xffff));
	packet.ip->ttl--;
	return PASS;
}

/* A sum of 0, which only UDP takes for none, is left as it is. */
PROGRAM int zero_left_alone(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__u16 from, to = bpf_htons(8443);

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end || packet.length < sizeof(*tcp))
		return PASS;
	from = tcp->dest;
	tcp->dest = to;
	IF_FAULTY(if (tcp->check == 0) return PASS;)
	tcp->check = update(tcp->check, from, to);
	return PASS;
}

/* The checksum goes up for a TTL that goes down; the TTL stays. */
PROGRAM int change_not_made(CONTEXT *ctx)
{
	struct packet packet;
	__u32 check;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	if (packet.ip->ttl <= 1)
		return PASS;
	check = packet.ip->check + bpf_htons(0x0100);
	packet.ip->check = check + (check >= 0xffff);
	IF_RIGHT(packet.ip->ttl--;)
	return PASS;
}
