// SPDX-License-Identifier: MIT OR GPL-2.0
/* The last two bytes of a UDP payload are cut off, in all lengths; the checksum is forgotten. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to, length, cut, check;
	__u16 *word;
	__u32 at;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP) || packet.length > 1000 || !ends_with_frame(&packet))
		return PASS;
	udp = packet.l4;
	if (bpf_ntohs(udp->len) != packet.length || (packet.length & 1) || packet.length < 10)
		return PASS;
	at = packet.length - 2;
	word = packet.l4 + at;
	if (at > 1000 || (void *)(word + 1) > packet.end)
		return PASS;
	cut = *word;
	from = packet.ip->tot_len;
	to = bpf_htons(bpf_ntohs(from) - 2);
	packet.ip->tot_len = to;
	packet.ip->check = update(packet.ip->check, from, to);
	length = udp->len;
	udp->len = bpf_htons(bpf_ntohs(length) - 2);
#ifndef FAULTY
	check = update(update(udp->check, length, udp->len), length, udp->len);
	check = update(check, cut, 0);
	if (udp->check)
		udp->check = check == 0 ? 0xffff : check;
#else
	(void)check;
	(void)cut;
#endif
	return RESIZE(ctx, -2) ? DROP : PASS;
}
