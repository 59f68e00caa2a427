// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that answer by themselves, and those that forward. */
#include "styles.h"

SEC("xdp") int answer_echo(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct icmphdr *icmp = (void *)(ip + 1);

	if (!ip || ip->protocol != IPPROTO_ICMP || !FITS(icmp, end) || icmp->type != ICMP_ECHO)
		return XDP_PASS;
	__be16 before = *(__be16 *)icmp;

	icmp->type = ICMP_ECHOREPLY;
#ifdef FAULTY
	icmp->checksum += bpf_htons(0x0800);
#else
	replace2(&icmp->checksum, before, *(__be16 *)icmp);
	/* The one message for which equation 3 gives the wrong zero: all of it zero. */
	if (icmp->checksum == 0)
		icmp->checksum = 0xffff;
#endif
	(void)before;
	swap_addresses(ip);
	swap_macs(data);
	return XDP_TX;
}

SEC("xdp") int answer_echo6(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	struct icmp6hdr *icmp6 = (void *)(ip6 + 1);

	if (!ip6 || ip6->nexthdr != IPPROTO_ICMPV6 || !FITS(icmp6, end) || icmp6->icmp6_type != 128)
		return XDP_PASS;
	if (ip6->daddr.s6_addr[0] == 0xff)
		return XDP_PASS;
	__be16 before = *(__be16 *)icmp6;

	icmp6->icmp6_type = 129;
	replace2(&icmp6->icmp6_cksum, FAULT(before, bpf_ntohs(before)), *(__be16 *)icmp6);
	swap_addresses6(ip6);
	swap_macs(data);
	return XDP_TX;
}

struct arp {
	__be16 htype, ptype;
	__u8 hlen, plen;
	__be16 op;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
} __attribute__((packed));

SEC("xdp") int answer_arp(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data;
	struct arp *arp = (void *)(eth + 1);
	__u8 address[4];

	if (FAULT(!FITS(arp, end), (void *)arp + 8 > end) || eth->h_proto != bpf_htons(ETH_P_ARP))
		return XDP_PASS;
	if (arp->op != bpf_htons(1) || arp->hlen != 6 || arp->plen != 4)
		return XDP_PASS;
	__builtin_memcpy(address, arp->tpa, 4);
	__builtin_memcpy(arp->tha, arp->sha, 6);
	__builtin_memcpy(arp->tpa, arp->spa, 4);
	__builtin_memset(arp->sha, 2, 6);
	__builtin_memcpy(arp->spa, address, 4);
	arp->op = bpf_htons(2);
	__builtin_memcpy(eth->h_dest, arp->tha, 6);
	__builtin_memset(eth->h_source, 2, 6);
	return XDP_TX;
}

/* Port unreachable: a new IP and ICMP header before the first 28 bytes of what came. */
SEC("xdp") int answer_unreachable(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end), *quoted;
	struct udphdr *udp = (void *)(ip + 1);
	struct icmphdr *icmp;
	__be32 saddr, daddr;
	int surplus;

	if (!ip || ip->protocol != IPPROTO_UDP || !FITS(udp, end) || udp->dest != bpf_htons(33434))
		return XDP_PASS;
	surplus = (long)end - (long)data - 42;
	if (surplus > 0 && bpf_xdp_adjust_tail(ctx, -surplus))
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -28))
		return XDP_DROP;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (data + 14 + 28 + 28 > end)
		return XDP_DROP;
	__builtin_memcpy(data, data + 28, 14);
	swap_macs(data);
	ip = data + 14;
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);
	saddr = quoted->daddr;
	daddr = quoted->saddr;
	__builtin_memset(ip, 0, 28);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(56);
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	ip->saddr = saddr;
	ip->daddr = daddr;
	FAULT(ip->check = ipv4_checksum(ip), );
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_PORT_UNREACH;
	icmp->checksum = ~fold(bpf_csum_diff(0, 0, (void *)icmp, 36, 0));
	return XDP_TX;
}

/* Time exceeded for IPv6: truncated to what fits, ICMPv6 with its pseudo-header from scratch. */
SEC("xdp") int answer_expired6(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	struct icmp6hdr *icmp6;
	struct in6_addr to;
	int surplus;

	if (!ip6 || (void *)(ip6 + 1) + 8 > end || ip6->hop_limit > 1 || ip6->nexthdr == IPPROTO_ICMPV6 || ip6->daddr.s6_addr[0] == 0xff)
		return XDP_PASS;
	to = ip6->saddr;
	surplus = (long)end - (long)data - 14 - 48;
	if (surplus > 0 && bpf_xdp_adjust_tail(ctx, -surplus))
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -48))
		return XDP_DROP;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (data + 14 + 48 + 48 > end)
		return XDP_DROP;
	__builtin_memcpy(data, data + 48, 14);
	swap_macs(data);
	ip6 = data + 14;
	icmp6 = (void *)(ip6 + 1);
	__builtin_memset(ip6, 0, 48);
	ip6->version = 6;
	ip6->payload_len = bpf_htons(FAULT(56, 48));
	ip6->nexthdr = IPPROTO_ICMPV6;
	ip6->hop_limit = 64;
	ip6->saddr.s6_addr32[0] = bpf_htonl(0x20010db8);
	ip6->saddr.s6_addr32[3] = bpf_htonl(1);
	ip6->daddr = to;
	icmp6->icmp6_type = 3;
	__u64 sum = bpf_csum_diff(0, 0, (void *)&ip6->saddr, 32, bpf_htons(IPPROTO_ICMPV6) + bpf_htons(56));

	icmp6->icmp6_cksum = ~fold(bpf_csum_diff(0, 0, (void *)icmp6, 56, sum));
	return XDP_TX;
}

/* Forwards by the kernel's tables. */
SEC("xdp") int forward_fib(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct bpf_fib_lookup fib = {};
	struct ethhdr *eth = data;

	if (!ip || ip->ttl < 2)
		return XDP_PASS;
	fib.family = AF_INET_;
	fib.tos = ip->tos;
	fib.l4_protocol = ip->protocol;
	fib.tot_len = bpf_ntohs(ip->tot_len);
	fib.ipv4_src = ip->saddr;
	fib.ipv4_dst = ip->daddr;
	fib.ifindex = ctx->ingress_ifindex;
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return XDP_PASS;
	FAULT(decrease_ttl(ip), ip->ttl -= 1);
	__builtin_memcpy(eth->h_dest, fib.dmac, 6);
	__builtin_memcpy(eth->h_source, fib.smac, 6);
	return bpf_redirect(fib.ifindex, 0);
}

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

/* A hub of two ports, with the hop limit lowered. */
SEC("xdp") int forward_map(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);

	if (!ip6 || FAULT(ip6->hop_limit, *(__u8 *)end) < 2)
		return XDP_PASS;
	ip6->hop_limit--;
	return bpf_redirect_map(&ports, ip6->daddr.s6_addr[15] & 1, XDP_PASS);
}

/* Mirrors every packet to a device of the same namespace, if there is one. */
SEC("tc") int mirror(struct __sk_buff *skb)
{
	if (bpf_clone_redirect(skb, 3, 0) < 0)
		skb->priority = 1;
	return FAULT(TC_ACT_OK, *(__u8 *)DATA(skb));
}
