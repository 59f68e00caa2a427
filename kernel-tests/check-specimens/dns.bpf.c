// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that refuse DNS queries. */
#include "common.h"

#define REFUSED 0x8005

struct dns {
	__be16 id;
	__be16 flags;
	__be16 questions;
	__be16 answers;
	__be16 authorities;
	__be16 additional;
};

/* A message to port 53, with one question and nothing else. */
INLINE struct dns *dns_message(CONTEXT *ctx, struct packet *packet)
{
	struct udphdr *udp;
	struct dns *dns;

	if (!parse_ipv4(ctx, packet, IPPROTO_UDP))
		return 0;
	udp = packet->l4;
	dns = (void *)(udp + 1);
	if ((void *)(dns + 1) > packet->end || packet->length < sizeof(*udp) + sizeof(*dns))
		return 0;
	if (udp->dest != bpf_htons(53) || udp->len != bpf_htons(packet->length))
		return 0;
	if (!is_host(packet->ip->saddr) || !is_host(packet->ip->daddr) || packet->ip->saddr == packet->ip->daddr)
		return 0;
	return dns->questions == bpf_htons(1) && !dns->answers && !dns->authorities ? dns : 0;
}

/* Back to whoever asked, without a checksum. */
INLINE void return_datagram(struct packet *packet)
{
	struct udphdr *udp = packet->l4;
	__be32 address = packet->ip->daddr;

	swap_macs(packet->data);
	packet->ip->daddr = packet->ip->saddr;
	packet->ip->saddr = address;
	udp->dest = udp->source;
	udp->source = bpf_htons(53);
	udp->check = 0;
}

PROGRAM int dns_response(CONTEXT *ctx)
{
	struct packet packet;
	struct dns *dns = dns_message(ctx, &packet);

	if (!dns)
		return PASS;
	IF_RIGHT(if (dns->flags & bpf_htons(0x8000)) return PASS;)
	return_datagram(&packet);
	dns->flags = bpf_htons(REFUSED);
	return TRANSMIT(ctx);
}

PROGRAM int dns_bit(CONTEXT *ctx)
{
	struct packet packet;
	struct dns *dns = dns_message(ctx, &packet);

	if (!dns || dns->flags & bpf_htons(0x8000))
		return PASS;
	return_datagram(&packet);
	dns->flags = FAULTY_OR_RIGHT(REFUSED, bpf_htons(REFUSED));
	return TRANSMIT(ctx);
}

/* Leaves out what else the query holds. */
PROGRAM int dns_count(CONTEXT *ctx)
{
	struct packet packet;
	struct dns *dns = dns_message(ctx, &packet);

	if (!dns || dns->flags & bpf_htons(0x8000) IF_RIGHT(|| dns->additional))
		return PASS;
	return_datagram(&packet);
	dns->flags = bpf_htons(REFUSED);
	dns->additional = 0;
	return TRANSMIT(ctx);
}

/* Goes back to the port that the query came from, and from there. */
PROGRAM int dns_ports(CONTEXT *ctx)
{
	struct packet packet;
	struct dns *dns = dns_message(ctx, &packet);

	if (!dns || dns->flags & bpf_htons(0x8000))
		return PASS;
	return_datagram(&packet);
	IF_FAULTY(((struct udphdr *)packet.l4)->source = ((struct udphdr *)packet.l4)->dest;)
	dns->flags = bpf_htons(REFUSED);
	return TRANSMIT(ctx);
}
