// SPDX-License-Identifier: MIT OR GPL-2.0
/* An echo reply's checksum is made anew; an odd last byte is counted as the wrong half of a word. */
#include "specimen.h"

#define LONGEST 64

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	__u32 sum = 0;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP) || packet.length > LONGEST)
		return PASS;
	icmp = packet.l4;
	if (icmp->type != ICMP_ECHO || packet.l4 + packet.length > packet.end)
		return PASS;
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = 0;
#pragma unroll
	for (int index = 0; index < LONGEST; index++) {
		__u8 *byte = packet.l4 + index;
		int is_last = index + 1 == packet.length;

		if (index >= packet.length || (void *)(byte + 1) > packet.end)
			break;
#ifdef FAULTY
		sum += (index & 1) || is_last ? *byte << 8 : *byte;
#else
		(void)is_last;
		sum += index & 1 ? *byte << 8 : *byte;
#endif
	}
	icmp->checksum = ~fold(sum);
	return PASS;
}
