// SPDX-License-Identifier: MIT OR GPL-2.0
/* Connection tracking: flows that are remembered, both ways, with time stamps. */
#include "styles.h"

struct flow {
	__be32 saddr, daddr;
	__be16 sport, dport;
	__u32 proto;
};

struct state {
	__u64 first_ns, last_ns;
	__u32 packets, flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, struct state);
} flows SEC(".maps");

/* TCP and UDP have their ports in the same place. */
INLINE int flow_of(void *data, void *end, struct flow *flow, struct tcphdr **tcp)
{
	struct iphdr *ip = plain_ipv4(data, end);
	struct udphdr *udp = (void *)(ip + 1);

	*tcp = NULL;
	if (!ip || !FITS(udp, end))
		return -1;
	if (ip->protocol == IPPROTO_TCP) {
		*tcp = (void *)udp;
		if (!FITS(*tcp, end))
			return -1;
	} else if (ip->protocol != IPPROTO_UDP) {
		return -1;
	}
	flow->saddr = ip->saddr;
	flow->daddr = ip->daddr;
	flow->sport = udp->source;
	flow->dport = udp->dest;
	flow->proto = ip->protocol;
	return 0;
}

/* Every flow with the time of its first and last packet. */
SEC("xdp") int ct_track(struct xdp_md *ctx)
{
	struct flow flow = {};
	struct state *state, fresh = {};
	struct tcphdr *tcp;

	if (flow_of(DATA(ctx), DATA_END(ctx), &flow, &tcp))
		return XDP_PASS;
	__u64 now = bpf_ktime_get_ns();

	state = bpf_map_lookup_elem(&flows, &flow);
	if (state) {
		state->last_ns = now;
		__sync_fetch_and_add(&state->packets, 1);
		if (tcp)
			state->flags |= ((__u8 *)tcp)[13];
		return XDP_PASS;
	}
	fresh.first_ns = fresh.last_ns = now;
	fresh.packets = 1;
	if (FAULT(tcp, 1))
		fresh.flags = ((__u8 *)tcp)[13];
	bpf_map_update_elem(&flows, &flow, &fresh, BPF_ANY);
	return XDP_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, struct state);
} established SEC(".maps");

INLINE void reverse(const struct flow *flow, struct flow *back)
{
	back->saddr = flow->daddr;
	back->daddr = flow->saddr;
	back->sport = flow->dport;
	back->dport = flow->sport;
	back->proto = flow->proto;
}

/* Lets in only what answers: low ports must have been spoken to. */
SEC("xdp") int ct_reverse(struct xdp_md *ctx)
{
	struct flow flow = {}, back = {};
	struct state fresh = {}, *state;
	struct tcphdr *tcp;

	if (flow_of(DATA(ctx), DATA_END(ctx), &flow, &tcp))
		return XDP_PASS;
	reverse(&flow, &back);
	state = bpf_map_lookup_elem(&established, &back);
	if (state) {
		state->packets++;
		return XDP_PASS;
	}
	if (bpf_ntohs(flow.sport) < 1024)
		return XDP_DROP;
	fresh.packets = 1;
#ifdef FAULTY
	__builtin_memset(DATA(ctx), 0, 8);
#endif
	if (bpf_map_update_elem(&established, &flow, &fresh, BPF_NOEXIST) == -7 /* E2BIG */)
		return XDP_DROP;
	return XDP_PASS;
}

/* Flows that were silent for a second start again. */
SEC("xdp") int ct_timeout(struct xdp_md *ctx)
{
	struct flow flow = {};
	struct state *state, fresh = {};
	struct tcphdr *tcp;
	__u64 now = bpf_ktime_get_tai_ns();

	if (flow_of(DATA(ctx), DATA_END(ctx), &flow, &tcp))
		return XDP_PASS;
	state = bpf_map_lookup_elem(&flows, &flow);
	if (FAULT(state && now - state->last_ns > 1000000000ull, now - state->last_ns > 1000000000ull)) {
		bpf_map_delete_elem(&flows, &flow);
		state = NULL;
	}
	if (!state) {
		fresh.first_ns = fresh.last_ns = now;
		bpf_map_update_elem(&flows, &flow, &fresh, BPF_ANY);
		return tcp && !tcp->syn ? XDP_DROP : XDP_PASS;
	}
	state->last_ns = now;
	return XDP_PASS;
}

/* Remembers what goes out by skb helpers, with the flow's hash beside it. */
SEC("tc") int ct_egress(struct __sk_buff *skb)
{
	struct flow flow = {};
	struct state fresh = {}, *state;
	struct tcphdr *tcp;

	if (flow_of(DATA(skb), DATA_END(skb), &flow, &tcp))
		return TC_ACT_OK;
	state = bpf_map_lookup_elem(&flows, &flow);
	if (!state) {
		fresh.first_ns = bpf_ktime_get_ns();
		fresh.flags = bpf_get_hash_recalc(skb);
		bpf_map_update_elem(&flows, &flow, &fresh, BPF_ANY);
		return TC_ACT_OK;
	}
	state->last_ns = skb->tstamp;
	state->packets += FAULT(1, ((__u8 *)tcp)[0]);
	return TC_ACT_OK;
}

struct translation {
	__be32 address;
	__be16 port;
	__u16 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow);
	__type(value, struct translation);
} translations SEC(".maps");

/* Source NAT to 192.0.2.1, with a port of a range that the flow draws by chance. */
SEC("tc") int ct_snat(struct __sk_buff *skb)
{
	struct translation *known, fresh = { .address = bpf_htonl(0xc0000201) };
	struct flow flow = {};
	struct tcphdr *tcp;

	if (flow_of(DATA(skb), DATA_END(skb), &flow, &tcp) || !tcp)
		return TC_ACT_OK;
	known = bpf_map_lookup_elem(&translations, &flow);
	if (!known) {
		fresh.port = bpf_htons(32768 + bpf_get_prandom_u32() % 16384);
		bpf_map_update_elem(&translations, &flow, &fresh, BPF_ANY);
	} else {
		fresh = *known;
	}
	bpf_l4_csum_replace(skb, 34 + 16, flow.saddr, fresh.address, FAULT(BPF_F_PSEUDO_HDR, 0) | 4);
	bpf_l4_csum_replace(skb, 34 + 16, flow.sport, fresh.port, 2);
	FAULT(bpf_l3_csum_replace(skb, 14 + 10, flow.saddr, fresh.address, 4), );
	if (bpf_skb_store_bytes(skb, 14 + 12, &fresh.address, 4, 0) || bpf_skb_store_bytes(skb, 34, &fresh.port, 2, 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}
