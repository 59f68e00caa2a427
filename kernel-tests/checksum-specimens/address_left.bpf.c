// SPDX-License-Identifier: MIT OR GPL-2.0
/* The source address becomes 192.0.2.1; TCP's pseudo-header is forgotten. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__u32 from, to = bpf_htonl(0xc0000201);

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP) || packet.length < sizeof(*tcp))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end)
		return PASS;
	from = packet.ip->saddr;
	packet.ip->saddr = to;
	packet.ip->check = update32(packet.ip->check, from, to);
#ifndef FAULTY
	tcp->check = update32(tcp->check, from, to);
#endif
	return PASS;
}
