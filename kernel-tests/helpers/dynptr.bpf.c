// SPDX-License-Identifier: MIT OR GPL-2.0
/* Dynptrs, numeric iterators and the kernel functions on packets. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

/* Younger than the headers that we compile against. */
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_dynptr_from_xdp(struct xdp_md *ctx, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

static __always_inline void iterate(int rounds)
{
	struct bpf_iter_num it;
	int *value, sum = 0;

	put(11, bpf_iter_num_new(&it, 0, rounds));
	while ((value = bpf_iter_num_next(&it)))
		sum += *value;
	bpf_iter_num_destroy(&it);
	put(12, sum);
}

SEC("xdp")
int dynptr(struct xdp_md *ctx)
{
	struct bpf_dynptr packet, sample;
	__u8 bytes[8] = {}, buffer[16];
	__u8 *p;

	put(0, bpf_dynptr_from_xdp(ctx, 0, &packet));
	put(1, bpf_dynptr_size(&packet));
	put(2, bpf_dynptr_read(bytes, 8, &packet, 0, 0));
	put(3, bytes[1] + bytes[2]);
	put(4, bpf_dynptr_adjust(&packet, bytes[1] & 31, bytes[2]));
	put(5, bpf_dynptr_size(&packet));
	p = bpf_dynptr_slice(&packet, bytes[3] & 31, buffer, 14);
	put(6, p ? p[0] + p[13] : 999);
	p = bpf_dynptr_slice_rdwr(&packet, bytes[4], buffer, 14);
	if (p)
		p[0] ^= 5;
	put(7, p ? p[1] : 999);
	put(8, bpf_dynptr_write(&packet, bytes[5] & 15, bytes, 8, 0));
	put(9, bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &sample));
	p = bpf_dynptr_data(&sample, 8, 8);
	if (p)
		p[0] = 1;
	put(10, !!p);
	bpf_ringbuf_submit_dynptr(&sample, 0);
	iterate(bytes[6]);
	return XDP_PASS;
}
