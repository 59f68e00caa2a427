// SPDX-License-Identifier: MIT OR GPL-2.0
/* Zeros of a program's own, and zeros that nobody has filled in yet. */
#include "common.h"

#define ANSWER(name)                                                              \
	PROGRAM int name(CONTEXT *ctx)                                            \
	{                                                                         \
		struct packet packet;                                             \
		__be32 to;                                                        \
                                                                                  \
		if (!parse_ipv4(ctx, &packet, IPPROTO_TCP))                       \
			return PASS;                                              \
		to = packet.ip->daddr;                                            \
		if (to == 0 || (to & bpf_htonl(0xe0000000)) == bpf_htonl(0xe0000000)) \
			return PASS;                                              \
		packet.ip->daddr = packet.ip->saddr;                              \
		packet.ip->saddr = source_of_##name();                            \
		return TRANSMIT(ctx);                                             \
	}

struct settings {
	__u32 device;
	__be32 source;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

volatile struct settings global;

INLINE struct settings setting(void)
{
	struct settings none = {}, *found;
	__u32 key = 0;

	found = bpf_map_lookup_elem(&settings, &key);
	return found ? *found : none;
}

static __attribute__((noinline)) int redirect_to(int device)
{
	return bpf_redirect(device, 0);
}

PROGRAM int to_constant(CONTEXT *ctx)
{
	return bpf_redirect(0, 0);
}

/* Through the stack and a function. */
PROGRAM int to_computed(CONTEXT *ctx)
{
	volatile struct settings own = { .device = 8 };

	own.device >>= 4;
	return redirect_to(own.device);
}

PROGRAM int to_map(CONTEXT *ctx)
{
	return bpf_redirect(setting().device, 0);
}

PROGRAM int to_global(CONTEXT *ctx)
{
	return bpf_redirect(global.device, 0);
}

INLINE __be32 source_of_from_constant(void)
{
	return 0;
}

INLINE __be32 source_of_from_global(void)
{
	return global.source;
}

ANSWER(from_constant)
ANSWER(from_global)
