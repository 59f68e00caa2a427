// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The dispatcher: what stands on a device whose program has more than one function.
 *
 * User space says, frame by frame, which function's turn it is; the dispatcher calls it, on the same frame and in
 * the same context, and writes down what a wire does not show: the verdict, the fields of the sk_buff, and the
 * frame as the function left it. The functions themselves are the ones that were loaded, untouched: they are
 * reached by tail calls, and from a subprogram a tail call comes back (Linux 5.10 on x86, 6.0 on arm64).
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define AF_PACKET 17
#define NOBODY 0xffffffff
#define MAX_ENTRIES 256
#define META_WORDS 8
#define FRAME_BYTES 4096

/* kernel/veth/dispatcher.ts has the same offsets. */
struct dispatcher {
	/* Written by user space before it sends a frame. */
	__u32 ticket;
	__u32 xdp;     /* whose turn it is at each hook: an index into the program arrays, or NOBODY */
	__u32 ingress;
	__u32 egress;
	__u32 not_run; /* what a tail call that fails "returns" */
	__u32 meta_length;
	__u32 meta[META_WORDS];
	/* Written by the TC halves; `ran` comes last, and equals the ticket when all of it is there. */
	__u32 ran;
	__u32 verdict;
	__u32 length;
	__u32 mark;
	__u32 priority;
	__u32 cb[5];
	__u8 frame[FRAME_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct dispatcher);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} dispatcher SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, MAX_ENTRIES);
} xdp_entries SEC(".maps"), tc_entries SEC(".maps");

static __always_inline struct dispatcher *the_dispatcher(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&dispatcher, &only);
}

SEC("xdp")
int dispatcher_xdp(struct xdp_md *ctx)
{
	struct dispatcher *j = the_dispatcher();
	void *metadata, *data;
	__u32 length, at;

	if (!j)
		return XDP_ABORTED;
	length = j->meta_length;
	if (length) {
		if (bpf_xdp_adjust_meta(ctx, -(int)length))
			return XDP_ABORTED;
		metadata = (void *)(long)ctx->data_meta;
		data = (void *)(long)ctx->data;
		for (at = 0; at < META_WORDS; at++) {
			__u32 *word = (__u32 *)metadata + at;

			if ((void *)(word + 1) > data)
				break;
			*word = j->meta[at];
		}
	}
	if (j->xdp != NOBODY)
		bpf_tail_call(ctx, &xdp_entries, j->xdp);
	return XDP_PASS;
}

/*
 * What the function returns, this returns. The fallback is read from the map: neither the compiler nor a verifier
 * that takes a tail call for a helper that always fails (before Linux 6.19) may think it knows the result.
 */
static __attribute__((noinline)) int run_entry(struct __sk_buff *skb, struct dispatcher *j, __u32 turn)
{
	int result = j->not_run;

	bpf_tail_call(skb, &tc_entries, turn);
	asm volatile("" : "+r"(result));
	return result;
}

/* `onwards`: what to return for a frame that goes its way. */
static __always_inline int take_turn(struct __sk_buff *skb, struct dispatcher *j, __u32 turn, int onwards)
{
	__u32 ticket = j->ticket, length;
	int verdict;

	/* Whoever had the frame before leaves things here (GRO does): every function starts as in a test run. */
	skb->cb[0] = 0;
	skb->cb[1] = 0;
	skb->cb[2] = 0;
	skb->cb[3] = 0;
	skb->cb[4] = 0;
	verdict = run_entry(skb, j, turn);
	j->verdict = verdict;
	j->mark = skb->mark;
	j->priority = skb->priority;
	j->cb[0] = skb->cb[0];
	j->cb[1] = skb->cb[1];
	j->cb[2] = skb->cb[2];
	j->cb[3] = skb->cb[3];
	j->cb[4] = skb->cb[4];
	length = skb->len;
	j->length = length;
	/* Kernel 6.1 knows of a number only in the register that was compared: it has to be this one. */
	length--;
	if (length < FRAME_BYTES) {
		barrier_var(length);
		bpf_skb_load_bytes(skb, 0, j->frame, length + 1);
	}
	/* A compare-and-swap, since that is a barrier on every machine. */
	__sync_val_compare_and_swap(&j->ran, ticket - 1, ticket);
	switch (verdict) {
	case TC_ACT_SHOT:
	case TC_ACT_STOLEN:
	case TC_ACT_QUEUED:
	case TC_ACT_TRAP:
		return TC_ACT_SHOT;
	case TC_ACT_REDIRECT:
		return TC_ACT_REDIRECT;
	default:
		return onwards;
	}
}

/* Behind this one stands the observer, which counts what is on its way to the stack, and drops it. */
SEC("tc")
int dispatcher_ingress(struct __sk_buff *skb)
{
	struct dispatcher *j = the_dispatcher();

	if (!j || j->ingress == NOBODY || j->ran == j->ticket)
		return TC_ACT_UNSPEC;
	return take_turn(skb, j, j->ingress, TC_ACT_UNSPEC);
}

/* Behind this one stands a program that drops all, so that nothing leaves but what is under test. */
SEC("tc")
int dispatcher_egress(struct __sk_buff *skb)
{
	struct dispatcher *j = the_dispatcher();
	struct bpf_sock *sk;

	if (!j)
		return TC_ACT_UNSPEC;
	/* A frame that has had its turn and was redirected leaves by this device. */
	if (j->ran == j->ticket)
		return j->verdict == TC_ACT_REDIRECT ? TC_ACT_OK : TC_ACT_UNSPEC;
	if (j->egress == NOBODY)
		return TC_ACT_UNSPEC;
	/* What the kernel sends by itself comes from no packet socket. */
	sk = skb->sk;
	if (!sk || sk->family != AF_PACKET)
		return TC_ACT_UNSPEC;
	return take_turn(skb, j, j->egress, TC_ACT_OK);
}

char _license[] SEC("license") = "Dual MIT/GPL";
