// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that take a header in front of ports for shorter or longer than it is. */
#include <linux/ipv6.h>

#include "common.h"

/* A port filter for which an IPv4 header has 20 bytes. */
PROGRAM int options_overlooked(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	if (ip->ihl < 5 || ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(0x1fff)))
		return PASS;
	udp = FAULTY_OR_RIGHT((void *)(ip + 1), (void *)ip + ip->ihl * 4);
	if ((void *)(udp + 1) > end)
		return PASS;
	return udp->dest == bpf_htons(53) ? DROP : PASS;
}

/* DNS goes to another port, behind extension headers, too. An authentication header counts in words of 4 bytes. */
PROGRAM int authentication_length(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	__u16 to = bpf_htons(5353);
	struct udphdr *udp;
	void *next;
	__u8 type;
	int i;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return PASS;
	type = ip->nexthdr;
	next = ip + 1;
#pragma unroll
	for (i = 0; i < 3; i++) {
		struct ipv6_opt_hdr *header = next;

		if (next + sizeof(*header) > end)
			return PASS;
		if (type == IPPROTO_HOPOPTS || type == IPPROTO_DSTOPTS)
			next += (header->hdrlen + 1) * 8;
		else if (type == IPPROTO_AH)
			next += FAULTY_OR_RIGHT((header->hdrlen + 1) * 8, (header->hdrlen + 2) * 4);
		else
			break;
		type = header->nexthdr;
	}
	udp = next;
	if (type != IPPROTO_UDP || (void *)(udp + 1) > end || udp->dest != bpf_htons(53))
		return PASS;
	if (udp->check)
		udp->check = update_udp(udp->check, udp->dest, to);
	udp->dest = to;
	return PASS;
}

/* No IPv6. */
PROGRAM int type_swapped(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return PASS;
	return eth->h_proto == FAULTY_OR_RIGHT(ETH_P_IPV6, bpf_htons(ETH_P_IPV6)) ? DROP : PASS;
}

/* No UDP over IPv4. */
PROGRAM int type_unchecked(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return PASS;
	IF_RIGHT(if (eth->h_proto != bpf_htons(ETH_P_IP)) return PASS;)
	return ip->protocol == IPPROTO_UDP ? DROP : PASS;
}

/* No DNS. */
PROGRAM int port_swapped(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;

	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_UDP)
		return PASS;
	if (packet.ip->frag_off & bpf_htons(0x1fff))
		return PASS;
	udp = packet.l4;
	return udp->dest == FAULTY_OR_RIGHT(53, bpf_htons(53)) ? DROP : PASS;
}

/* No datagrams that no Ethernet frame holds. */
PROGRAM int limit_swapped(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	return FAULTY_OR_RIGHT(ip->tot_len, bpf_ntohs(ip->tot_len)) > 1500 ? DROP : PASS;
}

/* No frames of VLAN 100. */
PROGRAM int vlan_swapped(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__be16 *tag = (void *)(eth + 1);

	if ((void *)(tag + 2) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return PASS;
	return (FAULTY_OR_RIGHT(*tag, bpf_ntohs(*tag)) & 0xfff) == 100 ? DROP : PASS;
}

struct arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_size;
	__u8 protocol_size;
	__be16 operation;
};

/* No questions for MAC addresses. */
PROGRAM int operation_swapped(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct arp *arp = (void *)(eth + 1);

	if ((void *)(arp + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_ARP))
		return PASS;
	return arp->operation == FAULTY_OR_RIGHT(1, bpf_htons(1)) ? DROP : PASS;
}

/* No fragments, but for the first one. */
PROGRAM int mask_swapped(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	return (ip->frag_off & FAULTY_OR_RIGHT(0x1fff, bpf_htons(0x1fff))) ? DROP : PASS;
}

/* Sends back what is IPv4. */
PROGRAM int version_wrong(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	if (ip->version != FAULTY_OR_RIGHT(3, 4))
		return PASS;
	swap_macs(eth);
	return TRANSMIT(ctx);
}

/* Nothing from outside with an address from inside. */
PROGRAM int network_swapped(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	if ((ip->saddr & FAULTY_OR_RIGHT(0xff000000, bpf_htonl(0xff000000))) == FAULTY_OR_RIGHT(0x0a000000, bpf_htonl(0x0a000000)))
		return DROP;
	return PASS;
}

/* Nothing from addresses of the link alone. */
PROGRAM int local_swapped(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return PASS;
	return ip->saddr.s6_addr16[0] == FAULTY_OR_RIGHT(0xfe80, bpf_htons(0xfe80)) ? DROP : PASS;
}
