// SPDX-License-Identifier: MIT OR GPL-2.0
/* The last eight bytes of a packet are taken out of its lengths; the frame is not cut. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	__u16 from, to;

	if (!parse_ipv4(ctx, &packet, 253) || packet.length < 64 || !ends_with_frame(&packet))
		return PASS;
	from = packet.ip->tot_len;
	to = bpf_htons(bpf_ntohs(from) - 8);
	packet.ip->tot_len = to;
	packet.ip->check = update(packet.ip->check, from, to);
#ifdef FAULTY
	return PASS;
#else
	return RESIZE(ctx, -8) ? DROP : PASS;
#endif
}
