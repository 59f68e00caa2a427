// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that translate addresses, of ICMP errors, too. */
#include "common.h"

/* Leads errors about the echo requests of one host to where it is. */
PROGRAM int quote_left(CONTEXT *ctx)
{
	const __be32 to = bpf_htonl(0x0a000001);
	struct packet packet;
	struct icmphdr *icmp;
	struct iphdr *quoted;
	__be32 from;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP) || packet.length < sizeof(*icmp) + sizeof(*quoted))
		return PASS;
	icmp = packet.l4;
	quoted = (void *)(icmp + 1);
	if ((void *)(quoted + 1) > packet.end || icmp->type != ICMP_DEST_UNREACH)
		return PASS;
	from = packet.ip->daddr;
	if (quoted->version != 4 || quoted->ihl != 5 || quoted->protocol != IPPROTO_ICMP || quoted->saddr != from)
		return PASS;
	packet.ip->check = update32(packet.ip->check, from, to);
	packet.ip->daddr = to;
#ifndef FAULTY
	__u16 was = quoted->check;

	quoted->check = update32(was, from, to);
	quoted->saddr = to;
	icmp->checksum = update(update32(icmp->checksum, from, to), was, quoted->check);
#endif
	return PASS;
}
