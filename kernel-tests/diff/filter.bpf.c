// A program of every kind of decision, of which kernel-tests/diff.test.ts makes other builds by editing lines.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct key {
	__u32 source;
	__u8 protocol;
	__u8 zero[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct key);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

static __u64 long_frames;

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline __u64 count(__u32 source, __u8 protocol)
{
	struct key key = { .source = source, .protocol = protocol };
	__u64 one = 1;
	__u64 *known = bpf_map_lookup_elem(&seen, &key);
	if (!known) {
		bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
		return 1;
	}
	return __sync_fetch_and_add(known, 1) + 1;
}

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	if (end - data > 1000)
		long_frames++;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	if (ip->ihl != 5)
		return XDP_DROP;
	__u32 slot = ip->protocol & 3;
	__u64 *total = bpf_map_lookup_elem(&totals, &slot);
	if (total)
		*total += 1;
	count(ip->saddr, ip->protocol);
	if (ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	if (udp->dest == bpf_htons(53))
		return XDP_DROP;
	if (udp->source == bpf_htons(7))
		return bpf_redirect(1, 0);
	if (ip->ttl <= 1)
		return XDP_PASS;
	__u16 *word = (__u16 *)&ip->ttl;
	__u16 *network = (__u16 *)&ip->daddr;
	__u32 sum = (__u16)~ip->check + (__u16)~*word + (__u16)~*network;
	ip->ttl -= 1;
	*network = bpf_htons(0x0a63);
	ip->check = fold(sum + *word + *network);
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
