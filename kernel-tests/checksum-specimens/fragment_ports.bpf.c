// SPDX-License-Identifier: MIT OR GPL-2.0
/* The destination port of UDP becomes 5353, in later fragments, too, where data lies in its place. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u16 from, to = bpf_htons(5353);

	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_UDP)
		return PASS;
	if (bpf_ntohs(ip->tot_len) < sizeof(*ip) + sizeof(*udp))
		return PASS;
#ifndef FAULTY
	if (ip->frag_off & bpf_htons(0x1fff))
		return PASS;
#endif
	from = udp->dest;
	udp->dest = to;
	udp->check = update_udp(udp->check, from, to);
	return PASS;
}
