// SPDX-License-Identifier: MIT OR GPL-2.0
/* A map keyed by address, port and protocol, which somebody else fills; its value must say yes. */
#include "guarded.h"
struct service { __be32 address; __be16 port; __u8 protocol; __u8 pad; };
struct verdict { __u32 mode; __u16 limit; __u8 flags; __u8 pad; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64); __type(key, struct service); __type(value, struct verdict); } services SEC(".maps");
SEC("xdp") int composite(struct xdp_md *ctx)
{
	struct packet p;
	struct udphdr *udp;
	struct verdict *verdict;
	struct service key = {};

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(*udp)))
		return XDP_PASS;
	udp = p.l4;
	key.address = p.ip->daddr;
	key.port = udp->dest;
	key.protocol = p.ip->protocol;
	verdict = bpf_map_lookup_elem(&services, &key);
	if (!verdict)
		return XDP_PASS;
	if (verdict->mode == 3 && (verdict->flags & 0x40) && bpf_ntohs(udp->len) > verdict->limit)
		return REACHED;
	return XDP_DROP;
}
