// SPDX-License-Identifier: MIT OR GPL-2.0
/* The destination port of TCP becomes 8080; the sum of the update is cut to 16 bits without folding. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__u16 to = bpf_htons(8080);
	__u32 sum;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP) || packet.length < sizeof(*tcp))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end)
		return PASS;
	sum = (__u16)~tcp->check + (__u32)(__u16)~tcp->dest + to;
	tcp->dest = to;
#ifdef FAULTY
	tcp->check = ~sum;
#else
	tcp->check = ~fold(sum);
#endif
	return PASS;
}
