// SPDX-License-Identifier: MIT OR GPL-2.0
/* Moving an XDP frame's bounds, and its bytes through helpers. */
#include "common.h"

SEC("xdp")
int xdp_bounds(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *meta;
	__u8 bytes[16] = {};
	__u8 which, amount;
	int delta;
	long r;

	if (data + 14 > end)
		return XDP_ABORTED;
	which = *(__u8 *)(data + 1);
	amount = *(__u8 *)(data + 2);
	delta = (int)amount - 100;
	if (*(__u8 *)(data + 3) & 1)
		delta *= 40;
	switch (which & 7) {
	case 0:
		r = bpf_xdp_adjust_head(ctx, delta);
		break;
	case 1:
		r = bpf_xdp_adjust_tail(ctx, delta);
		break;
	case 2:
		r = bpf_xdp_adjust_meta(ctx, delta);
		break;
	case 3:
		put(9, bpf_xdp_adjust_meta(ctx, -4));
		r = bpf_xdp_adjust_head(ctx, delta);
		break;
	case 4:
		put(9, bpf_xdp_adjust_head(ctx, -20));
		r = bpf_xdp_adjust_tail(ctx, delta);
		break;
	case 5:
		put(9, bpf_xdp_adjust_meta(ctx, -(amount & ~3)));
		r = bpf_xdp_adjust_meta(ctx, 4);
		break;
	case 6:
		r = bpf_xdp_get_buff_len(ctx);
		break;
	default:
		r = bpf_xdp_load_bytes(ctx, amount, bytes, sizeof(bytes));
		put(10, bytes[0]);
		bytes[1]++;
		r += 1000 * bpf_xdp_store_bytes(ctx, amount + 1, bytes, 9);
	}
	put(which & 7, r);

	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	meta = (void *)(long)ctx->data_meta;
	put(8, end - data);
	if (meta + 4 <= data) {
		*(__u32 *)meta = 42;
		put(11, data - meta);
	}
	if (data + 6 > end)
		return XDP_DROP;
	*(__u8 *)data = 0x77;
	*(__u8 *)(data + 1) = which;
	return which & 1 ? XDP_TX : XDP_PASS;
}
