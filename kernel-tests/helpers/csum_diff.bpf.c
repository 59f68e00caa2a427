// SPDX-License-Identifier: MIT OR GPL-2.0
/* bpf_csum_diff over packet bytes and corner values, odd lengths included. */
#include "common.h"

SEC("xdp")
int csum_diff(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 corners[4] = { 0, 0, -1, -1 };
	__u32 *word = data;

	if (data + 60 > end)
		return XDP_DROP;
	put(0, bpf_csum_diff(0, 0, word, 20, 0));
	put(1, bpf_csum_diff(word, 20, 0, 0, 0));
	put(2, bpf_csum_diff(word, 8, word + 2, 12, 0));
	put(3, bpf_csum_diff(word, 16, word + 4, 16, word[9]));
	put(4, bpf_csum_diff(word, 4, word + 1, 4, ~word[9]));
	put(5, bpf_csum_diff(word, 4, word, 4, 0));
	put(6, bpf_csum_diff(corners, 8, corners + 2, 8, 0));
	put(7, bpf_csum_diff(corners + 2, 8, corners, 8, 0));
	put(8, bpf_csum_diff(0, 0, corners, 8, 0));
	put(9, bpf_csum_diff(corners, 8, 0, 0, 0));
	put(10, bpf_csum_diff(corners, 8, 0, 0, 0xffffffff));
	put(11, bpf_csum_diff(0, 0, word, 3, 0));
	put(12, bpf_csum_diff(word, 5, 0, 0, 0));
	put(13, bpf_csum_diff(word, 6, word + 3, 7, 0));
	return XDP_PASS;
}
