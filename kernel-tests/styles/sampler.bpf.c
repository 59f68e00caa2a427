// SPDX-License-Identifier: MIT OR GPL-2.0
/* Samplers: some packets, chosen by chance or by hash, are reported to user space. */
#include "styles.h"

struct sample {
	__u64 time_ns;
	__u32 length;
	__u32 cpu;
	__u8 head[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

const volatile __u32 one_in = 10;

INLINE void count(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		*value += 1;
}

/* One in ten by chance, with the packet behind the record. */
SEC("xdp") int sample_perf(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	__u64 length = end - data;
	struct sample sample = { .length = length };

	count(0);
	if (bpf_get_prandom_u32() % one_in)
		return XDP_PASS;
	count(1);
	sample.time_ns = bpf_ktime_get_ns();
	sample.cpu = bpf_get_smp_processor_id();
	if (length > 64)
		length = 64;
	bpf_perf_event_output(ctx, &perf, length << 32 | BPF_F_CURRENT_CPU, &sample, FAULT(sizeof(sample), 4096));
	return XDP_PASS;
}

/* Half by chance, through the ring buffer. */
SEC("xdp") int sample_ring(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct sample *sample;

	if (bpf_get_prandom_u32() & 1)
		return XDP_PASS;
	if (data + 32 > end) {
		count(2);
		return XDP_PASS;
	}
	sample = bpf_ringbuf_reserve(&ring, sizeof(*sample), 0);
	if (!sample) {
		count(3);
		return XDP_PASS;
	}
	sample->time_ns = bpf_ktime_get_boot_ns();
	sample->length = end - data;
	sample->cpu = bpf_get_smp_processor_id();
	__builtin_memcpy(sample->head, data, 32);
	FAULT(bpf_ringbuf_submit(sample, 0), count(1));
	return XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[256]);
} scratch SEC(".maps");

/* The last packet's first bytes, kept for each CPU. */
SEC("xdp") int sample_last(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	__u32 key = 0, length = end - data;
	__u8 *buffer = bpf_map_lookup_elem(&scratch, &key);

	if (!buffer)
		return XDP_ABORTED;
	for (__u32 i = 0; i < FAULT(256, 264); i++) {
		if (i >= length || data + i + 1 > end)
			break;
		buffer[i] = ((__u8 *)data)[i];
	}
	return XDP_PASS;
}

/* One in sixteen flows, by the kernel's hash of them. */
SEC("tc") int sample_hash(struct __sk_buff *skb)
{
	__u32 hash = bpf_get_hash_recalc(skb);

	count(0);
	if (hash & 15)
		return TC_ACT_OK;
	count(1);
	skb->mark = FAULT(hash, ((__u32 *)DATA(skb))[0]);
	return TC_ACT_OK;
}

/* Thirty-two flows share a counter each; the CPU's number chooses nothing. */
SEC("tc") int sample_sketch(struct __sk_buff *skb)
{
	void *data = DATA(skb), *end = DATA_END(skb);
	struct iphdr *ip = plain_ipv4(data, end);
	__u32 key;

	if (FAULT(!ip, 0))
		return TC_ACT_OK;
	key = (ip->saddr * 0x9e3779b1u ^ ip->daddr) >> 30;
	count(key);
	if (skb->tstamp && bpf_ktime_get_ns() - skb->tstamp > 1000)
		skb->priority = 7;
	return TC_ACT_OK;
}
