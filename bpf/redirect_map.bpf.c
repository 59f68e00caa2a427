// SPDX-License-Identifier: MIT OR GPL-2.0
/* Sends frames of known senders to the device in slot 0 of tx_port, addressed to the sender's counterpart. */
#include "include/parsing.h"
#include "include/statistics.h"

struct mac {
	__u8 byte[ETH_ALEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct mac);
	__type(value, struct mac);
	__uint(max_entries, 256);
} redirect_params SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 256);
} tx_port SEC(".maps");

static __always_inline int forward(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);
	struct ethhdr *eth = cursor.pos;
	struct mac *destination, source;
	__u32 slot = 0;

	if ((void *)(eth + 1) > cursor.end)
		return XDP_PASS;
	__builtin_memcpy(&source, eth->h_source, ETH_ALEN);
	destination = bpf_map_lookup_elem(&redirect_params, &source);
	if (!destination)
		return XDP_PASS;
	/* Look before writing: a frame that is not redirected leaves as it came. */
	if (bpf_map_lookup_elem(&tx_port, &slot))
		__builtin_memcpy(eth->h_dest, destination, ETH_ALEN);
	return bpf_redirect_map(&tx_port, slot, 0);
}

SEC("xdp")
int redirect_map(struct xdp_md *ctx)
{
	return count_action(ctx, forward(ctx));
}

char _license[] SEC("license") = "Dual MIT/GPL";
