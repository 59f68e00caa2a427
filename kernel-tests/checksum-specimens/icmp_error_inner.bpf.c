// SPDX-License-Identifier: MIT OR GPL-2.0
/* In the packet that an ICMP error quotes, the TOS becomes 0xb8; its own header's checksum is forgotten. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	struct iphdr *inner;
	__u16 from, to, was, is;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP) || packet.length < 8 + sizeof(*inner))
		return PASS;
	icmp = packet.l4;
	inner = (void *)(icmp + 1);
	if ((void *)(inner + 1) > packet.end)
		return PASS;
	if (icmp->type != ICMP_DEST_UNREACH && icmp->type != ICMP_TIME_EXCEEDED)
		return PASS;
	if (inner->ihl != 5 || inner->version != 4)
		return PASS;
	from = *(__u16 *)inner;
	inner->tos = (inner->tos & 3) | 0xb8;
	to = *(__u16 *)inner;
	was = inner->check;
	is = update(was, from, to);
#ifdef FAULTY
	is = was;
#endif
	inner->check = is;
	icmp->checksum = update(update(icmp->checksum, from, to), was, is);
	return PASS;
}
