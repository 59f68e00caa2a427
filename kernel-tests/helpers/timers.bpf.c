// SPDX-License-Identifier: MIT OR GPL-2.0
/* Timers in values of arrays and hash tables: made, armed, cancelled, and lost with their values. */
#include "common.h"

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_BOOTTIME 7

struct element {
	__u64 count;
	struct bpf_timer timer;
	__u32 after;
};

#define TIMERS(name, kind)				\
	struct {					\
		__uint(type, BPF_MAP_TYPE_##kind);	\
		__uint(max_entries, 8);			\
		__type(key, __u32);			\
		__type(value, struct element);		\
	} name SEC(".maps")

TIMERS(array, ARRAY);
TIMERS(hash, HASH);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct element);
} recent SEC(".maps");

static int expired(void *map, __u32 *key, struct element *element)
{
	element->count += 1000;
	return 0;
}

static int expired_too(void *map, __u32 *key, struct element *element)
{
	element->after = 1;
	return 0;
}

/* Noise where the timer is: no update takes it over. */
static __always_inline void fill(struct element *element, __u8 c)
{
	__builtin_memset(element, c, sizeof(*element));
}

#define STEP(map, element, step, c)								\
	do {											\
		switch (step) {									\
		case 0:										\
			put(0, bpf_timer_init(&element->timer, &map, CLOCK_MONOTONIC));		\
			break;									\
		case 1:										\
			put(1, bpf_timer_init(&element->timer, &map, c & 15));			\
			break;									\
		case 2:										\
			put(2, bpf_timer_init(&element->timer, &map, c));			\
			break;									\
		case 3:										\
		case 4:										\
			put(3, bpf_timer_set_callback(&element->timer, expired));		\
			break;									\
		case 5:										\
			put(4, bpf_timer_set_callback(&element->timer, expired_too));		\
			break;									\
		case 6:										\
		case 7:										\
			put(5, bpf_timer_start(&element->timer, c * 1000, 0));			\
			break;									\
		case 8:										\
			put(6, bpf_timer_start(&element->timer, 1, c & 3));			\
			break;									\
		case 9:										\
			put(7, bpf_timer_start(&element->timer, -1ull, c & 7));			\
			break;									\
		case 10:									\
		case 11:									\
			put(8, bpf_timer_cancel(&element->timer));				\
			break;									\
		case 12:									\
			element->count += c;							\
			element->after ^= c;							\
			break;									\
		case 13:									\
			fill(&noise, c);							\
			put(9, bpf_map_update_elem(&map, &key, &noise, 0));			\
			element = bpf_map_lookup_elem(&map, &key);				\
			if (element)								\
				put(10, bpf_timer_init(&element->timer, &map, CLOCK_BOOTTIME));	\
			break;									\
		default:									\
			put(11, bpf_map_delete_elem(&map, &key));				\
			put(12, bpf_timer_cancel(&element->timer));				\
		}										\
	} while (0)

SEC("xdp")
int timers(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct element *element, noise = {};
	__u8 *p = data;
	__u32 key;

	if (data + 14 > end)
		return XDP_DROP;
	key = p[1] & 3;
	element = bpf_map_lookup_elem(&array, &key);
	if (element)
		STEP(array, element, p[2] & 15, p[3]);
	element = bpf_map_lookup_elem(&hash, &key);
	if (element)
		STEP(hash, element, p[4] & 15, p[5]);
	else
		put(20, bpf_map_update_elem(&hash, &key, &noise, 0));
	element = bpf_map_lookup_elem(&recent, &key);
	if (element)
		STEP(recent, element, p[0] & 15, p[3]);
	else
		put(21, bpf_map_update_elem(&recent, &key, &noise, 0));
	return XDP_PASS;
}
