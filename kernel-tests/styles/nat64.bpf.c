// SPDX-License-Identifier: MIT OR GPL-2.0
/* NAT64 (RFC 7915) with the well-known prefix 64:ff9b::/96, for packets without options, extensions, fragments. */
#include "styles.h"

#define PREFIX 0x0064ff9b
#define SELF4 0xc0000201 /* 192.0.2.1 */

INLINE __u64 add_in6(__u64 sum, const struct in6_addr *address)
{
#pragma unroll
	for (int i = 0; i < 8; i++)
		sum += address->s6_addr16[i];
	return sum;
}

/* What the pseudo-header's change makes of a checksum; `gone` and `come` are plain sums of 16-bit words. */
INLINE __sum16 exchanged(__sum16 check, __u16 gone, __u16 come)
{
	return ~fold((__u64)(__u16)~check + (__u16)~gone + come);
}

SEC("xdp") int nat64_to4(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	struct ethhdr eth;

	if (!ip6 || ip6->daddr.s6_addr32[0] != bpf_htonl(PREFIX))
		return XDP_PASS;
	__u32 payload = bpf_ntohs(ip6->payload_len);
	__u8 proto = ip6->nexthdr;

	if (payload > 1400 || (__u64)(end - data) != payload + 54 || ip6->hop_limit < 2)
		return XDP_PASS;
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.ttl = ip6->hop_limit - 1,
		.protocol = proto,
		.tot_len = bpf_htons(payload + 20),
		.frag_off = bpf_htons(0x4000),
		.saddr = bpf_htonl(SELF4),
		.daddr = ip6->daddr.s6_addr32[3],
	};
	__u16 gone = fold(add_in6(add_in6(0, &ip6->saddr), &ip6->daddr));
	__u16 come = fold((__u64)ip.saddr + ip.daddr);

	if (proto == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)(ip6 + 1);

		if (!FITS(tcp, end))
			return XDP_DROP;
		tcp->check = exchanged(tcp->check, gone, come);
	} else if (proto == IPPROTO_UDP) {
		struct udphdr *udp = (void *)(ip6 + 1);

		if (!FITS(udp, end) || !udp->check || bpf_ntohs(udp->len) != payload)
			return XDP_DROP;
		udp->check = exchanged(udp->check, gone, FAULT(come, bpf_ntohs(come)));
		if (!udp->check)
			udp->check = 0xffff;
	} else if (proto == IPPROTO_ICMPV6) {
		struct icmp6hdr *icmp6 = (void *)(ip6 + 1);

		if (!FITS(icmp6, end) || (icmp6->icmp6_type != 128 && icmp6->icmp6_type != 129))
			return XDP_DROP;
		__be16 before = *(__be16 *)icmp6;

		icmp6->icmp6_type = icmp6->icmp6_type == 128 ? ICMP_ECHO : ICMP_ECHOREPLY;
		replace2(&icmp6->icmp6_cksum, before, *(__be16 *)icmp6);
		/* ICMP has no pseudo-header: what ICMPv6's brought in goes. */
		icmp6->icmp6_cksum = exchanged(icmp6->icmp6_cksum,
					       fold((__u64)gone + bpf_htons(IPPROTO_ICMPV6) + bpf_htons(payload)), 0);
		/* A message of nothing but zeros does not verify with checksum 0. */
		if (!icmp6->icmp6_cksum)
			icmp6->icmp6_cksum = 0xffff;
		ip.protocol = IPPROTO_ICMP;
	} else {
		return XDP_PASS;
	}
	__builtin_memcpy(&eth, data, sizeof(eth));
	eth.h_proto = bpf_htons(ETH_P_IP);
	ip.check = ipv4_checksum(&ip);
	if (bpf_xdp_adjust_head(ctx, 20))
		return XDP_DROP;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (data + 34 > end)
		return XDP_DROP;
	__builtin_memcpy(data, &eth, sizeof(eth));
	__builtin_memcpy(data + 14, &ip, sizeof(ip));
	return XDP_TX;
}

SEC("xdp") int nat64_to6(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct ethhdr eth;

	if (!ip || ip->ttl < 2)
		return XDP_PASS;
	__u32 payload = bpf_ntohs(ip->tot_len) - 20;
	__u8 proto = ip->protocol;

	if (payload > 1400 || (__u64)(end - data) != payload + 34)
		return XDP_PASS;
	struct ipv6hdr ip6 = {
		.version = 6,
		.payload_len = bpf_htons(payload),
		.nexthdr = proto,
		.hop_limit = ip->ttl - 1,
	};

	ip6.saddr.s6_addr32[0] = bpf_htonl(PREFIX);
	ip6.saddr.s6_addr32[3] = ip->saddr;
	ip6.daddr.s6_addr32[0] = bpf_htonl(0x20010db8);
	ip6.daddr.s6_addr32[3] = bpf_htonl(1);
	__u16 gone = fold((__u64)ip->saddr + ip->daddr);
	__u16 come = fold(add_in6(add_in6(0, &ip6.saddr), &ip6.daddr));

	if (proto == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)(ip + 1);

		if (!FITS(tcp, end))
			return XDP_DROP;
		tcp->check = exchanged(tcp->check, gone, come);
	} else if (proto == IPPROTO_UDP) {
		struct udphdr *udp = (void *)(ip + 1);

		/* Over IPv6 there is no "no checksum" (RFC 7915 4.5): such a packet is not translated. */
		if (!FITS(udp, end) || FAULT(!udp->check, 0) || bpf_ntohs(udp->len) != payload)
			return XDP_DROP;
		if (udp->check) {
			udp->check = exchanged(udp->check, gone, come);
			if (!udp->check)
				udp->check = 0xffff;
		}
	} else if (proto == IPPROTO_ICMP) {
		struct icmphdr *icmp = (void *)(ip + 1);

		if (!FITS(icmp, end) || (icmp->type != ICMP_ECHO && icmp->type != ICMP_ECHOREPLY))
			return XDP_DROP;
		__be16 before = *(__be16 *)icmp;

		icmp->type = icmp->type == ICMP_ECHO ? 128 : 129;
		replace2(&icmp->checksum, before, *(__be16 *)icmp);
		icmp->checksum = exchanged(icmp->checksum, 0,
					   fold((__u64)come + bpf_htons(IPPROTO_ICMPV6) + bpf_htons(payload)));
		ip6.nexthdr = IPPROTO_ICMPV6;
	} else {
		return XDP_PASS;
	}
	__builtin_memcpy(&eth, data, sizeof(eth));
	eth.h_proto = bpf_htons(ETH_P_IPV6);
	if (bpf_xdp_adjust_head(ctx, -20))
		return XDP_DROP;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (data + 54 > end)
		return XDP_DROP;
	__builtin_memcpy(data, &eth, sizeof(eth));
	__builtin_memcpy(data + 14, &ip6, sizeof(ip6));
	return XDP_TX;
}

/* The header of a TC translator: protocol changed by the kernel's helper, then all of it written. */
SEC("tc") int nat64_tc_echo(struct __sk_buff *skb)
{
	void *data = DATA(skb), *end = DATA_END(skb);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	struct icmp6hdr *icmp6 = (void *)(ip6 + 1);

	if (!ip6 || !FITS(icmp6, end) || ip6->nexthdr != IPPROTO_ICMPV6 || ip6->hop_limit < 2)
		return TC_ACT_OK;
	if (icmp6->icmp6_type != 128 || ip6->daddr.s6_addr32[0] != bpf_htonl(PREFIX))
		return TC_ACT_OK;
	__u32 payload = bpf_ntohs(ip6->payload_len);

	if (payload > 1400 || skb->len != payload + 54)
		return TC_ACT_OK;
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.ttl = ip6->hop_limit - 1,
		.protocol = IPPROTO_ICMP,
		.tot_len = bpf_htons(payload + 20),
		.saddr = bpf_htonl(SELF4),
		.daddr = ip6->daddr.s6_addr32[3],
	};
	__u16 gone = fold(add_in6(add_in6(bpf_htons(IPPROTO_ICMPV6) + bpf_htons(payload), &ip6->saddr), &ip6->daddr));
	__sum16 check = exchanged(icmp6->icmp6_cksum, FAULT(gone, 0), 0);
	__u8 type = ICMP_ECHO;

	replace2(&check, bpf_htons(128 << 8 | icmp6->icmp6_code), bpf_htons(ICMP_ECHO << 8 | icmp6->icmp6_code));
	if (!check)
		check = 0xffff;
	ip.check = ipv4_checksum(&ip);
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0))
		return TC_ACT_SHOT;
	__be16 proto = bpf_htons(ETH_P_IP);

	if (bpf_skb_store_bytes(skb, 12, &proto, 2, 0) || bpf_skb_store_bytes(skb, 14, &ip, sizeof(ip), 0) ||
	    bpf_skb_store_bytes(skb, 34, &type, 1, 0) || bpf_skb_store_bytes(skb, 36, &check, 2, 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}
