// SPDX-License-Identifier: MIT OR GPL-2.0
/* XDP hands TC a number in the packet's metadata; TC makes it the packet's mark. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define MARK_FROM_XDP 42
#define MARK_WITHOUT_XDP 41

SEC("xdp")
int meta_mark_xdp(struct xdp_md *ctx)
{
	__u32 *metadata;
	void *data;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*metadata)))
		return XDP_ABORTED;
	/* Adjusting made every pointer from before it invalid. */
	data = (void *)(long)ctx->data;
	metadata = (void *)(long)ctx->data_meta;
	if ((void *)(metadata + 1) > data)
		return XDP_ABORTED;
	*metadata = MARK_FROM_XDP;
	bpf_printk("[XDP] metadata = %u", *metadata);
	return XDP_PASS;
}

SEC("tc")
int meta_mark_tc(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	__u32 *metadata = (void *)(long)skb->data_meta;

	if ((void *)(metadata + 1) > data) {
		skb->mark = MARK_WITHOUT_XDP;
		bpf_printk("[TC] no metadata, mark = %u", MARK_WITHOUT_XDP);
	} else {
		skb->mark = *metadata;
		bpf_printk("[TC] metadata = %u", *metadata);
	}
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
