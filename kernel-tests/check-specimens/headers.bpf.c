// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that take a header in front of ports for shorter or longer than it is. */
#include <linux/ipv6.h>

#include "common.h"

/* A port filter for which an IPv4 header has 20 bytes. */
PROGRAM int options_overlooked(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	if (ip->ihl < 5 || ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(0x1fff)))
		return PASS;
	udp = FAULTY_OR_RIGHT((void *)(ip + 1), (void *)ip + ip->ihl * 4);
	if ((void *)(udp + 1) > end)
		return PASS;
	return udp->dest == bpf_htons(53) ? DROP : PASS;
}

/* DNS goes to another port, behind extension headers, too. An authentication header counts in words of 4 bytes. */
PROGRAM int authentication_length(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	__u16 to = bpf_htons(5353);
	struct udphdr *udp;
	void *next;
	__u8 type;
	int i;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return PASS;
	type = ip->nexthdr;
	next = ip + 1;
#pragma unroll
	for (i = 0; i < 3; i++) {
		struct ipv6_opt_hdr *header = next;

		if (next + sizeof(*header) > end)
			return PASS;
		if (type == IPPROTO_HOPOPTS || type == IPPROTO_DSTOPTS)
			next += (header->hdrlen + 1) * 8;
		else if (type == IPPROTO_AH)
			next += FAULTY_OR_RIGHT((header->hdrlen + 1) * 8, (header->hdrlen + 2) * 4);
		else
			break;
		type = header->nexthdr;
	}
	udp = next;
	if (type != IPPROTO_UDP || (void *)(udp + 1) > end || udp->dest != bpf_htons(53))
		return PASS;
	if (udp->check)
		udp->check = update_udp(udp->check, udp->dest, to);
	udp->dest = to;
	return PASS;
}
