// SPDX-License-Identifier: MIT OR GPL-2.0
/* Tunnels put on and taken off. */
#include "styles.h"

#define HERE 0xc0000201 /* 192.0.2.1 */
#define THERE 0xc6336401 /* 198.51.100.1 */

struct vxlan {
	__be32 flags;
	__be32 vni;
};

struct gre {
	__be16 flags;
	__be16 proto;
};

INLINE void outer_ipv4(struct iphdr *ip, __u16 length, __u8 proto)
{
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = 0;
	ip->tot_len = bpf_htons(length);
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->protocol = proto;
	ip->saddr = bpf_htonl(HERE);
	ip->daddr = bpf_htonl(THERE);
	ip->check = ipv4_checksum(ip);
}

/* The total length of an IPv4 packet that the frame holds whole; 0 for any other. */
INLINE __u32 whole_ipv4(void *data, void *end)
{
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct ethhdr *eth = data;
	__u32 length;

	if (!FITS(ip, end) || eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 || ip->ihl < 5)
		return 0;
	length = bpf_ntohs(ip->tot_len);
	return length >= 20 && length <= 1400 && length == (__u64)(end - data) - 14 ? length : 0;
}

SEC("xdp") int tun_ipip_push(struct xdp_md *ctx)
{
	__u32 length = whole_ipv4(DATA(ctx), DATA_END(ctx));
	struct ethhdr *old, *eth;

	if (!length || bpf_xdp_adjust_head(ctx, -20))
		return XDP_PASS;
	void *data = DATA(ctx), *end = DATA_END(ctx);

	eth = data;
	old = data + 20;
	if (!FITS(old, end))
		return XDP_ABORTED;
	__builtin_memmove(eth, old, sizeof(*eth));
	outer_ipv4(data + 14, length + FAULT(20, 0), IPPROTO_IPIP);
	return XDP_TX;
}

SEC("xdp") int tun_ipip_pop(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct ethhdr eth;

	if (!ip || ip->protocol != IPPROTO_IPIP || !FITS(ip + 1, end))
		return XDP_PASS;
	__builtin_memcpy(&eth, data, sizeof(eth));
	if (bpf_xdp_adjust_head(ctx, 20))
		return XDP_DROP;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (FAULT(data + sizeof(eth) > end, 0))
		return XDP_ABORTED;
	__builtin_memcpy(data, &eth, sizeof(eth));
	return XDP_PASS;
}

SEC("xdp") int tun_gre_push(struct xdp_md *ctx)
{
	__u32 length = whole_ipv4(DATA(ctx), DATA_END(ctx));

	if (!length || bpf_xdp_adjust_head(ctx, -24))
		return XDP_PASS;
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *old = data + 24;

	if (!FITS(old, end))
		return XDP_ABORTED;
	__builtin_memmove(data, old, sizeof(*old));
	outer_ipv4(data + 14, length + 24, IPPROTO_GRE);
#ifdef FAULTY
	((struct iphdr *)(data + 14))->ttl--;
#endif
	struct gre *gre = data + 34;

	gre->flags = 0;
	gre->proto = bpf_htons(ETH_P_IP);
	return XDP_TX;
}

SEC("xdp") int tun_gre_pop(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct gre *gre = (void *)(ip + 1);
	struct ethhdr eth;
	__u32 header = 4;

	if (!ip || ip->protocol != IPPROTO_GRE || !FITS(gre, end))
		return XDP_PASS;
	if (gre->flags & bpf_htons(0x5fff)) /* only checksum and key are known; version 0 */
		if (gre->flags & bpf_htons(0x5fff & ~0x2000))
			return XDP_PASS;
	if (gre->flags & bpf_htons(0x8000))
		header += 4;
	if (gre->flags & bpf_htons(0x2000))
		header += 4;
	if (gre->proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	__builtin_memcpy(&eth, data, sizeof(eth));
	if (bpf_xdp_adjust_head(ctx, 20 + header))
		return XDP_PASS;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (data + sizeof(eth) > end)
		return XDP_ABORTED;
	__builtin_memcpy(FAULT(data, data + 2), &eth, sizeof(eth));
	return XDP_PASS;
}

/* VXLAN with a UDP checksum of zero, as RFC 7348 recommends over IPv4. */
SEC("xdp") int tun_vxlan_push(struct xdp_md *ctx)
{
	__u32 length = whole_ipv4(DATA(ctx), DATA_END(ctx));

	if (!length || bpf_xdp_adjust_head(ctx, -50))
		return XDP_PASS;
	void *data = DATA(ctx), *end = DATA_END(ctx);

	if (data + 64 > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, data + 50, 14);
	outer_ipv4(data + 14, length + 64 - 14, IPPROTO_UDP);
	struct udphdr *udp = data + 34;
	struct vxlan *vxlan = data + 42;

	udp->source = bpf_htons(0xc000 | (length & 0x3fff));
	udp->dest = bpf_htons(4789);
	udp->len = bpf_htons(length + 14 + 8 + 8);
	udp->check = FAULT(0, bpf_htons(1));
	vxlan->flags = bpf_htonl(0x08000000);
	vxlan->vni = bpf_htonl(42 << 8);
	return XDP_TX;
}

SEC("xdp") int tun_vxlan_pop(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *udp = (void *)(ip + 1);
	struct vxlan *vxlan = (void *)(udp + 1);

	if (!ip || ip->protocol != IPPROTO_UDP || !FITS(vxlan, end))
		return XDP_PASS;
	if (udp->dest != bpf_htons(4789) || !(vxlan->flags & bpf_htonl(0x08000000)))
		return XDP_PASS;
	if (bpf_xdp_adjust_head(ctx, 50))
		return XDP_PASS;
#ifdef FAULTY
	*(__u8 *)data = 0;
#endif
	return XDP_PASS;
}

/* IPv4 in IPv6, with the outer payload length the whole of the inner packet. */
SEC("xdp") int tun_4in6_push(struct xdp_md *ctx)
{
	__u32 length = whole_ipv4(DATA(ctx), DATA_END(ctx));

	if (!length || bpf_xdp_adjust_head(ctx, -40))
		return XDP_PASS;
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data, *old = data + 40;
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if (!FITS(old, end) || !FITS(ip6, end))
		return XDP_ABORTED;
	__builtin_memcpy(eth, old, 12);
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	__builtin_memset(ip6, 0, sizeof(*ip6));
	ip6->version = 6;
	ip6->payload_len = bpf_htons(FAULT(length, length + 40));
	ip6->nexthdr = IPPROTO_IPIP;
	ip6->hop_limit = 64;
	ip6->saddr.s6_addr32[0] = bpf_htonl(0x20010db8);
	ip6->saddr.s6_addr32[3] = bpf_htonl(1);
	ip6->daddr.s6_addr32[0] = bpf_htonl(0x20010db8);
	ip6->daddr.s6_addr32[3] = bpf_htonl(2);
	return XDP_TX;
}

/* 6in4 by TC's own helper: room behind the link header, the outer header stored into it. */
SEC("tc") int tun_6in4_push(struct __sk_buff *skb)
{
	void *data = DATA(skb), *end = DATA_END(skb);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	struct iphdr outer = {};
	__u32 length;

	if (!ip6)
		return TC_ACT_OK;
	length = bpf_ntohs(ip6->payload_len) + 40;
	if (length != skb->len - 14 || length > 1400)
		return TC_ACT_OK;
	if (bpf_skb_adjust_room(skb, 20, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_OK;
	outer_ipv4(&outer, length + 20, IPPROTO_IPV6);
	FAULT(, outer.check++);
	__be16 proto = bpf_htons(ETH_P_IP);

	if (bpf_skb_store_bytes(skb, 14, &outer, sizeof(outer), 0) || bpf_skb_store_bytes(skb, 12, &proto, 2, 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* IPv4 within UDP to port 6080 (GUE's simplest form), with a checksum over all of it. */
SEC("xdp") int tun_gue_push(struct xdp_md *ctx)
{
	__u32 length = whole_ipv4(DATA(ctx), DATA_END(ctx));

	if (!length || (length & 3) || length > 300 || bpf_xdp_adjust_head(ctx, -32))
		return XDP_PASS;
	void *data = DATA(ctx), *end = DATA_END(ctx);

	if (data + 46 > end)
		return XDP_ABORTED;
	__builtin_memmove(data, data + 32, 14);
	outer_ipv4(data + 14, length + 32, IPPROTO_UDP);
	struct iphdr *ip = data + 14;
	struct udphdr *udp = data + 34;
	__u32 *gue = data + 42;

	udp->source = bpf_htons(50000);
	udp->dest = bpf_htons(6080);
	udp->len = bpf_htons(length + 12);
	udp->check = 0;
	*gue = bpf_htonl(0x00040000);
	__u64 sum = bpf_csum_diff(0, 0, (void *)&ip->saddr, 8, bpf_htons(IPPROTO_UDP) + udp->len);
	__u16 *word = (void *)udp;

	for (int i = 0; i < FAULT(156, 100); i++) {
		if (i * 2 >= length + 12 || (void *)(word + i + 1) > end)
			break;
		sum += word[i];
	}
	udp->check = ~fold(sum);
	if (!udp->check)
		udp->check = 0xffff;
	return XDP_TX;
}
