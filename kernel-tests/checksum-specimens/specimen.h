/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What the specimens share: one source for XDP and TC (-DTC), right and faulty (-DFAULTY), and everything right that
 * is not the subject of one of them.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifdef TC
#define PROGRAM SEC("tc")
#define CONTEXT struct __sk_buff
#define PASS TC_ACT_OK
#define DROP TC_ACT_SHOT
#define RESIZE(ctx, by) bpf_skb_change_tail(ctx, (ctx)->len + (by), 0)
#else
#define PROGRAM SEC("xdp")
#define CONTEXT struct xdp_md
#define PASS XDP_PASS
#define DROP XDP_DROP
#define RESIZE(ctx, by) bpf_xdp_adjust_tail(ctx, by)
#endif

#define INLINE static __always_inline

char _license[] SEC("license") = "Dual MIT/GPL";

struct packet {
	void *data;
	void *end;
	struct iphdr *ip;
	struct ipv6hdr *ip6;
	/* Behind the IP header, 8 bytes are there. */
	void *l4;
	/* Of the IP payload, by the IP header's account. */
	__u32 length;
};

INLINE __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 1624 equation 3. */
INLINE __u16 update(__u16 checksum, __u16 from, __u16 to)
{
	return ~fold((__u16)~checksum + (__u32)(__u16)~from + to);
}

INLINE __u16 update32(__u16 checksum, __u32 from, __u32 to)
{
	return update(update(checksum, from, to), from >> 16, to >> 16);
}

/* 0 says that there is none, and stays; a computed 0 is sent as 0xffff (RFC 768). */
INLINE __u16 update_udp(__u16 checksum, __u16 from, __u16 to)
{
	__u16 updated = update(checksum, from, to);

	return checksum == 0 ? 0 : updated == 0 ? 0xffff : updated;
}

/* A whole IPv4 packet without options of this protocol, 0 for any. */
INLINE int parse_ipv4(CONTEXT *ctx, struct packet *packet, __u8 protocol)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	packet->data = eth;
	packet->end = (void *)(long)ctx->data_end;
	packet->ip = ip;
	packet->l4 = ip + 1;
	if (packet->l4 + 8 > packet->end || eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	if (ip->ihl != 5 || ip->version != 4 || (ip->frag_off & bpf_htons(0x3fff)))
		return 0;
	packet->length = bpf_ntohs(ip->tot_len) - sizeof(*ip);
	if (bpf_ntohs(ip->tot_len) < sizeof(*ip) + 8)
		return 0;
	return protocol == 0 || ip->protocol == protocol;
}

/* The same for IPv6 without extension headers. */
INLINE int parse_ipv6(CONTEXT *ctx, struct packet *packet, __u8 protocol)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	packet->data = eth;
	packet->end = (void *)(long)ctx->data_end;
	packet->ip6 = ip6;
	packet->l4 = ip6 + 1;
	if (packet->l4 + 8 > packet->end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return 0;
	packet->length = bpf_ntohs(ip6->payload_len);
	return ip6->version == 6 && ip6->nexthdr == protocol && packet->length >= 8;
}

/* Does the frame end where the packet does, by all accounts? Only then may its tail be moved. */
INLINE int ends_with_frame(struct packet *packet)
{
	return packet->l4 + packet->length == packet->end;
}
