// SPDX-License-Identifier: MIT OR GPL-2.0
/* SYN, SYN-ACK the other way, ACK, then data with the numbers that follow. */
#include "guarded.h"
struct flow { __be32 a, b; __be16 pa, pb; };
struct state { __u32 step, client, server; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1024); __type(key, struct flow); __type(value, struct state); } flows SEC(".maps");
SEC("xdp") int handshake(struct xdp_md *ctx)
{
	struct packet p;
	struct tcphdr *tcp;
	struct flow key, back;
	struct state *state, fresh = {};

	if (!parse(ctx, &p, IPPROTO_TCP, sizeof(*tcp)))
		return XDP_PASS;
	tcp = p.l4;
	key = (struct flow){ p.ip->saddr, p.ip->daddr, tcp->source, tcp->dest };
	back = (struct flow){ p.ip->daddr, p.ip->saddr, tcp->dest, tcp->source };
	if (tcp->syn && !tcp->ack) {
		fresh.step = 1;
		fresh.client = bpf_ntohl(tcp->seq);
		bpf_map_update_elem(&flows, &key, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	if (tcp->syn && tcp->ack) {
		state = bpf_map_lookup_elem(&flows, &back);
		if (!state || state->step != 1 || bpf_ntohl(tcp->ack_seq) != state->client + 1)
			return XDP_DROP;
		state->server = bpf_ntohl(tcp->seq);
		state->step = 2;
		return XDP_PASS;
	}
	state = bpf_map_lookup_elem(&flows, &key);
	if (!state)
		return XDP_DROP;
	if (state->step == 2 && bpf_ntohl(tcp->ack_seq) == state->server + 1) {
		state->step = 3;
		return XDP_PASS;
	}
	if (state->step == 3 && bpf_ntohl(tcp->seq) == state->client + 1 && tcp->psh)
		return REACHED;
	return XDP_DROP;
}
