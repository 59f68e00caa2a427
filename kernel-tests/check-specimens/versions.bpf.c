// SPDX-License-Identifier: MIT OR GPL-2.0
/* What another kernel does otherwise. */
#include "common.h"

/* bpf_csum_diff folds its result since Linux 6.13; before, the program has to. */
PROGRAM int sum_unfolded(CONTEXT *ctx)
{
	struct packet packet;
	__be32 from, to = bpf_htonl(0xc0000207);
	__s64 sum;

	if (!parse_ipv4(ctx, &packet, IPPROTO_ICMP))
		return PASS;
	from = packet.ip->saddr;
	sum = bpf_csum_diff(&from, 4, &to, 4, (__u16)~packet.ip->check);
	packet.ip->saddr = to;
	packet.ip->check = FAULTY_OR_RIGHT(~sum, ~fold(sum));
	return PASS;
}
