/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* What the specimens of `check` share, beside what those of the checksum oracle do. */
#include "../checksum-specimens/specimen.h"

#ifdef TC
#define TRANSMIT(ctx) bpf_redirect((ctx)->ifindex, 0)
/* What is sent by a local socket may have its data in pages of its own. */
#define IN_ONE_PIECE(ctx) bpf_skb_pull_data(ctx, (ctx)->len)
#else
#define TRANSMIT(ctx) XDP_TX
#define IN_ONE_PIECE(ctx)
#endif

#ifdef FAULTY
#define IF_RIGHT(code)
#define IF_FAULTY(code) code
#define FAULTY_OR_RIGHT(faulty, right) faulty
#else
#define IF_RIGHT(code) code
#define IF_FAULTY(code)
#define FAULTY_OR_RIGHT(faulty, right) right
#endif

INLINE void swap_macs(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
}

/* The next hop of every packet: its addresses, and the device that leads there. */
INLINE void next_hop(struct ethhdr *eth)
{
	static const __u8 from[ETH_ALEN] = { 2, 0, 0, 0, 1, 1 };
	static const __u8 to[ETH_ALEN] = { 2, 0, 0, 0, 1, 2 };

	__builtin_memcpy(eth->h_source, from, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, to, ETH_ALEN);
}

/* An IPv4 packet without options, whole or a fragment, with at least 8 bytes behind its header. */
INLINE int parse_any_ipv4(CONTEXT *ctx, struct packet *packet)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	packet->data = eth;
	packet->end = (void *)(long)ctx->data_end;
	packet->ip = ip;
	packet->l4 = ip + 1;
	if (packet->l4 + 8 > packet->end || eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	if (ip->ihl != 5 || ip->version != 4 || bpf_ntohs(ip->tot_len) < sizeof(*ip) + 8)
		return 0;
	packet->length = bpf_ntohs(ip->tot_len) - sizeof(*ip);
	return (void *)ip + bpf_ntohs(ip->tot_len) <= packet->end;
}

/* One less, with the carry that RFC 1624 asks for. */
INLINE void lower_ttl(struct iphdr *ip, __u8 by)
{
	__u16 from = *(__u16 *)&ip->ttl;

	ip->ttl -= by;
	ip->check = update(ip->check, from, *(__u16 *)&ip->ttl);
}

/* Can a host have this address, so that it may be answered? */
INLINE int is_host(__be32 address)
{
	return address != 0 && address != 0xffffffff && (address & bpf_htonl(0xf0000000)) != bpf_htonl(0xe0000000);
}
