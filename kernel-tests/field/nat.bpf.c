// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Port-translating NAT at TC: on the way out the source becomes the router's address and a port of its own, on the
 * way in the destination is put back. Checksums follow by l3_csum_replace and l4_csum_replace.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_OFF ETH_HLEN
#define L4_OFF (ETH_HLEN + sizeof(struct iphdr))

struct endpoint {
	__be32 addr;
	__be16 port;
	__u8 proto;
	__u8 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct endpoint);
	__type(value, struct endpoint);
} inside SEC(".maps"), outside SEC(".maps");

const volatile __be32 router = bpf_htonl(0xc0000201); /* 192.0.2.1 */

/* Offsets of what is rewritten, for either direction. */
struct rewrite {
	__u32 addr;
	__u32 port;
};

static __always_inline int checksum_offset(__u8 proto)
{
	if (proto == IPPROTO_TCP)
		return L4_OFF + offsetof(struct tcphdr, check);
	return L4_OFF + offsetof(struct udphdr, check);
}

static __always_inline int apply(struct __sk_buff *skb, const struct endpoint *from, const struct endpoint *to,
				 struct rewrite at)
{
	/* A UDP checksum of zero means none, and stays so. */
	__u64 flags = from->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	int check = checksum_offset(from->proto);

	if (bpf_l4_csum_replace(skb, check, from->addr, to->addr, flags | BPF_F_PSEUDO_HDR | sizeof(to->addr)))
		return TC_ACT_SHOT;
	if (bpf_l4_csum_replace(skb, check, from->port, to->port, flags | sizeof(to->port)))
		return TC_ACT_SHOT;
	if (bpf_l3_csum_replace(skb, IP_OFF + offsetof(struct iphdr, check), from->addr, to->addr, sizeof(to->addr)))
		return TC_ACT_SHOT;
	bpf_skb_store_bytes(skb, at.addr, &to->addr, sizeof(to->addr), 0);
	bpf_skb_store_bytes(skb, at.port, &to->port, sizeof(to->port), 0);
	return TC_ACT_OK;
}

/* Reads the endpoint that is translated; ports of later fragments are none. */
static __always_inline int endpoint(struct __sk_buff *skb, struct endpoint *found, struct rewrite at)
{
	struct iphdr ip;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, IP_OFF, &ip, sizeof(ip)))
		return -1;
	if (ip.ihl != 5 || ip.frag_off & bpf_htons(0x3fff))
		return -1;
	if (ip.protocol != IPPROTO_TCP && ip.protocol != IPPROTO_UDP)
		return -1;
	found->proto = ip.protocol;
	if (bpf_skb_load_bytes(skb, at.addr, &found->addr, sizeof(found->addr)))
		return -1;
	return bpf_skb_load_bytes(skb, at.port, &found->port, sizeof(found->port));
}

SEC("tc")
int nat_egress(struct __sk_buff *skb)
{
	struct rewrite at = { IP_OFF + offsetof(struct iphdr, saddr), L4_OFF };
	struct endpoint from = {}, fresh = {}, *to;

	if (endpoint(skb, &from, at))
		return TC_ACT_OK;
	to = bpf_map_lookup_elem(&inside, &from);
	if (!to) {
		/* A port that follows from the endpoint keeps runs alike. */
		fresh.addr = router;
		fresh.port = from.port ^ (__be16)(from.addr >> 16);
		fresh.proto = from.proto;
		bpf_map_update_elem(&inside, &from, &fresh, BPF_ANY);
		if (bpf_map_update_elem(&outside, &fresh, &from, BPF_NOEXIST)) {
			bpf_map_delete_elem(&inside, &from);
			return TC_ACT_SHOT;
		}
		to = &fresh;
	}
	return apply(skb, &from, to, at);
}

SEC("tc")
int nat_ingress(struct __sk_buff *skb)
{
	struct rewrite at = { IP_OFF + offsetof(struct iphdr, daddr), L4_OFF + 2 };
	struct endpoint from = {}, *to;

	if (endpoint(skb, &from, at))
		return TC_ACT_OK;
	to = bpf_map_lookup_elem(&outside, &from);
	return to ? apply(skb, &from, to, at) : TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
