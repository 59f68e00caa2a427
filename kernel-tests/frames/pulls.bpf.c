// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Of a frame whose payload lies in pages of its own: how much of it is between data and data_end, and what each helper
 * makes of that. The first TCP segment with so much payload is used up; all else passes.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include "../helpers/common.h"

#define LONG_ENOUGH 300

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} steps SEC(".maps");

static __always_inline void note(__u32 step, __u32 value)
{
	__u32 *slot = bpf_map_lookup_elem(&steps, &step);

	if (slot)
		*slot = value;
}

static __always_inline __u32 linear_of(struct __sk_buff *skb)
{
	long end = (long)skb->data_end, data = (long)skb->data;

	/* As the compiler sees it, 32 bits would be enough; the verifier wants both pointers whole. */
	asm volatile("%0 -= %1" : "+r"(end) : "r"(data));
	return end;
}

/* Bytes between data and data_end, and what the helper before returned. */
static __always_inline void noted(struct __sk_buff *skb, __u32 step, long result)
{
	note(2 * step, linear_of(skb));
	note(2 * step + 1, (__u32)result);
}

static __always_inline int use_up(struct __sk_buff *skb)
{
	__u32 zero = 0, linear = linear_of(skb);
	__u32 *before = bpf_map_lookup_elem(&steps, &zero);
	__u8 bytes[16] = {};
	struct bpf_dynptr frame;
	long r;

	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->len < LONG_ENOUGH || !before || *before)
		return TC_ACT_OK;
	noted(skb, 0, skb->len);
	r = bpf_skb_load_bytes(skb, skb->len - 16, bytes, 16);
	noted(skb, 1, r);
	r = bpf_skb_pull_data(skb, 0);
	noted(skb, 2, r);
	r = bpf_skb_pull_data(skb, linear + 3);
	noted(skb, 3, r);
	r = bpf_skb_pull_data(skb, skb->len + 1);
	noted(skb, 4, r);
	r = bpf_skb_store_bytes(skb, linear + 8, bytes, 4, 0);
	noted(skb, 5, r);
	r = bpf_l4_csum_replace(skb, linear + 20, 1, 2, 2);
	noted(skb, 6, r);
	r = bpf_l3_csum_replace(skb, 24, 1, 2, 2);
	noted(skb, 7, r);
	r = bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 7);
	noted(skb, 8, r);
	r = bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 8);
	noted(skb, 9, r);
	r = bpf_skb_vlan_pop(skb);
	noted(skb, 10, r);
	r = bpf_skb_vlan_pop(skb);
	noted(skb, 11, r);
	r = bpf_skb_adjust_room(skb, 16, BPF_ADJ_ROOM_NET, 0);
	noted(skb, 12, r);
	r = bpf_skb_adjust_room(skb, -12, BPF_ADJ_ROOM_NET, 0);
	noted(skb, 13, r);
	r = bpf_skb_adjust_room(skb, -96, BPF_ADJ_ROOM_NET, 0);
	noted(skb, 14, r);
	r = bpf_skb_change_head(skb, 8, 0);
	noted(skb, 15, r);
	r = bpf_skb_ecn_set_ce(skb);
	noted(skb, 16, r);
	if (bpf_dynptr_from_skb(skb, 0, &frame))
		return TC_ACT_SHOT;
	noted(skb, 17, bpf_dynptr_slice(&frame, 30, 0, 4) ? 1 : 0);
	noted(skb, 18, bpf_dynptr_slice(&frame, linear_of(skb) - 2, 0, 4) ? 1 : 0);
	noted(skb, 19, bpf_dynptr_slice(&frame, skb->len - 20, bytes, 4) == bytes ? 1 : 0);
	r = bpf_dynptr_write(&frame, linear_of(skb) + 2, bytes, 4, 0);
	noted(skb, 20, r);
	r = bpf_skb_change_tail(skb, skb->len - 4, 0);
	noted(skb, 21, r);
	return TC_ACT_SHOT;
}

SEC("tc/egress")
int goes_out(struct __sk_buff *skb)
{
	return use_up(skb);
}

SEC("tc/ingress")
int comes_in(struct __sk_buff *skb)
{
	return use_up(skb);
}
