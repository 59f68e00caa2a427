// SPDX-License-Identifier: MIT OR GPL-2.0
/* Samples of packets for user space: one of every few through a ring buffer, one through the perf ring. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SNAPLEN 64

struct sample {
	__u32 length;
	__u32 ifindex;
	__u16 proto;
	__u16 kept;
	__u8 bytes[SNAPLEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 15);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} events SEC(".maps");

enum { SEEN, SUBMITTED, DISCARDED, COPIED, FULL, COUNTERS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

const volatile __u32 every = 4;

__u32 turn;

static __always_inline void count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		*value += 1;
}

/* A record that is written in place, and given back where it turns out not to be worth it. */
static __always_inline void in_place(struct xdp_md *ctx, struct ethhdr *eth, __u32 length)
{
	struct sample *sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);

	if (!sample) {
		count(FULL);
		return;
	}
	sample->length = length;
	sample->ifindex = ctx->ingress_ifindex;
	sample->proto = bpf_ntohs(eth->h_proto);
	sample->kept = length < SNAPLEN ? 0 : SNAPLEN;
	if (sample->kept == 0 || bpf_xdp_load_bytes(ctx, 0, sample->bytes, SNAPLEN)) {
		bpf_ringbuf_discard(sample, 0);
		count(DISCARDED);
		return;
	}
	bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
	count(SUBMITTED);
}

SEC("xdp")
int sampler(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct { __u32 length, turn; } event;
	struct ethhdr *eth = data;
	__u32 length = end - data;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	count(SEEN);
	event.length = length;
	event.turn = turn++;
	if (event.turn % every == 0) {
		in_place(ctx, eth, length);
	} else if (event.turn % every == 1) {
		if (bpf_ringbuf_output(&samples, &event, sizeof(event), 0) == 0)
			count(COPIED);
		else
			count(FULL);
	} else if (event.turn % every == 2) {
		/* Nobody listens in a test run: the result is the kernel's business, what goes with it ours. */
		__u64 flags = BPF_F_CURRENT_CPU | (__u64)(length < SNAPLEN ? length : SNAPLEN) << 32;

		bpf_perf_event_output(ctx, &events, flags, &event, sizeof(event));
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
