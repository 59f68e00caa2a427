// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * VXLAN (RFC 7348): frames from a port with a virtual network go out wrapped into Ethernet, IPv4, UDP and VXLAN;
 * frames for a network of this end are unwrapped. No UDP checksum, as the RFC prefers it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VXLAN_PORT 4789
#define VXLAN_HAS_VNI bpf_htonl(0x08000000)

struct vxlan {
	__be32 flags;
	__be32 vni;
};

struct outer {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	struct vxlan vxlan;
} __attribute__((packed));

struct network {
	__u64 wrapped;
	__u64 unwrapped;
	struct outer header; /* as it goes out, but for lengths and checksums */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct network);
} networks SEC(".maps");

static __always_inline __u16 header_checksum(void *ip)
{
	__u32 sum = bpf_csum_diff(0, 0, ip, sizeof(struct iphdr), 0);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("xdp")
int vxlan_encap(struct xdp_md *ctx)
{
	__u32 length = ctx->data_end - ctx->data, number = ctx->rx_queue_index;
	struct network *network = bpf_map_lookup_elem(&networks, &number);
	struct outer header, *at;

	if (!network || network->header.ip.version != 4 || length > 1450)
		return XDP_PASS;
	__builtin_memcpy(&header, &network->header, sizeof(header));
	header.udp.len = bpf_htons(length + sizeof(struct udphdr) + sizeof(struct vxlan));
	header.ip.tot_len = bpf_htons(length + sizeof(header) - sizeof(struct ethhdr));
	header.ip.check = 0;
	header.ip.check = header_checksum((void *)&header + sizeof(header.eth));
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(header)))
		return XDP_DROP;
	at = (void *)(long)ctx->data;
	if ((void *)(at + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	*at = header;
	__sync_fetch_and_add(&network->wrapped, 1);
	return XDP_TX;
}

SEC("xdp")
int vxlan_decap(struct xdp_md *ctx)
{
	struct outer *at = (void *)(long)ctx->data;
	struct network *network;
	__u32 number;

	if ((void *)(at + 1) > (void *)(long)ctx->data_end || at->eth.h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (at->ip.ihl != 5 || at->ip.protocol != IPPROTO_UDP || at->udp.dest != bpf_htons(VXLAN_PORT))
		return XDP_PASS;
	if (at->vxlan.flags != VXLAN_HAS_VNI)
		return XDP_DROP;
	number = bpf_ntohl(at->vxlan.vni) >> 8;
	network = bpf_map_lookup_elem(&networks, &number);
	if (!network)
		return XDP_DROP;
	__sync_fetch_and_add(&network->unwrapped, 1);
	/* Fails where what is left would be shorter than an Ethernet header. */
	return bpf_xdp_adjust_head(ctx, sizeof(*at)) ? XDP_ABORTED : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
