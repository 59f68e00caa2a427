// SPDX-License-Identifier: MIT OR GPL-2.0
/* Filters that look further than ports. */
#include "styles.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} open_ports SEC(".maps");

/* A bitmap of ports, 64 to an entry. */
SEC("xdp") int filter_bitmap(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *udp = (void *)(ip + 1);

	if (!ip || !FITS(udp, end) || (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP))
		return XDP_PASS;
	__u32 port = bpf_ntohs(udp->dest), key = port >> 6;
	__u64 *bits = bpf_map_lookup_elem(&open_ports, &key);

	return FAULT(bits, 1) && *bits >> (port & 63) & 1 ? XDP_PASS : XDP_DROP;
}

/* Later fragments have no ports: they pass; first ones are judged. */
SEC("xdp") int filter_fragments(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if (!FITS(ip, end) || eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 || ip->ihl < 5)
		return XDP_PASS;
	if (ip->frag_off & bpf_htons(0x1fff))
		return XDP_PASS;
	struct udphdr *udp = (void *)ip + ip->ihl * 4;

	if (FAULT(!FITS(udp, end), 0) || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	return udp->dest == bpf_htons(19) ? XDP_DROP : XDP_PASS;
}

/* Walks IPv6 extension headers, at most six. */
SEC("xdp") int filter_extensions(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	__u32 at = 54;
	__u8 next;

	if (!ip6)
		return XDP_PASS;
	next = ip6->nexthdr;
	for (int i = 0; i < 6; i++) {
		__u8 *header = data + at;

		if (next != 0 && next != 43 && next != 60 && next != 135)
			break;
		if (at > 1000 || (FAULT((void *)(header + 2) > end, 0)))
			return XDP_DROP;
		next = header[0];
		at += 8 + header[1] * 8;
	}
	if (next == 44 || next == 59)
		return XDP_DROP;
	return next == IPPROTO_TCP && at > 54 ? XDP_TX : XDP_PASS;
}

/* DNS over UDP: a name of more than eight labels, or one over 63 bytes long, is refused. */
SEC("xdp") int filter_dns(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 at = 54;

	if (!ip || ip->protocol != IPPROTO_UDP || !FITS(udp, end) || udp->dest != bpf_htons(53))
		return XDP_PASS;
	for (int label = 0; label < 8; label++) {
		__u8 *length = data + at;

		if (FAULT((void *)(length + 1) > end, 0))
			return XDP_DROP;
		if (!*length)
			return XDP_PASS;
		if (*length > 63)
			return XDP_DROP;
		at += *length + 1;
	}
	return XDP_DROP;
}

/* Looks for a method's first letters by copying, as programs of TC do. */
SEC("tc") int filter_http(struct __sk_buff *skb)
{
	__u8 head[54], method[4] = {};
	__u32 at;

	if (bpf_skb_load_bytes(skb, 0, head, sizeof(head)) < 0)
		return TC_ACT_OK;
	if (head[12] != 8 || head[13] || (head[14] & 0xf0) != 0x40 || head[23] != IPPROTO_TCP)
		return TC_ACT_OK;
	at = 14 + (head[14] & 15) * 4 + (head[46] >> 4) * 4;
	if (bpf_skb_load_bytes(skb, at, method, FAULT(sizeof(method), 600)) < 0)
		return TC_ACT_OK;
	return method[0] == 'G' && method[1] == 'E' && method[2] == 'T' ? TC_ACT_SHOT : TC_ACT_OK;
}

struct rule {
	__be32 address, mask;
	__be16 port;
	__u8 proto, action;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct rule);
} rules SEC(".maps");

/* A list of rules, the first that fits decides. */
SEC("xdp") int filter_rules(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *udp = (void *)(ip + 1);

	if (!ip || !FITS(udp, end))
		return XDP_PASS;
	for (__u32 i = 0; i < 16; i++) {
		__u32 key = i;
		struct rule *rule = bpf_map_lookup_elem(&rules, &key);

		if (FAULT(!rule, 0))
			break;
		if (!rule->action)
			break;
		if ((ip->saddr & rule->mask) != rule->address)
			continue;
		if (rule->proto && rule->proto != ip->protocol)
			continue;
		if (rule->port && rule->port != udp->dest)
			continue;
		return rule->action & 3;
	}
	return XDP_PASS;
}
