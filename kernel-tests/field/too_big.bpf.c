// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Path MTU discovery for a tunnel: what is too long and may not be fragmented is answered with an ICMP error (RFC 1191)
 * that quotes its begin. The frame is cut with adjust_tail, grows in front with adjust_head, and is summed anew.
 */
#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define QUOTED (sizeof(struct iphdr) + 8)
#define GROWTH (sizeof(struct iphdr) + sizeof(struct icmphdr))

const volatile __u16 mtu = 200;
const volatile __be32 router = bpf_htonl(0xc0000201); /* 192.0.2.1 */

static __u64 sent, failed;

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static __always_inline int answer(struct xdp_md *ctx)
{
	int length = ctx->data_end - ctx->data;
	void *data, *end;
	struct icmphdr *icmp;
	struct iphdr *ip, *quoted;
	struct ethhdr *eth, old;

	if (bpf_xdp_adjust_tail(ctx, (int)(sizeof(*eth) + QUOTED) - length))
		return XDP_ABORTED;
	if (bpf_xdp_adjust_head(ctx, -(int)GROWTH))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	eth = data;
	ip = data + sizeof(*eth);
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);
	if ((void *)quoted + QUOTED > end)
		return XDP_ABORTED;
	old = *(struct ethhdr *)(data + GROWTH);
	__builtin_memcpy(eth->h_dest, old.h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
	eth->h_proto = old.h_proto;

	__builtin_memset(ip, 0, GROWTH);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(GROWTH + QUOTED);
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	ip->saddr = router;
	ip->daddr = quoted->saddr;
	ip->check = fold(bpf_csum_diff(0, 0, (__be32 *)ip, sizeof(*ip), 0));
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_FRAG_NEEDED;
	icmp->un.frag.mtu = bpf_htons(mtu);
	icmp->checksum = fold(bpf_csum_diff(0, 0, (__be32 *)icmp, sizeof(*icmp) + QUOTED, 0));
	return XDP_TX;
}

SEC("xdp")
int too_big(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct ethhdr *eth = data;
	int action;

	if ((void *)ip + QUOTED > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	/* No error about an error (RFC 1122 §3.2.2), about later fragments, or to no single host. */
	if (ip->protocol == IPPROTO_ICMP || ip->frag_off & bpf_htons(0x1fff) || (ip->saddr & 0xff) == 0)
		return XDP_PASS;
	if (bpf_ntohs(ip->tot_len) <= mtu || !(ip->frag_off & bpf_htons(0x4000)))
		return XDP_PASS;
	action = answer(ctx);
	if (action == XDP_TX)
		sent++;
	else
		failed++;
	return action;
}

char _license[] SEC("license") = "Dual MIT/GPL";
