// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that use bytes which they never wrote. */
#include "common.h"

struct stamp {
	__u8 kind;
	/* Three bytes that no field owns. */
	__u32 value;
};

/* Keeps the compiler from knowing what is not there. */
#define ON_STACK(variable) asm volatile("" : : "r"(&(variable)) : "memory")

/* A structure with a hole goes into the packet as a whole. */
PROGRAM int stack_sent(CONTEXT *ctx)
{
	struct packet packet;
	struct stamp stamp;
	struct udphdr *udp;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return PASS;
	udp = packet.l4;
	if (packet.length < 16 || (void *)(udp + 1) + sizeof(stamp) > packet.end)
		return PASS;
	IF_RIGHT(__builtin_memset(&stamp, 0, sizeof(stamp));)
	ON_STACK(stamp);
	stamp.kind = 1;
	stamp.value = packet.ip->saddr;
	ON_STACK(stamp);
	__builtin_memcpy(udp + 1, &stamp, sizeof(stamp));
	udp->check = 0;
	return PASS;
}

/* A flag that is set on one way only. */
PROGRAM int stack_decides(CONTEXT *ctx)
{
	struct packet packet;
	volatile __u32 found FAULTY_OR_RIGHT(, = 0);

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	ON_STACK(found);
	if (packet.ip->protocol == IPPROTO_TCP)
		found = 1;
	return found == 0 ? PASS : DROP;
}

struct ports {
	__be16 source;
	__be16 dest;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ports);
} scratch SEC(".maps");

/* No packets to the port of DNS; ports are kept in a map, as where the stack has no room. */
PROGRAM int scratch_kept(CONTEXT *ctx)
{
	struct packet packet;
	struct ports *ports;
	__u32 zero = 0;

	ports = bpf_map_lookup_elem(&scratch, &zero);
	if (!ports || !parse_ipv4(ctx, &packet, 0))
		return PASS;
	IF_RIGHT(__builtin_memset(ports, 0, sizeof(*ports));)
	if (packet.ip->protocol == IPPROTO_UDP)
		*ports = *(struct ports *)packet.l4;
	asm volatile("" : : "r"(ports) : "memory");
	return ports->dest == bpf_htons(53) ? DROP : PASS;
}

struct key {
	__u8 protocol;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct key);
	__type(value, __u64);
} flows SEC(".maps");

/* A key with a hole: the next packet of the flow finds another. */
PROGRAM int stack_key(CONTEXT *ctx)
{
	struct packet packet;
	struct key key;
	__u64 one = 1, *seen;

	if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))
		return PASS;
	IF_RIGHT(__builtin_memset(&key, 0, sizeof(key));)
	ON_STACK(key);
	key.protocol = packet.ip->protocol;
	key.address = packet.ip->saddr;
	ON_STACK(key);
	seen = bpf_map_lookup_elem(&flows, &key);
	if (seen != NULL)
		__sync_fetch_and_add(seen, 1);
	else
		bpf_map_update_elem(&flows, &key, &one, BPF_ANY);
	return PASS;
}

#ifndef TC
/* A header in front of the packet, of which some bytes are left as they were. */
PROGRAM int head_unwritten(CONTEXT *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ethhdr old;
	__u8 *shim;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	old = *eth;
	if (bpf_xdp_adjust_head(ctx, -32))
		return DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) + 18 > (void *)(long)ctx->data_end)
		return DROP;
	__builtin_memcpy(eth, &old, sizeof(old));
	eth->h_proto = bpf_htons(0x88b5);
	shim = (void *)(eth + 1);
	shim[0] = 18;
	shim[1] = 0;
	IF_RIGHT(__builtin_memset(shim + 2, 0, 16);)
	return XDP_TX;
}

/* Metadata for TC that only IPv4 packets get. */
PROGRAM int meta_unwritten(CONTEXT *ctx)
{
	struct ethhdr *eth;
	struct iphdr *ip;
	__u32 *class;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*class)))
		return PASS;
	class = (void *)(long)ctx->data_meta;
	if ((void *)(class + 1) > (void *)(long)ctx->data)
		return DROP;
	IF_RIGHT(*class = 0;)
	eth = (void *)(long)ctx->data;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return PASS;
	*class = ip->tos >> 2;
	return PASS;
}
#endif
