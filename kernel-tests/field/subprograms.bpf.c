// SPDX-License-Identifier: MIT OR GPL-2.0
/* A program in functions of its own, five frames deep: pointers into the callers' stacks, ctx and maps handed down. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct summary {
	__u32 hash;
	__u16 sum;
	__u8 proto;
	__u8 depth;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __attribute__((noinline)) __u32 mix(__u32 hash, __u32 word)
{
	return (hash ^ word) * 0x01000193;
}

static __attribute__((noinline)) void add(struct summary *summary, __u32 word)
{
	__u32 sum = summary->sum + (word & 0xffff) + (word >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	summary->sum = (sum & 0xffff) + (sum >> 16);
	summary->hash = mix(summary->hash, word);
	summary->depth++;
}

static __attribute__((noinline)) void add_all(struct summary *summary, const __u32 *words, int count)
{
	int i;

	for (i = 0; i < count && i < 8; i++)
		add(summary, words[i]);
}

static __attribute__((noinline)) int summarize(struct xdp_md *ctx, struct summary *summary)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip6 = data + sizeof(struct ethhdr);
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct ethhdr *eth = data;
	__u32 addresses[8];

	if ((void *)(eth + 1) > end)
		return -1;
	if (eth->h_proto == bpf_htons(ETH_P_IP) && (void *)(ip + 1) <= end) {
		summary->proto = ip->protocol;
		addresses[0] = ip->saddr;
		addresses[1] = ip->daddr;
		add_all(summary, addresses, 2);
		return 4;
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6) && (void *)(ip6 + 1) <= end) {
		summary->proto = ip6->nexthdr;
		__builtin_memcpy(addresses, &ip6->saddr, sizeof(addresses));
		add_all(summary, addresses, 8);
		return 6;
	}
	return 0;
}

/* A global function: the verifier takes it by itself, whoever calls it. */
__attribute__((noinline)) int decide(struct xdp_md *ctx, __u32 hash)
{
	__u64 *known = bpf_map_lookup_elem(&seen, &hash), one = 1;

	if (known)
		return (*known)++ & 1 ? XDP_TX : ctx->rx_queue_index ? XDP_ABORTED : XDP_DROP;
	return bpf_map_update_elem(&seen, &hash, &one, BPF_ANY) ? XDP_ABORTED : XDP_PASS;
}

SEC("xdp")
int subprograms(struct xdp_md *ctx)
{
	struct summary summary = { .hash = 0x811c9dc5 };
	int version = summarize(ctx, &summary);

	if (version < 0)
		return XDP_ABORTED;
	if (version == 0)
		return XDP_PASS;
	return decide(ctx, summary.hash ^ summary.sum << 8 ^ summary.proto << 24 ^ summary.depth);
}

char _license[] SEC("license") = "Dual MIT/GPL";
