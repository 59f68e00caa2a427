/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* What the protocol counters count a frame as. */
#ifndef XDPSIM_PROTOCOL_KEY_H
#define XDPSIM_PROTOCOL_KEY_H

#include "parsing.h"

/* Protocol and next-header numbers are one byte. */
#define PROTOCOL_KEYS 256

/*
 * The IPv4 protocol or IPv6 next header; 0 for ARP, other EtherTypes, three or more tags, and IP headers that are
 * not parsed; negative for a frame too short for Ethernet or with a cut-off tag, which is not counted.
 */
static __always_inline int protocol_key(struct xdp_md *ctx)
{
	struct cursor cursor = CURSOR(ctx);
	struct ipv6hdr *ip6;
	struct ethhdr *eth;
	struct iphdr *ip;
	int proto = parse_ethernet(&cursor, &eth);
	int key = 0;

	if (proto < 0)
		return NOT_PARSED;
	if (proto == bpf_htons(ETH_P_IP))
		key = parse_ipv4(&cursor, &ip);
	else if (proto == bpf_htons(ETH_P_IPV6))
		key = parse_ipv6(&cursor, &ip6);
	return key < 0 ? 0 : key;
}

#endif
