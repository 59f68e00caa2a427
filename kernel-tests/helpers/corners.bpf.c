// SPDX-License-Identifier: MIT OR GPL-2.0
/* Numbers that helpers seldom meet: too many rounds, questions and lengths above what fits, the lowest number there is,
 * texts without room. */
#include "common.h"

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[256]);
} text SEC(".maps");

static long round(__u32 index, __u64 *rounds)
{
	(*rounds)++;
	return index == 5;
}

static __always_inline void iterate(int start, int end)
{
	struct bpf_iter_num it;
	int *value, rounds = 0;

	put(2, bpf_iter_num_new(&it, start, end));
	while ((value = bpf_iter_num_next(&it))) {
		put(3, *value);
		if (++rounds > 9)
			break;
	}
	bpf_iter_num_destroy(&it);
}

/* Behind the end of the result, texts that are found at addresses are not counted; and all arguments together have 512 bytes. */
static __always_inline void print(__u32 *numbers)
{
	static const char addresses[] = "%pI4.%pi4!%d";
	static const char twice[] = "%s%s", thrice[] = "%s%s%s";
	__u64 found[3] = { (long)&numbers[0], (long)&numbers[0], numbers[1] }, texts[3];
	char out[24] = {};
	__u32 key = 0;
	char *letters = bpf_map_lookup_elem(&text, &key);

	if (!letters)
		return;
	put(8, bpf_snprintf(out, numbers[3] & 15, addresses, found, sizeof(found)));
	put(9, out[3]);
	__builtin_memset(letters, 'x', 256);
	letters[numbers[2] & 255] = 0;
	letters[255] = 0;
	texts[0] = texts[1] = texts[2] = (long)letters;
	put(10, bpf_snprintf(out, sizeof(out), twice, texts, 16));
	put(11, bpf_snprintf(out, sizeof(out), thrice, texts, 24));
}

SEC("xdp")
int corners(struct xdp_md *ctx)
{
	__u32 numbers[4] = {};
	struct bpf_dynptr sample;
	__u64 rounds = 0;

	if (bpf_xdp_load_bytes(ctx, 0, numbers, sizeof(numbers)))
		return XDP_ABORTED;
	/* No flags, which the verifier knows, and flags of which it knows nothing. */
	put(0, bpf_loop(numbers[0], round, &rounds, 0));
	put(1, bpf_loop(numbers[0], round, &rounds, numbers[1] & 1));
	put(4, rounds);
	iterate(numbers[1], numbers[1] + (numbers[2] & 15));
	iterate(0x80000000, (int)numbers[2]);
	put(5, bpf_ringbuf_query(&ring, numbers[3] & 7));
	put(6, bpf_ringbuf_query(&ring, (__u64)numbers[0] << 32 | 1));
	put(7, bpf_ringbuf_reserve_dynptr(&ring, numbers[2], numbers[3] & 1, &sample));
	bpf_ringbuf_discard_dynptr(&sample, 0);
	print(numbers);
	return XDP_PASS;
}
