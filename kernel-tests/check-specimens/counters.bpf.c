// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that count. */
#include "common.h"

struct totals {
	__u64 packets;
	__u64 bytes;
	struct bpf_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct totals);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} per_cpu SEC(".maps");

__u64 seen;

PROGRAM int counter_plain(CONTEXT *ctx)
{
	struct packet packet;
	__u64 *count;
	__u32 key;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	key = packet.ip->protocol;
	count = bpf_map_lookup_elem(&counts, &key);
	if (count == NULL)
		return PASS;
	FAULTY_OR_RIGHT((*count)++, __sync_fetch_and_add(count, 1));
	return PASS;
}

/* The same in a map of each CPU's own is right. */
PROGRAM int counter_shared(CONTEXT *ctx)
{
	struct packet packet;
	__u64 *count;
	__u32 key;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	key = packet.ip->protocol;
	count = bpf_map_lookup_elem(FAULTY_OR_RIGHT(&counts, &per_cpu), &key);
	if (count == NULL)
		return PASS;
	*count += packet.length;
	return PASS;
}

PROGRAM int counter_global(CONTEXT *ctx)
{
	struct packet packet;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	FAULTY_OR_RIGHT(seen++, __sync_fetch_and_add(&seen, 1));
	return PASS;
}

/* Two numbers that belong together, under a lock or not. */
PROGRAM int counter_unlocked(CONTEXT *ctx)
{
	struct packet packet;
	struct totals *total;
	__u32 key = 0;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	total = bpf_map_lookup_elem(&totals, &key);
	if (total == NULL)
		return PASS;
	IF_RIGHT(bpf_spin_lock(&total->lock);)
	total->packets++;
	total->bytes += packet.length;
	IF_RIGHT(bpf_spin_unlock(&total->lock);)
	return PASS;
}
