// SPDX-License-Identifier: MIT OR GPL-2.0
/* Verifies the header's checksum before it looks at the identification. */
#include "guarded.h"
SEC("xdp") int checksummed(struct xdp_md *ctx)
{
	struct packet p;
	__u16 *words;
	__u32 sum = 0;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr)))
		return XDP_PASS;
	words = (void *)p.ip;
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	if (sum != 0xffff)
		return XDP_DROP;
	if (p.ip->id == bpf_htons(0xbeef) && p.ip->ttl == 77)
		return REACHED;
	return XDP_PASS;
}
