// SPDX-License-Identifier: MIT OR GPL-2.0
/* Text in programs: a number read off a payload with bpf_strtol, a line about the packet written with bpf_snprintf. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define DIGITS 12
#define LINE 64

struct line {
	char text[LINE];
	__s64 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct line);
} lines SEC(".maps");

__s64 sum, failures;

SEC("tc")
int text(struct __sk_buff *skb)
{
	__u32 slot = skb->len & 3, offset = ETH_HLEN + sizeof(struct iphdr);
	char digits[DIGITS] = {};
	struct line *line;
	struct iphdr ip;
	long number = 0;
	int used;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return TC_ACT_OK;
	line = bpf_map_lookup_elem(&lines, &slot);
	if (!line)
		return TC_ACT_SHOT;
	line->length = BPF_SNPRINTF(line->text, sizeof(line->text), "%pI4>%pI4 %u/%x ttl=%03d %5s|%-4llu|%c%%",
				    &ip.saddr, &ip.daddr, ip.protocol, bpf_ntohs(ip.tot_len), ip.ttl, "IPv4",
				    (__u64)skb->len, 'A' + slot);
	if (bpf_skb_load_bytes(skb, offset, digits, sizeof(digits)))
		return TC_ACT_OK;
	/* Payloads seldom begin with digits: these come from the header, in as many bases as there are. */
	digits[0] = '-';
	digits[1] = '0' + (ip.id & 15);
	digits[2] = '0' + (ip.ttl & 7);
	used = bpf_strtol(digits, sizeof(digits), ip.id & 0x100 ? 10 : 0, &number);
	if (used < 0) {
		failures += used;
		return TC_ACT_UNSPEC;
	}
	sum += number;
	skb->mark = number;
	skb->priority = used;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
