// SPDX-License-Identifier: MIT OR GPL-2.0
/* One line that writes without looking, and a fault of another line. */
#include "common.h"

/* Takes every frame for UDP over IPv4; lowers TTLs without the checksum. */
PROGRAM int written_blindly(CONTEXT *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > end)
		return PASS;
	udp->dest = bpf_htons(9999); /* blind */
	if (((struct ethhdr *)data)->h_proto == bpf_htons(ETH_P_IP) && ip->version == 4 && ip->ihl == 5 && ip->ttl > 1)
		ip->ttl--; /* no checksum */
	return PASS;
}
