// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Frames in several buffers. The frame's first bytes choose what is done and with which numbers: byte 0 the call, byte 1
 * the numbers' neighbourhood, bytes 2 and 3 how far from it.
 */
#include "../helpers/common.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

extern int bpf_dynptr_from_xdp(struct xdp_md *ctx, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end) __ksym;
extern int bpf_xdp_pull_data(struct xdp_md *ctx, __u32 length) __ksym;

/* Where something ends, and so goes wrong: the linear part, each fragment, the frame, 16 bits. */
static __always_inline int place(__u32 near, __u32 by, __u32 length)
{
	int offset = (int)by - 8;

	switch (near & 7) {
	case 0:
		return 3520 + offset;
	case 1:
		return 3520 + 4096 * (near >> 3 & 15) + offset;
	case 2:
		return length + offset;
	case 3:
		return 65535 + offset;
	case 4:
		return length / 2 + offset;
	case 5:
		return length - 4096 + offset;
	default:
		return near * 256 + by;
	}
}

static __noinline void state(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	put(0, end - data);
	put(1, bpf_xdp_get_buff_len(ctx));
	put(2, data - (void *)(long)ctx->data_meta);
}

static __noinline void slices(struct xdp_md *ctx, __u32 at)
{
	struct bpf_dynptr frame;
	__u8 buffer[20] = {}, bytes[8] = {};
	__u8 *p;

	put(10, bpf_dynptr_from_xdp(ctx, 0, &frame));
	p = bpf_dynptr_slice(&frame, at, buffer, sizeof(buffer));
	put(11, p ? p[0] + 256 * p[19] : 99999);
	p = bpf_dynptr_slice(&frame, at + 1, 0, 8);
	put(12, p ? p[0] + 256 * p[7] : 99999);
	p = bpf_dynptr_slice_rdwr(&frame, at, buffer, sizeof(buffer));
	if (p) {
		p[0] ^= 0x55;
		p[19] ^= 0xaa;
	}
	put(13, p ? p[1] : 99999);
	put(14, bpf_dynptr_read(bytes, 8, &frame, at + 3, 0));
	put(15, bytes[0] + 256 * bytes[7]);
	bytes[3] ^= 7;
	put(16, bpf_dynptr_write(&frame, at + 4, bytes, 8, 0));
	put(17, bpf_dynptr_adjust(&frame, at, at + 100));
	p = bpf_dynptr_slice(&frame, 10, buffer, sizeof(buffer));
	put(18, p ? p[0] + 256 * p[19] : 99999);
	/* A frame that shrinks takes a dynptr's end away. */
	put(19, bpf_xdp_adjust_tail(ctx, -60));
	p = bpf_dynptr_slice(&frame, 70, buffer, sizeof(buffer));
	put(20, p ? p[0] + 256 * p[19] : 99999);
	put(21, bpf_dynptr_read(bytes, 8, &frame, 80, 0));
}

static __noinline int run(struct xdp_md *ctx)
{
	__u8 first[16] = {}, bytes[64] = {};
	__u32 length = bpf_xdp_get_buff_len(ctx);
	int at, n;
	long r = 0;

	state(ctx);
	if (bpf_xdp_load_bytes(ctx, 0, first, 14))
		return XDP_ABORTED;
	at = place(first[1], first[2] & 15, length);
	n = 1 + (first[3] & 63);
	if (n > sizeof(bytes))
		return XDP_ABORTED;
	switch (first[0] & 15) {
	case 0:
		r = bpf_xdp_adjust_tail(ctx, at - (int)length);
		break;
	case 1:
		r = bpf_xdp_adjust_tail(ctx, (int)first[2] * (first[3] & 1 ? 16 : 1));
		break;
	case 2:
		/* Two steps: what is gained afterwards is zero. */
		put(3, bpf_xdp_adjust_tail(ctx, at - (int)length));
		state(ctx);
		r = bpf_xdp_adjust_tail(ctx, first[3] * 8);
		break;
	case 3:
		put(3, bpf_xdp_adjust_head(ctx, (int)first[3] * 16 - 256));
		state(ctx);
		r = bpf_xdp_adjust_tail(ctx, at - (int)length);
		break;
	case 4:
		put(3, bpf_xdp_adjust_meta(ctx, -16));
		r = bpf_xdp_adjust_tail(ctx, -(int)first[3] * 256);
		break;
	case 5:
		r = bpf_xdp_load_bytes(ctx, at, bytes, n);
		put(3, bpf_csum_diff(0, 0, (void *)bytes, sizeof(bytes), 0));
		break;
	case 6:
		__builtin_memset(bytes, first[4], sizeof(bytes));
		r = bpf_xdp_store_bytes(ctx, at, bytes, n);
		break;
	case 7:
		slices(ctx, at);
		break;
	case 8:
		r = bpf_xdp_pull_data(ctx, at);
		break;
	case 9:
		put(3, bpf_xdp_adjust_meta(ctx, -(first[3] & 0x7c)));
		put(4, bpf_xdp_pull_data(ctx, 3520 + first[3]));
		state(ctx);
		put(5, bpf_xdp_pull_data(ctx, 3520 + first[3] + (first[4] & 63)));
		state(ctx);
		r = bpf_xdp_adjust_tail(ctx, (int)first[4] * 16);
		break;
	case 10:
		put(3, bpf_xdp_adjust_head(ctx, 14 + first[3] * 8));
		put(4, bpf_xdp_pull_data(ctx, 3000 + first[3] * 16));
		state(ctx);
		slices(ctx, at);
		break;
	case 11:
		r = bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU | (__u64)(__u32)at << 32, first, 4);
		break;
	case 12: {
		__u32 mtu = first[3] & 1 ? 0 : length;

		r = bpf_check_mtu(ctx, 0, &mtu, (int)first[3] * 256, 0);
		put(3, mtu);
		break;
	}
	case 13:
		r = bpf_xdp_adjust_tail(ctx, first[3] & 1 ? (int)0x80000000 : (int)0x80000001 + first[2]);
		break;
	case 14: {
		void *end = (void *)(long)ctx->data_end;
		__u8 *data = (void *)(long)ctx->data;

		/* The last byte before data_end, and the one at it through a helper. */
		if ((void *)data + 3520 <= end)
			data[3519] ^= 0x3c;
		r = bpf_xdp_load_bytes(ctx, 3520, bytes, 1);
		put(3, bytes[0]);
		break;
	}
	default:
		r = bpf_xdp_load_bytes(ctx, (__u32)at << 8, bytes, n);
	}
	put(30 + (first[0] & 15), r);
	state(ctx);
	return first[0] & 16 ? XDP_TX : XDP_PASS;
}

SEC("xdp.frags")
int frags(struct xdp_md *ctx)
{
	return run(ctx);
}

/* The same code where frames come in one buffer only. */
SEC("xdp")
int whole(struct xdp_md *ctx)
{
	return run(ctx);
}

/* Nothing that moves the packet: machines may run it where it lies. */
SEC("xdp.frags")
int in_place(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	__u32 length = bpf_xdp_get_buff_len(ctx);
	struct bpf_dynptr frame;
	__u8 buffer[16] = {};
	__u8 *p;

	if (data + 20 > (__u8 *)(long)ctx->data_end)
		return XDP_DROP;
	data[3] ^= 1;
	put(51, bpf_xdp_store_bytes(ctx, length - 1, buffer, 1));
	put(52, bpf_dynptr_from_xdp(ctx, 0, &frame));
	p = bpf_dynptr_slice_rdwr(&frame, place(data[1], data[2] & 15, length), buffer, sizeof(buffer));
	if (!p)
		return XDP_PASS;
	p[3]++;
	put(53, p[15]);
	return XDP_TX;
}
