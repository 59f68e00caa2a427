// SPDX-License-Identifier: MIT OR GPL-2.0
/* VLAN tags at XDP: by adjust_head and moving the addresses, with a translation of tags between the two. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VID_MASK 0x0fff

struct vlan_frame {
	__u8 addresses[2 * ETH_ALEN];
	__be16 tpid;
	__be16 tci;
	__be16 proto;
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u16);
} translation SEC(".maps");

/* The tag of untagged frames; in .data, so that it can be changed while the program runs. */
__u16 native_vlan = 100;

static __always_inline int push(struct xdp_md *ctx, __u16 tci)
{
	struct vlan_frame *frame;
	struct ethhdr *old;

	if (bpf_xdp_adjust_head(ctx, -4))
		return XDP_ABORTED;
	frame = (void *)(long)ctx->data;
	old = (void *)frame + 4;
	if ((void *)(old + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memmove(frame->addresses, old, sizeof(frame->addresses));
	frame->tpid = bpf_htons(ETH_P_8021Q);
	frame->tci = bpf_htons(tci);
	return XDP_TX;
}

static __always_inline int pop(struct xdp_md *ctx)
{
	struct vlan_frame *frame = (void *)(long)ctx->data;
	__u8 addresses[2 * ETH_ALEN];

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	__builtin_memcpy(addresses, frame->addresses, sizeof(addresses));
	if (bpf_xdp_adjust_head(ctx, 4))
		return XDP_ABORTED;
	frame = (void *)(long)ctx->data;
	if ((void *)frame + sizeof(addresses) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(frame->addresses, addresses, sizeof(addresses));
	return XDP_PASS;
}

SEC("xdp")
int vlan_xdp(struct xdp_md *ctx)
{
	struct vlan_frame *frame = (void *)(long)ctx->data;
	__u16 tci, *translated;
	__u32 vid;

	if ((void *)frame + ETH_HLEN > (void *)(long)ctx->data_end)
		return XDP_DROP;
	if (frame->tpid != bpf_htons(ETH_P_8021Q) && frame->tpid != bpf_htons(ETH_P_8021AD))
		return push(ctx, native_vlan);
	if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	tci = bpf_ntohs(frame->tci);
	vid = tci & VID_MASK;
	if (vid == native_vlan || vid == 0)
		return pop(ctx);
	translated = bpf_map_lookup_elem(&translation, &vid);
	if (!translated || *translated == 0)
		return XDP_PASS;
	/* Priority and drop eligibility stay (IEEE 802.1Q §9.6). */
	frame->tci = bpf_htons((tci & ~VID_MASK) | (*translated & VID_MASK));
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
