// SPDX-License-Identifier: MIT OR GPL-2.0
/* What programs ask of their surroundings: tasks, performance counters, memory at any address. */
#include <linux/pkt_cls.h>
#include "common.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

struct bytes {
	__u64 words[4];
};

static __always_inline __u64 sum(struct bytes *bytes)
{
	return bytes->words[0] + 3 * bytes->words[1] + 5 * bytes->words[2] + 7 * bytes->words[3];
}

static __always_inline void tasks(__u8 a, __u8 c)
{
	struct bytes bytes = { { 1, 2, 3, 4 } };
	struct bpf_pidns_info info = { 1, 2 };

	put(0, bpf_get_current_pid_tgid());
	put(1, bpf_get_current_uid_gid());
	put(2, bpf_get_current_comm(&bytes, sizeof(bytes)));
	put(3, sum(&bytes));
	put(4, bpf_get_current_comm(&bytes, 3));
	put(5, sum(&bytes));
	put(6, bpf_get_ns_current_pid_tgid(a, c, &info, sizeof(info)));
	put(7, info.pid + info.tgid);
	put(8, bpf_get_ns_current_pid_tgid(a, c, (void *)&bytes, 12));
	put(9, sum(&bytes));
	put(10, bpf_send_signal(a));
	put(11, bpf_send_signal_thread(c));
}

static __always_inline void counters(__u8 a, __u8 c)
{
	struct bytes bytes = { { 1, 2, 3, 4 } };
	__u64 flags = a & 8 ? BPF_F_CURRENT_CPU : a & 7;

	if (c > 250)
		flags |= 1ull << 33;
	put(12, bpf_perf_event_read(&events, flags));
	put(13, bpf_perf_event_read_value(&events, flags, (void *)&bytes, c & 1 ? 24 : 16));
	put(14, sum(&bytes));
	put(15, bpf_get_branch_snapshot(&bytes, sizeof(bytes), c > 250 ? a : 0));
}

static __always_inline void addresses(void *data, void *end, __u8 a, __u8 c)
{
	struct bytes bytes = { { 1, 2, 3, 4 } }, from = { { a, c, a * 255, c * 255 } };
	/* Where nothing is, in user space; no canonical address; an error. */
	const __u64 bad[] = { 0, a, 0x7ffffffff000ull, 0x7fffffffffffull, 0x800000000000ull, 0x0123456789abcdefull,
			      -1ull, -22ull };
	void *at = (void *)bad[a & 7];
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&results, &key);

	put(16, bpf_probe_read_kernel(&bytes, sizeof(bytes), at));
	put(17, sum(&bytes));
	put(18, bpf_probe_read_kernel(&bytes, c & 31, &from));
	put(19, sum(&bytes));
	put(20, value ? bpf_probe_read_kernel(&bytes, 8, value) : 77);
	put(21, sum(&bytes));
	if (data + 40 <= end) {
		put(22, bpf_probe_read_kernel(&bytes, 32, data + 8));
		put(23, sum(&bytes));
		put(24, bpf_probe_read_kernel_str(&bytes, c & 31, data + (a & 7)));
		put(25, sum(&bytes));
	}
	put(26, bpf_probe_read_kernel_str(&bytes, sizeof(bytes), at));
	put(27, sum(&bytes));
	put(28, bpf_probe_read_kernel_str(&bytes, c & 31, &from));
	put(29, sum(&bytes));
	put(30, bpf_probe_read_kernel(&bytes, 0, at));
	put(31, bpf_probe_read_user(&bytes, c & 31, at));
	put(32, sum(&bytes));
	put(33, bpf_probe_read_user_str(&bytes, 16, at));
	put(34, sum(&bytes));
	put(35, bpf_probe_read_user(&bytes, 8, data));
	put(36, bpf_probe_read_user_str(&bytes, 0, at));
	put(37, sum(&bytes));
}

SEC("xdp")
int environment(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 *p = data;

	if (data + 14 > end)
		return XDP_DROP;
	tasks(p[1], p[2]);
	counters(p[3], p[4]);
	addresses(data, end, p[5], p[0]);
	return XDP_PASS;
}

SEC("tc")
int environment_tc(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct bpf_xfrm_state state = { 1, 2, 3 };
	__u8 *p = data;

	if (data + 14 > end)
		return TC_ACT_SHOT;
	tasks(p[1], p[2]);
	counters(p[3], p[4]);
	addresses(data, end, p[5], p[0]);
	put(40, bpf_skb_get_xfrm_state(skb, p[1], &state, sizeof(state), p[2] & 1));
	put(41, state.reqid + state.spi);
	return TC_ACT_OK;
}
