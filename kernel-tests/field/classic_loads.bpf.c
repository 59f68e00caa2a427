// SPDX-License-Identifier: MIT OR GPL-2.0
/* The packet loads of classic BPF, in the program and in functions of their own: out of bounds, a load ends its function with 0. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

unsigned long long load_byte(void *skb, unsigned long long offset) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long offset) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long offset) asm("llvm.bpf.load.word");

static __attribute__((noinline)) int header_length(struct __sk_buff *skb)
{
	return (load_byte(skb, ETH_HLEN) & 15) * 4;
}

static __attribute__((noinline)) int destination_port(struct __sk_buff *skb, int at)
{
	return load_half(skb, ETH_HLEN + at + 2);
}

SEC("tc")
int classic_loads(struct __sk_buff *skb)
{
	int length;

	if (load_half(skb, 12) != ETH_P_IP)
		return TC_ACT_OK;
	length = header_length(skb);
	if (length < 20)
		return TC_ACT_SHOT;
	skb->mark = load_word(skb, ETH_HLEN + 12);
	skb->priority = destination_port(skb, length);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
