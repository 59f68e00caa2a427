/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Parsing for the programs under test.
 *
 * A cursor walks a frame header by header. Each parse_* function checks that the header is wholly there, moves
 * the cursor behind it and hands out a pointer, or returns a negative number and promises nothing about the
 * cursor or the pointer. What it hands out is covered by a comparison with data_end, so the caller may read and
 * write it without another.
 */
#ifndef XDPSIM_PARSING_H
#define XDPSIM_PARSING_H

#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NOT_PARSED (-1)

/* Up to two tags are stepped over: an outer 802.1ad and an inner 802.1Q, or any other pair. */
#define VLAN_MAX_DEPTH 2

struct vlan_hdr {
	__be16 h_vlan_TCI;
	__be16 h_vlan_encapsulated_proto;
};

struct cursor {
	void *pos;
	void *end;
};

/* Works for struct xdp_md and struct __sk_buff alike: both have data and data_end. */
#define CURSOR(ctx)                                \
	{                                          \
		.pos = (void *)(long)(ctx)->data,  \
		.end = (void *)(long)(ctx)->data_end \
	}

/*
 * A length from a header, fit to be added to a packet pointer: the verifier of older kernels (6.1 is one) forgets
 * what a register may hold when its bytes are swapped, so it has to be shown once more.
 */
static __always_inline __u32 length_of(__be16 field)
{
	__u32 length = bpf_ntohs(field);

	barrier_var(length);
	return length & 0xffff;
}

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/*
 * The EtherType behind up to two tags, in network byte order; negative for a frame too short for Ethernet or for
 * a tag it announces. A third tag is not stepped over: its own EtherType is returned, which is no protocol.
 */
static __always_inline int parse_ethernet(struct cursor *cursor, struct ethhdr **eth)
{
	struct ethhdr *header = cursor->pos;
	__be16 proto;

	if ((void *)(header + 1) > cursor->end)
		return NOT_PARSED;
	cursor->pos = header + 1;
	*eth = header;
	proto = header->h_proto;

#pragma unroll
	for (int depth = 0; depth < VLAN_MAX_DEPTH; depth++) {
		struct vlan_hdr *tag = cursor->pos;

		if (!is_vlan(proto))
			break;
		if ((void *)(tag + 1) > cursor->end)
			return NOT_PARSED;
		proto = tag->h_vlan_encapsulated_proto;
		cursor->pos = tag + 1;
	}
	return proto;
}

/* The protocol number, with the cursor behind the options. */
static __always_inline int parse_ipv4(struct cursor *cursor, struct iphdr **ip)
{
	struct iphdr *header = cursor->pos;
	__u32 length;

	if ((void *)(header + 1) > cursor->end)
		return NOT_PARSED;
	if (header->version != 4 || header->ihl < 5)
		return NOT_PARSED;
	length = header->ihl * 4;
	if (cursor->pos + length > cursor->end)
		return NOT_PARSED;
	cursor->pos += length;
	*ip = header;
	return header->protocol;
}

/* The fixed header's next header: extension headers are not followed. */
static __always_inline int parse_ipv6(struct cursor *cursor, struct ipv6hdr **ip6)
{
	struct ipv6hdr *header = cursor->pos;

	if ((void *)(header + 1) > cursor->end)
		return NOT_PARSED;
	if (header->version != 6)
		return NOT_PARSED;
	cursor->pos = header + 1;
	*ip6 = header;
	return header->nexthdr;
}

static __always_inline int parse_tcp(struct cursor *cursor, struct tcphdr **tcp)
{
	struct tcphdr *header = cursor->pos;

	if ((void *)(header + 1) > cursor->end)
		return NOT_PARSED;
	cursor->pos = header + 1;
	*tcp = header;
	return 0;
}

/* The type. */
static __always_inline int parse_icmp(struct cursor *cursor, struct icmphdr **icmp)
{
	struct icmphdr *header = cursor->pos;

	if ((void *)(header + 1) > cursor->end)
		return NOT_PARSED;
	cursor->pos = header + 1;
	*icmp = header;
	return header->type;
}

/* The type. */
static __always_inline int parse_icmpv6(struct cursor *cursor, struct icmp6hdr **icmp6)
{
	struct icmp6hdr *header = cursor->pos;

	if ((void *)(header + 1) > cursor->end)
		return NOT_PARSED;
	cursor->pos = header + 1;
	*icmp6 = header;
	return header->icmp6_type;
}

#define IPV4_MF 0x2000
#define IPV4_OFFSET 0x1fff

/* Has data of the same datagram gone before it, so that it starts with no layer 4 header? */
static __always_inline int is_later_fragment(const struct iphdr *ip)
{
	return (ip->frag_off & bpf_htons(IPV4_OFFSET)) != 0;
}

static __always_inline int is_fragment(const struct iphdr *ip)
{
	return (ip->frag_off & bpf_htons(IPV4_MF | IPV4_OFFSET)) != 0;
}

/*
 * The protocol that an IPv4 or IPv6 header names, whatever comes behind it; negative where there is no such
 * header or it is not parsed.
 */
static __always_inline int parse_ip_protocol(struct cursor *cursor)
{
	struct ipv6hdr *ip6;
	struct ethhdr *eth;
	struct iphdr *ip;
	int proto = parse_ethernet(cursor, &eth);

	if (proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(cursor, &ip);
	if (proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(cursor, &ip6);
	return NOT_PARSED;
}

#endif
