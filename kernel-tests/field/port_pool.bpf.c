// SPDX-License-Identifier: MIT OR GPL-2.0
/* A pool of ports in a QUEUE, filled at first use: handed out to UDP, given back by ICMP; the last frames in a STACK. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define POOL 32
#define FIRST_PORT 40000

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, POOL);
	__type(value, __u16);
} pool SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 4);
	__type(value, __u64);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} results SEC(".maps");

int filled;

static __always_inline void add(__u32 result, __u64 value)
{
	__u64 *sum = bpf_map_lookup_elem(&results, &result);

	if (sum)
		*sum += value;
}

static __always_inline void fill(void)
{
	int i;

	for (i = 0; i < POOL; i++) {
		__u16 port = FIRST_PORT + i;

		bpf_map_push_elem(&pool, &port, 0);
	}
	filled = 1;
}

/* RFC 1624, and RFC 768: no checksum stays none, and what comes out as 0 is sent as all ones. */
static __always_inline void replace_source(struct udphdr *udp, __be16 port)
{
	__u32 sum = (__u16)~udp->check + (__u16)~udp->source + port;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	if (udp->check)
		udp->check = sum == 0xffff ? 0xffff : ~sum;
	udp->source = port;
}

SEC("xdp")
int port_pool(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);
	struct ethhdr *eth = data;
	__u64 length = end - data, top = 0;
	__u16 port;
	int i;

	if (!filled)
		fill();
	/* BPF_EXIST: in a full one, the oldest makes room. */
	bpf_map_push_elem(&recent, &length, BPF_EXIST);
	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	if (ip->frag_off & bpf_htons(0x1fff) || bpf_ntohs(ip->tot_len) < sizeof(*ip) + sizeof(*udp))
		return XDP_PASS;
	switch (ip->protocol) {
	case IPPROTO_UDP:
		if (bpf_map_pop_elem(&pool, &port))
			return XDP_DROP;
		replace_source(udp, bpf_htons(port));
		return XDP_TX;
	case IPPROTO_ICMP:
		/* The type and code stand where a source port would. */
		port = bpf_ntohs(udp->source);
		add(0, bpf_map_push_elem(&pool, &port, 0) == 0);
		return XDP_PASS;
	case IPPROTO_TCP:
		if (bpf_map_peek_elem(&recent, &top) == 0)
			add(1, top);
		for (i = 0; i < 3 && bpf_map_pop_elem(&recent, &top) == 0; i++)
			add(2, top);
		if (bpf_map_peek_elem(&pool, &port))
			return XDP_ABORTED;
		add(3, port);
		return XDP_PASS;
	default:
		return XDP_PASS;
	}
}

char _license[] SEC("license") = "Dual MIT/GPL";
