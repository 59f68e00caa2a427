// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * icmp_echo for measuring: a repeated test run hands each repetition the packet that the last one left, so this
 * turns the reply back into a request first, and every repetition takes the full path. For IPv4 without VLAN and
 * options; ICMP checksums are not judged by the program, so they are left to drift.
 */
#include "../../bpf/icmp_echo.bpf.c"

SEC("xdp")
int icmp_echo_toggle(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct icmphdr *icmp = (void *)(data + sizeof(struct ethhdr) + sizeof(struct iphdr));

	if ((void *)(icmp + 1) > end)
		return XDP_ABORTED;
	icmp->type = ICMP_ECHO;
	return count_action(ctx, answer(ctx));
}
