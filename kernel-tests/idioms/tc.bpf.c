// SPDX-License-Identifier: MIT OR GPL-2.0
/* Small TC programs, each an idiom of the field. */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_OFFSET ETH_HLEN
#define UDP_OFFSET (ETH_HLEN + sizeof(struct iphdr))

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} talkers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct { struct bpf_spin_lock lock; __u32 tokens; });
} bucket SEC(".maps");

SEC("tc") int direct_access(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + IP_OFFSET;

	if ((void *)(ip + 1) > end || skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	skb->mark = ip->tos;
	return ip->protocol == IPPROTO_UDP ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc") int pulled(struct __sk_buff *skb)
{
	void *data, *end;
	__u32 wanted = UDP_OFFSET + sizeof(struct udphdr);

	if (skb->len < wanted || bpf_skb_pull_data(skb, wanted))
		return TC_ACT_OK;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (data + wanted > end)
		return TC_ACT_SHOT;
	skb->priority = *(__u16 *)(data + UDP_OFFSET + 2);
	return TC_ACT_OK;
}

SEC("tc") int rewrite(struct __sk_buff *skb)
{
	__be32 before, after = bpf_htonl(0x0a000063);
	__u8 proto;

	if (skb->protocol != bpf_htons(ETH_P_IP) ||
	    bpf_skb_load_bytes(skb, IP_OFFSET + offsetof(struct iphdr, daddr), &before, 4) ||
	    bpf_skb_load_bytes(skb, IP_OFFSET + offsetof(struct iphdr, protocol), &proto, 1))
		return TC_ACT_OK;
	if (proto == IPPROTO_UDP)
		bpf_l4_csum_replace(skb, UDP_OFFSET + offsetof(struct udphdr, check), before, after,
				    BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | 4);
	bpf_l3_csum_replace(skb, IP_OFFSET + offsetof(struct iphdr, check), before, after, 4);
	bpf_skb_store_bytes(skb, IP_OFFSET + offsetof(struct iphdr, daddr), &after, 4, 0);
	return TC_ACT_OK;
}

SEC("tc") int talkers_seen(struct __sk_buff *skb)
{
	__u32 source = 0;
	__u64 one = 1, *count;

	if (bpf_skb_load_bytes(skb, IP_OFFSET + offsetof(struct iphdr, saddr), &source, sizeof(source)) < 0)
		return TC_ACT_UNSPEC;
	source &= 0xff;
	count = bpf_map_lookup_elem(&talkers, &source);
	if (count)
		skb->cb[0] = ++*count;
	else
		bpf_map_update_elem(&talkers, &source, &one, BPF_ANY);
	return TC_ACT_OK;
}

SEC("tc") int locked(struct __sk_buff *skb)
{
	__u32 key = 0, left;
	struct { struct bpf_spin_lock lock; __u32 tokens; } *found = bpf_map_lookup_elem(&bucket, &key);

	if (!found)
		return TC_ACT_SHOT;
	bpf_spin_lock(&found->lock);
	left = found->tokens++;
	bpf_spin_unlock(&found->lock);
	return left % 5 == 4 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc") int tagged(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 100 + (skb->len & 7)))
		return TC_ACT_SHOT;
	skb->mark = skb->vlan_present << 16 | skb->vlan_tci;
	return skb->len & 1 && bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc") int classified(struct __sk_buff *skb)
{
	skb->priority = skb->pkt_type << 8 | skb->tc_index;
	skb->tc_classid = skb->len;
	skb->cb[1] = skb->ingress_ifindex * 3 + skb->ifindex;
	skb->cb[2] = skb->wire_len + skb->gso_segs;
	skb->queue_mapping = skb->len & 3;
	return skb->tc_classid > 200 ? TC_ACT_STOLEN : TC_ACT_PIPE;
}

char _license[] SEC("license") = "Dual MIT/GPL";
