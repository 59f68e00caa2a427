// SPDX-License-Identifier: MIT OR GPL-2.0
/* What the verifier refuses. */
#include "common.h"

/* Reads a port without asking whether the packet is that long. */
PROGRAM int unchecked(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct udphdr *udp = (void *)(eth + 1) + sizeof(struct iphdr);

	if ((void *)udp FAULTY_OR_RIGHT(, +sizeof(*udp)) > end)
		return PASS;
	return udp->dest == bpf_htons(53) ? DROP : PASS;
}
