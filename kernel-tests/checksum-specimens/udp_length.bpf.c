// SPDX-License-Identifier: MIT OR GPL-2.0
/* The last two bytes of a UDP payload over IPv4 without a checksum are cut off; the UDP length is forgotten. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP) || !ends_with_frame(&packet))
		return PASS;
	udp = packet.l4;
	if (bpf_ntohs(udp->len) != packet.length || packet.length < 10)
		return PASS;
	udp->check = 0;
#ifndef FAULTY
	udp->len = bpf_htons(packet.length - 2);
#endif
	from = packet.ip->tot_len;
	to = bpf_htons(bpf_ntohs(from) - 2);
	packet.ip->tot_len = to;
	packet.ip->check = update(packet.ip->check, from, to);
	return RESIZE(ctx, -2) ? DROP : PASS;
}
