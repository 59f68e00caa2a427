// SPDX-License-Identifier: MIT OR GPL-2.0
/* What helpers are passed: numbers in the wrong byte order, and arguments that are always refused. */
#include <linux/tcp.h>
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be32);
	__type(value, __u32);
} networks SEC(".maps");

/* An IPv4 packet, and a TCP segment, of which nothing but the headers is looked at. */
INLINE int parse_headers(CONTEXT *ctx, struct packet *packet)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	packet->ip = (void *)(eth + 1);
	packet->l4 = packet->ip + 1;
	packet->end = (void *)(long)ctx->data_end;
	if (packet->l4 > packet->end || eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	return packet->ip->version == 4 && packet->ip->ihl == 5;
}

INLINE int parse_tcp(CONTEXT *ctx, struct packet *packet)
{
	if (!parse_headers(ctx, packet) || packet->ip->protocol != IPPROTO_TCP)
		return 0;
	if (packet->ip->frag_off & bpf_htons(0x3fff))
		return 0;
	return packet->l4 + sizeof(struct tcphdr) <= packet->end;
}

/* Only what somebody listens for, or is connected to. */
PROGRAM int socket_ports(CONTEXT *ctx)
{
	struct bpf_sock_tuple tuple = {};
	struct packet packet;
	struct tcphdr *tcp;
	struct bpf_sock *socket;

	if (!parse_tcp(ctx, &packet))
		return PASS;
	tcp = packet.l4;
	tuple.ipv4.saddr = packet.ip->saddr;
	tuple.ipv4.daddr = packet.ip->daddr;
	tuple.ipv4.sport = FAULTY_OR_RIGHT(bpf_ntohs(tcp->source), tcp->source);
	tuple.ipv4.dport = FAULTY_OR_RIGHT(bpf_ntohs(tcp->dest), tcp->dest);
	socket = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!socket)
		return DROP;
	bpf_sk_release(socket);
	return PASS;
}

#ifdef TC
/* To the host that the packet is for, through the tunnel of its network. */
PROGRAM int tunnel_remote(CONTEXT *ctx)
{
	struct bpf_tunnel_key key = {};
	struct packet packet;
	__u32 *network;

	if (!parse_headers(ctx, &packet))
		return PASS;
	network = bpf_map_lookup_elem(&networks, &packet.ip->daddr);
	if (!network)
		return PASS;
	key.tunnel_id = *network;
	key.tunnel_ttl = 64;
	key.remote_ipv4 = FAULTY_OR_RIGHT(packet.ip->daddr, bpf_ntohl(packet.ip->daddr));
	if (bpf_skb_set_tunnel_key(ctx, &key, sizeof(key), BPF_F_ZERO_CSUM_TX))
		return DROP;
	return bpf_redirect(5, 0);
}

/* Into the one tunnel that there is. */
PROGRAM int tunnel_flags(CONTEXT *ctx)
{
	struct bpf_tunnel_key key = { .tunnel_id = 7, .tunnel_ttl = 64, .remote_ipv4 = 0x0a000001 };
	struct packet packet;

	if (!parse_headers(ctx, &packet))
		return PASS;
	bpf_skb_set_tunnel_key(ctx, &key, sizeof(key), BPF_F_ZERO_CSUM_TX | FAULTY_OR_RIGHT(0x100, 0));
	return bpf_redirect(5, 0);
}
#endif
