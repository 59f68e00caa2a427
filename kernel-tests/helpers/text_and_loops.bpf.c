// SPDX-License-Identifier: MIT OR GPL-2.0
/* Callbacks, numbers from text, printf, locks, globals, MTU. */
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} locked SEC(".maps");

int global = 5, zero;
const volatile int constant = 3;

static __noinline int add(int a, __u8 *p, void *end)
{
	__u8 local[32];

	if ((void *)(p + 14) > end)
		return 5;
	__builtin_memcpy(local, p, 14);
	return a + local[3] + local[7];
}

static long round(__u32 index, void *context)
{
	__u64 *sum = context;

	*sum += index * 3;
	return *sum > 100;
}

static long every(void *map, __u32 *key, __u64 *value, void *context)
{
	*(__u64 *)context += *key * 7 + *value;
	(*value)++;
	return 0;
}

static long until_one(void *map, __u32 *key, __u64 *value, void *context)
{
	*(__u64 *)context += *key * 7 + *value;
	(*value)++;
	return *key == 1;
}

static __always_inline __u64 base(__u8 choice)
{
	switch (choice & 3) {
	case 0:
		return 0;
	case 1:
		return 10;
	case 2:
		return 16;
	default:
		return 8;
	}
}

static __always_inline void numbers(__u8 *p)
{
	char text[24] = {};
	unsigned long whole = 88;
	long number = 77;

	text[0] = p[6] & 1 ? ' ' : p[6] & 2 ? '-' : p[6] & 4 ? '+' : '0';
	text[1] = '0' + (p[7] & 15);
	text[2] = 'x' - (p[8] & 1) * 70;
	text[3] = '0' + (p[9] & 31);
	text[4] = '7';
	text[5] = p[10] & 1 ? 0 : '9';
	put(7, bpf_strtol(text, 12, base(p[11]), &number));
	put(8, number);
	put(9, bpf_strtoul(text, 12, base(p[12]), &whole));
	put(10, whole);
	put(11, bpf_strncmp(text, 6, "00x5"));
	bpf_printk("%s %llu %pI4", text, 1ull << 60, p);
	bpf_printk("%pi6 %pI6", (void *)text, (void *)text);
}

static __always_inline void formats(__u8 *p)
{
	static const char wide[] = "%5d|%-6ld|%d|%llx";
	static const char narrow[] = "%06x %+d %3u%% %X";
	__u64 values[4] = { p[1] * 1000, -(long)p[2], p[9], (long)p[3] * 0x1234567 };
	char text[40] = {};

	put(12, bpf_snprintf(text, sizeof(text), wide, values, sizeof(values)));
#pragma unroll
	for (int i = 0; i < 40; i++)
		put(13, text[i]);
	put(14, bpf_snprintf(text, 17, narrow, values, 32));
#pragma unroll
	for (int i = 0; i < 17; i++)
		put(15, text[i]);
	bpf_printk("%d %u %x", p[1], -p[2], (__u32)p[3] * 77777);
	bpf_printk("%i|%5d|%-5d|%05d %c", 1, 2, 3, -4, 'x');
	bpf_printk("100%%\n");
}

SEC("xdp")
int text_and_loops(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct locked *guarded;
	__u64 sum = 0, value;
	__u32 key, mtu, first = 0;
	__u8 *p = data;

	if (data + 24 > end)
		return XDP_ABORTED;
	global += p[1];
	zero ^= global;
	put(20, global + zero * 3 + constant);
	put(0, add(p[4], p, end));
	put(1, bpf_loop(p[3] & 63, round, &sum, 0));
	put(2, sum);
	key = p[2] & 7;
	value = p[5];
	bpf_map_update_elem(&hash, &key, &value, BPF_ANY);
	sum = 0;
	put(3, bpf_for_each_map_elem(&hash, every, &sum, 0));
	put(4, sum);
	sum = 0;
	put(5, bpf_for_each_map_elem(&array, until_one, &sum, 0));
	put(6, sum);
	numbers(p);
	formats(p);
	guarded = bpf_map_lookup_elem(&locked, &first);
	if (guarded) {
		bpf_spin_lock(&guarded->lock);
		guarded->count += p[1];
		bpf_spin_unlock(&guarded->lock);
		put(16, guarded->count);
	}
	mtu = p[5] & 1 ? 0 : p[6] * 300;
	put(21, bpf_check_mtu(ctx, p[7] & 1 ? 0 : p[7] & 2 ? 1 : 55, &mtu, p[8] * 300, p[9] == 3));
	put(22, mtu);
	return XDP_PASS;
}
