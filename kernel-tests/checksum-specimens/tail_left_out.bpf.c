// SPDX-License-Identifier: MIT OR GPL-2.0
/* An echo reply's checksum is made anew in steps of four bytes; what is left at the end is forgotten. */
#include "specimen.h"

#define LONGEST 64

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	__u32 sum = 0, at = 0;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP) || packet.length > LONGEST)
		return PASS;
	icmp = packet.l4;
	if (icmp->type != ICMP_ECHO || packet.l4 + packet.length > packet.end)
		return PASS;
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = 0;
#pragma unroll
	for (int step = 0; step < LONGEST / 4; step++) {
		__u16 *words = packet.l4 + step * 4;

		if (step * 4 + 4 > packet.length || (void *)(words + 2) > packet.end)
			break;
		sum += words[0] + words[1];
		at = step * 4 + 4;
	}
#ifdef FAULTY
	(void)at;
#else
#pragma unroll
	for (int index = 0; index < 3; index++) {
		__u8 *byte = packet.l4 + (at & 0x7f) + index;

		if (at + index >= packet.length || (void *)(byte + 1) > packet.end)
			break;
		/* In host byte order the first of a pair is the low half. */
		sum += index & 1 ? *byte << 8 : *byte;
	}
#endif
	icmp->checksum = ~fold(sum);
	return PASS;
}
