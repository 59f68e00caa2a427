/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* What the programs here share. Each has one guarded line, `REACHED`: a return value that nothing else gives. */
#ifndef GUARDED_H
#define GUARDED_H
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/icmp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define REACHED XDP_TX
#define INLINE static __always_inline

struct packet {
	struct ethhdr *eth;
	struct iphdr *ip;
	void *l4, *end;
};

/* IPv4 without options. */
INLINE int parse(struct xdp_md *ctx, struct packet *p, __u8 protocol, __u32 header)
{
	void *data = (void *)(long)ctx->data;

	p->end = (void *)(long)ctx->data_end;
	p->eth = data;
	p->ip = data + ETH_HLEN;
	p->l4 = data + ETH_HLEN + sizeof(struct iphdr);
	if (p->l4 + header > p->end || p->eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	return p->ip->version == 4 && p->ip->ihl == 5 && p->ip->protocol == protocol;
}

char _license[] SEC("license") = "Dual MIT/GPL";
#endif
