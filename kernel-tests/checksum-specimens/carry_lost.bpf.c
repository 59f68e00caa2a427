// SPDX-License-Identifier: MIT OR GPL-2.0
/* The hop limit goes down by one for IPv4; the checksum goes up without the end-around carry. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct iphdr *ip;
	__u32 check;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	ip = packet.ip;
	if (ip->ttl < 2)
		return DROP;
	ip->ttl--;
	check = (__u32)ip->check + bpf_htons(0x0100);
#ifdef FAULTY
	ip->check = check;
#else
	ip->check = check + (check >= 0xffff);
#endif
	return PASS;
}
