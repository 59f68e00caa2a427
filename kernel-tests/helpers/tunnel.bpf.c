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

/* Every size that the structure has had, and others; options up to the most there may be, and beyond. */
static __always_inline long set_sized(struct __sk_buff *skb, struct bpf_tunnel_key *key, __u8 choice, __u64 flags)
{
	switch (choice & 15) {
	case 0:
		return bpf_skb_set_tunnel_key(skb, key, 4, flags);
	case 1:
		return bpf_skb_set_tunnel_key(skb, key, 20, flags);
	case 2:
		return bpf_skb_set_tunnel_key(skb, key, 22, flags);
	case 3:
		return bpf_skb_set_tunnel_key(skb, key, 28, flags);
	case 4:
		return bpf_skb_set_tunnel_key(skb, key, 43, flags);
	case 5:
		return bpf_skb_set_tunnel_key(skb, key, 8, flags);
	case 6:
		return bpf_skb_set_tunnel_key(skb, key, 24, flags);
	default:
		return bpf_skb_set_tunnel_key(skb, key, 44, flags);
	}
}

static __always_inline long get_sized(struct __sk_buff *skb, struct bpf_tunnel_key *key, __u8 choice, __u64 flags)
{
	switch (choice & 15) {
	case 0:
		return bpf_skb_get_tunnel_key(skb, key, 4, flags);
	case 1:
		return bpf_skb_get_tunnel_key(skb, key, 24, flags);
	case 2:
		return bpf_skb_get_tunnel_key(skb, key, 22, flags);
	case 3:
		return bpf_skb_get_tunnel_key(skb, key, 28, flags);
	case 4:
		return bpf_skb_get_tunnel_key(skb, key, 43, flags);
	case 5:
		return bpf_skb_get_tunnel_key(skb, key, 8, flags);
	default:
		return bpf_skb_get_tunnel_key(skb, key, 44, flags);
	}
}

static __always_inline long set_options(struct __sk_buff *skb, __u8 *options, __u8 choice)
{
	switch (choice & 7) {
	case 0:
		return bpf_skb_set_tunnel_opt(skb, options, 4);
	case 1:
		return bpf_skb_set_tunnel_opt(skb, options, 252);
	case 2:
		return bpf_skb_set_tunnel_opt(skb, options, 255);
	case 3:
		return bpf_skb_set_tunnel_opt(skb, options, 256);
	case 4:
		return bpf_skb_set_tunnel_opt(skb, options, 260);
	default:
		return bpf_skb_set_tunnel_opt(skb, options, 1);
	}
}

SEC("tc")
int tunnel_sizes(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {}, back;
	__u64 *words = (void *)&back;
	__u8 options[260] = {};
	__u8 bytes[64] __attribute__((aligned(8)));
	__u64 flags;
	int i;

	if (bpf_skb_load_bytes(skb, 0, bytes, 60))
		return TC_ACT_OK;
	__builtin_memcpy(&key, bytes + 14, sizeof(key));
	key.tunnel_ext = bytes[1] & 1 ? key.tunnel_ext : 0;
	key.tunnel_label = bytes[1] & 2 ? key.tunnel_label : 0;
	__builtin_memcpy(options, bytes, 60);
	options[251] = bytes[7];
	/* Known flags, an unknown one, one above 32 bits. */
	flags = bytes[2] & 0x1f;
	if ((bytes[1] & 0x1c) == 4)
		flags |= 1 << (bytes[3] & 31);
	if ((bytes[1] & 0x1c) == 8)
		flags |= 1ULL << (32 + (bytes[3] & 31));
	if (bytes[4] & 1)
		put(20, set_options(skb, options, bytes[5]));
	put(21, set_sized(skb, &key, bytes[6], flags));
	if (bytes[4] & 2)
		put(22, set_options(skb, options, bytes[5]));
	if (bytes[4] & 4)
		put(23, set_options(skb, options, bytes[5] >> 4));
	__builtin_memset(&back, 0xff, sizeof(back));
	flags = (flags & BPF_F_TUNINFO_IPV6) | (bytes[8] & 1 ? TUNINFO_FLAGS : 0);
	if ((bytes[8] & 0xe) == 2)
		flags ^= 1ULL << (bytes[9] & 63);
	put(24, get_sized(skb, &back, bytes[10], flags));
	for (i = 0; i < 5; i++)
		put(25 + i, words[i]);
	put(30, *(__u32 *)&words[5]);
	__builtin_memset(options, 0xff, sizeof(options));
	switch (bytes[11] & 3) {
	case 0:
		put(31, bpf_skb_get_tunnel_opt(skb, options, 260));
		break;
	case 1:
		put(32, bpf_skb_get_tunnel_opt(skb, options, 252));
		break;
	default:
		put(33, bpf_skb_get_tunnel_opt(skb, options, 251));
	}
	put(34, options[0] | options[3] << 8 | options[251] << 16 | options[259] << 24);
	return TC_ACT_OK;
}
