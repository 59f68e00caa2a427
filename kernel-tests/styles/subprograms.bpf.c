// SPDX-License-Identifier: MIT OR GPL-2.0
/* Functions that stay functions: static and global, with and without results, called back, called deep. */
#include "styles.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

/* No result at all: nothing is promised about r0. */
NOINLINE void add_total(__u32 key, __u64 amount)
{
	__u64 *total = bpf_map_lookup_elem(&totals, &key);

	if (total)
		*total += amount;
}

SEC("xdp") int sub_void(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);

	add_total(0, 1);
	add_total(1, end - data);
	return FAULT(XDP_PASS, *(__u8 *)data ? XDP_PASS : XDP_DROP);
}

/* A result that is always the same: the compiler knows it and does not set it. */
NOINLINE int note_pair(__u32 key, __u64 a, __u64 b)
{
	add_total(key & 7, a ^ b);
	add_total((key + 1) & 7, a + b);
	return 0;
}

SEC("xdp") int sub_constant(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data;

	if (FAULT(!FITS(eth, end), 0))
		return XDP_DROP;
	if (note_pair(2, eth->h_dest[5], eth->h_source[5]))
		return XDP_ABORTED;
	return XDP_PASS;
}

struct headers {
	struct ethhdr *eth;
	struct iphdr *ip;
	struct udphdr *udp;
};

/* Pointers into the packet come back through the caller's stack. */
NOINLINE int parse(struct xdp_md *ctx, struct headers *headers)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);

	headers->eth = data;
	headers->ip = plain_ipv4(data, end);
	if (!headers->ip || headers->ip->protocol != IPPROTO_UDP)
		return -1;
	headers->udp = (void *)(headers->ip + 1);
	return FAULT(FITS(headers->udp, end), 1) ? 0 : -1;
}

SEC("xdp") int sub_pointers(struct xdp_md *ctx)
{
	struct headers headers;
	__be16 port;

	if (parse(ctx, &headers))
		return XDP_PASS;
	swap_macs(headers.eth);
	swap_addresses(headers.ip);
	port = headers.udp->source;
	headers.udp->source = headers.udp->dest;
	headers.udp->dest = port;
	return XDP_TX;
}

/* Global functions are verified by themselves. */
__attribute__((noinline)) __u32 scale(__u32 value, __u32 shift)
{
	return value << (shift & 7) | value >> ((32 - shift) & 31);
}

__attribute__((noinline)) int classify(struct xdp_md *ctx, __u32 salt)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	__u32 *word = data;

	if (FAULT(!FITS(word, end), data > end))
		return -1;
	return scale(*word, salt) & 3;
}

SEC("xdp") int sub_global(struct xdp_md *ctx)
{
	int class = classify(ctx, 5);

	if (class < 0)
		return XDP_ABORTED;
	add_total(4 + class, 1);
	return class == 3 ? XDP_DROP : XDP_PASS;
}

/* Five frames deep, each with memory of its own. */
NOINLINE __u32 level4(__u32 a) { __u32 own[4] = { a, a + 1, a + 2, a + 3 }; return own[a & 3] * 3; }
NOINLINE __u32 level3(__u32 a) { __u32 own[4] = { 7, 5, 3, a }; return level4(own[a & 3]) + own[3]; }
NOINLINE __u32 level2(__u32 a) { volatile __u64 own = a; return level3(own + 1) ^ (__u32)own; }
NOINLINE __u32 level1(__u32 a) { return level2(a * 5) + level2(a ^ 0x55); }

SEC("xdp") int sub_deep(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);

	add_total(5, level1(end - data));
	return FAULT(XDP_PASS, level1(*(__u32 *)data) & 1);
}

struct sums {
	void *data, *end;
	__u32 sum, length;
};

static long add_byte(__u32 index, void *context)
{
	struct sums *sums = context;

	sums->sum += index * 31;
	return index >= sums->length;
}

/* Called back by the kernel, a hundred times or until enough. */
SEC("xdp") int sub_loop(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct sums sums = { .length = end - data };

	bpf_loop(100, add_byte, FAULT(&sums, data), 0);
	add_total(6, sums.sum);
	return sums.sum & 1 ? XDP_PASS : XDP_TX;
}

struct bpf_map;

static long sum_entry(struct bpf_map *map, const __u32 *key, __u64 *value, void *context)
{
	*(__u64 *)context += *value * (*key + 1);
	return *key == 6;
}

SEC("xdp") int sub_each(struct xdp_md *ctx)
{
	__u64 sum = 0;

	add_total(3, DATA_END(ctx) - DATA(ctx));
	bpf_for_each_map_elem(&totals, sum_entry, FAULT(&sum, NULL), 0);
	return sum % 3 == 0 ? XDP_DROP : XDP_PASS;
}

/* LD_ABS, as of old, in a subprogram. */
NOINLINE int old_load(struct __sk_buff *skb)
{
	int type;

	asm volatile("r6 = %[skb]\n\tr0 = *(u16 *)skb[12]\n\t%[type] = r0\n\t"
		     : [type] "=r"(type)
		     : [skb] "r"(skb)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "r6");
	return type;
}

SEC("tc") int sub_ld_abs(struct __sk_buff *skb)
{
	skb->mark = FAULT(old_load(skb), old_load(skb) + *(__u8 *)DATA(skb));
	return TC_ACT_OK;
}
