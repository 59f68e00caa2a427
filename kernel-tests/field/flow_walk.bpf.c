// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Counts flows in a hash and in an array, and every so often walks both with bpf_for_each_map_elem: what is old is
 * deleted, what is left is summed up.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define WALK_EVERY 32
#define OLD 64

struct flow {
	__u32 packets;
	__u32 last; /* number of the packet that was seen last */
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

struct sum {
	__u64 flows;
	__u64 deleted;
	__u64 bytes;
	__u64 largest_class;
};

/* Globals in .bss: what user space reads. */
__u32 packets;
struct sum last_walk;

struct walk {
	__u32 now;
	struct sum sum;
};

static long visit_flow(void *map, const void *key, void *value, void *context)
{
	struct walk *walk = context;
	struct flow *flow = value;

	if (walk->now - flow->last > OLD) {
		walk->sum.deleted++;
		bpf_map_delete_elem(map, key);
		return 0;
	}
	walk->sum.flows++;
	walk->sum.bytes += flow->bytes;
	return 0;
}

/* Ends at the first class that has anything: a callback may stop the walk. */
static long visit_size(void *map, const void *key, void *value, void *context)
{
	struct walk *walk = context;

	walk->sum.largest_class = *(__u32 *)key;
	return *(__u64 *)value != 0;
}

SEC("xdp")
int flow_walk(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__u32 length = end - data, class = 15 - (length >> 7 & 15);
	struct flow fresh = {}, *flow;
	struct ethhdr *eth = data;
	__u64 *size;

	packets++;
	size = bpf_map_lookup_elem(&sizes, &class);
	if (size)
		*size += 1;
	if ((void *)(ip + 1) <= end && eth->h_proto == bpf_htons(ETH_P_IP)) {
		__be32 key = ip->saddr;

		flow = bpf_map_lookup_elem(&flows, &key);
		if (!flow) {
			bpf_map_update_elem(&flows, &key, &fresh, BPF_ANY);
			flow = bpf_map_lookup_elem(&flows, &key);
		}
		if (flow) {
			flow->packets++;
			flow->last = packets;
			flow->bytes += length;
		}
	}
	if (packets % WALK_EVERY == 0) {
		struct walk walk = { .now = packets };
		long visited = bpf_for_each_map_elem(&flows, visit_flow, &walk, 0);

		if (visited < 0 || bpf_for_each_map_elem(&sizes, visit_size, &walk, 0) < 1)
			return XDP_ABORTED;
		last_walk = walk.sum;
		return visited == walk.sum.flows + walk.sum.deleted ? XDP_TX : XDP_ABORTED;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
