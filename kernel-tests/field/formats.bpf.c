// SPDX-License-Identifier: MIT OR GPL-2.0
/* Addresses and numbers in every form that the kernel's printf has, and events that nobody takes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define LINE 96
#define LINES 8

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LINES);
	__type(key, __u32);
	__type(value, char[LINE]);
} written SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} events SEC(".maps");

#define WRITE(number, format, ...)                                                 \
	({                                                                         \
		__u32 key = number;                                                \
		char *line = bpf_map_lookup_elem(&written, &key);                   \
		line ? BPF_SNPRINTF(line, LINE, format, __VA_ARGS__) : 0;          \
	})

SEC("tc")
int formats(struct __sk_buff *skb)
{
	unsigned char address[16];
	__u32 length = 0;

	if (bpf_skb_load_bytes(skb, 0, address, 14))
		return TC_ACT_SHOT;
	address[14] = 0;
	address[15] = skb->len;
	length += WRITE(0, "%pi4 %pI4", address, address);
	length += WRITE(1, "%pi6 %pI6", address, address);
	length += WRITE(2, "%16pI4|%-16pI4|%20pi4|%-20pi4|", address, address, address, address);
	length += WRITE(3, "%40pi6|%-42pI6|", address, address);
	length += WRITE(4, "%5d|%-5d|%05d|%+d|% d|%x", address[0], address[1], address[2], address[3], address[4], address[5]);
	length += WRITE(5, "%20px|%-20px|%px|%c", skb->len, skb->len, skb->len, 'a' + (address[0] & 15));
	length += WRITE(6, "%lx %llX %ld %lu %i", skb->len * 0x123456789ull, ~0ull - skb->len, -5ull, -7ull, -skb->len);
	skb->mark = length;
	return TC_ACT_OK;
}

SEC("tc")
int events_lost(struct __sk_buff *skb)
{
	__u32 sample = skb->len;

	skb->cb[0] = bpf_perf_event_output(skb, &events, BPF_F_CURRENT_CPU, &sample, sizeof(sample));
	skb->cb[1] = bpf_perf_event_output(skb, &events, 0, &sample, sizeof(sample));
	skb->cb[2] = bpf_perf_event_output(skb, &events, 4096, &sample, sizeof(sample));
	skb->cb[3] = bpf_perf_event_output(skb, &events, 1ull << 52 | BPF_F_CURRENT_CPU, &sample, sizeof(sample));
	skb->cb[4] = bpf_perf_event_output(skb, &events, 1ull << 51 | BPF_F_CURRENT_CPU, &sample, sizeof(sample));
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
