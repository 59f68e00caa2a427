// SPDX-License-Identifier: MIT OR GPL-2.0
/* A bucket of three that refills with time; the line is behind a host that has waited for more than a second. */
#include "guarded.h"
struct bucket { __u64 last; __u32 tokens, empty; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 256); __type(key, __be32); __type(value, struct bucket); } buckets SEC(".maps");
SEC("xdp") int clocked(struct xdp_md *ctx)
{
	struct packet p;
	struct bucket *bucket, fresh = { 0, 3, 0 };
	__u64 now = bpf_ktime_get_ns();

	if (!parse(ctx, &p, IPPROTO_TCP, sizeof(struct tcphdr)))
		return XDP_PASS;
	bucket = bpf_map_lookup_elem(&buckets, &p.ip->saddr);
	if (!bucket) {
		fresh.last = now;
		bpf_map_update_elem(&buckets, &p.ip->saddr, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	if (bucket->tokens > 1) {
		bucket->tokens--;
		bucket->last = now;
		return XDP_PASS;
	}
	if (now - bucket->last > 1000000000ull && ((struct tcphdr *)p.l4)->window == bpf_htons(31337))
		return REACHED;
	return XDP_DROP;
}
