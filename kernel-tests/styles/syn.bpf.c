// SPDX-License-Identifier: MIT OR GPL-2.0
/* What SYN proxies do: cookies, answers in the server's name, options read and rewritten. */
#include "styles.h"

INLINE struct tcphdr *plain_tcp(void *data, void *end, struct iphdr **ip)
{
	struct tcphdr *tcp;

	*ip = plain_ipv4(data, end);
	if (!*ip || (*ip)->protocol != IPPROTO_TCP)
		return NULL;
	tcp = (void *)(*ip + 1);
	return FITS(tcp, end) && tcp->doff >= 5 ? tcp : NULL;
}

INLINE __u32 mix(__u32 a, __u32 b, __u32 c)
{
	__u32 h = a * 0x9e3779b1u;

	h = (h ^ b) * 0x85ebca6bu;
	h = (h ^ (h >> 15) ^ c) * 0xc2b2ae35u;
	return h ^ (h >> 13);
}

/* Answers a bare SYN with a SYN-ACK whose sequence number is a cookie of the flow and of the minute. */
SEC("xdp") int syn_cookie(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip;
	struct tcphdr *tcp = plain_tcp(data, end, &ip);
	__u32 minute = bpf_ktime_get_ns() >> 36;

	if (!tcp || !tcp->syn || tcp->ack || tcp->rst || tcp->fin)
		return XDP_PASS;
	__u32 cookie = bpf_htonl(mix(ip->saddr, ip->daddr, ((__u32)tcp->source << 16 | tcp->dest) + minute));
	__be32 seq = tcp->seq, ack_seq = tcp->ack_seq;
	__be16 *flags = (__be16 *)tcp + 6, before = *flags, port = tcp->source;

	tcp->source = tcp->dest;
	tcp->dest = port;
	tcp->seq = cookie;
	tcp->ack_seq = bpf_htonl(bpf_ntohl(seq) + 1);
	tcp->ack = 1;
	replace2(&tcp->check, before, *flags);
	replace4(&tcp->check, seq, tcp->seq);
	FAULT(replace4(&tcp->check, ack_seq, tcp->ack_seq), (void)ack_seq);
	swap_addresses(ip);
	swap_macs(data);
	return XDP_TX;
}

/* Lets through what carries a cookie of this minute or the one before. */
SEC("xdp") int syn_check(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip;
	struct tcphdr *tcp = plain_tcp(data, end, &ip);
	__u32 minute = bpf_ktime_get_boot_ns() >> 36;

	if (!tcp || tcp->syn || !tcp->ack)
		return XDP_PASS;
	__u32 flow = (__u32)tcp->dest << 16 | tcp->source, echoed = bpf_ntohl(tcp->ack_seq) - 1;
	__u32 salt = *FAULT((__u32 *)tcp, (__u32 *)(tcp + 1));

	for (int age = 0; age < 2; age++) {
		if (mix(ip->daddr, ip->saddr, flow + minute - age + (salt >> 31)) == echoed)
			return XDP_PASS;
	}
	return XDP_DROP;
}

/* Lowers the MSS option of a SYN to 1400, wherever among the options it stands. */
SEC("xdp") int syn_mss(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip;
	struct tcphdr *tcp = plain_tcp(data, end, &ip);

	if (!tcp || !tcp->syn)
		return XDP_PASS;
	__u8 *option = (void *)(tcp + 1);
	__u32 left = tcp->doff * 4 - 20, at = 0;

	for (int i = 0; i < 40; i++) {
		__u8 *p = option + at;

		if (at + 1 > left || (void *)(p + 1) > end || *p == 0)
			return XDP_PASS;
		if (*p == 1) {
			at = (at + 1) & 63;
			continue;
		}
		if (at + 2 > left || (void *)(p + 2) > end || p[1] < 2)
			return XDP_PASS;
		if (*p == 2 && p[1] == 4) {
			if (at + 4 > left || (void *)(p + 4) > end)
				return XDP_PASS;
			__u16 mss = p[2] << 8 | p[3];

			if (mss <= 1400)
				return XDP_PASS;
			__be16 before = bpf_htons(mss), after = bpf_htons(1400);

			/* At an odd place the value lies across two words: its bytes change places in the sum. */
			if (at & 1) {
				before = mss;
				after = 1400;
			}
			p[2] = 1400 >> 8;
			p[3] = 1400 & 0xff;
			replace2(&tcp->check, before, FAULT(after, before));
			return XDP_PASS;
		}
		at = (at + p[1]) & 63;
	}
	return XDP_PASS;
}

/* Refuses with a RST: the segment shrinks to its header, everything is summed again. */
SEC("xdp") int syn_reset(struct xdp_md *ctx)
{
	void *data = DATA(ctx), *end = DATA_END(ctx);
	struct iphdr *ip;
	struct tcphdr *tcp = plain_tcp(data, end, &ip);
	int surplus;

	if (!tcp || !tcp->syn || tcp->ack || tcp->dest != bpf_htons(23))
		return XDP_PASS;
	surplus = (long)end - (long)data - 54;
	if (surplus > 0 && bpf_xdp_adjust_tail(ctx, -surplus))
		return XDP_DROP;
	data = DATA(ctx);
	end = DATA_END(ctx);
	ip = data + sizeof(struct ethhdr);
	tcp = (void *)(ip + 1);
	if (!FITS(tcp, end))
		return XDP_DROP;
	__be16 port = tcp->source;
	__be32 seq = tcp->seq;

	swap_macs(data);
	swap_addresses(ip);
	FAULT(ip->tot_len = bpf_htons(40), );
	ip->ttl = 64;
	ip->check = ipv4_checksum(ip);
	__builtin_memset(tcp, 0, sizeof(*tcp));
	tcp->source = bpf_htons(23);
	tcp->dest = port;
	tcp->ack_seq = bpf_htonl(bpf_ntohl(seq) + 1);
	tcp->doff = 5;
	tcp->rst = 1;
	tcp->ack = 1;
	__u64 sum = bpf_csum_diff(0, 0, (void *)&ip->saddr, 8, bpf_htons(IPPROTO_TCP) + bpf_htons(20));

	tcp->check = ~fold(bpf_csum_diff(0, 0, (void *)tcp, 20, sum));
	return XDP_TX;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u16);
	__type(value, __u64);
} syns SEC(".maps");

/* Counts SYN packets for each port, options that fall outside of the header left out. */
SEC("tc") int syn_count(struct __sk_buff *skb)
{
	struct tcphdr tcp;
	struct iphdr ip;
	__u64 one = 1, *count;
	__u16 port;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, 14, &ip, sizeof(ip)))
		return TC_ACT_UNSPEC;
	if (ip.ihl < 5 || ip.protocol != IPPROTO_TCP || (ip.frag_off & bpf_htons(0x1fff)))
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, 14 + ip.ihl * 4, &tcp, FAULT(sizeof(tcp), 600)) || !tcp.syn)
		return TC_ACT_UNSPEC;
	port = bpf_ntohs(tcp.dest);
	count = bpf_map_lookup_elem(&syns, &port);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&syns, &port, &one, BPF_NOEXIST);
	return TC_ACT_UNSPEC;
}
