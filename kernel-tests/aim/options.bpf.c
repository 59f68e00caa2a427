// SPDX-License-Identifier: MIT OR GPL-2.0
/* Walks the options of TCP to one of kind 254 with a certain experiment id (RFC 6994). */
#include "guarded.h"
SEC("xdp") int options(struct xdp_md *ctx)
{
	struct packet p;
	struct tcphdr *tcp;
	__u8 *at;

	if (!parse(ctx, &p, IPPROTO_TCP, sizeof(*tcp)))
		return XDP_PASS;
	tcp = p.l4;
	at = (void *)(tcp + 1);
	if (tcp->doff < 7)
		return XDP_PASS;
	for (int i = 0; i < 10; i++) {
		if ((void *)(at + 4) > p.end)
			return XDP_PASS;
		if (at[0] == 0)
			return XDP_PASS;
		if (at[0] == 1) {
			at++;
			continue;
		}
		if (at[0] == 254 && at[1] >= 4 && at[2] == 0xf9 && at[3] == 0x89)
			return REACHED;
		if (at[1] < 2 || at[1] > 40)
			return XDP_DROP;
		at += at[1];
	}
	return XDP_PASS;
}
