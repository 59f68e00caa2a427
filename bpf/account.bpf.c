// SPDX-License-Identifier: MIT OR GPL-2.0
/* Bytes in and out of a device, Ethernet header included. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define ACCOUNT_INGRESS 0
#define ACCOUNT_EGRESS 1
#define ACCOUNT_DIRECTIONS 2

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, ACCOUNT_DIRECTIONS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} acc_map SEC(".maps");

static __always_inline int count_bytes(struct __sk_buff *skb, __u32 direction)
{
	__u64 *bytes = bpf_map_lookup_elem(&acc_map, &direction);

	if (bytes)
		__sync_fetch_and_add(bytes, skb->len);
	return TC_ACT_OK;
}

SEC("tc")
int account_ingress(struct __sk_buff *skb)
{
	return count_bytes(skb, ACCOUNT_INGRESS);
}

SEC("tc")
int account_egress(struct __sk_buff *skb)
{
	return count_bytes(skb, ACCOUNT_EGRESS);
}

char _license[] SEC("license") = "Dual MIT/GPL";
