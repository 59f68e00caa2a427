// SPDX-License-Identifier: MIT OR GPL-2.0
/* Maps of sockets that nobody has filled, and locks that notice when they would wait for ever. */
#include <linux/pkt_cls.h>
#include "common.h"

/* Younger than the headers that we compile against. */
struct bpf_res_spin_lock {
	__u32 val;
};

extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
extern int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock, unsigned long *flags) __ksym;
extern void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock, unsigned long *flags) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} by_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 8);
	__type(key, __u64);
	__type(value, __u32);
} by_key SEC(".maps");

struct guarded {
	__u32 before;
	struct bpf_res_spin_lock lock;
	__u64 sum;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct guarded);
} guarded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct guarded);
} guarded_too SEC(".maps");

static __always_inline void sockets(__u8 *p)
{
	__u32 index = p[1] & 15;
	__u64 key = p[2];
	struct bpf_sock *socket = bpf_map_lookup_elem(&by_index, &index);

	put(0, !!socket);
	if (socket) {
		put(1, socket->family);
		bpf_sk_release(socket);
	}
	socket = bpf_map_lookup_elem(&by_key, &key);
	put(2, !!socket);
	if (socket)
		bpf_sk_release(socket);
	put(3, bpf_map_delete_elem(&by_index, &index));
	put(4, bpf_map_delete_elem(&by_key, &key));
}

static __always_inline void locks(__u8 *p)
{
	struct guarded fresh = { p[1], { p[2] }, p[3] };
	struct guarded *one, *other;
	unsigned long flags;
	__u32 key = p[4] & 7;

	put(10, bpf_map_update_elem(&guarded_too, &key, &fresh, p[5] & 3));
	key = p[1] & 3;
	put(11, p[2] & 3 ? 0 : bpf_map_update_elem(&guarded, &key, &fresh, 0));
	one = bpf_map_lookup_elem(&guarded, &key);
	key = p[4] & 7;
	other = bpf_map_lookup_elem(&guarded_too, &key);
	if (!one || !other)
		return;
	if (bpf_res_spin_lock(&one->lock)) {
		put(12, 1);
		return;
	}
	one->sum += p[3];
	one->before ^= p[4];
	bpf_res_spin_unlock(&one->lock);
	if (bpf_res_spin_lock_irqsave(&other->lock, &flags)) {
		put(13, 1);
		return;
	}
	other->sum += one->before;
	bpf_res_spin_unlock_irqrestore(&other->lock, &flags);
	/* One inside the other. */
	if (bpf_res_spin_lock(&one->lock))
		return;
	if (bpf_res_spin_lock(&other->lock)) {
		bpf_res_spin_unlock(&one->lock);
		return;
	}
	other->sum -= one->sum;
	bpf_res_spin_unlock(&other->lock);
	bpf_res_spin_unlock(&one->lock);
	put(14, other->sum);
}

SEC("xdp")
int socket_maps(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return XDP_DROP;
	sockets(data);
	locks(data);
	return XDP_PASS;
}

SEC("tc")
int socket_maps_tc(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 14 > end)
		return TC_ACT_SHOT;
	sockets(data);
	locks(data);
	return TC_ACT_OK;
}
