// SPDX-License-Identifier: MIT OR GPL-2.0
/* Two bytes are cut off a UDP packet over IPv6 and its checksum is made right; the IPv6 payload length is forgotten. */
#include "specimen.h"

PROGRAM int specimen(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 length, check, *word;
	__u32 at;

	if (!parse_ipv6(ctx, &packet, IPPROTO_UDP) || packet.length > 1000 || !ends_with_frame(&packet))
		return PASS;
	udp = packet.l4;
	if (bpf_ntohs(udp->len) != packet.length || (packet.length & 1) || packet.length < 10)
		return PASS;
	at = (packet.length - 2) & 0x3ff;
	word = packet.l4 + at;
	if ((void *)(word + 1) > packet.end)
		return PASS;
	length = udp->len;
	udp->len = bpf_htons(bpf_ntohs(length) - 2);
	check = update(update(udp->check, length, udp->len), length, udp->len);
	check = update(check, *word, 0);
	if (udp->check)
		udp->check = check == 0 ? 0xffff : check;
#ifndef FAULTY
	packet.ip6->payload_len = bpf_htons(packet.length - 2);
#endif
	return RESIZE(ctx, -2) ? DROP : PASS;
}
