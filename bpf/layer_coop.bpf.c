// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Traffic per pair of IPv4 hosts: XDP counts what comes in, TC counts what goes out, both in one map.
 */
#include <stddef.h>
#include <linux/pkt_cls.h>
#include "include/parsing.h"

struct pair {
	__be32 local;
	__be32 remote;
};

struct tracker {
	__u64 tx_packets;
	__u64 rx_packets;
	__u64 tx_bytes;
	__u64 rx_bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct pair);
	__type(value, struct tracker);
	__uint(max_entries, 2048);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} trackers SEC(".maps");

/* The pair's tracker, made if it is new; NULL where the map is full. */
static __always_inline struct tracker *tracker_of(const struct pair *pair)
{
	struct tracker *tracker = bpf_map_lookup_elem(&trackers, pair);
	struct tracker empty = {};

	if (tracker)
		return tracker;
	/* The other half, or another CPU, may have been quicker: its entry is then the one to count in. */
	bpf_map_update_elem(&trackers, pair, &empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&trackers, pair);
}

SEC("xdp")
int layer_coop_rx(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);
	struct ethhdr *eth = cursor.pos;
	struct tracker *tracker;
	struct pair pair;
	struct iphdr *ip;

	if ((void *)(eth + 1) > cursor.end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	cursor.pos = eth + 1;
	if (parse_ipv4(&cursor, &ip) < 0)
		return XDP_PASS;
	pair.local = ip->daddr;
	pair.remote = ip->saddr;
	tracker = tracker_of(&pair);
	if (tracker) {
		__sync_fetch_and_add(&tracker->rx_packets, 1);
		__sync_fetch_and_add(&tracker->rx_bytes, ctx->data_end - ctx->data);
	}
	return XDP_PASS;
}

SEC("tc")
int layer_coop_tx(struct __sk_buff *skb)
{
	struct tracker *tracker;
	struct pair pair;
	struct iphdr ip;
	__be16 proto;

	/* Loaded, not accessed directly: a large send may have its headers outside the linear part. */
	if (skb->vlan_present || bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto)))
		return TC_ACT_OK;
	if (proto != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return TC_ACT_OK;
	if (ip.version != 4 || ip.ihl < 5 || skb->len < ETH_HLEN + ip.ihl * 4)
		return TC_ACT_OK;
	pair.local = ip.saddr;
	pair.remote = ip.daddr;
	tracker = tracker_of(&pair);
	if (tracker) {
		__sync_fetch_and_add(&tracker->tx_packets, 1);
		__sync_fetch_and_add(&tracker->tx_bytes, skb->len);
	}
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
