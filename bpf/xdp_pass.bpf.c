// SPDX-License-Identifier: MIT OR GPL-2.0
/* Lets every packet through. Also what a veth's peer needs for XDP_TX and redirects to arrive. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
