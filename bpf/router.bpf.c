// SPDX-License-Identifier: MIT OR GPL-2.0
/* Forwards IPv4 and IPv6 by the kernel's own routing table. */
#include <sys/socket.h>
#include "include/checksum.h"
#include "include/parsing.h"
#include "include/statistics.h"

#define IPV6_FLOWINFO_MASK bpf_htonl(0x0fffffff)

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 256);
} tx_port SEC(".maps");

/* TTL and protocol share a 16-bit word of the header: only its upper half changes. */
static __always_inline void decrease_ttl(struct iphdr *ip)
{
	__be16 from, to;

	from = bpf_htons(ip->ttl << 8);
	ip->ttl--;
	to = bpf_htons(ip->ttl << 8);
	ip->check = checksum_update(ip->check, from, to);
}

/* What becomes of a frame that is not forwarded. */
static __always_inline int not_forwarded(long result)
{
	switch (result) {
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

static __always_inline int route(struct xdp_md *ctx)
{
	struct bpf_fib_lookup fib = {};
	struct cursor cursor = CURSOR(ctx);
	struct ethhdr *eth = cursor.pos;
	struct ipv6hdr *ip6 = NULL;
	struct iphdr *ip = NULL;
	long result;

	if ((void *)(eth + 1) > cursor.end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > cursor.end)
			return XDP_DROP;
		if (ip->version != 4 || ip->ihl != 5 || ip->ttl <= 1)
			return XDP_PASS;
		fib.family = AF_INET;
		fib.tos = ip->tos;
		fib.l4_protocol = ip->protocol;
		fib.tot_len = bpf_ntohs(ip->tot_len);
		fib.ipv4_src = ip->saddr;
		fib.ipv4_dst = ip->daddr;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		ip6 = (void *)(eth + 1);
		if ((void *)(ip6 + 1) > cursor.end)
			return XDP_DROP;
		if (ip6->version != 6 || ip6->hop_limit <= 1)
			return XDP_PASS;
		fib.family = AF_INET6;
		fib.flowinfo = *(__be32 *)ip6 & IPV6_FLOWINFO_MASK;
		fib.l4_protocol = ip6->nexthdr;
		fib.tot_len = bpf_ntohs(ip6->payload_len) + sizeof(*ip6);
		__builtin_memcpy(fib.ipv6_src, &ip6->saddr, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, &ip6->daddr, sizeof(fib.ipv6_dst));
	} else {
		return XDP_PASS;
	}
	fib.ifindex = ctx->ingress_ifindex;

	result = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	if (result != BPF_FIB_LKUP_RET_SUCCESS)
		return not_forwarded(result);
	/* Look before writing: a frame that goes to the stack goes as it came. */
	if (!bpf_map_lookup_elem(&tx_port, &fib.ifindex))
		return XDP_PASS;

	if (ip)
		decrease_ttl(ip);
	else if (ip6)
		ip6->hop_limit--;
	__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	return bpf_redirect_map(&tx_port, fib.ifindex, XDP_PASS);
}

SEC("xdp")
int router(struct xdp_md *ctx)
{
	return count_action(ctx, route(ctx));
}

char _license[] SEC("license") = "Dual MIT/GPL";
