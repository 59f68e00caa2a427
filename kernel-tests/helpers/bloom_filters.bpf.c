// SPDX-License-Identifier: MIT OR GPL-2.0
/* Bloom filters of several sizes, so full that they take values for others; and a ring that nobody fills. */
#include "common.h"

#define FILTER(name, entries, type_, hashes)			\
	struct {						\
		__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);	\
		__uint(max_entries, entries);			\
		__uint(map_extra, hashes);			\
		__type(value, type_);				\
	} name SEC(".maps")

struct three {
	__u8 bytes[3];
};
struct thirty {
	__u8 bytes[30];
};
struct forty {
	__u32 words[10];
};

FILTER(words, 100, __u32, 0);
FILTER(single, 1, __u64, 1);
FILTER(odd, 300, struct three, 3);
FILTER(uneven, 500, struct thirty, 15);
FILTER(wide, 200, struct forty, 4);

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} commands SEC(".maps");

const volatile __u32 constant = 7;

static long on_command(struct bpf_dynptr *command, void *context)
{
	put(20, 1);
	return 0;
}

SEC("xdp")
int bloom_filters(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct three three;
	struct thirty thirty;
	struct forty forty = {};
	__u8 *p = data;
	__u32 word;
	__u64 wide_word;

	if (data + 60 > end)
		return XDP_DROP;
	word = p[1];
	wide_word = *(__u64 *)(p + 2);
	__builtin_memcpy(&three, p + 2, sizeof(three));
	three.bytes[0] &= 1;
	three.bytes[1] &= 1;
	__builtin_memcpy(&thirty, p + 20, sizeof(thirty));
	forty.words[9] = p[3];
	forty.words[0] = p[4] & 3;
	if (p[0] & 1) {
		put(0, bpf_map_push_elem(&words, &word, p[5] & 7 ? 0 : p[5] >> 3));
		put(1, bpf_map_push_elem(&single, &wide_word, 0));
		put(2, bpf_map_push_elem(&odd, &three, 0));
		put(3, bpf_map_push_elem(&uneven, &thirty, 0));
		put(4, bpf_map_push_elem(&wide, &forty, 0));
		/* Straight from the packet. */
		put(5, bpf_map_push_elem(&words, p + 6, 0));
	}
	/* A peek reads: of what nothing may write, too. */
	put(13, bpf_map_peek_elem(&words, (void *)&constant));
	put(6, bpf_map_peek_elem(&words, &word));
	put(7, bpf_map_peek_elem(&single, &wide_word));
	put(8, bpf_map_peek_elem(&odd, &three));
	put(9, bpf_map_peek_elem(&uneven, &thirty));
	put(10, bpf_map_peek_elem(&wide, &forty));
	put(11, bpf_user_ringbuf_drain(&commands, on_command, 0, p[7] & 7));
	put(12, bpf_user_ringbuf_drain(&commands, on_command, &word, p[7] > 250 ? 1ull << 40 : 0));
	return XDP_PASS;
}
