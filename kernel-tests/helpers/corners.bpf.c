// SPDX-License-Identifier: MIT OR GPL-2.0
/* Numbers that helpers seldom meet: too many rounds, questions and lengths above what fits, the lowest number there is. */
#include "common.h"

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

static long round(__u32 index, __u64 *rounds)
{
	(*rounds)++;
	return index == 5;
}

static __always_inline void iterate(int start, int end)
{
	struct bpf_iter_num it;
	int *value, rounds = 0;

	put(2, bpf_iter_num_new(&it, start, end));
	while ((value = bpf_iter_num_next(&it))) {
		put(3, *value);
		if (++rounds > 9)
			break;
	}
	bpf_iter_num_destroy(&it);
}

SEC("xdp")
int corners(struct xdp_md *ctx)
{
	__u32 numbers[4] = {};
	struct bpf_dynptr sample;
	__u64 rounds = 0;

	if (bpf_xdp_load_bytes(ctx, 0, numbers, sizeof(numbers)))
		return XDP_ABORTED;
	/* No flags, which the verifier knows, and flags of which it knows nothing. */
	put(0, bpf_loop(numbers[0], round, &rounds, 0));
	put(1, bpf_loop(numbers[0], round, &rounds, numbers[1] & 1));
	put(4, rounds);
	iterate(numbers[1], numbers[1] + (numbers[2] & 15));
	iterate(0x80000000, (int)numbers[2]);
	put(5, bpf_ringbuf_query(&ring, numbers[3] & 7));
	put(6, bpf_ringbuf_query(&ring, (__u64)numbers[0] << 32 | 1));
	put(7, bpf_ringbuf_reserve_dynptr(&ring, numbers[2], numbers[3] & 1, &sample));
	bpf_ringbuf_discard_dynptr(&sample, 0);
	return XDP_PASS;
}
