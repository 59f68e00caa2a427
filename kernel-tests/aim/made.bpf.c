// SPDX-License-Identifier: MIT OR GPL-2.0
/* Tables that only user space makes, one for each customer: the object has a template of them, and no more. */
#include "guarded.h"
struct service { __u16 port; __u8 protocol; __u8 pad; };
/* clang describes types that only a template names as declarations, without their size. */
struct service service_in_full;
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 16);
	__type(key, __be32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_HASH);
		__uint(max_entries, 32);
		__type(key, struct service);
		__type(value, __u64);
	});
} services_of SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_LRU_HASH);
		__uint(max_entries, 64);
		__type(key, __be32);
		__type(value, __u64);
	});
} seen_by_cpu SEC(".maps");
SEC("xdp") int made(struct xdp_md *ctx)
{
	struct packet p;
	struct service service = {};
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 first = 1, *limit, *seen;
	void *services, *sources;

	if (!parse(ctx, &p, IPPROTO_UDP, sizeof(struct udphdr)))
		return XDP_PASS;
	services = bpf_map_lookup_elem(&services_of, &p.ip->daddr);
	if (!services)
		return XDP_PASS;
	service.port = bpf_ntohs(((struct udphdr *)p.l4)->dest);
	service.protocol = IPPROTO_UDP;
	limit = bpf_map_lookup_elem(services, &service);
	if (!limit)
		return XDP_DROP;
	sources = bpf_map_lookup_elem(&seen_by_cpu, &cpu);
	if (!sources)
		return XDP_ABORTED;
	seen = bpf_map_lookup_elem(sources, &p.ip->saddr);
	if (!seen) {
		bpf_map_update_elem(sources, &p.ip->saddr, &first, BPF_ANY);
		return XDP_PASS;
	}
	*seen += 1;
	if (*limit > 1000 && *seen > 3)
		return REACHED;
	return XDP_PASS;
}
