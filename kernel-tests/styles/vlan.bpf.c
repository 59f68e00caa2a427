// SPDX-License-Identifier: MIT OR GPL-2.0
/* VLAN tags: put on, taken off, renumbered, stepped over. */
#include "styles.h"

INLINE int is_tag(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

SEC("xdp") int vlan_pop(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data, copy;
	struct vlan_tag *tag = (void *)(eth + 1);

	if (!FITS(tag, end) || !is_tag(eth->h_proto))
		return XDP_PASS;
	__builtin_memcpy(&copy, eth, sizeof(copy));
	copy.h_proto = tag->proto;
	if (bpf_xdp_adjust_head(ctx, 4))
		return XDP_DROP;
	FAULT(data = DATA(ctx), );
	end = DATA_END(ctx);
	if (data + sizeof(copy) > end)
		return XDP_DROP;
	__builtin_memcpy(data, &copy, sizeof(copy));
	return XDP_PASS;
}

SEC("xdp") int vlan_push(struct xdp_md *ctx)
{
	void *data, *end;

	if (FAULT(bpf_xdp_adjust_head(ctx, -4), bpf_xdp_adjust_head(ctx, -4) > 0))
		return XDP_PASS;
	data = DATA(ctx);
	end = DATA_END(ctx);
	struct ethhdr *eth = data;
	struct vlan_tag *tag = (void *)(eth + 1);

	if (FAULT(!FITS(tag, end), 0))
		return XDP_DROP;
	__builtin_memmove(data, data + 4, 12);
	eth->h_proto = bpf_htons(ETH_P_8021Q);
	tag->tci = bpf_htons(100);
	return XDP_TX;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u16);
} renumbered SEC(".maps");

SEC("xdp") int vlan_renumber(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data;
	struct vlan_tag *tag = (void *)(eth + 1);

	if (!FITS(tag, end) || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return XDP_PASS;
	__u32 vid = bpf_ntohs(tag->tci) & 0xfff;
	__u16 *to = bpf_map_lookup_elem(&renumbered, &vid);

	if (FAULT(!to || !*to, !*to))
		return XDP_PASS;
	tag->tci = (tag->tci & bpf_htons(0xf000)) | bpf_htons(*to & 0xfff);
	return XDP_TX;
}

/* Takes both tags of a Q-in-Q frame off and lowers the TTL behind them. */
SEC("xdp") int vlan_unstack(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data, copy;
	struct vlan_tag *tags = (void *)(eth + 1);
	struct iphdr *ip = (void *)(tags + 2);

	if (!FITS(ip, end) || !is_tag(eth->h_proto) || !is_tag(tags[0].proto))
		return XDP_PASS;
	if (tags[1].proto != bpf_htons(ETH_P_IP) || ip->version != 4 || ip->ihl < 5)
		return XDP_PASS;
	if (ip->ttl < 2)
		return XDP_DROP;
	FAULT(decrease_ttl(ip), ip->ttl--);
	__builtin_memcpy(&copy, eth, sizeof(copy));
	copy.h_proto = bpf_htons(ETH_P_IP);
	if (bpf_xdp_adjust_head(ctx, 8))
		return XDP_DROP;
	data = DATA(ctx);
	end = DATA_END(ctx);
	if (data + sizeof(copy) > end)
		return XDP_DROP;
	__builtin_memcpy(data, &copy, sizeof(copy));
	return XDP_TX;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} by_priority SEC(".maps");

/* Counts by priority, through up to four tags. */
SEC("xdp") int vlan_priority(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data;
	struct vlan_tag *tag = (void *)(eth + 1);
	__u32 priority = 0;
	__be16 proto;

	if (!FITS(eth, end))
		return XDP_PASS;
	proto = eth->h_proto;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		if (!is_tag(proto))
			break;
		if (FAULT(!FITS(tag, end), 0))
			return XDP_DROP;
		priority = bpf_ntohs(tag->tci) >> 13;
		proto = tag->proto;
		tag++;
	}
	__u64 *count = bpf_map_lookup_elem(&by_priority, &priority);

	if (count)
		*count += 1;
	return XDP_PASS;
}

/* TC's own helpers: a tag that lies in the sk_buff. */
SEC("tc") int vlan_tc_push(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return TC_ACT_OK;
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), 7))
		return TC_ACT_SHOT;
#ifdef FAULTY
	*(__u8 *)DATA(skb) = 1;
#endif
	return TC_ACT_OK;
}

SEC("tc") int vlan_tc_pop(struct __sk_buff *skb)
{
	if (!skb->vlan_present)
		return TC_ACT_UNSPEC;
	skb->mark = skb->vlan_tci & 0xfff;
	if (bpf_skb_vlan_pop(skb))
		return TC_ACT_SHOT;
	FAULT(, skb->vlan_tci = 0);
	return TC_ACT_OK;
}

/* Takes one tag off in place; the faulty form keeps the EtherType of the tag. */
SEC("xdp") int vlan_strip(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct ethhdr *eth = data;
	struct vlan_tag *tag = (void *)(eth + 1);
	__be16 proto;

	if (!FITS(tag, end) || !is_tag(eth->h_proto) || is_tag(tag->proto))
		return XDP_PASS;
	proto = FAULT(tag->proto, eth->h_proto);
	__builtin_memmove(data + 4, data, 12);
	*(__be16 *)(data + 16) = proto;
	return bpf_xdp_adjust_head(ctx, 4) ? XDP_ABORTED : XDP_PASS;
}
