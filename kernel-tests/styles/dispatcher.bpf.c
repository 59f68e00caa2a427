// SPDX-License-Identifier: MIT OR GPL-2.0
/* Dispatchers: programs that hand packets on by tail calls, or call one after the other. */
#include "styles.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} steps SEC(".maps");

INLINE void step(__u32 key)
{
	__u64 *count = bpf_map_lookup_elem(&steps, &key);

	if (count)
		*count += 1;
}

SEC("xdp") int disp_udp(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = data + 14;
	struct udphdr *udp = (void *)(ip + 1);

	step(1);
	if (FAULT(!FITS(udp, end), 0))
		return XDP_DROP;
	return udp->dest == bpf_htons(53) ? XDP_PASS : XDP_DROP;
}

SEC("xdp") int disp_icmp(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);

	step(2);
	if (!ip)
		return XDP_PASS;
	if (ip->ttl < 2)
		return XDP_DROP;
	FAULT(decrease_ttl(ip), ip->ttl--);
	return XDP_TX;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 18);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} by_protocol SEC(".maps") = {
	.values = {
		[1] = (void *)&disp_icmp,
		[17] = (void *)&disp_udp,
	},
};

/* To the program of the packet's protocol; what has none is counted and passed. */
SEC("xdp") int disp_protocol(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);

	if (FAULT(!ip, 0))
		return XDP_PASS;
	bpf_tail_call(ctx, &by_protocol, ip->protocol);
	step(0);
	return XDP_PASS;
}

struct scratch {
	__u32 stage;
	__u32 verdict;
	__u64 entered;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

SEC("xdp") int disp_second(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct scratch *note = bpf_map_lookup_elem(&scratch, &key);

	if (!note)
		return XDP_ABORTED;
	step(4 + (note->stage & 3));
	return ((__u32 *)note)[FAULT(1, 4)] ? XDP_DROP : XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} stages SEC(".maps") = {
	.values = { [1] = (void *)&disp_second },
};

/* Leaves a note in per-CPU memory for the stage behind; slot 0 is empty, and the call falls through. */
SEC("xdp") int disp_stages(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	__u32 key = 0;
	struct scratch *note = bpf_map_lookup_elem(&scratch, &key);
	struct ethhdr *eth = data;

	if (!note || !FITS(eth, end))
		return XDP_ABORTED;
	note->stage = eth->h_proto == bpf_htons(ETH_P_IP) ? 1 : 2;
	note->verdict = eth->h_source[0] & 1;
	((__u64 *)note)[FAULT(1, 2)] = bpf_ktime_get_ns();
	bpf_tail_call(ctx, &stages, 0);
	bpf_tail_call(ctx, &stages, 1);
	return XDP_ABORTED;
}

int disp_again(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} itself SEC(".maps") = {
	.values = { [0] = (void *)&disp_again },
};

/* Calls itself until the kernel says no, after 33 calls. */
SEC("xdp") int disp_again(struct xdp_md *ctx)
{
	__u32 key = 8;
	__u64 *count = bpf_map_lookup_elem(&steps, &key);

	if (FAULT(count, 1))
		*count += 1;
	bpf_tail_call(ctx, &itself, 0);
	return XDP_PASS;
}

/* As libxdp's dispatcher: place holders that return 31, one after the other, as long as the mask says "go on". */
const volatile __u32 chain_mask[4] = { 1u << 2, 1u << 2 | 1u << 31, 1u << 31, 1u << 2 };
const volatile __u8 chained = 3;

__attribute__((noinline)) int slot0(struct xdp_md *ctx)
{
	volatile int action = 31;

	if (!ctx)
		return XDP_ABORTED;
	return action;
}

__attribute__((noinline)) int slot1(struct xdp_md *ctx)
{
	void *data, *end;

	if (!ctx)
		return XDP_ABORTED;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (FAULT(data + 1 > end, data > end))
		return XDP_PASS;
	return *(__u8 *)data & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int disp_chain(struct xdp_md *ctx)
{
	__u8 programs = chained;
	int action;

	if (programs < 1)
		goto out;
	action = slot0(ctx);
	if (!((1u << (action & 31)) & (chain_mask[0] | 1u << 31)))
		return action;
	if (programs < 2)
		goto out;
	action = slot1(ctx);
	if (!((1u << (action & 31)) & chain_mask[1]))
		return action;
out:
	return XDP_PASS;
}

SEC("tc") int disp_tc_last(struct __sk_buff *skb)
{
	skb->mark = FAULT(skb->cb[0] + skb->cb[4], ((__u32 *)DATA(skb))[0]);
	return TC_ACT_OK;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} tc_stages SEC(".maps") = {
	.values = { [2] = (void *)&disp_tc_last },
};

/* In TC, notes travel in the control block. */
SEC("tc") int disp_tc(struct __sk_buff *skb)
{
	skb->cb[0] = skb->len;
	skb->cb[4] = FAULT(skb->protocol, ((__u32 *)DATA(skb))[3]);
	bpf_tail_call(skb, &tc_stages, skb->len & 3);
	return TC_ACT_UNSPEC;
}
