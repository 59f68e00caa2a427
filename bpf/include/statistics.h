/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Packets and bytes by the action that the program returned. */
#ifndef XDPSIM_STATISTICS_H
#define XDPSIM_STATISTICS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define XDP_ACTION_MAX (XDP_REDIRECT + 1)

struct datarec {
	__u64 rx_packets;
	__u64 rx_bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct datarec);
	__uint(max_entries, XDP_ACTION_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xdp_stats_map SEC(".maps");

/* Counts the frame as it is now, and returns the action; XDP_ABORTED, uncounted, for a number that is none. */
static __always_inline __u32 count_action(struct xdp_md *ctx, __u32 action)
{
	struct datarec *rec;

	if (action >= XDP_ACTION_MAX)
		return XDP_ABORTED;
	rec = bpf_map_lookup_elem(&xdp_stats_map, &action);
	if (!rec)
		return XDP_ABORTED;

	/* A per-CPU value is this CPU's alone, and XDP is not preempted by itself: no atomics needed. */
	rec->rx_packets++;
	rec->rx_bytes += ctx->data_end - ctx->data;
	return action;
}

#endif
