// SPDX-License-Identifier: MIT OR GPL-2.0
/* Lets TCP through, over IPv4 and IPv6, and drops everything else. */
#include "include/parsing.h"
#include "include/statistics.h"

SEC("xdp")
int tcp_filter(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);

	return count_action(ctx, parse_ip_protocol(&cursor) == IPPROTO_TCP ? XDP_PASS : XDP_DROP);
}

char _license[] SEC("license") = "Dual MIT/GPL";
