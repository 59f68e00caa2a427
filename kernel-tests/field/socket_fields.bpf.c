// SPDX-License-Identifier: MIT OR GPL-2.0
/* What TC programs ask of the socket behind a frame, and of the frame's hash after it was set or forgotten. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int socket_fields(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk, *full;

	if (!sk)
		return TC_ACT_SHOT;
	skb->mark = sk->family << 8 | sk->state;
	full = bpf_sk_fullsock(sk);
	if (!full)
		return TC_ACT_SHOT;
	skb->cb[0] = full->type;
	skb->cb[1] = full->protocol;
	skb->cb[2] = full->bound_dev_if + full->src_port + full->dst_port + full->src_ip4 + full->dst_ip4 + full->src_ip6[3] + full->dst_ip6[0];
	skb->cb[3] = full->rx_queue_mapping;
	skb->cb[4] = full->priority + full->mark;
	if (bpf_tcp_sock(sk) || bpf_get_listener_sock(sk))
		return TC_ACT_SHOT;
	skb->priority = bpf_get_socket_uid(skb);
	return TC_ACT_OK;
}

SEC("tc")
int set_hash(struct __sk_buff *skb)
{
	__u32 first, second;

	bpf_set_hash(skb, 0);
	skb->cb[0] = bpf_get_hash_recalc(skb);
	bpf_set_hash(skb, skb->len);
	skb->cb[1] = bpf_get_hash_recalc(skb);
	skb->cb[2] = skb->hash;
	bpf_set_hash_invalid(skb);
	skb->cb[3] = skb->hash;
	first = bpf_get_hash_recalc(skb);
	second = bpf_get_hash_recalc(skb);
	skb->cb[4] = first == second && first == skb->hash && first != skb->len;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
