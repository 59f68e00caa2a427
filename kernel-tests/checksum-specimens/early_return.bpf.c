// SPDX-License-Identifier: MIT OR GPL-2.0
/* The TOS becomes 0x10; for UDP the program returns before it comes to the header's checksum. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct iphdr *ip;
	__u16 from, to;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	ip = packet.ip;
	from = *(__u16 *)ip;
	ip->tos = (ip->tos & 3) | 0x10;
	to = *(__u16 *)ip;
#ifdef FAULTY
	if (ip->protocol == IPPROTO_UDP)
		return PASS;
#endif
	ip->check = update(ip->check, from, to);
	return PASS;
}
