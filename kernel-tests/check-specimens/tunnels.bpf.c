// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that put headers on and take them off. */
#include "common.h"

#ifndef TC
struct vlan_header {
	__be16 tci;
	__be16 type;
};

/* Takes a tag off; the EtherType behind it moves, or not. */
PROGRAM int vlan_stale(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct vlan_header *tag = (void *)(eth + 1);
	struct ethhdr old;
	__be16 type;

	if ((void *)(tag + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return PASS;
	type = tag->type;
	if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6))
		return PASS;
	old = *eth;
	if (bpf_xdp_adjust_head(ctx, 4))
		return DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return DROP;
	IF_RIGHT(old.h_proto = type;)
	*eth = old;
	return PASS;
}

/* Takes a tag off in front of IPv4; the EtherType is written in network order, or not. */
PROGRAM int vlan_order(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct vlan_header *tag = (void *)(eth + 1);
	struct ethhdr old;

	if ((void *)(tag + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return PASS;
	if (tag->type != bpf_htons(ETH_P_IP))
		return PASS;
	old = *eth;
	if (bpf_xdp_adjust_head(ctx, 4))
		return DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return DROP;
	IF_RIGHT(old.h_proto = bpf_htons(ETH_P_IP);)
	IF_FAULTY(old.h_proto = ETH_P_IP;)
	*eth = old;
	return PASS;
}

/* Takes the IPv4 header off an IPv6 packet; the EtherType says so, or not. */
PROGRAM int six_unpacked(CONTEXT *ctx)
{
	struct packet packet;
	struct ethhdr *eth, old;

	if (!parse_ipv4(ctx, &packet, IPPROTO_IPV6))
		return PASS;
	old = *(struct ethhdr *)packet.data;
	if (packet.ip->ihl != 5 || bpf_xdp_adjust_head(ctx, sizeof(*packet.ip)))
		return DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return DROP;
	IF_RIGHT(old.h_proto = bpf_htons(ETH_P_IPV6);)
	*eth = old;
	return PASS;
}

/* IP in IP: what the outer header says. */
INLINE struct iphdr *encapsulate(struct xdp_md *ctx, __u16 *total)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ethhdr old;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return NULL;
	if (ip->version != 4 || ip->ihl < 5 || bpf_ntohs(ip->tot_len) < 20 || bpf_ntohs(ip->tot_len) > 1480)
		return NULL;
	*total = bpf_ntohs(ip->tot_len);
	old = *eth;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return NULL;
	eth = (void *)(long)ctx->data;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return NULL;
	__builtin_memcpy(eth->h_dest, old.h_source, sizeof(eth->h_dest));
	__builtin_memcpy(eth->h_source, old.h_dest, sizeof(eth->h_source));
	eth->h_proto = old.h_proto;
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_IPIP;
	ip->saddr = bpf_htonl(0x0a000001);
	ip->daddr = bpf_htonl(0x0a000002);
	ip->tot_len = bpf_htons(*total + sizeof(*ip));
	return ip;
}

INLINE void finish(struct iphdr *ip)
{
	__u16 *word = (__u16 *)ip;
	__u32 sum = 0;
	int at;

	ip->check = 0;
#pragma unroll
	for (at = 0; at < 10; at++)
		sum += word[at];
	ip->check = ~fold(sum);
}

PROGRAM int ipip_total(CONTEXT *ctx)
{
	struct iphdr *ip;
	__u16 total;

	ip = encapsulate(ctx, &total);
	if (ip == NULL)
		return PASS;
	IF_FAULTY(ip->tot_len = bpf_htons(total);)
	finish(ip);
	return XDP_TX;
}

PROGRAM int ipip_check(CONTEXT *ctx)
{
	struct iphdr *ip;
	__u16 total;

	ip = encapsulate(ctx, &total);
	if (ip == NULL)
		return PASS;
	IF_RIGHT(finish(ip);)
	return XDP_TX;
}

PROGRAM int ipip_protocol(CONTEXT *ctx)
{
	struct iphdr *ip;
	__u16 total;

	ip = encapsulate(ctx, &total);
	if (ip == NULL)
		return PASS;
	IF_FAULTY(ip->protocol = IPPROTO_IPV6;)
	finish(ip);
	return XDP_TX;
}

PROGRAM int ipip_ttl(CONTEXT *ctx)
{
	struct iphdr *ip;
	__u16 total;

	ip = encapsulate(ctx, &total);
	if (ip == NULL)
		return PASS;
	IF_FAULTY(ip->ttl = 0;)
	finish(ip);
	return XDP_TX;
}

/* The server is the destination, and not the source as well. */
PROGRAM int ipip_itself(CONTEXT *ctx)
{
	struct iphdr *ip;
	__u16 total;

	ip = encapsulate(ctx, &total);
	if (ip == NULL)
		return PASS;
	IF_FAULTY(ip->saddr = ip->daddr;)
	finish(ip);
	return XDP_TX;
}

/* Takes VXLAN off, whose header has 8 bytes, as UDP's has, and not 4. */
PROGRAM int vxlan_short(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u32 *vxlan;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP) || packet.ip->ihl != 5)
		return PASS;
	udp = packet.l4;
	vxlan = (void *)(udp + 1);
	if ((void *)(vxlan + 2) + sizeof(struct ethhdr) > packet.end)
		return PASS;
	if (udp->dest != bpf_htons(4789) || vxlan[0] != bpf_htonl(0x08000000))
		return PASS;
	return bpf_xdp_adjust_head(ctx, FAULTY_OR_RIGHT(46, 50)) ? DROP : PASS;
}

struct gtpu_header {
	__u8 flags;
	__u8 type;
	__be16 length;
	__u32 tunnel;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} sessions SEC(".maps");

/* Takes GTP-U off whose tunnel a map knows, and puts the Ethernet header in front of the IP packet: GTP-U's own header counts, too. */
PROGRAM int gtpu_short(CONTEXT *ctx)
{
	const int headers = sizeof(struct iphdr) + sizeof(struct udphdr);
	struct packet packet;
	struct gtpu_header *gtpu;
	struct udphdr *udp;
	struct ethhdr *eth, old;
	__u32 tunnel;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP) || packet.ip->ihl != 5)
		return PASS;
	udp = packet.l4;
	gtpu = (void *)(udp + 1);
	if ((void *)(gtpu + 1) + sizeof(struct iphdr) > packet.end || udp->dest != bpf_htons(2152))
		return PASS;
	tunnel = gtpu->tunnel;
	if (gtpu->flags != 0x30 || gtpu->type != 255 || !bpf_map_lookup_elem(&sessions, &tunnel))
		return PASS;
	if (*(__u8 *)(gtpu + 1) >> 4 != 4)
		return PASS;
	old = *(struct ethhdr *)packet.data;
	if (bpf_xdp_adjust_head(ctx, headers + FAULTY_OR_RIGHT(0, 8)))
		return DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return DROP;
	*eth = old;
	return PASS;
}

/* Two bytes before the end are cut off, whatever header that is. */
PROGRAM int header_cut(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
#ifdef FAULTY
	if (bpf_xdp_adjust_tail(ctx, -(int)(packet.end - packet.l4) + 12))
		return DROP;
#endif
	return PASS;
}
#endif

/* The length of UDP stays when a datagram to be discarded is cut. */
PROGRAM int udp_length_left(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 total, length, none = 0;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP) || !ends_with_frame(&packet) || packet.length < 40)
		return PASS;
	udp = packet.l4;
	length = udp->len;
	if (udp->dest != bpf_htons(9) || bpf_ntohs(length) != packet.length)
		return PASS;
	total = packet.ip->tot_len;
	packet.ip->tot_len = bpf_htons(bpf_ntohs(total) - 4);
	packet.ip->check = update(packet.ip->check, total, packet.ip->tot_len);
	IF_RIGHT(udp->len = bpf_htons(bpf_ntohs(length) - 4);)
	udp->check = none;
	return RESIZE(ctx, -4) ? DROP : PASS;
}

/* A trailer that no length counts, with something in it. */
PROGRAM int trailer(CONTEXT *ctx)
{
	struct packet packet;
	__u8 *last;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP) || !ends_with_frame(&packet) || packet.length < 40)
		return PASS;
#ifdef FAULTY
	if (RESIZE(ctx, 4))
		return DROP;
	last = (void *)(long)ctx->data + 14 + 20 + 40;
	if ((void *)last + 1 > (void *)(long)ctx->data_end)
		return DROP;
	/* Somewhere in what was there, so that only the length is wrong. */
	(void)last;
	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return DROP;
	{
		__u16 total = packet.ip->tot_len;

		packet.ip->tot_len = bpf_htons(bpf_ntohs(total) + 8);
		packet.ip->check = update(packet.ip->check, total, packet.ip->tot_len);
	}
#else
	(void)last;
#endif
	return PASS;
}
