// SPDX-License-Identifier: MIT OR GPL-2.0
/* In the UDP packet that an ICMP error quotes, the source port becomes 4500; ICMP's own checksum covers it, too. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct icmphdr *icmp;
	struct iphdr *inner;
	struct udphdr *udp;
	__u16 from, to = bpf_htons(4500), was, is;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP) || packet.length < 8 + sizeof(*inner) + sizeof(*udp))
		return PASS;
	icmp = packet.l4;
	inner = (void *)(icmp + 1);
	udp = (void *)(inner + 1);
	if ((void *)(udp + 1) > packet.end)
		return PASS;
	if (icmp->type != ICMP_DEST_UNREACH && icmp->type != ICMP_TIME_EXCEEDED)
		return PASS;
	if (inner->ihl != 5 || inner->version != 4 || (inner->frag_off & bpf_htons(0x1fff)))
		return PASS;
	if (inner->protocol != IPPROTO_UDP)
		return PASS;
	from = udp->source;
	udp->source = to;
#ifdef FAULTY
	(void)from;
	(void)was;
	(void)is;
#else
	was = udp->check;
	is = update_udp(was, from, to);
	udp->check = is;
	/* The quoted checksum is covered as well. */
	icmp->checksum = update(update(icmp->checksum, from, to), was, is);
#endif
	return PASS;
}
