// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * What a tunnel device has left with a frame, in every size that the structure has had and in others, with any flags: before and
 * after the program states a key of its own.
 */
#include <linux/pkt_cls.h>
#include "../helpers/common.h"

static __always_inline void show_key(struct __sk_buff *skb, __u32 slot, __u8 choice, __u64 flags)
{
	struct bpf_tunnel_key key;
	__u64 *words = (void *)&key;
	long r;
	int i;

	__builtin_memset(&key, 0xff, sizeof(key));
	switch (choice & 7) {
	case 0:
		r = bpf_skb_get_tunnel_key(skb, &key, 8, flags);
		break;
	case 1:
		r = bpf_skb_get_tunnel_key(skb, &key, 22, flags);
		break;
	case 2:
		r = bpf_skb_get_tunnel_key(skb, &key, 24, flags);
		break;
	case 3:
		r = bpf_skb_get_tunnel_key(skb, &key, 28, flags);
		break;
	case 4:
		r = bpf_skb_get_tunnel_key(skb, &key, 40, flags);
		break;
	default:
		r = bpf_skb_get_tunnel_key(skb, &key, 44, flags);
	}
	put(slot, r);
	for (i = 0; i < 5; i++)
		put(slot + 1 + i, words[i]);
	put(slot + 6, *(__u32 *)&words[5]);
}

static __always_inline void show_options(struct __sk_buff *skb, __u32 slot, __u8 choice)
{
	__u8 options[256];
	__u64 *words = (void *)options;
	long r;
	int i;

	__builtin_memset(options, 0xff, sizeof(options));
	if (choice & 1)
		r = bpf_skb_get_tunnel_opt(skb, options, 4);
	else if (choice & 2)
		r = bpf_skb_get_tunnel_opt(skb, options, 7);
	else
		r = bpf_skb_get_tunnel_opt(skb, options, 253);
	put(slot, r);
	for (i = 0; i < 32; i++)
		put(slot + 1, words[i]);
}

SEC("tc")
int given(struct __sk_buff *skb)
{
	__u8 bytes[16];
	struct bpf_tunnel_key own = { .tunnel_id = 7, .remote_ipv4 = 0x0a000001 };
	__u64 flags;

	if (bpf_skb_load_bytes(skb, 0, bytes, sizeof(bytes)))
		return TC_ACT_OK;
	/* Both known flags; now and then one that is not. */
	flags = (bytes[0] & 1) | (bytes[0] & 2) << 3;
	if ((bytes[0] & 0xf0) == 0)
		flags |= 1ULL << (bytes[1] & 63);
	show_key(skb, 0, bytes[2], flags);
	show_options(skb, 8, bytes[3]);
	if (bytes[4] & 1)
		bpf_set_hash(skb, bytes[5]);
	if ((bytes[4] & 6) == 2)
		put(10, bpf_skb_set_tunnel_key(skb, &own, sizeof(own), bytes[5] & 0x1f));
	show_key(skb, 11, bytes[6], flags);
	show_options(skb, 20, bytes[7]);
	return TC_ACT_OK;
}
