// SPDX-License-Identifier: MIT OR GPL-2.0
/* What a TC program tells a tunnel device, and reads back. */
#include <linux/pkt_cls.h>
#include "common.h"

#define TUNINFO_FLAGS (1ULL << 4)

static __always_inline void read_back(struct __sk_buff *skb, __u8 choice)
{
	struct bpf_tunnel_key key;
	__u64 *words = (void *)&key;
	__u8 options[16];
	__u32 size = 44;
	long r;
	int i;

	__builtin_memset(&key, 0xff, sizeof(key));
	__builtin_memset(options, 0xff, sizeof(options));
	switch (choice & 7) {
	case 0:
		r = bpf_skb_get_tunnel_key(skb, &key, 8, choice >> 7);
		break;
	case 1:
		r = bpf_skb_get_tunnel_key(skb, &key, 22, choice >> 7);
		break;
	case 2:
		r = bpf_skb_get_tunnel_key(skb, &key, 28, choice >> 7);
		break;
	case 3:
		r = bpf_skb_get_tunnel_key(skb, &key, 30, choice >> 7);
		break;
	case 4:
		r = bpf_skb_get_tunnel_key(skb, &key, size, (choice >> 7) | TUNINFO_FLAGS);
		break;
	default:
		r = bpf_skb_get_tunnel_key(skb, &key, size, choice >> 6);
	}
	put(0, r);
	for (i = 0; i < 5; i++)
		put(1 + i, words[i]);
	put(6, *(__u32 *)&words[5]);
	put(7, bpf_skb_get_tunnel_opt(skb, options, choice & 64 ? 16 : 4));
	put(8, *(__u64 *)options);
	put(9, *(__u64 *)(options + 8));
}

SEC("tc")
int tunnel(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {};
	__u8 bytes[60] = {};
	__u64 flags;
	long r;

	if (bpf_skb_load_bytes(skb, 0, bytes, sizeof(bytes)))
		return TC_ACT_OK;
	if (bytes[0] < 32)
		read_back(skb, bytes[1]);
	__builtin_memcpy(&key, bytes + 14, sizeof(key));
	if (bytes[2] & 1)
		key.tunnel_ext = 0;
	flags = bytes[3] & (bytes[2] & 2 ? 0x1f : 0xff);
	if (!(flags & BPF_F_TUNINFO_IPV6) && bytes[2] & 4)
		key.tunnel_label = 0;
	switch (bytes[2] >> 5) {
	case 0:
		r = bpf_skb_set_tunnel_key(skb, &key, 8, flags);
		break;
	case 1:
		r = bpf_skb_set_tunnel_key(skb, &key, 24, flags);
		break;
	case 2:
		r = bpf_skb_set_tunnel_key(skb, &key, 40, flags);
		break;
	default:
		r = bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags);
	}
	put(10, r);
	if (bytes[4] & 1)
		put(11, bpf_skb_set_tunnel_opt(skb, bytes, bytes[4] & 2 ? 8 : bytes[4] & 4 ? 12 : 6));
	if (bytes[4] & 8)
		put(12, bpf_skb_set_tunnel_key(skb, &key, sizeof(key), 0));
	read_back(skb, bytes[5]);
	return TC_ACT_OK;
}
