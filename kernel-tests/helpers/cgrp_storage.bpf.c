// SPDX-License-Identifier: MIT OR GPL-2.0
/* Values that belong to the root control group, which live on from frame to frame, in XDP and TC programs. */
#include <linux/pkt_cls.h>
#include "common.h"

/* Newer than the headers (linux/bpf.h). */
#define BPF_MAP_TYPE_CGRP_STORAGE 32

struct cgroup {
	int unused;
};
extern struct cgroup *bpf_cgroup_from_id(__u64 id) __ksym;
extern struct cgroup *bpf_cgroup_acquire(struct cgroup *group) __ksym;
extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *group, int level) __ksym;
extern void bpf_cgroup_release(struct cgroup *group) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline int count(__u8 *bytes)
{
	struct cgroup *group = bpf_cgroup_from_id(1), *other;
	__u64 seven = 7, *value;

	put(0, group != 0);
	if (!group)
		return 0;
	if (bytes[0] & 1)
		value = bpf_cgrp_storage_get(&counts, group, &seven, *(__u64 *)(bytes + 8) & 0x100000003);
	else
		value = bpf_cgrp_storage_get(&counts, group, 0, bytes[0] >> 1 & 1);
	put(1, value ? (*value)++ : 99);
	if ((bytes[1] & 7) == 7)
		put(2, bpf_cgrp_storage_delete(&counts, group));
	other = bpf_cgroup_ancestor(group, bytes[2] & 1 ? 0 : bytes[3]);
	put(3, other != 0);
	if (other) {
		value = bpf_cgrp_storage_get(&counts, other, 0, 0);
		put(4, value ? *value : 98);
		bpf_cgroup_release(other);
	}
	other = bpf_cgroup_acquire(group);
	put(5, other != 0);
	if (other)
		bpf_cgroup_release(other);
	bpf_cgroup_release(group);
	/* None has such a number. */
	group = bpf_cgroup_from_id(1ULL << 40 | 1);
	put(6, group != 0);
	if (group)
		bpf_cgroup_release(group);
	return 1;
}

SEC("xdp")
int cgrp_storage_xdp(struct xdp_md *ctx)
{
	__u8 bytes[16] __attribute__((aligned(8)));

	if (bpf_xdp_load_bytes(ctx, 0, bytes, sizeof(bytes)))
		return XDP_PASS;
	return count(bytes) ? XDP_TX : XDP_DROP;
}

SEC("tc")
int cgrp_storage_tc(struct __sk_buff *skb)
{
	__u8 bytes[16] __attribute__((aligned(8)));

	if (bpf_skb_load_bytes(skb, 0, bytes, sizeof(bytes)))
		return TC_ACT_OK;
	return count(bytes) ? TC_ACT_OK : TC_ACT_SHOT;
}
