// SPDX-License-Identifier: MIT OR GPL-2.0
/* Payload that lies in pages of its own: of TCP from a local socket, nothing but headers is between data and data_end. */
#include <linux/tcp.h>
#include "common.h"

/* No POST to a web server. */
PROGRAM int posts_dropped(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	char *method;

	IF_RIGHT(bpf_skb_pull_data(ctx, ctx->len);)
	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_TCP)
		return PASS;
	if (packet.ip->frag_off & bpf_htons(0x3fff))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end || tcp->doff < 5)
		return PASS;
	method = (char *)tcp + tcp->doff * 4;
	if ((void *)(method + 4) > packet.end)
		return PASS;
	return method[0] == 'P' && method[1] == 'O' && method[2] == 'S' && method[3] == 'T' ? DROP : PASS;
}

#ifdef TC
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *frame) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *frame, __u32 offset, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *frame, __u32 offset, void *buffer, __u32 size) __ksym;

/* IPv6 with the hop limit of a new packet. */
PROGRAM int slice_kept(CONTEXT *ctx)
{
	struct bpf_dynptr frame;
	struct ethhdr buffer, *eth;
	struct ipv6hdr copy, *ip;

	if (bpf_dynptr_from_skb(ctx, 0, &frame))
		return PASS;
	eth = bpf_dynptr_slice(&frame, 0, &buffer, sizeof(buffer));
	if (!eth || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return PASS;
	ip = bpf_dynptr_slice_rdwr(&frame, sizeof(*eth), &copy, sizeof(copy));
	if (!ip)
		return PASS;
	ip->hop_limit = 64;
	IF_RIGHT(if (ip == &copy) bpf_dynptr_write(&frame, sizeof(*eth), &copy, sizeof(copy), 0);)
	return PASS;
}
#endif
