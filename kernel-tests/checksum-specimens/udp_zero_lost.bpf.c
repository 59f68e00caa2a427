// SPDX-License-Identifier: MIT OR GPL-2.0
/* The destination port of UDP goes up by one; a computed checksum of 0 is written as 0, which says "none". */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	udp = packet.l4;
	from = udp->dest;
	to = bpf_htons(bpf_ntohs(from) + 1);
	udp->dest = to;
#ifdef FAULTY
	if (udp->check)
		udp->check = update(udp->check, from, to);
#else
	udp->check = update_udp(udp->check, from, to);
#endif
	return PASS;
}
