// SPDX-License-Identifier: MIT OR GPL-2.0
/* Values that belong to the socket of a frame: gone with the frame, and as empty as they were for the next one. */
#include <linux/pkt_cls.h>
#include "common.h"

struct held {
	__u32 count;
	__u8 bytes[9];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct held);
} first SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, __u64);
} second SEC(".maps");

SEC("tc")
int sk_storage(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk, *full;
	struct held with = { .count = 7 }, *held;
	__u8 bytes[16] __attribute__((aligned(8)));
	__u64 flags, *other;

	if (!sk || bpf_skb_load_bytes(skb, 0, bytes, sizeof(bytes)))
		return TC_ACT_OK;
	__builtin_memcpy(with.bytes, bytes, sizeof(with.bytes));
	flags = bytes[0] & 1 ? bytes[0] >> 1 & 1 : *(__u64 *)(bytes + 8) & 0x100000003;
	if (bytes[9] & 1)
		held = bpf_sk_storage_get(&first, sk, &with, flags);
	else
		held = bpf_sk_storage_get(&first, sk, 0, flags);
	put(0, held != 0);
	if (held) {
		put(1, held->count++);
		put(2, held->bytes[3]);
	}
	put(3, bpf_sk_storage_delete(&second, sk));
	full = bpf_sk_fullsock(sk);
	if (!full)
		return TC_ACT_OK;
	other = bpf_sk_storage_get(&second, full, 0, bytes[9] >> 1 & 1);
	if (other)
		*other += 3;
	held = bpf_sk_storage_get(&first, full, 0, 0);
	put(4, held ? held->count : 99);
	if (bytes[9] & 4)
		put(5, bpf_sk_storage_delete(&first, sk));
	held = bpf_sk_storage_get(&first, sk, &with, bytes[9] >> 3 & 1);
	put(6, held ? held->count + held->bytes[0] : 98);
	put(7, bpf_sk_storage_delete(&second, sk));
	return TC_ACT_SHOT;
}
