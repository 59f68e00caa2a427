// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that take one protocol for another, or a fragment for a whole packet. */
#include "common.h"

/* Port 80 becomes 8080, whatever protocol has ports there. */
PROGRAM int sctp_ports(CONTEXT *ctx)
{
	struct packet packet;
	__u16 *port, from, to = bpf_htons(8080);
	__u8 protocol;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	protocol = packet.ip->protocol;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP IF_FAULTY(&& protocol != IPPROTO_SCTP))
		return PASS;
	port = packet.l4 + 2;
	from = *port;
	if (protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = packet.l4;

		if ((void *)(tcp + 1) > packet.end || packet.length < sizeof(*tcp))
			return PASS;
		tcp->check = update(tcp->check, from, to);
	} else if (protocol == IPPROTO_UDP) {
		struct udphdr *udp = packet.l4;

		udp->check = update_udp(udp->check, from, to);
	}
	*port = to;
	return PASS;
}

/* What is no UDP is TCP. */
PROGRAM int tcp_assumed(CONTEXT *ctx)
{
	struct packet packet;
	struct tcphdr *tcp;
	__u16 from, to = bpf_htons(8080);

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	if (packet.ip->protocol FAULTY_OR_RIGHT(== IPPROTO_UDP || packet.ip->protocol == IPPROTO_ICMP, != IPPROTO_TCP))
		return PASS;
	tcp = packet.l4;
	if ((void *)(tcp + 1) > packet.end || packet.length < sizeof(*tcp))
		return PASS;
	from = tcp->dest;
	tcp->dest = to;
	tcp->check = update(tcp->check, from, to);
	return PASS;
}

/* The same with something that nobody but its endpoints may write into. */
PROGRAM int esp_written(CONTEXT *ctx)
{
	struct packet packet;
	__u16 *port, from, to = bpf_htons(8080);
	struct udphdr *udp;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	if (packet.ip->protocol != IPPROTO_UDP IF_FAULTY(&& packet.ip->protocol != IPPROTO_ESP))
		return PASS;
	port = packet.l4 + 2;
	from = *port;
	*port = to;
	udp = packet.l4;
	if (packet.ip->protocol == IPPROTO_UDP)
		udp->check = update_udp(udp->check, from, to);
	return PASS;
}

/* A NAT that knows two of the three protocols whose checksum holds the address. */
PROGRAM int udplite_address(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__be32 from, to = bpf_htonl(0xc0000201);
	__u8 protocol;

	if (!parse_ipv4(ctx, &packet, 0))
		return PASS;
	protocol = packet.ip->protocol;
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE)
		return PASS;
	from = packet.ip->saddr;
	packet.ip->saddr = to;
	packet.ip->check = update32(packet.ip->check, from, to);
	udp = packet.l4;
	if (protocol == IPPROTO_UDP)
		udp->check = update_udp(update_udp(udp->check, from, to), from >> 16, to >> 16);
	IF_RIGHT(else udp->check = update_udp(update_udp(udp->check, from, to), from >> 16, to >> 16);)
	return PASS;
}

/* A port filter that looks for ports in every fragment. */
PROGRAM int fragment_read(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;

	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_UDP)
		return PASS;
	IF_RIGHT(if (packet.ip->frag_off & bpf_htons(0x1fff)) return PASS;)
	udp = packet.l4;
	return udp->dest == bpf_htons(53) || udp->dest == bpf_htons(123) ? DROP : PASS;
}

struct flow_ports {
	__be32 source, destination;
	__be16 from, to;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, struct flow_ports);
	__type(value, __u64);
} flows_by_port SEC(".maps");

/* Flows counted by ports, which every fragment seems to have. */
PROGRAM int fragment_counted(CONTEXT *ctx)
{
	struct flow_ports key = {};
	struct packet packet;
	__u64 one = 1, *count;

	if (!parse_any_ipv4(ctx, &packet) || packet.ip->protocol != IPPROTO_UDP)
		return PASS;
	key.source = packet.ip->saddr;
	key.destination = packet.ip->daddr;
	IF_RIGHT(if (!(packet.ip->frag_off & bpf_htons(0x1fff))))
	{
		struct udphdr *udp = packet.l4;

		key.from = udp->source;
		key.to = udp->dest;
	}
	count = bpf_map_lookup_elem(&flows_by_port, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&flows_by_port, &key, &one, BPF_NOEXIST);
	return PASS;
}

/* Ports of UDP-Lite rewritten in every fragment; the first one's checksum follows. */
PROGRAM int fragment_written(CONTEXT *ctx)
{
	struct packet packet;
	struct udphdr *udp;
	__u16 from, to = bpf_htons(5353);

	if (!parse_any_ipv4(ctx, &packet))
		return PASS;
	if (packet.ip->protocol != IPPROTO_UDPLITE && packet.ip->protocol != IPPROTO_UDP)
		return PASS;
	if (packet.ip->protocol == IPPROTO_UDP FAULTY_OR_RIGHT(&&, ||) (packet.ip->frag_off & bpf_htons(0x1fff)))
		return PASS;
	udp = packet.l4;
	from = udp->dest;
	udp->dest = to;
	udp->check = update_udp(udp->check, from, to);
	return PASS;
}

/* "Don't fragment" over whatever the word said. */
PROGRAM int fragment_cleared(CONTEXT *ctx)
{
	struct packet packet;
	__u16 from, to = bpf_htons(0x4000);

	if (!parse_any_ipv4(ctx, &packet))
		return PASS;
	from = packet.ip->frag_off;
	IF_RIGHT(to |= from;)
	packet.ip->frag_off = to;
	packet.ip->check = update(packet.ip->check, from, to);
	return PASS;
}

/* The flag for more fragments, of those that have an offset, is dropped. */
PROGRAM int fragment_moved(CONTEXT *ctx)
{
	struct packet packet;
	__u16 from, to;

	if (!parse_any_ipv4(ctx, &packet))
		return PASS;
	from = packet.ip->frag_off;
	if (!(from & bpf_htons(0x1fff)) || !(from & bpf_htons(0x2000)))
		return PASS;
	to = FAULTY_OR_RIGHT(from & bpf_htons(0x1fff), from | bpf_htons(0x4000));
	packet.ip->frag_off = to;
	packet.ip->check = update(packet.ip->check, from, to);
	return PASS;
}
