// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A layer-4 load balancer: flows stick to a backend through an LRU table, new ones are hashed, and each transport
 * protocol has a program of its own behind a tail call. Answers go out with the backend's MAC (direct server return).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BACKENDS 16

struct flow {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 pad[3];
};

struct backend {
	__u8 mac[ETH_ALEN];
	__u16 up;
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, __u32);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

int balance_tcp(struct xdp_md *ctx);
int balance_udp(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 256);
	__uint(key_size, sizeof(__u32));
	__array(values, int (struct xdp_md *));
} by_protocol SEC(".maps") = {
	.values = { [IPPROTO_TCP] = &balance_tcp, [IPPROTO_UDP] = &balance_udp },
};

static __always_inline __u32 jenkins(__u32 a, __u32 b, __u32 c)
{
	a += b; a ^= c; c = (c << 4) | (c >> 28);
	b += c; b ^= a; a = (a << 19) | (a >> 13);
	c += a; c ^= b; b = (b << 16) | (b >> 16);
	return a ^ b ^ c;
}

static __always_inline int forward(struct xdp_md *ctx, struct ethhdr *eth, struct flow *flow)
{
	__u32 *known = bpf_map_lookup_elem(&flows, flow), slot;
	struct backend *backend;

	if (known) {
		slot = *known;
	} else {
		slot = jenkins(flow->saddr, flow->daddr, flow->sport << 16 | flow->dport) % BACKENDS;
		bpf_map_update_elem(&flows, flow, &slot, BPF_ANY);
	}
	backend = bpf_map_lookup_elem(&backends, &slot);
	if (!backend)
		return XDP_ABORTED;
	if (!backend->up) {
		bpf_map_delete_elem(&flows, flow);
		return XDP_DROP;
	}
	__sync_fetch_and_add(&backend->packets, 1);
	__sync_fetch_and_add(&backend->bytes, ctx->data_end - ctx->data);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, backend->mac, ETH_ALEN);
	return XDP_TX;
}

SEC("xdp")
int balance_tcp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct flow flow = { .proto = IPPROTO_TCP };

	if ((void *)(tcp + 1) > end)
		return XDP_DROP;
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.sport = tcp->source;
	flow.dport = tcp->dest;
	if (tcp->rst || tcp->fin)
		bpf_map_delete_elem(&flows, &flow);
	return forward(ctx, eth, &flow);
}

SEC("xdp")
int balance_udp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct udphdr *udp = (void *)(ip + 1);
	struct flow flow = { .proto = IPPROTO_UDP };

	if ((void *)(udp + 1) > end)
		return XDP_DROP;
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.sport = udp->source;
	flow.dport = udp->dest;
	return forward(ctx, eth, &flow);
}

SEC("xdp")
int load_balancer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
		return XDP_PASS;
	bpf_tail_call(ctx, &by_protocol, ip->protocol);
	/* No program for this protocol. */
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
