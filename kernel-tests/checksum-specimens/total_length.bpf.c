// SPDX-License-Identifier: MIT OR GPL-2.0
/* The last four bytes of a packet of protocol 253 are cut off; the IPv4 total length is forgotten. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, 253) || packet.length < 16 || !ends_with_frame(&packet))
		return PASS;
#ifndef FAULTY
	{
		__u16 from = packet.ip->tot_len, to = bpf_htons(bpf_ntohs(from) - 4);

		packet.ip->tot_len = to;
		packet.ip->check = update(packet.ip->check, from, to);
	}
#endif
	return RESIZE(ctx, -4) ? DROP : PASS;
}
