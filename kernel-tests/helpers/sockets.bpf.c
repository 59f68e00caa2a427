// SPDX-License-Identifier: MIT OR GPL-2.0
/* Lookups of sockets where there are none, as programs with listeners and connections do them. */
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include "common.h"

static __always_inline void connection(struct bpf_sock_tuple *tuple, __u8 *bytes)
{
	__builtin_memcpy(tuple, bytes + 26, sizeof(tuple->ipv6));
}

/* What a program does with a socket that it found: the verifier wants it released on every way. */
static __always_inline int use(struct bpf_sock *sk)
{
	put(0, sk != 0);
	if (!sk)
		return XDP_DROP;
	put(1, sk->state);
	bpf_sk_release(sk);
	return XDP_TX;
}

SEC("xdp")
int sockets_xdp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct bpf_sock_tuple tuple;
	struct bpf_sock *sk;
	__u8 *bytes = data;

	if (data + 26 + sizeof(tuple.ipv6) > end)
		return XDP_PASS;
	connection(&tuple, bytes);
	if (bytes[0] & 1)
		return use(bpf_sk_lookup_tcp(ctx, &tuple, bytes[0] & 2 ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6),
					     bytes[1] & 1 ? BPF_F_CURRENT_NETNS : bytes[2], bytes[1] & 2));
	/* No size, and one that no tuple has; other namespaces, and numbers that are none. */
	if (bytes[0] & 8)
		return use(bpf_sk_lookup_tcp(ctx, &tuple, 0, BPF_F_CURRENT_NETNS, 0));
	if (bytes[0] & 16)
		return use(bpf_sk_lookup_udp(ctx, &tuple, bytes[3] & 31, *(__u64 *)(bytes + 4), 0));
	if (bytes[0] & 4)
		return use(bpf_sk_lookup_udp(ctx, data + 26, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0));
	sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	put(2, sk != 0);
	if (sk)
		bpf_sk_release(sk);
	return XDP_PASS;
}

/* The socket of the frame in every form that it may be asked for. */
SEC("tc")
int sockets_forms(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk, *full;

	if (!sk)
		return TC_ACT_OK;
	full = bpf_sk_fullsock(sk);
	put(8, full != 0);
	put(9, bpf_tcp_sock(sk) != 0);
	put(10, bpf_get_listener_sock(sk) != 0);
	put(11, bpf_skc_to_tcp_sock(sk) != 0);
	put(12, bpf_skc_to_tcp6_sock(sk) != 0);
	put(13, bpf_skc_to_tcp_timewait_sock(sk) != 0);
	put(14, bpf_skc_to_tcp_request_sock(sk) != 0);
	put(15, bpf_skc_to_udp6_sock(sk) != 0);
	put(16, bpf_skc_to_unix_sock(sk) != 0);
	put(17, bpf_skc_to_mptcp_sock(sk) != 0);
	put(18, bpf_sk_assign(skb, sk, skb->len & 1 ? 0 : skb->len));
	put(19, bpf_sk_assign(skb, sk, (__u64)skb->len << 32));
	if (full)
		put(20, bpf_skc_to_tcp_sock(full) != 0);
	return TC_ACT_SHOT;
}

SEC("tc")
int sockets_tc(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple;
	struct tcphdr tcp = { .doff = 5 };
	struct iphdr ip = { .version = 4, .ihl = 5 };
	__u8 bytes[64];
	struct bpf_sock *sk;

	if (bpf_skb_load_bytes(skb, 0, bytes, sizeof(bytes)))
		return TC_ACT_OK;
	connection(&tuple, bytes);
	sk = bpf_skc_lookup_tcp(skb, &tuple, bytes[0] & 1 ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6),
				BPF_F_CURRENT_NETNS, 0);
	put(3, sk != 0);
	if (sk) {
		put(6, bpf_tcp_check_syncookie(sk, &ip, sizeof(ip), &tcp, sizeof(tcp)));
		put(4, bpf_tcp_gen_syncookie(sk, &ip, sizeof(ip), &tcp, sizeof(tcp)));
		put(5, bpf_sk_assign(skb, sk, 0));
		bpf_sk_release(sk);
		return TC_ACT_SHOT;
	}
	return TC_ACT_OK;
}
