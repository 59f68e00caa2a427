// SPDX-License-Identifier: MIT
/*
 * Runs many packets through an XDP program in one BPF_PROG_TEST_RUN.
 *
 * A test run with "repeat" runs a program again and again on one frame, which takes 26 ns each time, where a call of its
 * own takes a microsecond. So this program, on each repetition, makes the frame into the next packet, calls the program
 * under test as a function of its own, and writes down what it returned and what it left of the frame.
 *
 * harness.ts puts the program under test in the place of the function "tested", which is the last one, instruction by
 * instruction. Each packet finds what it finds in a test run of its own: a frame that starts behind 256 bytes of zeros
 * and ends in a page of its own, without metadata before it.
 */
#include "harness.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct harness harness;

static __attribute__((noinline)) int tested(struct xdp_md *ctx)
{
	/* Neither left out nor made a part of its caller, who has to expect any result. */
	int action = ctx->rx_queue_index;

	asm volatile("" : "+r"(action));
	return action;
}

/* Clears all that a program could have written in front of the frame. */
static __attribute__((always_inline)) int clear_headroom(struct xdp_md *ctx)
{
	__u32 size = HARNESS_OLD_HEADROOM;

	if (bpf_xdp_adjust_head(ctx, -HARNESS_OLD_HEADROOM)) {
		if (bpf_xdp_adjust_head(ctx, -HARNESS_HEADROOM))
			return -1;
		size = HARNESS_HEADROOM;
	}
	return bpf_xdp_store_bytes(ctx, 0, harness.zeros, size) || bpf_xdp_adjust_head(ctx, size) ? -1 : 0;
}

/* Brings start and end of the frame to those of a packet of so many bytes. */
static __attribute__((always_inline)) int make_frame(struct xdp_md *ctx, __u32 length)
{
	__s32 moved, missing;
	__u32 metadata = (__u32)ctx->data - (__u32)ctx->data_meta;

	if (harness.start == 0)
		harness.start = ctx->data;
	if (metadata && bpf_xdp_adjust_meta(ctx, metadata))
		return -1;
	moved = (__u32)ctx->data - harness.start;
	if (moved > 0 && bpf_xdp_adjust_head(ctx, -moved))
		return -1;
	/* What a frame gains at its end is cleared by the kernel. */
	missing = harness.start + length - (__u32)ctx->data_end;
	if (missing != 0 && bpf_xdp_adjust_tail(ctx, missing))
		return -1;
	if (moved < 0 && bpf_xdp_adjust_head(ctx, -moved))
		return -1;
	return harness.moves_start ? clear_headroom(ctx) : 0;
}

/* Writes down the metadata before the frame. Returns how many bytes they are. */
static __attribute__((always_inline)) __u32 save_metadata(struct xdp_md *ctx, __u8 *to)
{
	__u8 *from = (void *)(long)ctx->data_meta;
	__u8 *end = (void *)(long)ctx->data;
	__u32 size;

	for (size = 0; size < HARNESS_METADATA; size += 4) {
		if (from + size + 4 > end)
			break;
		*(__u32 *)(to + size) = *(__u32 *)(from + size);
	}
	return size;
}

/*
 * Keeps the lower bits of a value that is no larger anyway, for verifiers that forget what they knew of it (Linux 6.1 does, where
 * the compiler puts it on the stack before it is compared), and out of the compiler's sight, which would leave it out.
 */
#define BOUND(value, mask) asm volatile("%0 &= %1" : "+r"(value) : "i"(mask))

SEC("xdp")
int run_next(struct xdp_md *ctx)
{
	__u64 index = harness.next;
	__u64 used = harness.used;
	__u64 offset;
	__u32 length, metadata = 0;
	int action;

	/* Behind the last packet, and where there may be no room for what comes out, the rest of the repetitions do nothing. */
	if (index >= harness.count || index >= HARNESS_PACKETS || used >= HARNESS_BYTES)
		return XDP_ABORTED;
	BOUND(index, HARNESS_PACKETS - 1);
	length = harness.length[index];
	if (length < HARNESS_MIN_FRAME || length > HARNESS_MAX_FRAME || make_frame(ctx, length))
		return XDP_ABORTED;
	offset = harness.offset[index];
	BOUND(offset, HARNESS_BYTES - 1);
	if (bpf_xdp_store_bytes(ctx, 0, harness.in + offset, length))
		return XDP_ABORTED;

	action = tested(ctx);

	BOUND(used, HARNESS_BYTES - 1);
	if (harness.moves_start)
		metadata = save_metadata(ctx, harness.out + used);
	/* Of a difference of addresses the verifier knows nothing. */
	length = ((__u32)ctx->data_end - (__u32)ctx->data) & (2 * HARNESS_ROOM - 1);
	offset = used + metadata;
	if (length < HARNESS_MIN_FRAME || length > HARNESS_ROOM ||
	    bpf_xdp_load_bytes(ctx, 0, harness.out + offset, length))
		return XDP_ABORTED;
	BOUND(index, HARNESS_PACKETS - 1);
	harness.out_metadata[index] = metadata;
	harness.out_offset[index] = offset;
	harness.out_length[index] = length;
	harness.action[index] = action;
	harness.used = offset + length;
	harness.next = index + 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
