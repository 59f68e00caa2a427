// SPDX-License-Identifier: MIT OR GPL-2.0
/* What several CPUs change together: a record under a spin lock, and counters by atomic operations of every kind. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct record {
	struct bpf_spin_lock lock;
	__u32 packets;
	__u64 bytes;
	__u32 shortest;
	__u32 longest;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, __u8);
	__type(value, struct record);
} by_protocol SEC(".maps");

struct atomics {
	__u64 sum;
	__u64 set;
	__u64 cleared;
	__u64 toggled;
	__u64 previous;
	__u64 changes;
	__u32 sum32;
	__u32 previous32;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct atomics);
} totals SEC(".maps");

static __always_inline int record(__u8 protocol, __u32 length)
{
	struct record *record = bpf_map_lookup_elem(&by_protocol, &protocol);

	if (!record) {
		struct record fresh = { .shortest = ~0 };

		bpf_map_update_elem(&by_protocol, &protocol, &fresh, BPF_NOEXIST);
		record = bpf_map_lookup_elem(&by_protocol, &protocol);
		if (!record)
			return -1;
	}
	bpf_spin_lock(&record->lock);
	record->packets++;
	record->bytes += length;
	if (length < record->shortest)
		record->shortest = length;
	if (length > record->longest)
		record->longest = length;
	bpf_spin_unlock(&record->lock);
	return 0;
}

SEC("xdp")
int shared_bucket(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct ethhdr *eth = data;
	struct atomics *total;
	__u32 zero = 0;
	__u64 length = end - data, before;

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	total = bpf_map_lookup_elem(&totals, &zero);
	if (!total || record(eth->h_proto == bpf_htons(ETH_P_IP) ? ip->protocol : 255, length))
		return XDP_ABORTED;
	before = __sync_fetch_and_add(&total->sum, length);
	__sync_fetch_and_or(&total->set, 1ull << (length & 63));
	__sync_fetch_and_and(&total->cleared, ~(1ull << (length & 63)));
	if (__sync_fetch_and_xor(&total->toggled, before) & 1)
		__sync_fetch_and_add(&total->sum32, (__u32)before | 0x80000000);
	if (__sync_lock_test_and_set(&total->previous, length) != length)
		__sync_fetch_and_add(&total->changes, 1);
	if (__sync_val_compare_and_swap(&total->previous32, (__u32)ip->id, (__u32)length) == ip->id)
		return XDP_TX;
	if (total->previous32 == 0)
		__sync_lock_test_and_set(&total->previous32, (__u32)ip->id);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
