// SPDX-License-Identifier: MIT OR GPL-2.0
/* A port and an address, both odd ones. */
#include "guarded.h"
SEC("xdp") int port(struct xdp_md *ctx)
{
	struct packet p;
	struct udphdr *udp;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(*udp)))
		return XDP_PASS;
	udp = p.l4;
	if (udp->dest != bpf_htons(34567))
		return XDP_PASS;
	if (p.ip->saddr == bpf_htonl(0xcb007107))
		return REACHED;
	return XDP_DROP;
}
