// SPDX-License-Identifier: MIT OR GPL-2.0
/* Counts packets by protocol, per CPU, and drops them. */
#include "include/protocol_key.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, PROTOCOL_KEYS);
} rxcnt SEC(".maps");

SEC("xdp")
int proto_count(struct xdp_md *ctx)
{
	int protocol = protocol_key(ctx);
	__u32 key = protocol;
	__u64 *count;

	if (protocol < 0)
		return XDP_DROP;
	count = bpf_map_lookup_elem(&rxcnt, &key);
	if (count)
		(*count)++;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
