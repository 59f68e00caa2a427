// SPDX-License-Identifier: MIT OR GPL-2.0
/* A text of seven bytes, compared byte by byte, and a switch behind it. */
#include "guarded.h"
SEC("xdp") int tlv(struct xdp_md *ctx)
{
	struct packet p;
	__u8 *at;

	if (!parse(ctx, &p, IPPROTO_TCP, sizeof(struct tcphdr) + 9))
		return XDP_PASS;
	at = p.l4 + sizeof(struct tcphdr);
	if (at[0] != 'P' || at[1] != 'R' || at[2] != 'O' || at[3] != 'X' || at[4] != 'Y' || at[5] != ' ')
		return XDP_PASS;
	switch (at[6]) {
	case 'T':
		return XDP_DROP;
	case 'U':
		return XDP_ABORTED;
	case 0xd3:
		return at[7] == '4' && at[8] == '6' ? REACHED : XDP_DROP;
	}
	return XDP_PASS;
}
