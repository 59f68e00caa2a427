// SPDX-License-Identifier: MIT OR GPL-2.0
/* Sends every frame to one device, with both MAC addresses rewritten. */
#include "include/parsing.h"
#include "include/statistics.h"

/* Set all three before the object is loaded. */
const volatile __u32 redirect_ifindex;
const volatile __u8 redirect_source[ETH_ALEN];
const volatile __u8 redirect_destination[ETH_ALEN];

static __always_inline int forward(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);
	struct ethhdr *eth = cursor.pos;

	/* Tags do not matter here: only the 14 bytes must be there. */
	if ((void *)(eth + 1) > cursor.end)
		return XDP_PASS;
#pragma unroll
	for (int i = 0; i < ETH_ALEN; i++) {
		eth->h_dest[i] = redirect_destination[i];
		eth->h_source[i] = redirect_source[i];
	}
	return bpf_redirect(redirect_ifindex, 0);
}

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	return count_action(ctx, forward(ctx));
}

char _license[] SEC("license") = "Dual MIT/GPL";
