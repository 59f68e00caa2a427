// SPDX-License-Identifier: MIT OR GPL-2.0
/* Whose a frame is: the user, the control groups, the namespace and the cookie of its socket. */
#include <linux/pkt_cls.h>
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u32);
} groups SEC(".maps");

SEC("tc")
int owners(struct __sk_buff *skb)
{
	__u8 bytes[16];
	__u64 level;

	if (bpf_skb_load_bytes(skb, 0, bytes, sizeof(bytes)))
		return TC_ACT_OK;
	level = bytes[2] & 1 ? bytes[3] & 3 : *(__u64 *)(bytes + 4) & 0xffffffff00000001;
	put(0, bpf_get_cgroup_classid(skb));
	put(1, bpf_get_route_realm(skb));
	put(2, bpf_skb_under_cgroup(skb, &groups, bytes[1]));
	put(3, bpf_skb_under_cgroup(skb, &groups, bytes[1] & 3));
	put(4, bpf_get_socket_cookie(skb));
	put(5, bpf_get_socket_cookie(skb) - bpf_get_socket_cookie(skb));
	put(6, bpf_get_socket_uid(skb));
	put(7, bpf_skb_cgroup_id(skb));
	put(8, bpf_skb_ancestor_cgroup_id(skb, level));
	put(9, bpf_get_netns_cookie(skb));
	put(10, bpf_skb_cgroup_classid(skb));
	put(15, bpf_current_task_under_cgroup(&groups, bytes[1] & 3));
	put(16, bpf_get_current_cgroup_id());
	put(17, bpf_get_current_ancestor_cgroup_id(level));
	put(11, bpf_get_netns_cookie((void *)0));
	if (bytes[0] & 1)
		put(12, bpf_skb_ecn_set_ce(skb));
	if (bytes[0] & 2) {
		put(13, bpf_skb_vlan_push(skb, bytes[2] & 2 ? bpf_htons(0x88a8) : bpf_htons(0x8100), bytes[4]));
		put(14, bpf_skb_ecn_set_ce(skb));
	}
	return bytes[0] & 4 ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("xdp")
int owners_xdp(struct xdp_md *ctx)
{
	__u8 bytes[8];

	if (bpf_xdp_load_bytes(ctx, 0, bytes, sizeof(bytes)))
		return XDP_PASS;
	put(20, bpf_current_task_under_cgroup(&groups, bytes[1] & 7));
	put(21, bpf_get_current_cgroup_id());
	put(22, bpf_get_current_ancestor_cgroup_id(bytes[2] & 3));
	return XDP_DROP;
}
