// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Writes what a tunnel device has left with a frame into its bytes, and sends it out of the device that it names: flags in byte 14,
 * ifindex from 16 on, what is shown from 20 on.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct seen {
	__s32 key_result;
	struct bpf_tunnel_key key;
	__s32 options_result;
	__u8 options[8];
	__s32 set_result;
};

SEC("tc")
int show(struct __sk_buff *skb)
{
	struct seen seen = {};
	__u8 flags;
	__u32 out;

	if (bpf_skb_load_bytes(skb, 14, &flags, 1) || bpf_skb_load_bytes(skb, 16, &out, 4))
		return TC_ACT_SHOT;
	seen.key_result = bpf_skb_get_tunnel_key(skb, &seen.key, sizeof(seen.key), flags);
	seen.options_result = bpf_skb_get_tunnel_opt(skb, seen.options, sizeof(seen.options));
	seen.set_result = bpf_skb_set_tunnel_opt(skb, seen.options, 4);
	if (bpf_skb_store_bytes(skb, 20, &seen, sizeof(seen), 0))
		return TC_ACT_SHOT;
	return bpf_redirect(out, 0);
}
