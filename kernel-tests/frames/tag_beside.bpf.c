// SPDX-License-Identifier: MIT OR GPL-2.0
/* Where the kernel looks for the type behind a tag: a frame that came with one beside it has a MAC header of known length. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("tc")
int tag_beside(struct __sk_buff *skb)
{
	__u8 type[2] = {};

	if (bpf_skb_load_bytes(skb, 40, type, 2) || bpf_skb_store_bytes(skb, 12, type, 2, 0))
		return 2;
	skb->mark = bpf_skb_ecn_set_ce(skb);
	return 0;
}
