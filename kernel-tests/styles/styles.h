/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What the programs of this folder share: bounds-checked parsing, checksums from scratch and by difference.
 *
 * Each file is compiled twice: as it is, all of its programs are right; with -DFAULTY each of them has the one defect
 * that stands behind FAULT(right, faulty) or #ifdef FAULTY.
 */
#ifndef XDPSIM_STYLES_H
#define XDPSIM_STYLES_H

#include <stddef.h>
#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifdef FAULTY
#define FAULT(right, faulty) faulty
#else
#define FAULT(right, faulty) right
#endif

#define INLINE static __always_inline
#define NOINLINE static __attribute__((noinline))
#define DATA(ctx) ((void *)(long)(ctx)->data)
#define DATA_END(ctx) ((void *)(long)(ctx)->data_end)
/* Is the object that `p` points to wholly inside the frame? */
#define FITS(p, end) ((void *)((p) + 1) <= (end))

#define AF_INET_ 2
#define AF_INET6_ 10

struct vlan_tag {
	__be16 tci;
	__be16 proto;
};

INLINE __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 1624 equation 3 for one 16-bit word. */
INLINE void replace2(__sum16 *check, __be16 from, __be16 to)
{
	*check = ~fold((__u64)(__u16)~*check + (__u16)~from + to);
}

INLINE void replace4(__sum16 *check, __be32 from, __be32 to)
{
	*check = ~fold((__u64)(__u16)~*check + (__u32)~from + to);
}

/* The checksum of a 20-byte IPv4 header. */
INLINE __sum16 ipv4_checksum(struct iphdr *ip)
{
	__u16 *word = (__u16 *)ip;
	__u64 sum = 0;

	ip->check = 0;
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	return ~fold(sum);
}

/* An IPv4 header without options that is no fragment, or null. */
INLINE struct iphdr *plain_ipv4(void *data, void *end)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if (!FITS(ip, end) || eth->h_proto != bpf_htons(ETH_P_IP))
		return NULL;
	if (ip->version != 4 || ip->ihl != 5 || (ip->frag_off & bpf_htons(0x3fff)))
		return NULL;
	return ip;
}

/* An IPv6 header that is right behind Ethernet, or null. */
INLINE struct ipv6hdr *plain_ipv6(void *data, void *end)
{
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if (!FITS(ip6, end) || eth->h_proto != bpf_htons(ETH_P_IPV6) || ip6->version != 6)
		return NULL;
	return ip6;
}

INLINE void swap_macs(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
}

INLINE void swap_addresses(struct iphdr *ip)
{
	__be32 address = ip->saddr;

	ip->saddr = ip->daddr;
	ip->daddr = address;
}

INLINE void swap_addresses6(struct ipv6hdr *ip6)
{
	struct in6_addr address = ip6->saddr;

	ip6->saddr = ip6->daddr;
	ip6->daddr = address;
}

/* One less, and the checksum with it. */
INLINE void decrease_ttl(struct iphdr *ip)
{
	__be16 *word = (__be16 *)&ip->ttl;
	__be16 before = *word;

	ip->ttl--;
	replace2(&ip->check, before, *word);
}

/* UDP checksum by difference: 0 stays 0 (none), computed 0 is sent as 0xffff. */
INLINE void udp_replace4(struct udphdr *udp, __be32 from, __be32 to)
{
	if (!udp->check)
		return;
	replace4(&udp->check, from, to);
	if (!udp->check)
		udp->check = 0xffff;
}

INLINE void udp_replace2(struct udphdr *udp, __be16 from, __be16 to)
{
	udp_replace4(udp, from, to);
}

char _license[] SEC("license") = "Dual MIT/GPL";

#endif
