// SPDX-License-Identifier: MIT OR GPL-2.0
/* What the verifier refuses, too. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

/* Takes an entry for granted. */
PROGRAM int null_used(CONTEXT *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *value = bpf_map_lookup_elem(&table, &key);

	IF_RIGHT(if (value == NULL) return PASS;)
	__sync_fetch_and_add(value, 1);
	return PASS;
}
