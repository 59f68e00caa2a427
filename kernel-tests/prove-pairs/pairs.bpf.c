// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs in two forms, the second one with -DNEW: some do the same in another way, others differ for few packets. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifdef NEW
#define OLD_OR_NEW(old, new) new
/* Lies in front of the variables that both have. */
__u64 only_new = 0;
#else
#define OLD_OR_NEW(old, new) old
#endif

__u32 seen = 0;
__u32 limit = 100;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} hosts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

static __always_inline struct iphdr *ip_of(struct xdp_md *ctx, __u64 room)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) + room > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return NULL;
	return (void *)(eth + 1);
}

/* The same conditions in another order, and a range in place of two comparisons. */
SEC("xdp") int conditions(struct xdp_md *ctx)
{
	struct iphdr *ip = ip_of(ctx, sizeof(*ip) + 8);
	struct udphdr *udp;
	__u16 port;

	if (ip == NULL)
		return XDP_PASS;
	udp = (void *)(ip + 1);
	port = bpf_ntohs(udp->dest);
#ifdef NEW
	if ((__u16)(port - 53) < 2 && ip->protocol == IPPROTO_UDP && (ip->version << 4 | ip->ihl) == 0x45)
		return XDP_DROP;
	return XDP_PASS;
#else
	if (ip->ihl != 5 || ip->version != 4 || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	return port == 53 || port == 54 ? XDP_DROP : XDP_PASS;
#endif
}

/* Maps and variables asked in another order, and an entry that is known to be missing made in another way. */
SEC("xdp") int state(struct xdp_md *ctx)
{
	struct iphdr *ip = ip_of(ctx, sizeof(*ip));
	__u32 key, zero = 0;
	__u64 one = 1, *host, *count;

	if (ip == NULL)
		return XDP_PASS;
	key = ip->saddr;
#ifdef NEW
	count = bpf_map_lookup_elem(&counts, &zero);
	host = bpf_map_lookup_elem(&hosts, &key);
#else
	host = bpf_map_lookup_elem(&hosts, &key);
	count = bpf_map_lookup_elem(&counts, &zero);
#endif
	if (count != NULL)
		*count += 1;
	if (host == NULL)
		bpf_map_update_elem(&hosts, &key, &one, OLD_OR_NEW(BPF_ANY, BPF_NOEXIST));
	else
		*host = *host + one;
	seen++;
	return seen > limit ? XDP_DROP : XDP_PASS;
}

/* One packet in 2^64. */
SEC("xdp") int deep(struct xdp_md *ctx)
{
	struct iphdr *ip = ip_of(ctx, sizeof(*ip) + 16);
	__u64 *data;

	if (ip == NULL)
		return XDP_PASS;
	data = (void *)(ip + 1) + 8;
	if (*data == 0x6d6f6f6e7368696eULL)
		ip->tos = OLD_OR_NEW(ip->tos, 4);
	return XDP_PASS;
}

/* Another value in a map, for one port. */
SEC("xdp") int map_value(struct xdp_md *ctx)
{
	struct iphdr *ip = ip_of(ctx, sizeof(*ip) + 8);
	__u32 key = 1;
	__u64 *count;

	if (ip == NULL)
		return XDP_PASS;
	count = bpf_map_lookup_elem(&counts, &key);
	if (count != NULL)
		*count += OLD_OR_NEW(1, ((struct udphdr *)(ip + 1))->dest == bpf_htons(4242) ? 2 : 1);
	return XDP_PASS;
}

/* A variable that is counted otherwise once it is large. */
SEC("xdp") int variable(struct xdp_md *ctx)
{
	if (OLD_OR_NEW(1, limit != 77777))
		limit++;
	return XDP_PASS;
}

/* Another slot of the map, which may hold another device. */
SEC("xdp") int target(struct xdp_md *ctx)
{
	struct iphdr *ip = ip_of(ctx, sizeof(*ip));

	if (ip == NULL)
		return XDP_PASS;
	return bpf_redirect_map(&ports, ip->tos == 4 ? OLD_OR_NEW(2, 3) : 1, XDP_PASS);
}

SEC("xdp") int metadata(struct xdp_md *ctx)
{
	__u32 *mark;

	if (bpf_xdp_adjust_meta(ctx, -4))
		return XDP_DROP;
	mark = (void *)(long)ctx->data_meta;
	if ((void *)(mark + 1) > (void *)(long)ctx->data)
		return XDP_DROP;
	*mark = OLD_OR_NEW(42, 43);
	return XDP_PASS;
}

/* The route of another packet: one asks for the packet's own length, the other for none. */
SEC("xdp") int route(struct xdp_md *ctx)
{
	struct iphdr *ip = ip_of(ctx, sizeof(*ip));
	struct bpf_fib_lookup fib = {};

	if (ip == NULL)
		return XDP_PASS;
	fib.family = 2;
	fib.ipv4_dst = ip->daddr;
	fib.ipv4_src = ip->saddr;
	fib.ifindex = ctx->ingress_ifindex;
	if (OLD_OR_NEW(1, ip->tos != 8))
		fib.tot_len = bpf_ntohs(ip->tot_len);
	return bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) == BPF_FIB_LKUP_RET_SUCCESS ? XDP_TX : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
