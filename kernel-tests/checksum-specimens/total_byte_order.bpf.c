// SPDX-License-Identifier: MIT OR GPL-2.0
/* An IPv4 total length is written again, in host byte order. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	__u16 from, to;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	from = packet.ip->tot_len;
	to = bpf_ntohs(from);
#ifndef FAULTY
	to = bpf_htons(to);
#endif
	packet.ip->tot_len = to;
	packet.ip->check = update(packet.ip->check, from, to);
	return PASS;
}
