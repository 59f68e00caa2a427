// SPDX-License-Identifier: MIT OR GPL-2.0
/* Counts packets by protocol in a hash that all CPUs share, and lets them through. */
#include "include/protocol_key.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, PROTOCOL_KEYS);
} rxcnt SEC(".maps");

SEC("xdp")
int proto_count_hash(struct xdp_md *ctx)
{
	int protocol = protocol_key(ctx);
	__u32 key = protocol;
	__u64 *count, zero = 0;

	if (protocol < 0)
		return XDP_PASS;
	count = bpf_map_lookup_elem(&rxcnt, &key);
	if (!count) {
		/* Another CPU may have been quicker: then its entry is the one to count in. */
		bpf_map_update_elem(&rxcnt, &key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&rxcnt, &key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
