// SPDX-License-Identifier: MIT OR GPL-2.0
/* Payload that lies in pages of its own: of TCP from a local socket, nothing but headers is between data and data_end. */
#include <linux/tcp.h>
#include "common.h"

/* No POST to a web server. */
PROGRAM int posts_dropped(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	char *method;

	IF_RIGHT(bpf_skb_pull_data(ctx, ctx->len);)
	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_TCP)
		return PASS;
	if (packet.ip->frag_off & bpf_htons(0x3fff))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end || tcp->doff < 5)
		return PASS;
	method = (char *)tcp + tcp->doff * 4;
	if ((void *)(method + 4) > packet.end)
		return PASS;
	return method[0] == 'P' && method[1] == 'O' && method[2] == 'S' && method[3] == 'T' ? DROP : PASS;
}
