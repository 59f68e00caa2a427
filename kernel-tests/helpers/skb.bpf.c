// SPDX-License-Identifier: MIT OR GPL-2.0
/* The helpers of TC programs, and the fields of __sk_buff before and after. */
#include <linux/pkt_cls.h>
#include "common.h"

/* Younger than the headers that we compile against. */
#define DECAP_L3_IPV4 (1ULL << 7)
#define DECAP_L3_IPV6 (1ULL << 8)

static __always_inline void fields(struct __sk_buff *skb)
{
	put(40, skb->len);
	put(41, skb->protocol);
	put(42, skb->pkt_type);
	put(43, skb->vlan_present);
	put(44, skb->ifindex);
	put(45, skb->ingress_ifindex);
	put(46, skb->queue_mapping);
	put(47, skb->tc_index);
	put(48, skb->gso_segs);
	put(49, skb->gso_size);
	put(50, skb->wire_len);
	put(51, skb->mark + skb->priority + skb->tc_classid + skb->napi_id + skb->vlan_tci + skb->vlan_proto);
	put(52, skb->data_end - skb->data);
	put(53, skb->data - skb->data_meta);
	put(39, skb->tstamp + skb->hwtstamp + skb->tstamp_type);
}

static __always_inline long room(struct __sk_buff *skb, __u8 which, __u8 a, __u8 c)
{
	long r;

	switch (which) {
	case 15:
		return bpf_skb_adjust_room(skb, (int)a - 128, c & 1, 0);
	case 16:
		return bpf_skb_adjust_room(skb, a, BPF_ADJ_ROOM_MAC,
					   BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | (c & 1 ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0));
	case 17:
		r = bpf_skb_adjust_room(skb, a, BPF_ADJ_ROOM_MAC,
					BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 | BPF_F_ADJ_ROOM_ENCAP_L4_GRE |
						BPF_F_ADJ_ROOM_ENCAP_L2(c & 15));
		return r + 1000 * bpf_skb_adjust_room(skb, 20, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4);
	default:
		return bpf_skb_adjust_room(skb, -(int)a, BPF_ADJ_ROOM_MAC, c & 1 ? DECAP_L3_IPV4 : DECAP_L3_IPV6);
	}
}

static __always_inline long vlan(struct __sk_buff *skb, __u8 which, __u8 a, __u8 c)
{
	long r;

	switch (which) {
	case 10:
		return bpf_skb_vlan_push(skb, bpf_htons(c & 1 ? 0x8100 : c & 2 ? 0x88a8 : 0x1234), a * 16);
	case 11:
		return bpf_skb_vlan_pop(skb);
	default:
		r = bpf_skb_vlan_push(skb, bpf_htons(0x8100), 5);
		r += 100 * bpf_skb_vlan_push(skb, bpf_htons(0x88a8), 6);
		if (which == 13)
			r += 10000 * bpf_skb_vlan_pop(skb);
		return r;
	}
}

static __always_inline long write_fields(struct __sk_buff *skb, __u8 a, __u8 c)
{
	skb->mark = a;
	skb->priority = c;
	skb->cb[2] = a * 3;
	skb->tc_index = a * 1000;
	skb->queue_mapping = c * 1000;
	skb->tc_classid = a * 0x1234567;
	return skb->tc_index + 3ull * skb->queue_mapping + 5ull * skb->tc_classid;
}

static __always_inline long direct(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	long r = 0;

	if (data + 20 <= end) {
		*(__u8 *)(data + 19) = 7;
		r = *(__u8 *)(data + 18);
	}
	skb->tstamp = 5;
	return r + skb->tstamp_type;
}

SEC("tc")
int skb(struct __sk_buff *skb)
{
	__u8 bytes[16] = {};
	__u8 which, a, c;
	__u32 mtu;
	long r;

	if (bpf_skb_load_bytes(skb, 0, bytes, 16)) {
		put(63, 1);
		return TC_ACT_OK;
	}
	fields(skb);
	which = bytes[1] & 31;
	a = bytes[2];
	c = bytes[3];
	switch (which) {
	case 0:
		r = bpf_skb_store_bytes(skb, a, bytes, 16, c & 3);
		break;
	case 1:
		r = bpf_skb_store_bytes(skb, a, bytes, 5, c & 7);
		break;
	case 2:
		r = bpf_l3_csum_replace(skb, a, c & 1 ? 0 : a, 0x1234, 0);
		break;
	case 3:
		r = bpf_l3_csum_replace(skb, a, a * 257, c * 300, 2);
		break;
	case 4:
		r = bpf_l3_csum_replace(skb, a, a * 0x10204081u, c * 0x01020f07u, 4);
		break;
	case 5:
		r = bpf_l4_csum_replace(skb, a, a * 0x10204081u, c * 0x01020f07u, 4 | (c & 0x70));
		break;
	case 6:
		r = bpf_l4_csum_replace(skb, a & ~1, a * 257, c * 333, 2 | (c & 0x70));
		break;
	case 7:
		r = bpf_l4_csum_replace(skb, a & ~1, 0, c * 333, c & 0x7f);
		break;
	case 8:
		r = bpf_skb_change_tail(skb, a * 8, c == 1);
		break;
	case 9:
		r = bpf_skb_change_head(skb, a, c == 1);
		break;
	case 10:
	case 11:
	case 12:
	case 13:
		r = vlan(skb, which, a, c);
		break;
	case 14:
		r = bpf_skb_change_proto(
			skb, skb->protocol == bpf_htons(ETH_P_IP) ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP), c == 1);
		break;
	case 15:
	case 16:
	case 17:
	case 18:
		r = room(skb, which, a, c);
		break;
	case 19:
		r = bpf_skb_pull_data(skb, a * 4);
		break;
	case 20:
		r = bpf_skb_load_bytes_relative(skb, a, bytes, 9, c & 3);
		put(60, bytes[0] + bytes[8]);
		break;
	case 21:
		r = bpf_skb_change_type(skb, a & 7);
		break;
	case 22:
		bpf_set_hash(skb, a * 77777);
		r = skb->hash;
		bpf_set_hash_invalid(skb);
		r += skb->hash;
		break;
	case 23:
		r = bpf_csum_update(skb, a) + 1000 * bpf_csum_level(skb, c & 7);
		break;
	case 24:
		r = bpf_skb_ecn_set_ce(skb);
		break;
	case 25:
		r = write_fields(skb, a, c);
		break;
	case 26:
		r = bpf_redirect(1, c & 3);
		if (c < 128)
			return r;
		break;
	case 27:
		r = bpf_skb_set_tstamp(skb, a & 1 ? 0x123456789ull : 0, c & 3);
		put(61, skb->tstamp);
		put(62, skb->tstamp_type);
		break;
	case 28:
		mtu = a & 1 ? 0 : c * 300;
		r = bpf_check_mtu(skb, c & 1 ? 0 : 1, &mtu, a * 300, c & 4 ? 1 : 0);
		put(59, mtu);
		break;
	case 29:
		r = bpf_get_route_realm(skb) + bpf_get_cgroup_classid(skb);
		break;
	case 30:
		r = bpf_clone_redirect(skb, 99, 0);
		break;
	default:
		r = direct(skb);
	}
	put(which, r);
	put(54, skb->len);
	put(55, skb->protocol);
	put(56, skb->vlan_present * 7 + skb->vlan_tci * 11 + skb->vlan_proto * 13);
	put(57, skb->data_end - skb->data);
	put(58, skb->pkt_type + 100 * skb->wire_len);
	return TC_ACT_OK;
}
