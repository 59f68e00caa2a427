/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Incremental checksum update, RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). */
#ifndef XDPSIM_CHECKSUM_H
#define XDPSIM_CHECKSUM_H

#include <linux/types.h>

/*
 * All three in network byte order: the one's-complement sum does not care which order, as long as it is one.
 * Three 16-bit words add up to at most 0x2fffd: the first fold leaves at most 0xffff + 2, which may carry again,
 * so there is a second.
 */
static __always_inline __sum16 checksum_update(__sum16 checksum, __be16 from, __be16 to)
{
	__u32 sum = (__u16)~checksum + (__u32)(__u16)~from + to;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

#endif
