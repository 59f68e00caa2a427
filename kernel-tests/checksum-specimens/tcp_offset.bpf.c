// SPDX-License-Identifier: MIT OR GPL-2.0
/* A bare TCP header's data offset is written in bytes in place of words, with the checksum right. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__u16 from, to;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP) || packet.length != sizeof(*tcp))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end)
		return PASS;
	from = ((__u16 *)tcp)[6];
#ifdef FAULTY
	tcp->doff = sizeof(*tcp) & 0xf;
#else
	tcp->doff = sizeof(*tcp) / 4;
#endif
	to = ((__u16 *)tcp)[6];
	tcp->check = update(tcp->check, from, to);
	return PASS;
}
