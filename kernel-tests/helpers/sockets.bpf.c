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
	if (bytes[0] & 4)
		return use(bpf_sk_lookup_udp(ctx, data + 26, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0));
	sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	put(2, sk != 0);
	if (sk)
		bpf_sk_release(sk);
	return XDP_PASS;
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
