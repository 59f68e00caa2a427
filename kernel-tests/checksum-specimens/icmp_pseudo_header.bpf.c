// SPDX-License-Identifier: MIT OR GPL-2.0
/* The destination address becomes 192.0.2.9; ICMP is updated as if it had a pseudo-header, as TCP has. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	__u32 from, to = bpf_htonl(0xc0000209);

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP))
		return PASS;
	icmp = packet.l4;
	from = packet.ip->daddr;
	packet.ip->daddr = to;
	packet.ip->check = update32(packet.ip->check, from, to);
#ifdef FAULTY
	icmp->checksum = update32(icmp->checksum, from, to);
#else
	(void)icmp;
#endif
	return PASS;
}
