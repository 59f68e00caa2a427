// SPDX-License-Identifier: MIT OR GPL-2.0
/* Programs that answer for a neighbour: ARP, and neighbour solicitations. */
#include "common.h"
#include <linux/if_arp.h>

static const __u8 OWN_MAC[ETH_ALEN] = { 2, 0, 0, 0, 1, 1 };

struct arp {
	struct arphdr head;
	__u8 sender_mac[ETH_ALEN];
	__u8 sender_ip[4];
	__u8 target_mac[ETH_ALEN];
	__u8 target_ip[4];
} __attribute__((packed));

/* The request of a host for the address of another one; 0 where it is something else. */
INLINE struct arp *parse_request(CONTEXT *ctx, struct ethhdr *eth)
{
	struct arp *arp = (void *)(eth + 1);

	if ((void *)(arp + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(ETH_P_ARP))
		return 0;
	if (arp->head.ar_hrd != bpf_htons(ARPHRD_ETHER) || arp->head.ar_pro != bpf_htons(ETH_P_IP))
		return 0;
	if (arp->head.ar_hln != ETH_ALEN || arp->head.ar_pln != 4 || arp->head.ar_op != bpf_htons(ARPOP_REQUEST))
		return 0;
	return arp;
}

INLINE void send_from_here(struct ethhdr *eth)
{
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, OWN_MAC, ETH_ALEN);
}

INLINE void exchange_addresses(struct arp *arp)
{
	__u8 ip[4];

	__builtin_memcpy(ip, arp->sender_ip, 4);
	__builtin_memcpy(arp->sender_ip, arp->target_ip, 4);
	__builtin_memcpy(arp->target_ip, ip, 4);
}

/* Turns the request round, and does not say that it is a reply. */
PROGRAM int arp_operation(CONTEXT *ctx)
{
	struct ethhdr *frame = (void *)(long)ctx->data;
	struct arp *arp = parse_request(ctx, frame);

	if (!arp)
		return PASS;
	exchange_addresses(arp);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, OWN_MAC, ETH_ALEN);
	IF_RIGHT(arp->head.ar_op = bpf_htons(ARPOP_REPLY);)
	send_from_here(frame);
	return TRANSMIT(ctx);
}

/* Counts the bytes of an address in words. */
PROGRAM int arp_format(CONTEXT *ctx)
{
	struct ethhdr *frame = (void *)(long)ctx->data;
	struct arp *arp = parse_request(ctx, frame);

	if (!arp)
		return PASS;
	exchange_addresses(arp);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, OWN_MAC, ETH_ALEN);
	arp->head.ar_hln = FAULTY_OR_RIGHT(4, ETH_ALEN);
	arp->head.ar_op = bpf_htons(ARPOP_REPLY);
	send_from_here(frame);
	return TRANSMIT(ctx);
}

/* Exchanges the addresses by half: the second one is copied over before it is read. */
PROGRAM int arp_half(CONTEXT *ctx)
{
	struct ethhdr *frame = (void *)(long)ctx->data;
	struct arp *arp = parse_request(ctx, frame);

	if (!arp)
		return PASS;
#ifdef FAULTY
	__builtin_memcpy(arp->sender_ip, arp->target_ip, 4);
	__builtin_memcpy(arp->target_ip, arp->sender_ip, 4);
#else
	exchange_addresses(arp);
#endif
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, OWN_MAC, ETH_ALEN);
	arp->head.ar_op = bpf_htons(ARPOP_REPLY);
	send_from_here(frame);
	return TRANSMIT(ctx);
}

/* Exchanges all fields, and forgets that the request has none for the MAC address it asks for. */
PROGRAM int arp_unfilled(CONTEXT *ctx)
{
	struct ethhdr *frame = (void *)(long)ctx->data;
	struct arp *arp = parse_request(ctx, frame);
	IF_FAULTY(__u8 mac[ETH_ALEN];)

	if (!arp)
		return PASS;
	exchange_addresses(arp);
#ifdef FAULTY
	__builtin_memcpy(mac, arp->target_mac, ETH_ALEN);
#endif
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, FAULTY_OR_RIGHT(mac, OWN_MAC), ETH_ALEN);
	arp->head.ar_op = bpf_htons(ARPOP_REPLY);
	send_from_here(frame);
	return TRANSMIT(ctx);
}

/* Leaves the target's MAC address 0, as in the request. */
PROGRAM int arp_target(CONTEXT *ctx)
{
	struct ethhdr *frame = (void *)(long)ctx->data;
	struct arp *arp = parse_request(ctx, frame);

	if (!arp)
		return PASS;
	exchange_addresses(arp);
	IF_RIGHT(__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);)
	__builtin_memcpy(arp->sender_mac, OWN_MAC, ETH_ALEN);
	arp->head.ar_op = bpf_htons(ARPOP_REPLY);
	send_from_here(frame);
	return TRANSMIT(ctx);
}

/* Sends the reply to whoever asked, and from there. */
PROGRAM int arp_asker(CONTEXT *ctx)
{
	struct ethhdr *frame = (void *)(long)ctx->data;
	struct arp *arp = parse_request(ctx, frame);

	if (!arp)
		return PASS;
	exchange_addresses(arp);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ALEN);
	__builtin_memcpy(arp->sender_mac, OWN_MAC, ETH_ALEN);
	arp->head.ar_op = bpf_htons(ARPOP_REPLY);
	__builtin_memcpy(frame->h_dest, frame->h_source, ETH_ALEN);
	IF_RIGHT(__builtin_memcpy(frame->h_source, OWN_MAC, ETH_ALEN);)
	return TRANSMIT(ctx);
}

struct solicitation {
	struct icmp6hdr head;
	struct in6_addr target;
	__u8 type;
	__u8 length;
	__u8 mac[ETH_ALEN];
};

#define ROUTER 0x80000000
#define SOLICITED 0x40000000
#define OVERRIDE 0x20000000

/* The question of a host that has an address for the one of a neighbour, with its own link-layer address and nothing else. */
INLINE struct solicitation *parse_solicitation(CONTEXT *ctx, struct packet *packet)
{
	struct solicitation *asked;
	__u32 *source;

	if (!parse_ipv6(ctx, packet, IPPROTO_ICMPV6))
		return 0;
	asked = packet->l4;
	source = packet->ip6->saddr.s6_addr32;
	if ((void *)(asked + 1) > packet->end || packet->length != sizeof(*asked) || packet->ip6->hop_limit != 255)
		return 0;
	if (asked->head.icmp6_type != 135 || asked->head.icmp6_code != 0 || asked->type != 1 || asked->length != 1)
		return 0;
	if (packet->ip6->saddr.s6_addr[0] == 0xff || asked->target.s6_addr[0] == 0xff ||
	    !(source[0] | source[1] | source[2] | source[3]) ||
	    !(asked->target.s6_addr32[0] | asked->target.s6_addr32[1] | asked->target.s6_addr32[2] |
	      asked->target.s6_addr32[3]))
		return 0;
	return asked;
}

/* Over the pseudo-header and all of the message. */
INLINE __u16 sum_of(struct packet *packet, struct solicitation *message)
{
	__u16 *address = (__u16 *)&packet->ip6->saddr;
	__u16 *word = (__u16 *)message;
	__u32 sum = bpf_htons(sizeof(*message)) + bpf_htons(IPPROTO_ICMPV6);
	__u16 checksum;

	for (int index = 0; index < 16; index++)
		sum += address[index];
	for (int index = 0; index < (int)sizeof(*message) / 2; index++)
		sum += word[index];
	checksum = ~fold(sum);
	return checksum ? checksum : 0xffff;
}

/* Makes the advertisement of it, but for what the caller says. */
INLINE int advertise(CONTEXT *ctx, struct packet *packet, struct solicitation *made, __u32 flags)
{
	packet->ip6->daddr = packet->ip6->saddr;
	packet->ip6->saddr = made->target;
	made->head.icmp6_type = 136;
	made->head.icmp6_dataun.un_data32[0] = flags;
	made->head.icmp6_cksum = 0;
	made->head.icmp6_cksum = sum_of(packet, made);
	send_from_here(packet->data);
	return TRANSMIT(ctx);
}

/* Gives the answer the hop limit of every other packet. */
PROGRAM int neighbour_hops(CONTEXT *ctx)
{
	struct packet packet;
	struct solicitation *made = parse_solicitation(ctx, &packet);

	if (!made)
		return PASS;
	packet.ip6->hop_limit = FAULTY_OR_RIGHT(64, 255);
	made->type = 2;
	__builtin_memcpy(made->mac, OWN_MAC, ETH_ALEN);
	return advertise(ctx, &packet, made, bpf_htonl(SOLICITED | OVERRIDE));
}

/* Writes a code, too. */
PROGRAM int neighbour_code(CONTEXT *ctx)
{
	struct packet packet;
	struct solicitation *made = parse_solicitation(ctx, &packet);

	if (!made)
		return PASS;
	made->type = 2;
	made->head.icmp6_code = FAULTY_OR_RIGHT(1, 0);
	__builtin_memcpy(made->mac, OWN_MAC, ETH_ALEN);
	return advertise(ctx, &packet, made, bpf_htonl(SOLICITED | OVERRIDE));
}

/* Counts an option's bytes. */
PROGRAM int neighbour_option(CONTEXT *ctx)
{
	struct packet packet;
	struct solicitation *made = parse_solicitation(ctx, &packet);

	if (!made)
		return PASS;
	made->type = 2;
	made->length = FAULTY_OR_RIGHT(8, 1);
	__builtin_memcpy(made->mac, OWN_MAC, ETH_ALEN);
	return advertise(ctx, &packet, made, bpf_htonl(SOLICITED | OVERRIDE));
}

/* Leaves the type of the option. */
PROGRAM int neighbour_type(CONTEXT *ctx)
{
	struct packet packet;
	struct solicitation *made = parse_solicitation(ctx, &packet);

	if (!made)
		return PASS;
	IF_RIGHT(made->type = 2;)
	__builtin_memcpy(made->mac, OWN_MAC, ETH_ALEN);
	return advertise(ctx, &packet, made, bpf_htonl(SOLICITED | OVERRIDE));
}

/* Leaves the address in the option. */
PROGRAM int neighbour_asker(CONTEXT *ctx)
{
	struct packet packet;
	struct solicitation *made = parse_solicitation(ctx, &packet);

	if (!made)
		return PASS;
	made->type = 2;
	IF_RIGHT(__builtin_memcpy(made->mac, OWN_MAC, ETH_ALEN);)
	return advertise(ctx, &packet, made, bpf_htonl(SOLICITED | OVERRIDE));
}

PROGRAM int neighbour_flags(CONTEXT *ctx)
{
	struct packet packet;
	struct solicitation *made = parse_solicitation(ctx, &packet);

	if (!made)
		return PASS;
	made->type = 2;
	__builtin_memcpy(made->mac, OWN_MAC, ETH_ALEN);
	return advertise(ctx, &packet, made, FAULTY_OR_RIGHT(SOLICITED | OVERRIDE, bpf_htonl(SOLICITED | OVERRIDE)));
}

/* Does not say that somebody asked. */
PROGRAM int neighbour_unsolicited(CONTEXT *ctx)
{
	struct packet packet;
	struct solicitation *made = parse_solicitation(ctx, &packet);

	if (!made)
		return PASS;
	made->type = 2;
	__builtin_memcpy(made->mac, OWN_MAC, ETH_ALEN);
	return advertise(ctx, &packet, made, bpf_htonl(FAULTY_OR_RIGHT(OVERRIDE, SOLICITED | OVERRIDE)));
}

/* Writes whose the answer is into the target. */
PROGRAM int neighbour_target(CONTEXT *ctx)
{
	struct packet packet;
	struct solicitation *made = parse_solicitation(ctx, &packet);
	struct in6_addr target;

	if (!made)
		return PASS;
	target = made->target;
	IF_FAULTY(made->target = packet.ip6->saddr;)
	made->type = 2;
	__builtin_memcpy(made->mac, OWN_MAC, ETH_ALEN);
	packet.ip6->daddr = packet.ip6->saddr;
	packet.ip6->saddr = target;
	made->head.icmp6_type = 136;
	made->head.icmp6_dataun.un_data32[0] = bpf_htonl(SOLICITED | OVERRIDE);
	made->head.icmp6_cksum = 0;
	made->head.icmp6_cksum = sum_of(&packet, made);
	send_from_here(packet.data);
	return TRANSMIT(ctx);
}

struct router_message {
	struct icmp6hdr head;
	/* Of a solicitation, its option; of an advertisement, its times. */
	__u32 rest[2];
};

/* Tells a host that asks for routers that here is one for half an hour. */
PROGRAM int router_source(CONTEXT *ctx)
{
	struct packet packet;
	struct router_message *message;
	struct ipv6hdr *ip;
	__u16 *word;
	__u32 sum = bpf_htons(sizeof(*message)) + bpf_htons(IPPROTO_ICMPV6);

	if (!parse_ipv6(ctx, &packet, IPPROTO_ICMPV6) || packet.length != sizeof(*message))
		return PASS;
	ip = packet.ip6;
	message = packet.l4;
	if ((void *)(message + 1) > packet.end || ip->hop_limit != 255 || ip->saddr.s6_addr16[0] != bpf_htons(0xfe80))
		return PASS;
	if (message->head.icmp6_type != 133 || message->head.icmp6_code != 0)
		return PASS;
	if (ip->daddr.s6_addr32[0] != bpf_htonl(0xff020000))
		return PASS;
	ip->daddr = ip->saddr;
	__builtin_memset(&ip->saddr, 0, sizeof(ip->saddr));
	ip->saddr.s6_addr32[0] = FAULTY_OR_RIGHT(bpf_htonl(0x20010db8), bpf_htonl(0xfe800000));
	ip->saddr.s6_addr32[3] = bpf_htonl(0x00007f03);
	__builtin_memset(message, 0, sizeof(*message));
	message->head.icmp6_type = 134;
	message->head.icmp6_dataun.un_data32[0] = bpf_htonl(64 << 24 | 1800);
	word = (__u16 *)&ip->saddr;
	for (int index = 0; index < 16; index++)
		sum += word[index];
	word = (__u16 *)message;
	for (int index = 0; index < (int)sizeof(*message) / 2; index++)
		sum += word[index];
	message->head.icmp6_cksum = ~fold(sum);
	send_from_here(packet.data);
	return TRANSMIT(ctx);
}
