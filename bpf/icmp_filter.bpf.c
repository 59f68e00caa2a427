// SPDX-License-Identifier: MIT OR GPL-2.0
/* Lets ICMP over IPv4 and ICMPv6 over IPv6 through, and drops everything else. */
#include "include/parsing.h"
#include "include/statistics.h"

static __always_inline int filter(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);
	struct ipv6hdr *ip6;
	struct ethhdr *eth;
	struct iphdr *ip;
	int proto = parse_ethernet(&cursor, &eth);

	if (proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(&cursor, &ip) == IPPROTO_ICMP ? XDP_PASS : XDP_DROP;
	if (proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(&cursor, &ip6) == IPPROTO_ICMPV6 ? XDP_PASS : XDP_DROP;
	return XDP_DROP;
}

SEC("xdp")
int icmp_filter(struct xdp_md *ctx)
{
	return count_action(ctx, filter(ctx));
}

char _license[] SEC("license") = "Dual MIT/GPL";
