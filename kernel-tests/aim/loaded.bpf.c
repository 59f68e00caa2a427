// SPDX-License-Identifier: MIT OR GPL-2.0
/* TC: everything by bpf_skb_load_bytes, the header's length included; a mark that somebody else has set. */
#include "guarded.h"
#undef REACHED
#define REACHED TC_ACT_STOLEN
SEC("tc") int loaded(struct __sk_buff *skb)
{
	__u8 first, protocol;
	__be32 ports;
	__u16 type;

	if (bpf_skb_load_bytes(skb, 12, &type, 2) < 0 || type != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &first, 1) < 0 || (first & 15) != 7)
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + 9, &protocol, 1) < 0 || protocol != IPPROTO_TCP)
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + (first & 15) * 4, &ports, 4) < 0)
		return TC_ACT_SHOT;
	if (ports != bpf_htonl(0x30391f90))
		return TC_ACT_OK;
	if (skb->mark == 0xfeed && skb->len > 200)
		return REACHED;
	return TC_ACT_SHOT;
}
