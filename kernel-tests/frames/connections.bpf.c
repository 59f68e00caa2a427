// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Connections and IPsec states that are not there: what lookups say of their options, and what absent functions are.
 */
#include <linux/pkt_cls.h>
#include "../helpers/common.h"

struct nf_conn {
	unsigned long status;
} __attribute__((preserve_access_index));

struct xfrm_state {
	int dummy;
} __attribute__((preserve_access_index));

/* Younger than the headers that we compile against. */
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u16 ct_zone_id;
	__u8 ct_zone_dir;
	__u8 reserved[3];
};

struct bpf_xfrm_state_opts {
	__s32 error;
	__s32 netns_id;
	__u32 mark;
	__u32 daddr[4];
	__u32 spi;
	__u8 proto;
	__u16 family;
};

extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *, struct bpf_sock_tuple *, __u32, struct bpf_ct_opts *, __u32) __ksym;
extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *, struct bpf_sock_tuple *, __u32, struct bpf_ct_opts *, __u32) __ksym;
extern void bpf_ct_release(struct nf_conn *) __ksym;
extern struct xfrm_state *bpf_xdp_get_xfrm_state(struct xdp_md *, struct bpf_xfrm_state_opts *, __u32) __ksym;
extern void bpf_xdp_xfrm_state_release(struct xfrm_state *) __ksym;
extern int bpf_nobody_has_this(struct xdp_md *) __ksym __attribute__((weak));

/* The program's own, one below, and numbers that nobody has given: 0 may be where the devices' peers are. */
static __always_inline int netns(__u8 byte)
{
	return byte & 1 ? -1 : byte & 2 ? -2 : 100 + byte;
}

static __always_inline void options(struct bpf_ct_opts *opts, const __u8 *bytes)
{
	opts->netns_id = netns(bytes[0]);
	opts->error = 77;
	opts->l4proto = bytes[1] & 1 ? 6 : bytes[1] & 2 ? 17 : bytes[1];
	if (!(bytes[2] & 7))
		opts->ct_zone_id = bytes[3];
	if (!(bytes[2] & 24))
		opts->reserved[0] = bytes[4];
	if (!(bytes[2] & 96))
		opts->reserved[2] = bytes[5];
}

/* A macro, since the kinds of context differ. Sizes are what the verifier knows. */
#define LOOK_UP(lookup, ctx, bytes, tuple_size, opts_size, slot)                      \
	do {                                                                          \
		struct bpf_sock_tuple tuple = {};                                     \
		struct bpf_ct_opts opts = {};                                         \
		struct nf_conn *ct;                                                   \
		options(&opts, bytes);                                                \
		ct = lookup(ctx, &tuple, tuple_size, &opts, opts_size);               \
		put(slot, opts.error);                                                \
		if (ct) {                                                             \
			put(slot, ct->status);                                        \
			bpf_ct_release(ct);                                           \
		}                                                                     \
	} while (0)

#define ALL(lookup, ctx, bytes)                                                       \
	do {                                                                          \
		LOOK_UP(lookup, ctx, bytes, sizeof(tuple_sizes.ipv4), 16, 0);         \
		LOOK_UP(lookup, ctx, bytes, sizeof(tuple_sizes.ipv6), 12, 1);         \
		LOOK_UP(lookup, ctx, bytes, 13, 16, 2);                               \
		LOOK_UP(lookup, ctx, bytes, sizeof(tuple_sizes.ipv4), 15, 3);         \
	} while (0)

SEC("xdp")
int connections_xdp(struct xdp_md *ctx)
{
	struct bpf_sock_tuple tuple_sizes;
	struct bpf_xfrm_state_opts opts = {};
	struct xfrm_state *state;
	__u8 bytes[8];

	if (bpf_xdp_load_bytes(ctx, 14, bytes, sizeof(bytes)))
		return XDP_DROP;
	ALL(bpf_xdp_ct_lookup, ctx, bytes);
	opts.netns_id = netns(bytes[0]);
	opts.family = bytes[1];
	opts.proto = bytes[2];
	state = bpf_xdp_get_xfrm_state(ctx, &opts, sizeof(opts));
	put(8, opts.error);
	if (state)
		bpf_xdp_xfrm_state_release(state);
	opts.error = 0;
	state = bpf_xdp_get_xfrm_state(ctx, &opts, 35);
	put(9, opts.error);
	if (state)
		bpf_xdp_xfrm_state_release(state);
	if (bpf_nobody_has_this)
		put(10, bpf_nobody_has_this(ctx));
	else
		put(10, 12345);
	return XDP_PASS;
}

SEC("tc")
int connections_tc(struct __sk_buff *ctx)
{
	struct bpf_sock_tuple tuple_sizes;
	__u8 bytes[8];

	if (bpf_skb_load_bytes(ctx, 14, bytes, sizeof(bytes)))
		return TC_ACT_SHOT;
	ALL(bpf_skb_ct_lookup, ctx, bytes);
	return TC_ACT_OK;
}
