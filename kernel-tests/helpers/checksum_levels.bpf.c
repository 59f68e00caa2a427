// SPDX-License-Identifier: MIT OR GPL-2.0
/* Checksums that count as checked: levels that go up and down, and what making room does to them. */
#include "common.h"

SEC("tc")
int checksum_levels(struct __sk_buff *skb)
{
	__u8 asked[16] = {};
	int i;

	if (bpf_skb_load_bytes(skb, 0, asked, sizeof(asked)))
		return 2;
#pragma unroll
	for (i = 0; i < 16; i++) {
		if ((asked[i] & 15) == 7)
			put(1, bpf_skb_adjust_room(skb, 4, 0, asked[i] & 32));
		else
			put(0, bpf_csum_level(skb, asked[i] & 7));
	}
	return 0;
}
