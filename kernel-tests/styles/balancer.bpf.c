// SPDX-License-Identifier: MIT OR GPL-2.0
/* Load balancers: a flow's hash chooses the server, by tunnel, by rewritten address, by MAC. */
#include "styles.h"

struct service {
	__be32 address;
	__be16 port;
	__u16 proto;
};

struct backend {
	__be32 address;
	__u8 mac[6];
	__u16 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct service);
	__type(value, __u32);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} sticky SEC(".maps");

INLINE __u32 hash3(__u32 a, __u32 b, __u32 c)
{
	a -= c; a ^= c << 4 | c >> 28; c += b;
	b -= a; b ^= a << 6 | a >> 26; a += c;
	c -= b; c ^= b << 8 | b >> 24; b += a;
	return c ^ a ^ b;
}

/* UDP and TCP to port 80 of any address stand for the service: then one of four servers, by hash. */
INLINE struct backend *choose(struct iphdr *ip, __be16 sport, __be16 dport)
{
	struct service service = { .address = 0, .port = dport, .proto = ip->protocol };
	__u32 *base = bpf_map_lookup_elem(&services, &service), index;

	if (!base)
		return NULL;
	index = (*base + (hash3(ip->saddr, ip->daddr, (__u32)sport << 16 | dport) & 3)) & 63;
	return bpf_map_lookup_elem(&backends, &index);
}

/* Direct server return: only the MAC changes. */
SEC("xdp") int lb_mac(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *l4 = (void *)(ip + 1);
	struct ethhdr *eth = data;
	struct backend *to;

	if (!ip || !FITS(l4, end) || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return XDP_PASS;
	to = choose(ip, l4->source, l4->dest);
	if (FAULT(!to, 0))
		return XDP_PASS;
	__builtin_memcpy(eth->h_source, eth->h_dest, 6);
	__builtin_memcpy(eth->h_dest, to->mac, 6);
	return XDP_TX;
}

/* Destination NAT of UDP. */
SEC("xdp") int lb_nat_udp(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *udp = (void *)(ip + 1);
	struct backend *to;

	if (!ip || ip->protocol != IPPROTO_UDP || !FITS(udp, end))
		return XDP_PASS;
	to = choose(ip, udp->source, udp->dest);
	if (!to)
		return XDP_PASS;
	udp_replace4(udp, ip->daddr, to->address);
	FAULT(udp_replace2(udp, udp->dest, bpf_htons(8080)), );
	replace4(&ip->check, ip->daddr, to->address);
	ip->daddr = to->address;
	udp->dest = bpf_htons(8080);
	__builtin_memcpy(((struct ethhdr *)data)->h_dest, to->mac, 6);
	return XDP_TX;
}

/* Destination NAT of TCP, with the choice remembered. */
SEC("xdp") int lb_nat_tcp(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct backend *to;
	__u32 *known, index;

	if (!ip || ip->protocol != IPPROTO_TCP || !FITS(tcp, end))
		return XDP_PASS;
	__u64 flow = (__u64)ip->saddr << 32 | (__u32)tcp->source << 16 | tcp->dest;

	known = bpf_map_lookup_elem(&sticky, &flow);
	if (known) {
		index = *known & 63;
	} else {
		index = hash3(ip->saddr, ip->daddr, tcp->source) & 63;
		bpf_map_update_elem(&sticky, &flow, &index, BPF_ANY);
	}
	to = bpf_map_lookup_elem(&backends, &index);
	if (!to || !to->address)
		return XDP_PASS;
	replace4(&tcp->check, ip->daddr, to->address);
	replace4(&ip->check, ip->daddr, to->address);
#ifdef FAULTY
	tcp->check += bpf_htons(1);
#endif
	ip->daddr = to->address;
	return XDP_TX;
}

/* By tunnel: the whole packet goes to the server within IPv4. */
SEC("xdp") int lb_tunnel(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end), outer = {};
	struct udphdr *l4 = (void *)(ip + 1);
	struct backend *to;
	__u32 length;

	if (!ip || !FITS(l4, end) || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return XDP_PASS;
	length = bpf_ntohs(ip->tot_len);
	if (length < 28 || length > 1480 || length + 14 != (__u64)(end - data))
		return XDP_PASS;
	to = choose(ip, l4->source, l4->dest);
	if (!to)
		return XDP_PASS;
	outer.version = 4;
	outer.ihl = 5;
	outer.tot_len = FAULT(bpf_htons(length + 20), length + 20);
	outer.ttl = 64;
	outer.protocol = IPPROTO_IPIP;
	outer.saddr = bpf_htonl(0xac100001) ^ (__u32)l4->source << 16;
	outer.daddr = to->address;
	outer.check = ipv4_checksum(&outer);
	if (bpf_xdp_adjust_head(ctx, -20))
		return XDP_DROP;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (data + 34 > end)
		return XDP_DROP;
	__builtin_memcpy(data, to->mac, 6);
	__builtin_memset(data + 6, 2, 6);
	*(__be16 *)(data + 12) = bpf_htons(ETH_P_IP);
	__builtin_memcpy(data + 14, &outer, sizeof(outer));
	return XDP_TX;
}

/* IPv6, by the low word of the address; TCP and UDP alike. */
SEC("xdp") int lb_nat6(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	__be32 to;

	if (!ip6)
		return XDP_PASS;
	to = bpf_htonl(0x0a00 + (hash3(ip6->saddr.s6_addr32[3], ip6->daddr.s6_addr32[3], ip6->flow_lbl[2]) & 7));
	if (ip6->nexthdr == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)(ip6 + 1);

		if (!FITS(tcp, end))
			return XDP_PASS;
		replace4(&tcp->check, ip6->daddr.s6_addr32[3], to);
	} else if (ip6->nexthdr == IPPROTO_UDP) {
		struct udphdr *udp = (void *)(ip6 + 1);

		if (!FITS(udp, end))
			return XDP_PASS;
		FAULT(udp_replace4(udp, ip6->daddr.s6_addr32[3], to), replace4(&udp->check, to, to));
	} else {
		return XDP_PASS;
	}
	ip6->daddr.s6_addr32[3] = to;
	return XDP_TX;
}

/* In TC, by the kernel's helpers, back to where it came from. */
SEC("tc") int lb_tc(struct __sk_buff *skb)
{
	void *data = DATA(skb), *end = DATA_END(skb);
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *udp = (void *)(ip + 1);
	__be32 from, to = bpf_htonl(0x0a010101);
	__u32 udp_flags = BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | 4;

	if (!ip || ip->protocol != IPPROTO_UDP || !FITS(udp, end) || udp->dest != bpf_htons(80))
		return TC_ACT_OK;
	from = ip->daddr;
	if (bpf_l4_csum_replace(skb, 40, from, to, FAULT(udp_flags, BPF_F_PSEUDO_HDR | 2)))
		return TC_ACT_SHOT;
	if (bpf_l3_csum_replace(skb, 24, from, to, 4) || bpf_skb_store_bytes(skb, 30, &to, 4, 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}
