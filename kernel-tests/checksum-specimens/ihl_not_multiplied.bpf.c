// SPDX-License-Identifier: MIT OR GPL-2.0
/* The TOS becomes 0x20 and the header's checksum is made anew, over ihl bytes in place of ihl words. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	__u16 *words = (void *)ip;
	__u32 sum = 0, size;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	if (ip->version != 4 || ip->ihl < 5 || (void *)ip + ip->ihl * 4 > end)
		return PASS;
#ifdef FAULTY
	size = ip->ihl;
#else
	size = ip->ihl * 4;
#endif
	ip->tos = (ip->tos & 3) | 0x20;
	ip->check = 0;
#pragma unroll
	for (int index = 0; index < 30; index++) {
		if (index * 2 + 1 >= size || (void *)(words + index + 1) > end)
			break;
		sum += words[index];
	}
	ip->check = ~fold(sum);
	return PASS;
}
