// SPDX-License-Identifier: MIT OR GPL-2.0
/* SYN cookies without a socket: made of a packet's own headers, right and wrong ones checked, and what is refused. */
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include "common.h"

/* Room for the longest TCP header. */
struct segment {
	struct tcphdr tcp;
	__u8 options[40];
};

static __always_inline void options(struct segment *segment, __u8 *bytes)
{
	__builtin_memcpy(&segment->tcp, bytes + 2, sizeof(segment->tcp));
	__builtin_memcpy(segment->options, bytes + 8, 40);
	/* An MSS where one is looked for, often enough. */
	if (bytes[1] & 1) {
		segment->options[0] = bytes[1] & 2 ? 2 : 1;
		segment->options[1] = bytes[1] & 4 ? 4 : 2;
		segment->options[2] = bytes[3] & 0x1f;
		if (bytes[1] & 8)
			segment->options[4] = 0;
	}
	segment->tcp.doff = bytes[0] & 0x40 ? 5 : 4 + (bytes[2] & 15);
}

static __always_inline void check4(struct iphdr *ip, struct tcphdr *tcp, __u32 cookie, __u8 *bytes)
{
	/* The answer to it; or that of somebody else. */
	tcp->seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1 + !(bytes[5] & 7));
	tcp->ack_seq = bpf_htonl(cookie + 1 + !(bytes[5] & 0x38));
	if (!(bytes[6] & 7))
		ip->saddr++;
	put(4, bpf_tcp_raw_check_syncookie_ipv4(ip, tcp));
}

static __always_inline void cookies4(__u8 *bytes)
{
	struct segment segment;
	struct iphdr ip;
	__s64 cookie;

	__builtin_memcpy(&ip, bytes + 14, sizeof(ip));
	options(&segment, bytes);
	if (bytes[7] & 1)
		cookie = bpf_tcp_raw_gen_syncookie_ipv4(&ip, &segment.tcp, segment.tcp.doff * 4);
	else
		cookie = bpf_tcp_raw_gen_syncookie_ipv4(&ip, &segment.tcp, bytes[4] & 1 ? 20 : 24);
	put(0, cookie);
	put(1, cookie < 0);
	check4(&ip, &segment.tcp, cookie, bytes);
	/* Old ones. */
	put(2, bpf_tcp_raw_check_syncookie_ipv4(&ip, &segment.tcp));
}

static __always_inline void cookies6(__u8 *bytes)
{
	struct segment segment;
	struct ipv6hdr ip;
	__s64 cookie;

	__builtin_memcpy(&ip, bytes + 14, sizeof(ip));
	options(&segment, bytes);
	if (bytes[7] & 1)
		cookie = bpf_tcp_raw_gen_syncookie_ipv6(&ip, &segment.tcp, segment.tcp.doff * 4);
	else
		cookie = bpf_tcp_raw_gen_syncookie_ipv6(&ip, &segment.tcp, sizeof(segment.tcp));
	put(8, cookie);
	segment.tcp.seq = bpf_htonl(bpf_ntohl(segment.tcp.seq) + 1);
	segment.tcp.ack_seq = bpf_htonl((__u32)cookie + 1 + !(bytes[5] & 3));
	if (!(bytes[6] & 7))
		segment.tcp.dest++;
	put(9, bpf_tcp_raw_check_syncookie_ipv6(&ip, &segment.tcp));
}

SEC("xdp")
int syncookies_xdp(struct xdp_md *ctx)
{
	__u8 bytes[60];

	if (bpf_xdp_load_bytes(ctx, 0, bytes, sizeof(bytes)))
		return XDP_PASS;
	if (bytes[0] & 1)
		cookies4(bytes);
	else
		cookies6(bytes);
	return XDP_TX;
}

/* Of the packet itself, and of sockets that do not listen. */
SEC("tc")
int syncookies_tc(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct tcphdr *tcp = data + 34;
	struct iphdr *ip = data + 14;
	struct bpf_sock *sk = skb->sk;

	if (data + 34 + 20 > end || !sk)
		return TC_ACT_OK;
	put(16, bpf_tcp_raw_gen_syncookie_ipv4(ip, tcp, sizeof(*tcp)));
	put(17, bpf_tcp_raw_check_syncookie_ipv4(ip, tcp));
	put(18, bpf_tcp_gen_syncookie(sk, ip, sizeof(*ip), tcp, sizeof(*tcp)));
	put(19, bpf_tcp_check_syncookie(sk, ip, sizeof(*ip), tcp, sizeof(*tcp)));
	put(20, bpf_tcp_check_syncookie(sk, ip, 1, tcp, 1));
	return TC_ACT_SHOT;
}
