// SPDX-License-Identifier: MIT OR GPL-2.0
/* As CO-RE programs switch on what a kernel has: by variables in .rodata, behind which stand helpers that none has yet. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

static long (*bpf_future_count)(void *ctx, __u32 flags) = (void *)9001;
static __u64 (*bpf_future_clock)(void) = (void *)9002;

const volatile _Bool has_count = 0;
const volatile struct {
	__u32 generation;
	__u32 clocks;
} kernel = { 3, 1 };
const volatile char names[2][8] = { "eth", "veth" };

static __attribute__((noinline)) __u64 now(void)
{
	if (kernel.generation > 3)
		return bpf_future_clock();
	return kernel.clocks;
}

SEC("xdp")
int optional_helpers(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	if (has_count && bpf_future_count(ctx, 0) < 0)
		return XDP_ABORTED;
	if (names[1][0] == 'e')
		bpf_future_count(ctx, 1);
	eth->h_source[0] = now();
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
