// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A program that takes frames of several buffers (section xdp.frags): it looks at bytes with bpf_xdp_load_bytes only,
 * finds out where the payload of an experiment's protocol lies (RFC 3692), copies its begin to its end, and trims what
 * is behind it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define EXPERIMENT 253
#define PIECE 8

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} lengths SEC(".maps");

static __always_inline void add(__u32 key, __u64 value)
{
	__u64 *sum = bpf_map_lookup_elem(&lengths, &key);

	if (sum)
		__sync_fetch_and_add(sum, value);
}

SEC("xdp.frags")
int frags_bytes(struct xdp_md *ctx)
{
	__u64 length = bpf_xdp_get_buff_len(ctx);
	__u32 payload, total;
	__u8 piece[PIECE];
	struct ethhdr eth;
	struct iphdr ip;

	add(0, length);
	add(1, ctx->data_end - ctx->data);
	if (bpf_xdp_load_bytes(ctx, 0, &eth, sizeof(eth)) || eth.h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (bpf_xdp_load_bytes(ctx, sizeof(eth), &ip, sizeof(ip)) || ip.protocol != EXPERIMENT)
		return XDP_PASS;
	if (ip.ihl < 5 || ip.frag_off & bpf_htons(0x1fff))
		return XDP_PASS;
	payload = sizeof(eth) + ip.ihl * 4;
	total = sizeof(eth) + bpf_ntohs(ip.tot_len);
	if (total < payload + PIECE)
		return XDP_PASS;
	if (total < length && bpf_xdp_adjust_tail(ctx, (int)(total - length)))
		return XDP_DROP;
	if (bpf_xdp_load_bytes(ctx, payload, piece, PIECE))
		return XDP_DROP;
	return bpf_xdp_store_bytes(ctx, total - PIECE, piece, PIECE) ? XDP_ABORTED : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
