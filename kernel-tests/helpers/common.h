// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * What these programs share: the packet's first bytes choose helper and arguments, and whatever a helper returns is
 * mixed into `results`, one slot per helper, so that a comparison of maps compares every call.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} results SEC(".maps");

static __always_inline void put(__u32 slot, __u64 value)
{
	__u64 *result = bpf_map_lookup_elem(&results, &slot);

	if (result)
		*result = *result * 31 + value;
}
