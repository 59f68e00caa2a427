// SPDX-License-Identifier: MIT OR GPL-2.0
/* Four bytes are put behind a UDP payload, and counted in all lengths; the checksum is forgotten. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to, length;
	__u32 at, check;
	__u16 *words;

	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP) || packet.length > 1000 || !ends_with_frame(&packet))
		return PASS;
	udp = packet.l4;
	if (bpf_ntohs(udp->len) != packet.length || (packet.length & 1))
		return PASS;
	at = packet.l4 - packet.data + packet.length;
	if (RESIZE(ctx, 4))
		return DROP;
	if (!parse_ipv4(ctx, &packet, IPPROTO_UDP))
		return DROP;
	udp = packet.l4;
	if (at > 1100)
		return DROP;
	words = packet.data + at;
	if ((void *)(words + 2) > packet.end)
		return DROP;
	words[0] = bpf_htons(0x1234);
	words[1] = bpf_htons(0x5678);
	from = packet.ip->tot_len;
	to = bpf_htons(bpf_ntohs(from) + 4);
	packet.ip->tot_len = to;
	packet.ip->check = update(packet.ip->check, from, to);
	length = udp->len;
	udp->len = bpf_htons(bpf_ntohs(length) + 4);
#ifndef FAULTY
	/* The length is counted in the header and in the pseudo-header. */
	check = update(update(udp->check, length, udp->len), length, udp->len);
	check = update(update(check, 0, words[0]), 0, words[1]);
	if (udp->check)
		udp->check = check == 0 ? 0xffff : check;
#else
	(void)check;
#endif
	return PASS;
}
