// SPDX-License-Identifier: MIT OR GPL-2.0
/* UDP over IPv4 becomes UDP over IPv6, as NAT64 makes it; a checksum of 0 ("none") is carried over. XDP only. */
#include "specimen.h"

#define GROWTH (int)(sizeof(struct ipv6hdr) - sizeof(struct iphdr))

SEC("xdp") int specimen(struct xdp_md *ctx)
{
	struct packet packet;
	struct ipv6hdr ip6 = {};
	struct ethhdr eth;
	struct udphdr *udp;
	__u32 sum = 0;
	__u16 *words = (void *)&ip6.saddr;
	__u16 *old, check;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	udp = packet.l4;
	check = udp->check;
	if (bpf_ntohs(udp->len) != packet.length)
		return PASS;
#ifndef FAULTY
	/* It would have to be computed from scratch: left to another program. */
	if (check == 0)
		return DROP;
#endif
	eth = *(struct ethhdr *)packet.data;
	eth.h_proto = bpf_htons(ETH_P_IPV6);
	ip6.version = 6;
	ip6.nexthdr = IPPROTO_UDP;
	ip6.hop_limit = packet.ip->ttl;
	ip6.payload_len = bpf_htons(packet.length);
	ip6.saddr.in6_u.u6_addr32[0] = bpf_htonl(0x0064ff9b);
	ip6.daddr.in6_u.u6_addr32[0] = bpf_htonl(0x20010db8);
	ip6.saddr.in6_u.u6_addr32[3] = packet.ip->saddr;
	ip6.daddr.in6_u.u6_addr32[3] = packet.ip->daddr;
	if (check) {
		old = (void *)&packet.ip->saddr;
#pragma unroll
		for (int index = 0; index < 4; index++)
			sum += (__u16)~old[index];
#pragma unroll
		for (int index = 0; index < 16; index++)
			sum += words[index];
		sum += (__u16)~check;
		check = ~fold(sum);
		udp->check = check == 0 ? 0xffff : check;
	}
	if (bpf_xdp_adjust_head(ctx, -GROWTH))
		return DROP;
	packet.data = (void *)(long)ctx->data;
	packet.end = (void *)(long)ctx->data_end;
	if (packet.data + sizeof(eth) + sizeof(ip6) > packet.end)
		return DROP;
	__builtin_memcpy(packet.data, &eth, sizeof(eth));
	__builtin_memcpy(packet.data + sizeof(eth), &ip6, sizeof(ip6));
	return PASS;
}
