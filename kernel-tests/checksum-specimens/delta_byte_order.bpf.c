// SPDX-License-Identifier: MIT OR GPL-2.0
/* The destination port of TCP over IPv6 becomes 8443; the difference is added in host byte order. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__u16 from, to = bpf_htons(8443);

	if (!parse_ipv6(ctx, &packet, IPPROTO_TCP) || packet.length < sizeof(*tcp))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end)
		return PASS;
	from = tcp->dest;
	tcp->dest = to;
#ifdef FAULTY
	tcp->check = update(tcp->check, bpf_ntohs(from), bpf_ntohs(to));
#else
	tcp->check = update(tcp->check, from, to);
#endif
	return PASS;
}
