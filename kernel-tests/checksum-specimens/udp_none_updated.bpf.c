// SPDX-License-Identifier: MIT OR GPL-2.0
/* The source port of UDP becomes 4500; a checksum of 0 ("none") is updated as if it were one. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to = bpf_htons(4500), updated;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	udp = packet.l4;
	from = udp->source;
	udp->source = to;
#ifdef FAULTY
	updated = update(udp->check, from, to);
	udp->check = updated == 0 ? 0xffff : updated;
#else
	updated = update_udp(udp->check, from, to);
	udp->check = updated;
#endif
	return PASS;
}
