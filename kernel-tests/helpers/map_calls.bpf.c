// SPDX-License-Identifier: MIT OR GPL-2.0
/* Every operation on every kind of map, with every flag. */
#include "common.h"

#define MAP(name, map_type, key_type, value_type, entries) \
	struct { \
		__uint(type, map_type); \
		__uint(max_entries, entries); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

#define SEQUENCE(name, map_type) \
	struct { \
		__uint(type, map_type); \
		__uint(max_entries, 4); \
		__type(value, __u64); \
	} name SEC(".maps")

struct prefix {
	__u32 length;
	__u8 data[4];
};

MAP(hash, BPF_MAP_TYPE_HASH, __u32, __u64, 8);
MAP(percpu_hash, BPF_MAP_TYPE_PERCPU_HASH, __u16, __u32, 8);
MAP(percpu_array, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u32, 5);
MAP(array, BPF_MAP_TYPE_ARRAY, __u32, __u32, 5);
MAP(devices, BPF_MAP_TYPE_DEVMAP, __u32, __u32, 4);
MAP(device_hash, BPF_MAP_TYPE_DEVMAP_HASH, __u32, struct bpf_devmap_val, 4);
MAP(cpus, BPF_MAP_TYPE_CPUMAP, __u32, __u32, 4);
MAP(sockets, BPF_MAP_TYPE_XSKMAP, __u32, __u32, 4);
SEQUENCE(queue, BPF_MAP_TYPE_QUEUE);
SEQUENCE(stack, BPF_MAP_TYPE_STACK);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 12);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

/* Keeps programs that read per-CPU values on one CPU: who asks for its number is pinned by the test run. */
static __always_inline void stay_here(void)
{
	put(63, bpf_get_smp_processor_id() * 0);
}

static __always_inline void reserve(__u64 value)
{
	__u64 *sample = bpf_ringbuf_reserve(&ring, 40, 0);

	put(20, sample ? 1 : 2);
	if (!sample)
		return;
	*sample = value;
	if (value & 1)
		bpf_ringbuf_submit(sample, 0);
	else
		bpf_ringbuf_discard(sample, 0);
}

SEC("xdp")
int map_calls(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 value, flags, taken = 5, *wide;
	struct bpf_devmap_val *device;
	__u32 key, narrow, *found;
	struct prefix prefix;
	__u16 short_key;
	__u8 *p = data;

	if (data + 14 > end)
		return XDP_ABORTED;
	stay_here();
	value = p[2];
	narrow = value;
	flags = p[4] == 7 ? BPF_F_LOCK : p[4] == 8 ? 1ull << 33 : p[3] & 3;
	key = p[5] & 15;
	short_key = key;
	prefix.length = p[6] & 63;
	prefix.data[0] = p[7] & 1;
	prefix.data[1] = p[8];
	prefix.data[2] = p[9];
	prefix.data[3] = p[10];

	switch (p[1] & 31) {
	case 0:
		put(0, bpf_map_update_elem(&hash, &key, &value, flags));
		break;
	case 1:
		put(1, bpf_map_delete_elem(&hash, &key));
		break;
	case 2:
		wide = bpf_map_lookup_elem(&hash, &key);
		put(2, wide ? *wide : 99999);
		if (wide)
			__sync_fetch_and_add(wide, 3);
		break;
	case 3:
		put(3, bpf_map_update_elem(&percpu_hash, &short_key, &narrow, flags));
		break;
	case 4:
		put(4, bpf_map_delete_elem(&percpu_hash, &short_key));
		break;
	case 5:
		put(5, bpf_map_update_elem(&percpu_array, &key, &narrow, flags));
		break;
	case 6:
		put(6, bpf_map_update_elem(&array, &key, &narrow, flags));
		break;
	case 7:
		put(7, bpf_map_delete_elem(&array, &key));
		break;
	case 8:
		put(8, bpf_map_update_elem(&prefixes, &prefix, &value, flags));
		break;
	case 9:
		put(9, bpf_map_delete_elem(&prefixes, &prefix));
		break;
	case 10:
	case 11:
	case 12:
		wide = bpf_map_lookup_elem(&prefixes, &prefix);
		put(10, wide ? *wide : 999);
		break;
	case 13:
		put(13, bpf_map_push_elem(&queue, &value, flags));
		break;
	case 14:
		put(14, bpf_map_pop_elem(&queue, &taken));
		put(14, taken);
		break;
	case 15:
		put(15, bpf_map_peek_elem(&queue, &taken));
		put(15, taken);
		break;
	case 16:
		put(16, bpf_map_push_elem(&stack, &value, flags));
		break;
	case 17:
		put(17, bpf_map_pop_elem(&stack, &taken));
		put(17, taken);
		break;
	case 18:
		put(18, bpf_map_peek_elem(&stack, &taken));
		put(18, taken);
		break;
	case 19:
		put(19, bpf_ringbuf_output(&ring, &value, 8, flags));
		break;
	case 20:
		reserve(value);
		break;
	case 21:
		put(21, bpf_ringbuf_query(&ring, p[6] & 7));
		break;
	case 22:
		put(22, bpf_perf_event_output(ctx, &events, p[6] & 1 ? BPF_F_CURRENT_CPU : 0, &value, 8));
		break;
	case 23:
		put(23, bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU | ((__u64)p[6] << 32), &value, 8));
		break;
	case 24:
		return bpf_redirect_map(&devices, key, flags);
	case 25:
		return bpf_redirect_map(&device_hash, key, p[6]);
	case 26:
		return bpf_redirect_map(&cpus, key, p[6] & 31);
	case 27:
		return bpf_redirect_map(&sockets, key, flags);
	case 28:
		device = bpf_map_lookup_elem(&device_hash, &key);
		put(28, device ? device->ifindex : 77);
		break;
	case 29:
		put(29, bpf_map_lookup_elem(&sockets, &key) ? 1 : 2);
		break;
	case 30:
		return bpf_redirect(key, p[6] & 1 ? flags : 0);
	default:
		found = bpf_map_lookup_elem(&percpu_array, &key);
		put(31, found ? *found : 3333);
		if (found)
			(*found)++;
	}
	return XDP_PASS;
}
