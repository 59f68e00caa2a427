// SPDX-License-Identifier: MIT OR GPL-2.0
/* Drops every packet, and says so in the kernel's trace log. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_trace_drop(struct xdp_md *ctx)
{
	bpf_printk("You Shall Not Pass!!");
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
