// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Walks the chain of IPv6 extension headers with bpf_loop (RFC 8200 §4): routing headers of type 0 are dropped
 * (RFC 5095), chains that are too long or cut off as well, and upper protocols are counted with the chain's length.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_HEADERS 8
#define CHAIN_LIMIT 256

struct seen {
	__u64 packets;
	__u64 headers;
	__u32 longest;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct seen);
} upper SEC(".maps");

struct walk {
	struct xdp_md *ctx;
	__u32 offset; /* of the next header, from the frame's begin */
	__u8 next;
	__u8 headers;
	__u8 done;
	__u8 bad;
};

static __always_inline long stop(struct walk *walk, int bad)
{
	walk->done = 1;
	walk->bad = bad;
	return 1;
}

static long step(__u32 index, void *context)
{
	struct walk *walk = context;
	__u8 header[4];

	switch (walk->next) {
	case IPPROTO_HOPOPTS:
		if (index > 0)
			return stop(walk, 1);
		break;
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_FRAGMENT:
		break;
	default:
		return stop(walk, 0);
	}
	if (bpf_xdp_load_bytes(walk->ctx, walk->offset, header, sizeof(header)))
		return stop(walk, 1);
	if (walk->next == IPPROTO_ROUTING && header[2] == 0)
		return stop(walk, 1);
	if (walk->next == IPPROTO_FRAGMENT && (header[2] | (header[3] & 0xf8)))
		return stop(walk, 0);
	walk->offset += walk->next == IPPROTO_FRAGMENT ? 8 : (header[1] + 1) * 8;
	walk->next = header[0];
	walk->headers++;
	return walk->offset > CHAIN_LIMIT ? stop(walk, 1) : 0;
}

SEC("xdp")
int ipv6_extensions(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip6 = data + sizeof(struct ethhdr);
	struct walk walk = { .ctx = ctx };
	struct ethhdr *eth = data;
	struct seen *seen;
	__u32 key;

	if ((void *)(ip6 + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	walk.offset = sizeof(*eth) + sizeof(*ip6);
	walk.next = ip6->nexthdr;
	if (bpf_loop(MAX_HEADERS, step, &walk, 0) < 0)
		return XDP_ABORTED;
	if (!walk.done || walk.bad)
		return XDP_DROP;
	key = walk.next;
	seen = bpf_map_lookup_elem(&upper, &key);
	if (!seen)
		return XDP_ABORTED;
	seen->packets++;
	seen->headers += walk.headers;
	if (walk.headers > seen->longest)
		seen->longest = walk.headers;
	return walk.headers ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
