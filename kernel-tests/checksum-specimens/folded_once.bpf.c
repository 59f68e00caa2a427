// SPDX-License-Identifier: MIT OR GPL-2.0
/* The sequence number of an echo goes up by one: three words may leave a carry behind the first fold. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	__u16 from, to;
	__u32 sum;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP))
		return PASS;
	icmp = packet.l4;
	if (icmp->type != ICMP_ECHO)
		return PASS;
	from = icmp->un.echo.sequence;
	to = bpf_htons(bpf_ntohs(from) + 1);
	icmp->un.echo.sequence = to;
	sum = (__u16)~icmp->checksum + (__u32)(__u16)~from + to;
	sum = (sum & 0xffff) + (sum >> 16);
#ifndef FAULTY
	sum = (sum & 0xffff) + (sum >> 16);
#endif
	icmp->checksum = ~sum;
	return PASS;
}
