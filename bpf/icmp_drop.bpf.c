// SPDX-License-Identifier: MIT OR GPL-2.0
/* Drops ICMP and ICMPv6, but for neighbour discovery, without which IPv6 is dead. */
#include "include/parsing.h"
#include "include/statistics.h"

/* RFC 4861, section 4: router solicitation (133) to redirect (137). */
#define ND_FIRST 133
#define ND_LAST 137

static __always_inline int filter(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);
	struct icmp6hdr *icmp6;
	struct ipv6hdr *ip6;
	struct ethhdr *eth;
	struct iphdr *ip;
	int proto = parse_ethernet(&cursor, &eth);
	int type;

	if (proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(&cursor, &ip) == IPPROTO_ICMP ? XDP_DROP : XDP_PASS;
	if (proto != bpf_htons(ETH_P_IPV6) || parse_ipv6(&cursor, &ip6) != IPPROTO_ICMPV6)
		return XDP_PASS;
	type = parse_icmpv6(&cursor, &icmp6);
	if (type < 0 || (type >= ND_FIRST && type <= ND_LAST))
		return XDP_PASS;
	return XDP_DROP;
}

SEC("xdp")
int icmp_drop(struct xdp_md *ctx)
{
	return count_action(ctx, filter(ctx));
}

char _license[] SEC("license") = "Dual MIT/GPL";
