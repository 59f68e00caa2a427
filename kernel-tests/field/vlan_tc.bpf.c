// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * VLAN tags at TC, by bpf_skb_vlan_push and bpf_skb_vlan_pop. The first tag lies beside the frame where a device took it
 * off, and in the frame where none did.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u16);
	__type(value, __u64);
} by_vlan SEC(".maps");

static __always_inline void count(__u16 vid)
{
	__u64 one = 1, *known = bpf_map_lookup_elem(&by_vlan, &vid);

	if (known)
		__sync_fetch_and_add(known, 1);
	else
		bpf_map_update_elem(&by_vlan, &vid, &one, BPF_NOEXIST);
}

SEC("tc")
int vlan_pop(struct __sk_buff *skb)
{
	__be16 tci = bpf_htons(skb->vlan_tci);

	if (!skb->vlan_present) {
		if (skb->protocol != bpf_htons(ETH_P_8021Q) && skb->protocol != bpf_htons(ETH_P_8021AD))
			return TC_ACT_OK;
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &tci, sizeof(tci)))
			return TC_ACT_SHOT;
	}
	count(bpf_ntohs(tci) & 0xfff);
	skb->mark = bpf_ntohs(tci);
	skb->priority = bpf_ntohs(tci) >> 13;
	skb->cb[0] = bpf_ntohs(skb->vlan_proto);
	if (bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	/* With two tags, the second one is the first now. */
	skb->cb[1] = skb->vlan_present;
	skb->cb[2] = skb->vlan_tci;
	skb->cb[3] = bpf_ntohs(skb->protocol);
	skb->cb[4] = skb->len;
	return TC_ACT_OK;
}

SEC("tc")
int vlan_push(struct __sk_buff *skb)
{
	__u16 tci = 42 | (skb->len & 7) << 13;

	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return TC_ACT_OK;
	/* Twice: the first tag moves into the frame when the second one comes. */
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tci))
		return TC_ACT_SHOT;
	if (skb->len & 1 && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), 7))
		return TC_ACT_SHOT;
	count(skb->vlan_tci & 0xfff);
	skb->cb[0] = skb->vlan_present;
	skb->cb[1] = bpf_ntohs(skb->vlan_proto);
	skb->cb[2] = bpf_ntohs(skb->protocol);
	skb->cb[3] = skb->len;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
