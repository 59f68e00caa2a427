// SPDX-License-Identifier: MIT OR GPL-2.0
/* Kernel functions on strings, over bits, and between dynptrs; sections that nothing interrupts. */
#include <linux/pkt_cls.h>
#include "common.h"

/* Younger than the headers that we compile against. */
struct bpf_iter_bits {
	__u64 opaque[2];
} __attribute__((aligned(8)));

extern int bpf_strcmp(const char *a, const char *b) __ksym;
extern int bpf_strcasecmp(const char *a, const char *b) __ksym;
extern int bpf_strnchr(const char *s, __u64 count, char c) __ksym;
extern int bpf_strchr(const char *s, char c) __ksym;
extern int bpf_strchrnul(const char *s, char c) __ksym;
extern int bpf_strrchr(const char *s, int c) __ksym;
extern int bpf_strnlen(const char *s, __u64 count) __ksym;
extern int bpf_strlen(const char *s) __ksym;
extern int bpf_strspn(const char *s, const char *accept) __ksym;
extern int bpf_strcspn(const char *s, const char *reject) __ksym;
extern int bpf_strnstr(const char *a, const char *b, __u64 count) __ksym;
extern int bpf_strstr(const char *a, const char *b) __ksym;
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *bits, __u32 words) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *ctx, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *to, __u32 to_off, struct bpf_dynptr *from, __u32 from_off,
			   __u32 size) __ksym;
extern int bpf_dynptr_memset(struct bpf_dynptr *p, __u32 offset, __u32 size, __u8 value) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
extern void bpf_local_irq_save(unsigned long *flags) __ksym;
extern void bpf_local_irq_restore(unsigned long *flags) __ksym;
struct bpf_map {
	__u32 id;
};
extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__type(key, __u32);
	__type(value, __u32);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[64]);
} scratch SEC(".maps");

/* Short texts over few letters, so that they are often alike. */
static __always_inline void text(char *to, __u64 noise)
{
	for (int i = 0; i < 15; i++) {
		__u8 x = noise >> (i * 4);

		to[i] = x & 8 ? 'a' + (x & 1) : x & 4 ? (x & 2 ? 0xe4 : 0xc4) : x & 2 ? 'A' + (x & 1) : x & 1 ? 'z' : 0;
	}
	to[15] = 0;
}

static __always_inline void strings(__u64 noise, __u64 more, __u8 c)
{
	char a[16], b[16];
	const __u64 bad[] = { 0, 5, 0x7fffffffffffull, 0x800000000000ull, -1ull, -200ull };
	const char *s = a, *t = b;

	text(a, noise | 0x8888);
	text(b, more & (c & 1 ? 0xfffff : 0xfff));
	if (c > 240)
		s = (const char *)bad[c & 3];
	if (c < 6)
		t = (const char *)bad[c];
	put(0, bpf_strcmp(s, t));
	put(1, bpf_strcasecmp(s, t));
	put(2, bpf_strnchr(s, c & 15, b[0]));
	put(3, bpf_strchr(s, b[1]));
	put(4, bpf_strchrnul(s, b[2]));
	put(5, bpf_strrchr(s, c & 64 ? b[0] : (__u8)b[0]));
	put(6, bpf_strnlen(s, c & 31));
	put(7, bpf_strlen(t));
	put(8, bpf_strspn(s, t));
	put(9, bpf_strcspn(s, t));
	put(10, bpf_strnstr(s, t, c & 15));
	put(11, bpf_strstr(s, t));
	put(12, bpf_strcasecmp(a, a));
	put(13, bpf_strnstr(s, t, -1ull));
	put(14, bpf_strnchr(s, 1ull << 33, 'z'));
	put(15, bpf_strnlen(t, 0));
}

static __always_inline void bits(__u64 noise, __u64 more, __u8 words)
{
	__u64 set[3] = { noise, more & noise, more };
	struct bpf_iter_bits it;
	unsigned long flags;
	__u64 sum = 0;
	int *bit;

	put(20, bpf_iter_bits_new(&it, words == 5 ? 0 : words == 6 ? (__u64 *)64 : set, words == 7 ? 600 : words == 6 ? 1 + (noise & 1) : words & 3));
	while ((bit = bpf_iter_bits_next(&it)))
		sum = sum * 3 + *bit;
	bpf_iter_bits_destroy(&it);
	put(21, sum);
	bpf_preempt_disable();
	put(22, set[1]);
	bpf_preempt_enable();
	bpf_local_irq_save(&flags);
	put(23, set[2]);
	bpf_local_irq_restore(&flags);
}

static __always_inline void count(__u32 noise)
{
	__u32 key = noise & 127;

	if (noise & 0x80)
		bpf_map_delete_elem(&seen, &key);
	else
		bpf_map_update_elem(&seen, &key, &key, 0);
	put(24, bpf_map_sum_elem_count((struct bpf_map *)&seen));
	put(25, bpf_map_sum_elem_count((struct bpf_map *)&scratch));
}

static __always_inline void dynptrs(struct bpf_dynptr *packet, __u8 *bytes)
{
	struct bpf_dynptr memory;
	__u32 zero = 0;
	__u8 *value = bpf_map_lookup_elem(&scratch, &zero);

	if (!value)
		return;
	bpf_dynptr_from_mem(value, 64, bytes[0] > 250, &memory);
	put(30, bpf_dynptr_copy(&memory, bytes[1] & 63, packet, bytes[2], bytes[3] & 31));
	put(31, value[0] + 3 * value[20] + 5 * value[63]);
	put(32, bpf_dynptr_copy(packet, bytes[4] & 31, &memory, bytes[5] & 31, bytes[6] & 31));
	put(33, bpf_dynptr_copy(packet, bytes[7] & 63, packet, bytes[1] & 63, bytes[2]));
	put(34, bpf_dynptr_memset(&memory, bytes[3] & 63, bytes[4] & 15, bytes[5]));
	put(35, bpf_dynptr_memset(packet, bytes[6], bytes[7] & 31, bytes[1]));
	put(36, bpf_dynptr_copy(&memory, 0, packet, 0, 0));
	put(37, bpf_dynptr_memset(&memory, 64, 0, 1));
	put(38, value[0] + 3 * value[20] + 5 * value[63]);
}

SEC("xdp")
int strings_xdp(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	__u8 bytes[32] = {};

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	bpf_dynptr_read(bytes, 32, &packet, 20, 0);
	strings(*(__u64 *)bytes, *(__u64 *)(bytes + 8), bytes[16]);
	bits(*(__u64 *)(bytes + 8), *(__u64 *)bytes, bytes[17] & 7);
	count(bytes[18]);
	dynptrs(&packet, bytes + 20);
	return XDP_PASS;
}

SEC("tc")
int strings_tc(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 bytes[32] = {};

	bpf_dynptr_from_skb(skb, 0, &packet);
	bpf_dynptr_read(bytes, 32, &packet, 20, 0);
	strings(*(__u64 *)bytes, *(__u64 *)(bytes + 8), bytes[16]);
	bits(*(__u64 *)(bytes + 8), *(__u64 *)bytes, bytes[17] & 7);
	count(bytes[18]);
	dynptrs(&packet, bytes + 20);
	return TC_ACT_OK;
}
