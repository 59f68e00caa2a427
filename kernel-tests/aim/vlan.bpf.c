// SPDX-License-Identifier: MIT OR GPL-2.0
/* Two tags with ids of their own, then IPv6 with a certain flow label. */
#include "guarded.h"
struct tag { __be16 tci, type; };
SEC("xdp") int vlan(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct tag *outer = data + ETH_HLEN, *inner = outer + 1;
	struct ipv6hdr *ip6 = (void *)(inner + 1);

	if ((void *)(ip6 + 1) > end || eth->h_proto != bpf_htons(ETH_P_8021AD))
		return XDP_PASS;
	if ((bpf_ntohs(outer->tci) & 0xfff) != 1234 || outer->type != bpf_htons(ETH_P_8021Q))
		return XDP_PASS;
	if ((bpf_ntohs(inner->tci) & 0xfff) != 3777 || inner->type != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	if (ip6->flow_lbl[0] == 0x0a && ip6->flow_lbl[1] == 0xbc && ip6->flow_lbl[2] == 0xde)
		return REACHED;
	return XDP_DROP;
}
