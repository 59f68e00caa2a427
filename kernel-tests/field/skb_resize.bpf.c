// SPDX-License-Identifier: MIT OR GPL-2.0
/* Frames that grow and shrink at TC: a tunnel header between the layers, a trailer, a link header in front. */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_LENGTH 1400
#define ETH_P_TEB 0x6558

static __always_inline __u16 header_checksum(struct iphdr *ip)
{
	__u32 sum = bpf_csum_diff(0, 0, (__be32 *)ip, sizeof(*ip), 0);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* IP in IP with bpf_skb_adjust_room: the kernel moves the Ethernet header by itself. */
SEC("tc")
int room_encap(struct __sk_buff *skb)
{
	struct iphdr ip;

	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->len > MAX_LENGTH)
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.ihl < 5)
		return TC_ACT_OK;
	if (bpf_skb_adjust_room(skb, sizeof(ip), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4))
		return TC_ACT_SHOT;
	ip.tot_len = bpf_htons(bpf_ntohs(ip.tot_len) + sizeof(ip));
	ip.ihl = 5;
	/* A fragment inside is a whole packet to the tunnel. */
	ip.frag_off &= bpf_htons(0x4000);
	ip.protocol = IPPROTO_IPIP;
	ip.check = 0;
	ip.check = header_checksum(&ip);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_INVALIDATE_HASH))
		return TC_ACT_SHOT;
	skb->mark = skb->len;
	return TC_ACT_OK;
}

SEC("tc")
int room_decap(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	int shrink;

	if (skb->protocol != bpf_htons(ETH_P_IP) || (void *)(ip + 1) > end || ip->ihl != 5)
		return TC_ACT_OK;
	shrink = ip->protocol == IPPROTO_IPIP ? sizeof(*ip) : ip->protocol == IPPROTO_GRE ? 4 : 0;
	if (!shrink)
		return TC_ACT_OK;
	skb->cb[0] = bpf_skb_adjust_room(skb, -shrink, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
	skb->mark = skb->len;
	return TC_ACT_OK;
}

/* A trailer of four bytes: taken off where the mark is there, put on where it is not. */
SEC("tc")
int trailer(struct __sk_buff *skb)
{
	__u32 length = skb->len, word = 0, mark = bpf_htonl(0x74726c72);

	if (length < 60 || length > MAX_LENGTH)
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, length - sizeof(word), &word, sizeof(word)))
		return TC_ACT_SHOT;
	if (word == mark)
		return bpf_skb_change_tail(skb, length - sizeof(word), 0) ? TC_ACT_SHOT : TC_ACT_OK;
	if (bpf_skb_change_tail(skb, length + sizeof(mark), 0))
		return TC_ACT_SHOT;
	skb->cb[0] = skb->len;
	return bpf_skb_store_bytes(skb, length, &mark, sizeof(mark), 0) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* A second Ethernet header in front of the first. */
SEC("tc")
int link_header(struct __sk_buff *skb)
{
	struct ethhdr *eth;

	if (skb->len > MAX_LENGTH || skb->protocol != bpf_htons(ETH_P_ARP))
		return TC_ACT_OK;
	if (bpf_skb_change_head(skb, sizeof(*eth), 0))
		return TC_ACT_SHOT;
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	__builtin_memset(eth, 0xee, 2 * ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_TEB);
	skb->cb[1] = skb->len;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
