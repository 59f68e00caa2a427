// SPDX-License-Identifier: MIT OR GPL-2.0
/* A constant behind a mask, a shift, a sum, a product and an exclusive or. */
#include "guarded.h"
SEC("xdp") int arithmetic(struct xdp_md *ctx)
{
	struct packet p;
	struct tcphdr *tcp;
	__u32 seq;

	if (!parse(ctx, &p, IPPROTO_TCP, sizeof(*tcp)))
		return XDP_PASS;
	tcp = p.l4;
	seq = bpf_ntohl(tcp->seq);
	if (((seq >> 4) & 0xffff0) + 17 != 0x5a5b1)
		return XDP_PASS;
	if ((bpf_ntohl(tcp->ack_seq) * 2654435761u ^ 0xdeadbeef) == 0x12345678)
		return REACHED;
	return XDP_DROP;
}
