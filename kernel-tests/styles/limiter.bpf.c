// SPDX-License-Identifier: MIT OR GPL-2.0
/* Rate limiters as the field writes them: on every clock that the kernel has. */
#include "styles.h"

struct bucket {
	__u64 last_ns;
	__u32 tokens;
	__u32 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __be32);
	__type(value, struct bucket);
} by_source SEC(".maps");

/* A token bucket that fills with time, a token each millisecond. */
SEC("xdp") int rl_token_bucket(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if (FAULT(!FITS(ip, end), !FITS(eth, end)) || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	__be32 key = ip->saddr;
	__u64 now = bpf_ktime_get_ns();
	struct bucket *bucket = bpf_map_lookup_elem(&by_source, &key);

	if (!bucket) {
		struct bucket fresh = { .last_ns = now, .tokens = 9 };

		bpf_map_update_elem(&by_source, &key, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	__u64 earned = (now - bucket->last_ns) / 1000000;

	if (earned) {
		bucket->tokens = bucket->tokens + earned > 10 ? 10 : bucket->tokens + earned;
		bucket->last_ns = now;
	}
	if (!bucket->tokens) {
		bucket->dropped++;
		return XDP_DROP;
	}
	bucket->tokens--;
	return XDP_PASS;
}

struct window {
	__u64 start;
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct window);
} windows SEC(".maps");

/* A window a second for each protocol number. */
SEC("xdp") int rl_window(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);

	if (!ip)
		return XDP_PASS;
	__u32 key = ip->protocol;
	struct window *window = bpf_map_lookup_elem(&windows, &key);
	__u64 now = bpf_ktime_get_boot_ns();

	if (FAULT(!window, 0))
		return XDP_ABORTED;
	if (now - window->start > 1000000000ull) {
		window->start = now;
		window->packets = 0;
		window->bytes = 0;
	}
	window->packets++;
	window->bytes += (long)end - (long)data;
	return window->packets > 100 || window->bytes > 64000 ? XDP_DROP : XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u16);
	__type(value, struct window);
} syn_windows SEC(".maps");

/* SYN packets for each port, in windows of coarse time. */
SEC("xdp") int rl_syn(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip = plain_ipv4(data, end);
	struct tcphdr *tcp = (void *)(ip + 1);

	if (!ip || FAULT(!FITS(tcp, end), (void *)tcp + 4 > end) || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	if (!tcp->syn || tcp->ack)
		return XDP_PASS;
	__u16 key = bpf_ntohs(tcp->dest);
	struct window *window = bpf_map_lookup_elem(&syn_windows, &key);
	__u64 now = bpf_ktime_get_coarse_ns();

	if (!window) {
		struct window first = { .start = now, .packets = 1 };

		bpf_map_update_elem(&syn_windows, &key, &first, BPF_NOEXIST);
		return XDP_PASS;
	}
	if (now - window->start > 10000000ull) {
		window->start = now;
		window->packets = 0;
	}
	return __sync_fetch_and_add(&window->packets, 1) > 20 ? XDP_DROP : XDP_PASS;
}

struct shared_bucket {
	struct bpf_spin_lock lock;
	__u32 tokens;
	__u64 last_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shared_bucket);
} shared SEC(".maps");

/* One bucket for all, behind a lock. */
SEC("xdp") int rl_shared(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 now = bpf_ktime_get_ns();
	struct shared_bucket *bucket = bpf_map_lookup_elem(&shared, &key);
	int action = XDP_PASS;

	if (!bucket)
		return XDP_ABORTED;
	bpf_spin_lock(&bucket->lock);
	if (now - bucket->last_ns > 500000) {
		bucket->tokens = 50;
		bucket->last_ns = now;
	}
	if (bucket->tokens)
		bucket->tokens--;
	else
		action = XDP_DROP;
	FAULT(bpf_spin_unlock(&bucket->lock), );
	return action;
}

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct in6_addr);
	__type(value, struct window);
} echo_requests SEC(".maps");

/* Echo requests over both families, counted in jiffies. */
SEC("tc") int rl_echo(struct __sk_buff *skb)
{
	void *data = DATA(skb), *end = DATA_END(skb);
	struct iphdr *ip = plain_ipv4(data, end);
	struct ipv6hdr *ip6 = plain_ipv6(data, end);
	struct in6_addr key = {};
	struct window fresh = {}, *window;
	__u64 now = bpf_jiffies64();

	if (ip) {
		struct icmphdr *icmp = (void *)(ip + 1);

		if (ip->protocol != IPPROTO_ICMP || !FITS(icmp, end) || icmp->type != ICMP_ECHO)
			return TC_ACT_OK;
		key.s6_addr32[3] = ip->saddr;
	} else if (ip6) {
		struct icmp6hdr *icmp6 = (void *)(ip6 + 1);

		if (ip6->nexthdr != IPPROTO_ICMPV6 || FAULT(!FITS(icmp6, end), 0) || icmp6->icmp6_type != 128)
			return TC_ACT_OK;
		key = ip6->saddr;
	} else {
		return TC_ACT_OK;
	}
	window = bpf_map_lookup_elem(&echo_requests, &key);
	if (!window) {
		fresh.start = now;
		bpf_map_update_elem(&echo_requests, &key, &fresh, BPF_ANY);
		return TC_ACT_OK;
	}
	if (now - window->start >= 250) {
		window->start = now;
		window->packets = 0;
	}
	return ++window->packets > 5 ? TC_ACT_SHOT : TC_ACT_OK;
}
