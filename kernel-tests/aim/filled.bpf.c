// SPDX-License-Identifier: MIT OR GPL-2.0
/* Writable globals that nothing in the program writes: user space switches it on, and gives it an address and a limit. */
#include "guarded.h"
int enabled;
__u32 limit = 0xffff;
struct {
	__u8 protocol;
	__be32 address;
} watched;
/* Its own: never more than one, unless somebody else writes it. */
__u32 busy;
SEC("xdp") int filled(struct xdp_md *ctx)
{
	struct packet p;

	if (!enabled)
		return XDP_PASS;
	if (busy > 1)
		return XDP_ABORTED;
	busy = 1;
	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr)))
		return XDP_DROP;
	if (watched.protocol == IPPROTO_UDP && p.ip->daddr == watched.address &&
	    bpf_ntohs(p.ip->tot_len) > limit)
		return REACHED;
	return XDP_DROP;
}
