// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Pointers to values that are held while their entries are updated, deleted and made anew: the packet is a list of what is
 * done to one of the maps. (Not to a per-CPU hash without preallocation: whether the kernel has memory for a value of each CPU
 * at this moment is chance.)
 */
#include "common.h"

struct prefix {
	__u32 length;
	__u8 data[4];
};

struct locked {
	struct bpf_spin_lock lock;
	__u32 spare;
	__u64 value;
};

#define MAP(name, map_type, flags, key_type, value_type) \
	struct { \
		__uint(type, map_type); \
		__uint(max_entries, 2048); \
		__uint(map_flags, flags); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

struct numbers {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps"), inner SEC(".maps");

MAP(allocated, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, __u32, __u64);
MAP(percpu, BPF_MAP_TYPE_PERCPU_HASH, 0, __u32, __u64);
MAP(lru, BPF_MAP_TYPE_LRU_HASH, 0, __u32, __u64);
MAP(percpu_lru, BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, __u32, __u64);
MAP(trie, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct prefix, __u64);
MAP(with_lock, BPF_MAP_TYPE_HASH, 0, __u32, struct locked);

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct numbers);
} outer SEC(".maps") = { .values = { [1] = &inner } };

#define KEY_NUMBER(number) __u32 key = number
#define KEY_PREFIX(number) \
	struct prefix key = { 32, { 10, 0, 0, number } }

/* Of each step four bits say what is done, two to which key. */
#define STEPS 10

#define SCRIPT(name, map, KEY) \
static __noinline __u64 run_##name(__u64 script) \
{ \
	__u64 seen = 0, value, *first = 0, *second = 0; \
	for (int step = 0; step < STEPS; step++, script >>= 6) { \
		KEY((script >> 4) & 3); \
		value = 100 + step; \
		switch (script & 15) { \
		case 0: case 1: case 2: \
			seen = seen * 31 + bpf_map_update_elem(map, &key, &value, BPF_ANY); \
			break; \
		case 3: \
			seen = seen * 31 + bpf_map_update_elem(map, &key, &value, BPF_EXIST); \
			break; \
		case 4: \
			seen = seen * 31 + bpf_map_update_elem(map, &key, &value, BPF_NOEXIST); \
			break; \
		case 5: case 6: \
			seen = seen * 31 + bpf_map_delete_elem(map, &key); \
			break; \
		case 7: case 8: \
			first = bpf_map_lookup_elem(map, &key); \
			break; \
		case 9: case 10: \
			second = bpf_map_lookup_elem(map, &key); \
			break; \
		case 11: \
			if (first) \
				*first += 1000; \
			break; \
		case 12: \
			if (second) \
				__sync_fetch_and_add(second, 7); \
			break; \
		case 13: \
			if (first) \
				seen = seen * 31 + bpf_map_update_elem(map, &key, first, BPF_ANY); \
			break; \
		default: \
			break; \
		} \
		if (first) \
			seen = seen * 31 + *first; \
		if (second) \
			seen = seen * 31 + *second; \
	} \
	return seen; \
}

SCRIPT(hash, &hash, KEY_NUMBER)
SCRIPT(allocated, &allocated, KEY_NUMBER)
SCRIPT(percpu, &percpu, KEY_NUMBER)
SCRIPT(lru, &lru, KEY_NUMBER)
SCRIPT(percpu_lru, &percpu_lru, KEY_NUMBER)
SCRIPT(trie, &trie, KEY_PREFIX)

/* Values under a lock are written in place where the update says so. */
static __noinline __u64 run_with_lock(__u64 script)
{
	struct locked value = {}, *held = 0;
	__u64 seen = 0;

	for (int step = 0; step < STEPS; step++, script >>= 6) {
		__u32 key = (script >> 4) & 3;

		value.value = 100 + step;
		switch (script & 7) {
		case 0: case 1:
			seen = seen * 31 + bpf_map_update_elem(&with_lock, &key, &value, BPF_ANY);
			break;
		case 2: case 3:
			seen = seen * 31 + bpf_map_update_elem(&with_lock, &key, &value, BPF_F_LOCK);
			break;
		case 4:
			seen = seen * 31 + bpf_map_delete_elem(&with_lock, &key);
			break;
		case 5:
			if (held) {
				bpf_spin_lock(&held->lock);
				held->value += 1000;
				bpf_spin_unlock(&held->lock);
			}
			break;
		default:
			held = bpf_map_lookup_elem(&with_lock, &key);
		}
		if (held)
			seen = seen * 31 + held->value;
	}
	return seen;
}

static __noinline __u64 run_inner(__u64 script)
{
	__u64 value = script & 0xff, seen = 0, *held;
	__u32 key = 1, number = (script >> 8) & 3;
	void *map = bpf_map_lookup_elem(&outer, &key);

	if (!map)
		return 1;
	held = bpf_map_lookup_elem(map, &number);
	if (!held)
		return 2;
	seen = bpf_map_update_elem(map, &number, &value, BPF_ANY);
	seen = seen * 31 + *held;
	*held = 5;
	held = bpf_map_lookup_elem(map, &number);
	return held ? seen * 31 + *held : 3;
}

static long visit(void *map, __u32 *key, __u64 *value, __u64 *seen)
{
	__u64 next = *value + 1;

	if (*key > 8)
		return 0;
	*seen += bpf_map_update_elem(map, key, &next, BPF_EXIST);
	*value += 100;
	*seen += *value * (*key + 1);
	next++;
	*seen += bpf_map_update_elem(map, key, &next, BPF_EXIST);
	*value += 1000;
	*seen += *value * (*key + 1);
	return 0;
}

/* One entry: nothing depends on the order in which a walk meets them. */
static __noinline __u64 run_walk(__u64 script)
{
	__u64 value = script & 0xff, seen = 0;

	for (int other = 0; other < 4; other++) {
		__u32 gone = other;

		bpf_map_delete_elem(&hash, &gone);
		bpf_map_delete_elem(&allocated, &gone);
	}
	__u32 key = (script >> 8) & 3;

	bpf_map_update_elem(&hash, &key, &value, BPF_ANY);
	bpf_map_update_elem(&allocated, &key, &value, BPF_ANY);
	bpf_for_each_map_elem(&hash, visit, &seen, 0);
	bpf_for_each_map_elem(&allocated, visit, &seen, 0);
	return seen;
}

SEC("xdp")
int held_values(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 *p = data;
	__u64 script;

	if (data + 14 > end)
		return XDP_ABORTED;
	/* Keeps the program on one CPU, whose lists the maps' memory comes from. */
	put(63, bpf_get_smp_processor_id() * 0);
	script = *(__u64 *)(p + 2);
	switch (p[1] % 10) {
	case 0:
		put(0, run_hash(script));
		break;
	case 1:
		put(1, run_allocated(script));
		break;
	case 2:
		put(2, run_percpu(script));
		break;
	case 3:
	case 4:
		put(4, run_lru(script));
		break;
	case 5:
		put(5, run_percpu_lru(script));
		break;
	case 6:
		put(6, run_trie(script));
		break;
	case 7:
		put(7, run_with_lock(script));
		break;
	case 8:
		put(8, run_inner(script));
		break;
	default:
		put(9, run_walk(script));
	}
	return XDP_PASS;
}
