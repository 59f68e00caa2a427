// SPDX-License-Identifier: MIT OR GPL-2.0
/* Tail calls, from functions and in circles. */
#include "common.h"

int tail_calls(struct xdp_md *ctx);
int second(struct xdp_md *ctx);
int third(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} programs SEC(".maps") = {
	.values = { [0] = (void *)&tail_calls, [1] = (void *)&second, [3] = (void *)&third },
};

SEC("xdp")
int tail_calls(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	put(0, 1);
	if (data + 14 > end)
		return XDP_ABORTED;
	bpf_tail_call(ctx, &programs, ((__u8 *)data)[1] & 3);
	put(1, 1);
	return XDP_DROP;
}

SEC("xdp")
int second(struct xdp_md *ctx)
{
	put(2, 1);
	bpf_tail_call(ctx, &programs, 3);
	put(3, 1);
	return XDP_TX;
}

static __noinline int from_function(struct xdp_md *ctx)
{
	put(8, 5);
	bpf_tail_call(ctx, &programs, 2);
	put(4, 3);
	return 9;
}

SEC("xdp")
int third(struct xdp_md *ctx)
{
	int r;

	put(5, 1);
	r = from_function(ctx);
	bpf_tail_call(ctx, &programs, 0);
	put(6, r);
	return XDP_PASS;
}
