// SPDX-License-Identifier: MIT OR GPL-2.0
/* What a program at egress sees of the device that a forwarded frame came in by. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

SEC("tc/egress")
int out(struct __sk_buff *skb)
{
	skb->mark = skb->ingress_ifindex;
	skb->priority = skb->ifindex;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
