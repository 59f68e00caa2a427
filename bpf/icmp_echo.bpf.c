// SPDX-License-Identifier: MIT OR GPL-2.0
/* Answers pings over IPv4 and IPv6 in place of the stack. */
#include "include/checksum.h"
#include "include/parsing.h"
#include "include/statistics.h"

static __always_inline int is_group_mac(const unsigned char *mac)
{
	return mac[0] & 1;
}

static __always_inline int is_multicast_or_broadcast(__be32 address)
{
	return (address & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || address == bpf_htonl(0xffffffff);
}

static __always_inline int is_multicast6(const struct in6_addr *address)
{
	return address->s6_addr[0] == 0xff;
}

static __always_inline int is_unspecified6(const struct in6_addr *address)
{
	return !(address->s6_addr32[0] | address->s6_addr32[1] | address->s6_addr32[2] | address->s6_addr32[3]);
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	unsigned char mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
}

/*
 * The type changes with code 0 beside it. A sum of 0x0000 is written as 0xffff: both verify for every message but
 * the one that is all zero, where only 0xffff does (RFC 1624, section 3).
 */
static __always_inline __sum16 reply_checksum(__sum16 checksum, __u8 request, __u8 reply)
{
	__sum16 sum = checksum_update(checksum, bpf_htons(request << 8), bpf_htons(reply << 8));

	return sum ? sum : 0xffff;
}

static __always_inline int answer_ipv4(struct cursor *cursor, struct ethhdr *eth)
{
	void *start = cursor->pos;
	struct icmphdr *icmp;
	struct iphdr *ip;
	__u32 total;
	__be32 address;

	if (parse_ipv4(cursor, &ip) != IPPROTO_ICMP || is_fragment(ip))
		return XDP_PASS;
	total = length_of(ip->tot_len);
	if (total < ip->ihl * 4 + sizeof(*icmp) || start + total > cursor->end)
		return XDP_PASS;
	if (is_multicast_or_broadcast(ip->daddr) || is_multicast_or_broadcast(ip->saddr) || !ip->saddr)
		return XDP_PASS;
	if (parse_icmp(cursor, &icmp) != ICMP_ECHO || icmp->code != 0)
		return XDP_PASS;

	swap_macs(eth);
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = reply_checksum(icmp->checksum, ICMP_ECHO, ICMP_ECHOREPLY);
	return XDP_TX;
}

static __always_inline int answer_ipv6(struct cursor *cursor, struct ethhdr *eth)
{
	struct in6_addr address;
	struct icmp6hdr *icmp6;
	struct ipv6hdr *ip6;
	__u32 payload;

	if (parse_ipv6(cursor, &ip6) != IPPROTO_ICMPV6)
		return XDP_PASS;
	payload = length_of(ip6->payload_len);
	if (payload < sizeof(*icmp6) || cursor->pos + payload > cursor->end)
		return XDP_PASS;
	if (is_multicast6(&ip6->daddr) || is_multicast6(&ip6->saddr) || is_unspecified6(&ip6->saddr))
		return XDP_PASS;
	if (parse_icmpv6(cursor, &icmp6) != ICMPV6_ECHO_REQUEST || icmp6->icmp6_code != 0)
		return XDP_PASS;

	swap_macs(eth);
	address = ip6->saddr;
	ip6->saddr = ip6->daddr;
	ip6->daddr = address;
	/* Swapping the addresses leaves the pseudo-header's sum as it is. */
	icmp6->icmp6_type = ICMPV6_ECHO_REPLY;
	icmp6->icmp6_cksum = reply_checksum(icmp6->icmp6_cksum, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY);
	return XDP_TX;
}

static __always_inline int answer(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);
	struct ethhdr *eth;
	int proto = parse_ethernet(&cursor, &eth);

	if (proto < 0 || is_group_mac(eth->h_dest) || is_group_mac(eth->h_source))
		return XDP_PASS;
	if (proto == bpf_htons(ETH_P_IP))
		return answer_ipv4(&cursor, eth);
	if (proto == bpf_htons(ETH_P_IPV6))
		return answer_ipv6(&cursor, eth);
	return XDP_PASS;
}

SEC("xdp")
int icmp_echo(struct xdp_md *ctx)
{
	return count_action(ctx, answer(ctx));
}

char _license[] SEC("license") = "Dual MIT/GPL";
