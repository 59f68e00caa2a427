// SPDX-License-Identifier: MIT OR GPL-2.0
/* State in global variables of every section: settings in .rodata, a table in .data, counts in .bss, and a custom one. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CLASSES 8

const volatile struct {
	__u8 default_class;
	__u8 drop_above;
	__u16 min_length;
} settings = { .default_class = 3, .drop_above = 5, .min_length = 46 };

/* Classes by the upper three bits of the type of service, as RFC 791 has it. */
static const __u8 names[CLASSES][4] = { "rou", "pri", "imm", "fla", "ovr", "cri", "inc", "net" };

__u32 weights[CLASSES] = { 1, 2, 3, 5, 8, 13, 21, 34 };
__u64 score = 1000;

__u64 packets[CLASSES];
static __u64 total;
static int last_class = -1;

__u8 trail[16] SEC(".data.trail") = { 0xff };
__u32 trail_at SEC(".bss.trail");

SEC("xdp")
int globals(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct ethhdr *eth = data;
	__u32 class = settings.default_class & (CLASSES - 1);

	if (end - data < settings.min_length)
		return XDP_DROP;
	if ((void *)(ip + 1) <= end && eth->h_proto == bpf_htons(ETH_P_IP))
		class = ip->tos >> 5;
	packets[class]++;
	total++;
	score += weights[class];
	if (last_class == (int)class)
		weights[class] ^= names[class][total & 3];
	last_class = class;
	trail[trail_at++ & 15] = names[class][0];
	if (class > settings.drop_above)
		return XDP_DROP;
	return score & 1 ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
