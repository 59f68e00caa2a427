// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The recorder: what stands on every device of a scenario that runs for real. It writes down every frame that
 * comes off the wire, that XDP hands up, and that the stack sends, in one order for the whole network; where the
 * device has a program of its own it calls it, and writes down what it said.
 *
 * Programs are reached by tail calls, and from a subprogram a tail call comes back (Linux 5.10 on x86, 6.0 on
 * arm64). Each device has its own copy of this object; they share the memory.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Two to some power. */
#define RECORDS 512
#define FRAME_BYTES 4064

/* kernel/scenario/recorder.ts has the same numbers. */
enum kind {
	ARRIVAL, /* off the wire, before any program */
	UP,      /* XDP has passed it */
	SENT,    /* the stack sends it, before any program */
	XDP_VERDICT,
	INGRESS_VERDICT,
	EGRESS_VERDICT,
};

struct record {
	__u32 device;
	__u32 kind;
	__u32 verdict;
	__u32 length;
	__u32 mark;
	/* A tag that the kernel keeps beside the bytes. */
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u8 frame[FRAME_BYTES];
};

struct recorder {
	__u32 count;
	/* What a tail call that fails "returns"; set by user space. */
	__u32 not_run;
	__u8 unused[4088];
	struct record records[RECORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct recorder);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} recorder SEC(".maps");

/* The device's own programs: XDP; TC ingress and egress. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} xdp_program SEC(".maps"), ingress_program SEC(".maps"), egress_program SEC(".maps");

/* Set before loading: the device's number, and what it has. */
const volatile __u32 device;
const volatile __u32 has_xdp;
const volatile __u32 has_ingress;
const volatile __u32 has_egress;

static __always_inline struct recorder *the_recorder(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&recorder, &only);
}

static __always_inline struct record *next_record(struct recorder *r, enum kind kind, __u32 verdict)
{
	struct record *record = &r->records[__sync_fetch_and_add(&r->count, 1) & (RECORDS - 1)];

	record->device = device;
	record->kind = kind;
	record->verdict = verdict;
	return record;
}

static __always_inline void record_xdp(struct recorder *r, struct xdp_md *ctx, enum kind kind, __u32 verdict)
{
	struct record *record = next_record(r, kind, verdict);
	__u64 length = bpf_xdp_get_buff_len(ctx);

	record->length = length;
	record->mark = 0;
	record->vlan_present = 0;
	/* Kernel 6.1 knows of a number only in the register that was compared: it has to be this one. */
	length--;
	if (length < FRAME_BYTES) {
		barrier_var(length);
		bpf_xdp_load_bytes(ctx, 0, record->frame, length + 1);
	}
}

static __always_inline void record_skb(struct recorder *r, struct __sk_buff *skb, enum kind kind, __u32 verdict)
{
	struct record *record = next_record(r, kind, verdict);
	__u32 length = skb->len;

	record->length = length;
	record->mark = skb->mark;
	record->vlan_present = skb->vlan_present;
	record->vlan_tci = skb->vlan_tci;
	record->vlan_proto = skb->vlan_proto;
	length--;
	if (length < FRAME_BYTES) {
		barrier_var(length);
		bpf_skb_load_bytes(skb, 0, record->frame, length + 1);
	}
}

/*
 * What the program returns, these return. The fallback is read from the map: neither the compiler nor a verifier
 * that takes a tail call for a helper that always fails (before Linux 6.19) may think it knows the result.
 */
static __attribute__((noinline)) int call_xdp(struct xdp_md *ctx, struct recorder *r)
{
	int result = r->not_run;

	bpf_tail_call(ctx, &xdp_program, 0);
	asm volatile("" : "+r"(result));
	return result;
}

static __attribute__((noinline)) int call_ingress(struct __sk_buff *skb, struct recorder *r)
{
	int result = r->not_run;

	bpf_tail_call(skb, &ingress_program, 0);
	asm volatile("" : "+r"(result));
	return result;
}

static __attribute__((noinline)) int call_egress(struct __sk_buff *skb, struct recorder *r)
{
	int result = r->not_run;

	bpf_tail_call(skb, &egress_program, 0);
	asm volatile("" : "+r"(result));
	return result;
}

SEC("xdp")
int recorder_xdp(struct xdp_md *ctx)
{
	struct recorder *r = the_recorder();
	int verdict;

	if (!r)
		return XDP_ABORTED;
	record_xdp(r, ctx, ARRIVAL, 0);
	verdict = call_xdp(ctx, r);
	record_xdp(r, ctx, XDP_VERDICT, verdict);
	return verdict;
}

SEC("tc")
int recorder_ingress(struct __sk_buff *skb)
{
	struct recorder *r = the_recorder();
	int verdict;

	if (!r)
		return TC_ACT_SHOT;
	/* The stack's own copy of a broadcast that it sends: it has never been on the wire. */
	if (skb->pkt_type == PACKET_LOOPBACK)
		return TC_ACT_UNSPEC;
	record_skb(r, skb, has_xdp ? UP : ARRIVAL, 0);
	if (!has_ingress)
		return TC_ACT_UNSPEC;
	verdict = call_ingress(skb, r);
	record_skb(r, skb, INGRESS_VERDICT, verdict);
	return verdict;
}

#define IPV6_NEXT_HEADER (ETH_HLEN + 6)
#define IPV6_DESTINATION (ETH_HLEN + 24)
#define IPV6_PAYLOAD (ETH_HLEN + 40)
#define AF_PACKET 17
#define HOP_BY_HOP 0
#define ICMPV6 58
#define ROUTER_SOLICITATION 133

/*
 * Multicast listener reports and router solicitations: Linux sends them by itself, at times of its own choice.
 * A report has a hop-by-hop header of 8 bytes (the router alert) in front.
 */
static __always_inline int is_announcement(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	__u8 next_header, group, first[9];
	__be16 proto;

	/* Who sends such a frame on purpose does it by a packet socket; and what is forwarded goes to no group. */
	if (sk && sk->family == AF_PACKET)
		return 0;
	if (bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto)) ||
	    proto != bpf_htons(ETH_P_IPV6) ||
	    bpf_skb_load_bytes(skb, IPV6_DESTINATION, &group, sizeof(group)) || group != 0xff ||
	    bpf_skb_load_bytes(skb, IPV6_NEXT_HEADER, &next_header, sizeof(next_header)) ||
	    bpf_skb_load_bytes(skb, IPV6_PAYLOAD, first, sizeof(first)))
		return 0;
	if (next_header == ICMPV6)
		return first[0] == ROUTER_SOLICITATION;
	if (next_header != HOP_BY_HOP || first[0] != ICMPV6)
		return 0;
	return first[8] == 131 || first[8] == 132 || first[8] == 143;
}

SEC("tc")
int recorder_egress(struct __sk_buff *skb)
{
	struct recorder *r = the_recorder();
	int verdict;

	if (!r || is_announcement(skb))
		return TC_ACT_SHOT;
	record_skb(r, skb, SENT, 0);
	if (!has_egress)
		return TC_ACT_UNSPEC;
	verdict = call_egress(skb, r);
	record_skb(r, skb, EGRESS_VERDICT, verdict);
	return verdict;
}

char _license[] SEC("license") = "Dual MIT/GPL";
