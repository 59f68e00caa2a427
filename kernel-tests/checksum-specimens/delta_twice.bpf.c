// SPDX-License-Identifier: MIT OR GPL-2.0
/* The destination address becomes 198.51.100.7; TCP's checksum is updated for it twice. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__u32 from, to = bpf_htonl(0xc6336407);

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP) || packet.length < sizeof(*tcp))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end)
		return PASS;
	from = packet.ip->daddr;
	packet.ip->daddr = to;
	packet.ip->check = update32(packet.ip->check, from, to);
	tcp->check = update32(tcp->check, from, to);
#ifdef FAULTY
	tcp->check = update32(tcp->check, from, to);
#endif
	return PASS;
}
