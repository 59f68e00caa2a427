// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs whose maps say what is written into packets: what goes wrong shows with the right entry alone. */
#include "common.h"

struct flow {
	__be32 address;
	__be16 port;
	__u8 protocol;
	__u8 unused;
};

struct translation {
	__be32 address;
	__be16 port;
	__u16 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, struct translation);
} translations SEC(".maps");

INLINE void translate(struct iphdr *ip, __u16 *ports, __u16 *check, const struct translation *to)
{
	__u16 updated = update32(*check, ip->saddr, to->address);

	*check = update(updated, ports[0], to->port);
	ip->check = update32(ip->check, ip->saddr, to->address);
	ip->saddr = to->address;
	ports[0] = to->port;
}

/* Translates sources of TCP and UDP. An entry for the one says nothing of the other. */
PROGRAM int udp_translated(CONTEXT *ctx)
{
	struct translation *to;
	struct packet packet;
	struct flow flow = {};
	struct tcphdr *tcp;
	struct udphdr *udp;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	if (packet.ip->protocol != IPPROTO_TCP && packet.ip->protocol != IPPROTO_UDP)
		return PASS;
	flow.address = packet.ip->saddr;
	flow.port = *(__be16 *)packet.l4;
	flow.protocol = packet.ip->protocol;
	to = bpf_map_lookup_elem(&translations, &flow);
	if (!to)
		return PASS;
	if (packet.ip->protocol == IPPROTO_TCP) {
		tcp = packet.l4;
		if ((void *)(tcp + 1) > packet.end)
			return DROP;
		translate(packet.ip, packet.l4, &tcp->check, to);
		return PASS;
	}
	udp = packet.l4;
	if (FAULTY_OR_RIGHT(1, udp->check != 0)) {
		translate(packet.ip, packet.l4, &udp->check, to);
		if (udp->check == 0)
			udp->check = 0xffff;
	} else {
		packet.ip->check = update32(packet.ip->check, packet.ip->saddr, to->address);
		packet.ip->saddr = to->address;
		udp->source = to->port;
	}
	return PASS;
}

#ifndef TC
struct backend {
	__be32 address;
	__u8 mac[ETH_ALEN];
	__u16 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be32);
	__type(value, struct backend);
} backends SEC(".maps");

/* IP in IP to the backend of an address: no word of the packet's own makes the outer header's sum carry twice. */
PROGRAM int backend_tunnel(CONTEXT *ctx)
{
	struct backend *backend;
	struct packet packet;
	struct ethhdr *eth;
	struct iphdr *ip;
	__be32 address;
	__u32 sum = 0;
	__u16 total;
	int at;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	total = bpf_ntohs(packet.ip->tot_len);
	if (total > 1480)
		return PASS;
	address = packet.ip->daddr;
	backend = bpf_map_lookup_elem(&backends, &address);
	if (!backend || backend->address == 0)
		return PASS;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return DROP;
	eth = (void *)(long)ctx->data;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return DROP;
	__builtin_memcpy(eth->h_dest, backend->mac, ETH_ALEN);
	__builtin_memset(eth->h_source, 2, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_IPIP;
	ip->saddr = address;
	ip->daddr = backend->address;
	ip->tot_len = bpf_htons(total + sizeof(*ip));
#pragma unroll
	for (at = 0; at < 10; at++)
		sum += ((__u16 *)ip)[at];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~FAULTY_OR_RIGHT(sum, fold(sum));
	return XDP_TX;
}
#endif
