// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Maps in maps: each receive queue has a table of ports, each protocol one of sources. Tables are swapped as a whole
 * by user space; here they come with the object.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct port_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, __be16);
	__type(value, __u32);
} even_ports SEC(".maps"), odd_ports SEC(".maps");

struct source_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} tcp_sources SEC(".maps"), udp_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct port_table);
} ports_by_class SEC(".maps") = {
	.values = { [0] = &even_ports, [1] = &odd_ports, [3] = &even_ports },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 256);
	__type(key, __u32);
	__array(values, struct source_table);
} sources_by_protocol SEC(".maps") = {
	.values = { [IPPROTO_TCP] = &tcp_sources, [IPPROTO_UDP] = &udp_sources },
};

SEC("xdp")
int policy_tables(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 class, protocol, octet, *verdict, learnt = XDP_TX;
	struct ethhdr *eth = data;
	void *table;
	__u64 *hits;

	/* TCP's ports lie where UDP's do. */
	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	protocol = ip->protocol;
	table = bpf_map_lookup_elem(&sources_by_protocol, &protocol);
	if (!table)
		return XDP_PASS;
	octet = ((__u8 *)&ip->saddr)[3];
	hits = bpf_map_lookup_elem(table, &octet);
	if (!hits)
		return XDP_ABORTED;
	*hits += 1;

	class = ((__u8 *)&ip->daddr)[3] & 3;
	table = bpf_map_lookup_elem(&ports_by_class, &class);
	if (!table)
		return XDP_DROP;
	verdict = bpf_map_lookup_elem(table, &udp->dest);
	if (verdict)
		return *verdict <= XDP_TX ? *verdict : XDP_ABORTED;
	/* Learns up to the table's capacity, and forgets by source port. */
	if (bpf_map_update_elem(table, &udp->dest, &learnt, BPF_NOEXIST))
		bpf_map_delete_elem(table, &udp->source);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
