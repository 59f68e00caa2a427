// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Every field of __sk_buff that a TC program may read, and every one that it may write, with what the frame came with and
 * with what its bytes say; and what helpers do to a frame that is to be cut into segments (gso_size).
 */
#include <linux/pkt_cls.h>
#include "../helpers/common.h"

static __always_inline void read_all(struct __sk_buff *skb, __u32 slot)
{
	put(slot, skb->len);
	put(slot, skb->pkt_type);
	put(slot, skb->mark);
	put(slot + 1, skb->queue_mapping);
	put(slot + 1, skb->protocol);
	put(slot + 1, skb->vlan_present + skb->vlan_tci + skb->vlan_proto);
	put(slot + 2, skb->priority);
	put(slot + 2, skb->ingress_ifindex);
	put(slot + 2, skb->ifindex);
	put(slot + 3, skb->tc_index);
	put(slot + 3, skb->tc_classid);
	put(slot + 3, skb->hash);
	put(slot + 4, skb->napi_id);
	put(slot + 4, skb->tstamp);
	put(slot + 4, skb->hwtstamp);
	put(slot + 5, skb->wire_len);
	put(slot + 5, skb->gso_segs);
	put(slot + 5, skb->gso_size);
	put(slot + 6, skb->cb[0]);
	put(slot + 6, skb->cb[1]);
	put(slot + 6, skb->cb[4]);
	put(slot + 7, *(volatile __u8 *)&skb->mark);
	put(slot + 7, *((volatile __u16 *)&skb->cb[2] + 1));
	put(slot + 7, *(volatile __u8 *)&skb->gso_size);
}

SEC("tc")
int fields(struct __sk_buff *skb)
{
	__u8 bytes[40] __attribute__((aligned(8)));

	read_all(skb, 0);
	if (bpf_skb_load_bytes(skb, 14, bytes, sizeof(bytes)))
		return TC_ACT_SHOT;
	switch (bytes[2] & 7) {
	case 0:
		skb->mark = *(__u32 *)bytes;
		break;
	case 1:
		skb->queue_mapping = *(__u32 *)bytes >> (bytes[4] & 31);
		break;
	case 2:
		skb->priority = *(__u32 *)(bytes + 4);
		break;
	case 3:
		skb->tc_index = *(__u32 *)(bytes + 8);
		break;
	case 4:
		skb->tc_classid = *(__u32 *)(bytes + 12);
		break;
	case 5:
		skb->tstamp = *(__u64 *)(bytes + 16);
		break;
	case 6:
		skb->cb[2] = *(__u32 *)(bytes + 24);
		skb->cb[4] = skb->mark;
		break;
	default:
		skb->queue_mapping = 65533 + (bytes[3] & 3);
	}
	read_all(skb, 8);
	return TC_ACT_OK;
}

int to_itself(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int (void *));
} itself SEC(".maps") = { .values = { [0] = (void *)&to_itself } };

static __noinline int called(struct __sk_buff *skb, int more)
{
	return skb->tc_index + more;
}

/* As many tail calls as there are, whatever the frame comes with; and a function of its own. */
SEC("tc")
int to_itself(struct __sk_buff *skb)
{
	put(60, called(skb, skb->vlan_tci));
	skb->cb[3]++;
	bpf_tail_call(skb, &itself, 0);
	return TC_ACT_OK;
}

/* What depends on whether a frame is to be cut into segments. */
SEC("tc")
int segments(struct __sk_buff *skb)
{
	__u8 bytes[20];
	__u32 mtu = 0, length = skb->len;
	long r;

	put(40, skb->gso_size);
	if (bpf_skb_load_bytes(skb, 14, bytes, sizeof(bytes)))
		return TC_ACT_SHOT;
	switch (bytes[2] & 15) {
	case 0:
		r = bpf_skb_change_tail(skb, length - (bytes[3] & 15), 0);
		break;
	case 1:
		r = bpf_skb_change_head(skb, bytes[3] & 63, 0);
		break;
	case 2:
		r = bpf_skb_change_proto(skb, skb->protocol == bpf_htons(ETH_P_IP) ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP), 0);
		break;
	case 3:
		r = bpf_skb_adjust_room(skb, 4 * (bytes[3] & 15), bytes[4] & 1, 0);
		break;
	case 4:
		r = bpf_skb_adjust_room(skb, -4 * (bytes[3] & 3), bytes[4] & 1, BPF_F_ADJ_ROOM_FIXED_GSO);
		break;
	case 5:
		r = bpf_skb_adjust_room(skb, 8, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP);
		break;
	case 6:
		mtu = bytes[3] & 1 ? 0 : 1500 + bytes[3];
		r = bpf_check_mtu(skb, 0, &mtu, (int)bytes[4] * 300, 0);
		put(41, mtu);
		break;
	case 7:
		r = bpf_check_mtu(skb, 0, &mtu, 0, BPF_MTU_CHK_SEGS);
		put(41, mtu);
		break;
	case 8:
		r = bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 7);
		break;
	case 9:
		r = bpf_clone_redirect(skb, 1, 0);
		break;
	case 10:
		r = bpf_skb_change_head(skb, bytes[3] & 1 ? 1 << 15 : 16064 - length + (bytes[4] & 1), 0);
		break;
	case 11:
		r = bpf_skb_pull_data(skb, length);
		break;
	case 12:
		r = bpf_skb_vlan_pop(skb);
		break;
	case 13:
		if (bytes[3] & 1)
			bpf_set_hash_invalid(skb);
		r = bpf_get_hash_recalc(skb);
		break;
	default:
		r = bpf_skb_change_tail(skb, bytes[3] & 1 ? length + 40 : 16060 + (bytes[3] & 7), 0);
	}
	put(42 + (bytes[2] & 15), r);
	read_all(skb, 16);
	return TC_ACT_OK;
}
