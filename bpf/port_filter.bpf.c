// SPDX-License-Identifier: MIT OR GPL-2.0
/* Drops TCP from and to one port. */
#include "include/parsing.h"
#include "include/statistics.h"

/* In the machine's byte order; set it before the object is loaded. */
const volatile __u16 port = 80;

static __always_inline int filter(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);
	struct ipv6hdr *ip6;
	struct tcphdr *tcp;
	struct ethhdr *eth;
	struct iphdr *ip;
	int proto = parse_ethernet(&cursor, &eth);

	if (proto == bpf_htons(ETH_P_IP)) {
		if (parse_ipv4(&cursor, &ip) != IPPROTO_TCP || is_later_fragment(ip))
			return XDP_PASS;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		if (parse_ipv6(&cursor, &ip6) != IPPROTO_TCP)
			return XDP_PASS;
	} else {
		return XDP_PASS;
	}
	if (parse_tcp(&cursor, &tcp) < 0)
		return XDP_PASS;
	return tcp->source == bpf_htons(port) || tcp->dest == bpf_htons(port) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int port_filter(struct xdp_md *ctx)
{
	return count_action(ctx, filter(ctx));
}

char _license[] SEC("license") = "Dual MIT/GPL";
