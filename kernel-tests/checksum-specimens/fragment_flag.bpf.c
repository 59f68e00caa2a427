// SPDX-License-Identifier: MIT OR GPL-2.0
/* "Don't fragment" is set in host byte order: what comes of it is a fragment at offset 512. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	__u16 from, to;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	from = packet.ip->frag_off;
#ifdef FAULTY
	to = 0x4000;
#else
	to = bpf_htons(0x4000);
#endif
	packet.ip->frag_off = to;
	packet.ip->check = update(packet.ip->check, from, to);
	return PASS;
}
