// SPDX-License-Identifier: MIT OR GPL-2.0
/* Static functions that return nothing, one whose constant result the compiler drops, and a chain of them. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NOINLINE static __attribute__((noinline))

struct sizes {
	__u64 frames;
	__u64 long_bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sizes);
} sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u16);
	__type(value, __u64);
} types SEC(".maps");

NOINLINE void count_type(__u16 type)
{
	__u64 one = 1, *seen = bpf_map_lookup_elem(&types, &type);

	if (seen)
		(*seen)++;
	else
		bpf_map_update_elem(&types, &type, &one, BPF_ANY);
}

NOINLINE void count(struct sizes *sizes, int length, __u16 type)
{
	sizes->frames++;
	if (length <= 60)
		return;
	sizes->long_bytes += length;
	count_type(type);
}

/* Always 0: the caller knows, and nothing writes r0. */
NOINLINE int mark_frame(struct ethhdr *eth, int length)
{
	if (length & 1)
		eth->h_source[5] ^= 1;
	return 0;
}

SEC("xdp")
int static_functions(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct sizes *found;
	__u32 key = 0;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	found = bpf_map_lookup_elem(&sizes, &key);
	if (!found)
		return XDP_ABORTED;
	count(found, end - data, eth->h_proto);
	if (mark_frame(eth, end - data))
		return XDP_ABORTED;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
