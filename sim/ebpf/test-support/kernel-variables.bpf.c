// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Variables of the kernel, one for each CPU: a number, a structure of which some fields are declared, one that is not there.
 *
 * Compiled in this folder as linking.bpf.c is.
 */
#include <linux/pkt_cls.h>
#include "../../../kernel-tests/helpers/common.h"

struct rq {
	unsigned int nr_running;
	int cpu;
	unsigned long nr_uninterruptible;
} __attribute__((preserve_access_index));
struct nowhere;

extern const int bpf_prog_active __ksym;
extern const struct rq runqueues __ksym;
extern const struct nowhere xdpsim_is_nowhere __ksym __weak;

static __always_inline void look(__u8 *bytes)
{
	__u64 cpu = bytes[0] & 3;
	const struct rq *rq;
	const int *active;
	int copy = 77;

	/* The upper half is not looked at. */
	if (bytes[1] & 1)
		cpu |= 1ull << 32;
	if ((bytes[1] & 6) == 6)
		cpu |= 0x80000000;
	active = bpf_per_cpu_ptr(&bpf_prog_active, cpu);
	put(0, active != 0);
	if (active) {
		put(1, *active);
		put(2, *(const __u8 *)active);
		put(3, bpf_probe_read_kernel(&copy, sizeof(copy), active));
		put(4, copy);
		put(5, active == (const int *)bpf_this_cpu_ptr(&bpf_prog_active));
	}
	rq = bpf_per_cpu_ptr(&runqueues, cpu);
	put(6, rq != 0);
	if (rq) {
		put(7, rq->nr_running);
		put(8, rq->cpu);
		put(9, rq->nr_uninterruptible);
	}
	put(10, *(const int *)bpf_this_cpu_ptr(&bpf_prog_active));
	rq = bpf_this_cpu_ptr(&runqueues);
	put(11, rq->nr_running + 3 * rq->cpu);
	put(12, &xdpsim_is_nowhere != 0);
	if (&xdpsim_is_nowhere)
		put(13, bpf_this_cpu_ptr(&xdpsim_is_nowhere) != 0);
}

SEC("xdp")
int kernel_variables_xdp(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return XDP_DROP;
	look(data);
	return XDP_PASS;
}

SEC("tc")
int kernel_variables_tc(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 14 > end)
		return TC_ACT_SHOT;
	look(data);
	return TC_ACT_OK;
}
