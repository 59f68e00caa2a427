// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that write what a packet tells the routers on its way. */
#include "common.h"

/* Gives everything the DSCP for voice. */
PROGRAM int voice(CONTEXT *ctx)
{
	struct packet packet;
	__u16 from;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	from = *(__u16 *)packet.ip;
	packet.ip->tos = FAULTY_OR_RIGHT(, (packet.ip->tos & 3) |) (46 << 2);
	packet.ip->check = update(packet.ip->check, from, *(__u16 *)packet.ip);
	return PASS;
}

/* Marks what met congestion. */
PROGRAM int congested(CONTEXT *ctx)
{
	struct packet packet;
	__u16 from;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	IF_RIGHT(if ((packet.ip->tos & 3) == 0) return DROP;)
	from = *(__u16 *)packet.ip;
	packet.ip->tos |= 3;
	packet.ip->check = update(packet.ip->check, from, *(__u16 *)packet.ip);
	return PASS;
}

/* The same DSCP for IPv6, whose traffic class lies across two bytes. */
PROGRAM int voice6(CONTEXT *ctx)
{
	struct packet packet;
	__be32 *first;

	if (!parse_ipv6(ctx, &packet, IPPROTO_UDP))
		return PASS;
	first = (void *)packet.ip6;
	*first = (*first & bpf_htonl(FAULTY_OR_RIGHT(0xf0300000, 0xf03fffff))) | bpf_htonl(46 << 22);
	return PASS;
}
