// SPDX-License-Identifier: MIT OR GPL-2.0
/* What the verifier refuses. */
#include "common.h"

/* Reads a TTL without asking whether the packet is that long. */
PROGRAM int unchecked(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)ip FAULTY_OR_RIGHT(, +sizeof(*ip)) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	return ip->ttl == 0 ? DROP : PASS;
}
