// SPDX-License-Identifier: MIT OR GPL-2.0
/* A port goes down by one, UDP's destination and TCP's source, over both IP versions; the checksum is forgotten. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	__u16 from, to;
	__u8 protocol;

	if (parse_ipv4(ctx, &packet, 0))
		protocol = packet.ip->protocol;
	else if (parse_ipv6(ctx, &packet, IPPROTO_TCP) || parse_ipv6(ctx, &packet, IPPROTO_UDP))
		protocol = packet.ip6->nexthdr;
	else
		return PASS;
	if (protocol == IPPROTO_UDP) {
		struct udphdr *udp = packet.l4;

		from = udp->dest;
		to = bpf_htons(bpf_ntohs(from) - 1);
		udp->dest = to;
#ifndef FAULTY
		udp->check = update_udp(udp->check, from, to);
#endif
	} else if (protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = packet.l4;

		if ((void *)(tcp + 1) > packet.end || packet.length < sizeof(*tcp))
			return PASS;
		from = tcp->source;
		to = bpf_htons(bpf_ntohs(from) - 1);
		tcp->source = to;
#ifndef FAULTY
		tcp->check = update(tcp->check, from, to);
#endif
	}
	return PASS;
}
