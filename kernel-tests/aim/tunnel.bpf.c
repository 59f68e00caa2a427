// SPDX-License-Identifier: MIT OR GPL-2.0
/* VXLAN with a network id of its own, and inside it an ICMP echo with a certain identifier. */
#include "guarded.h"
struct vxlan { __be32 flags, vni; };
SEC("xdp") int tunnel(struct xdp_md *ctx)
{
	struct packet p;
	struct udphdr *udp;
	struct vxlan *vxlan;
	struct ethhdr *eth;
	struct iphdr *ip;
	struct icmphdr *icmp;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(*udp)))
		return XDP_PASS;
	udp = p.l4;
	vxlan = (void *)(udp + 1);
	eth = (void *)(vxlan + 1);
	ip = (void *)(eth + 1);
	icmp = (void *)(ip + 1);
	if (udp->dest != bpf_htons(4789) || (void *)(icmp + 1) > p.end)
		return XDP_PASS;
	if (vxlan->flags != bpf_htonl(0x08000000) || bpf_ntohl(vxlan->vni) >> 8 != 0x31337)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_ICMP || ip->ihl != 5)
		return XDP_DROP;
	if (icmp->type == ICMP_ECHO && icmp->un.echo.id == bpf_htons(0x4d2))
		return REACHED;
	return XDP_DROP;
}
