// SPDX-License-Identifier: MIT OR GPL-2.0
/* Read-only globals that the loader sets: a mode, and a port that the packet must have. */
#include "guarded.h"
const volatile __u32 mode = 0;
const volatile __u16 port = 0;
const volatile __u8 strict = 1;
SEC("xdp") int configured(struct xdp_md *ctx)
{
	struct packet p;
	struct udphdr *udp;

	if (mode != 0x51)
		return XDP_PASS;
	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(*udp)))
		return XDP_DROP;
	udp = p.l4;
	if (port && udp->dest == bpf_htons(port) && !strict)
		return REACHED;
	return XDP_DROP;
}
