// SPDX-License-Identifier: MIT OR GPL-2.0
/* What a driver knows of a frame, by kernel functions. */
#include "../helpers/common.h"

/* As in the kernel, whose enumeration it is. */
enum xdp_rss_hash_type { XDP_RSS_TYPE_NONE };

extern int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *ctx, __u64 *timestamp) __ksym;
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash, enum xdp_rss_hash_type *type) __ksym;
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *proto, __u16 *tci) __ksym;

SEC("xdp")
int metadata(struct xdp_md *ctx)
{
	enum xdp_rss_hash_type type = 0;
	__u64 timestamp = 0;
	__be16 proto = 0;
	__u32 hash = 0;
	__u16 tci = 0;
	__u32 *own;

	put(0, bpf_xdp_metadata_rx_timestamp(ctx, &timestamp));
	put(1, bpf_xdp_metadata_rx_hash(ctx, &hash, &type));
	put(2, bpf_xdp_metadata_rx_vlan_tag(ctx, &proto, &tci));
	/* Right into the metadata, for a socket of AF_XDP. */
	if (bpf_xdp_adjust_meta(ctx, -8))
		return XDP_ABORTED;
	own = (void *)(long)ctx->data_meta;
	if ((void *)(own + 2) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	own[0] = own[1] = 0;
	put(3, bpf_xdp_metadata_rx_hash(ctx, &own[0], (void *)&own[1]));
	return XDP_PASS;
}
