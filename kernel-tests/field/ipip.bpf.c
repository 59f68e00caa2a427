// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * IP in IP (RFC 2003): `ipip_encap` wraps packets to addresses that have a tunnel, `ipip_decap` unwraps what comes
 * from the other end. The outer header's checksum is made with bpf_csum_diff.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct tunnel {
	__be32 local;
	__be32 remote;
	__u8 gateway[ETH_ALEN];
	__u8 pad[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __be32);
	__type(value, struct tunnel);
} tunnels SEC(".maps");

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("xdp")
int ipip_encap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr), outer = {};
	struct ethhdr *eth = data, old;
	struct tunnel *tunnel;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	tunnel = bpf_map_lookup_elem(&tunnels, &ip->daddr);
	if (!tunnel)
		return XDP_PASS;
	if (ip->ttl <= 1)
		return XDP_DROP;
	outer.version = 4;
	outer.ihl = 5;
	outer.tos = ip->tos;
	outer.tot_len = bpf_htons(bpf_ntohs(ip->tot_len) + sizeof(outer));
	outer.frag_off = ip->frag_off & bpf_htons(0x4000);
	outer.ttl = 64;
	outer.protocol = IPPROTO_IPIP;
	outer.saddr = tunnel->local;
	outer.daddr = tunnel->remote;
	outer.check = fold(bpf_csum_diff(0, 0, (__be32 *)&outer, sizeof(outer), 0));

	old = *eth;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(outer)))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	eth = data;
	ip = data + sizeof(*eth);
	if ((void *)(ip + 1) > end)
		return XDP_ABORTED;
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, tunnel->gateway, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
	*ip = outer;
	return XDP_TX;
}

SEC("xdp")
int ipip_decap(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct ethhdr *eth = data, old;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
		return XDP_PASS;
	old = *eth;
	if (ip->protocol == IPPROTO_IPV6)
		old.h_proto = bpf_htons(ETH_P_IPV6);
	else if (ip->protocol != IPPROTO_IPIP)
		return XDP_PASS;
	/* Header of the sender of the tunnel, summed as a receiver does: all ones when right. */
	if (fold(bpf_csum_diff(0, 0, (__be32 *)ip, sizeof(*ip), 0)))
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, sizeof(*ip)))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	eth = data;
	if ((void *)(eth + 1) > end)
		return XDP_ABORTED;
	*eth = old;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
