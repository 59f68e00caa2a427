// SPDX-License-Identifier: MIT OR GPL-2.0
/* A firewall by longest prefix: the most specific of the listed networks that a source is in says what becomes of it. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct key4 {
	__u32 length;
	__u8 address[4];
};

struct key6 {
	__u32 length;
	__u8 address[16];
};

struct rule {
	__u32 action;
	__u32 pad;
	__u64 hits;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key4);
	__type(value, struct rule);
} rules4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key6);
	__type(value, struct rule);
} rules6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} actions SEC(".maps");

static __always_inline __u32 apply(struct rule *rule)
{
	if (!rule)
		return XDP_PASS;
	__sync_fetch_and_add(&rule->hits, 1);
	return rule->action <= XDP_TX ? rule->action : XDP_ABORTED;
}

static __always_inline __u32 judge(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct key4 key = { .length = 32 };
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return XDP_DROP;
		__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
		return apply(bpf_map_lookup_elem(&rules4, &key));
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = (void *)(eth + 1);
		struct key6 key = { .length = 128 };

		if ((void *)(ip6 + 1) > end)
			return XDP_DROP;
		__builtin_memcpy(key.address, &ip6->saddr, sizeof(key.address));
		return apply(bpf_map_lookup_elem(&rules6, &key));
	}
	return XDP_PASS;
}

SEC("xdp")
int lpm_firewall(struct xdp_md *ctx)
{
	__u32 action = judge(ctx);
	__u64 *count = bpf_map_lookup_elem(&actions, &action);

	if (count)
		*count += ctx->data_end - ctx->data;
	return action;
}

/* Learns: the network of every ARP and ICMP speaker joins the rules, and the last octet 0 leaves them. */
SEC("xdp")
int lpm_learn(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct rule rule = { .action = XDP_TX };
	struct key4 key = { .length = 24 };
	struct ethhdr *eth = data;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != 1)
		return XDP_PASS;
	__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
	key.length = 8 + (key.address[3] & 31);
	if (key.address[3] == 0)
		return bpf_map_delete_elem(&rules4, &key) ? XDP_DROP : XDP_TX;
	return bpf_map_update_elem(&rules4, &key, &rule, key.address[2] & 1 ? BPF_NOEXIST : BPF_ANY) ? XDP_DROP : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
