// SPDX-License-Identifier: MIT OR GPL-2.0
/* A STUN cookie in the payload, behind a type and a length that must fit. */
#include "guarded.h"
struct stun { __be16 type, length; __be32 cookie; __u8 id[12]; };
SEC("xdp") int cookie(struct xdp_md *ctx)
{
	struct packet p;
	struct stun *stun;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr) + sizeof(*stun)))
		return XDP_PASS;
	stun = p.l4 + sizeof(struct udphdr);
	if (stun->cookie != bpf_htonl(0x2112a442))
		return XDP_PASS;
	if (bpf_ntohs(stun->type) == 0x0101 && bpf_ntohs(stun->length) % 4 == 0 && stun->id[11] == 0x7e)
		return REACHED;
	return XDP_DROP;
}
