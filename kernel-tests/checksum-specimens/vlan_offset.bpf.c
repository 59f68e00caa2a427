// SPDX-License-Identifier: MIT OR GPL-2.0
/* An IPv4 header's checksum is made anew, behind a VLAN tag as if there were none. XDP only. */
#include "specimen.h"

struct vlan_header {
	__be16 tag;
	__be16 type;
};

SEC("xdp") int specimen(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct vlan_header *vlan = (void *)(eth + 1);
	struct iphdr *ip;
	__u16 *words;
	__u32 sum = 0;

	if ((void *)(vlan + 1) > end || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return PASS;
	ip = (void *)(vlan + 1);
	if (vlan->type != bpf_htons(ETH_P_IP) || (void *)(ip + 1) > end || ip->version != 4 || ip->ihl != 5)
		return PASS;
	ip->tos = (ip->tos & 3) | 0x40;
	ip->check = 0;
#ifdef FAULTY
	words = (void *)(eth + 1);
#else
	words = (void *)ip;
#endif
#pragma unroll
	for (int index = 0; index < 10; index++)
		sum += words[index];
	ip->check = ~fold(sum);
	return PASS;
}
