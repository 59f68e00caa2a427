/**
 * C structures that cross the border to libbpf and the kernel, as offsets in bytes. All numbers in them are in
 * the machine's order, which is little-endian on every machine that this code supports.
 *
 * `libbpf-layouts.test.ts` holds them against the installed headers.
 */

/** `struct bpf_test_run_opts` (bpf/bpf.h). */
export const TEST_RUN_OPTS = {
  sz: 0,
  data_in: 8,
  data_out: 16,
  data_size_in: 24,
  data_size_out: 28,
  ctx_in: 32,
  ctx_out: 40,
  ctx_size_in: 48,
  ctx_size_out: 52,
  retval: 56,
  repeat: 60,
  duration: 64,
  flags: 68,
  cpu: 72,
  batch_size: 76,
  /** Of the whole structure. */
  size: 80,
} as const;

/** `struct xdp_md` (linux/bpf.h). */
export const XDP_MD = {
  data: 0,
  data_end: 4,
  data_meta: 8,
  ingress_ifindex: 12,
  rx_queue_index: 16,
  egress_ifindex: 20,
  size: 24,
} as const;

/** `struct __sk_buff` (linux/bpf.h), the fields that test runs take or give. */
export const SK_BUFF = {
  mark: 8,
  priority: 32,
  ingress_ifindex: 36,
  ifindex: 40,
  cb: 48,
  tstamp: 152,
  wire_len: 160,
  gso_segs: 164,
  gso_size: 176,
  hwtstamp: 184,
  size: 192,
} as const;

/** `struct bpf_object_open_opts` (bpf/libbpf.h). */
export const OBJECT_OPEN_OPTS = {
  sz: 0,
  object_name: 8,
  relaxed_maps: 16,
  pin_root_path: 24,
  kconfig: 40,
  btf_custom_path: 48,
  kernel_log_buf: 56,
  kernel_log_size: 64,
  kernel_log_level: 72,
  size: 80,
} as const;

/** `struct bpf_prog_load_opts` (bpf/bpf.h). */
export const PROG_LOAD_OPTS = {
  sz: 0,
  expected_attach_type: 12,
  prog_btf_fd: 16,
  prog_flags: 20,
  func_info: 56,
  func_info_cnt: 64,
  func_info_rec_size: 68,
  size: 104,
} as const;

/** `struct bpf_insn` (linux/bpf.h). */
export const BPF_INSN = { code: 0, registers: 1, off: 2, imm: 4, size: 8 } as const;

/** `struct btf_type` with the `struct btf_var_secinfo` rows that follow a DATASEC (linux/btf.h). */
export const BTF_TYPE = { name_off: 0, info: 4, size_or_type: 8, size: 12 } as const;
export const BTF_VAR_SECINFO = { type: 0, offset: 4, size_of_variable: 8, size: 12 } as const;

/** `struct perf_event_attr` (linux/perf_event.h), the fields that are set. */
export const PERF_EVENT_ATTR = {
  type: 0,
  size_of_attr: 4,
  config: 8,
  sample_period: 16,
  sample_type: 24,
  wakeup_events: 48,
  /** PERF_ATTR_SIZE_VER5: the oldest size that every kernel with `bpf_trace_printk` events knows. */
  size: 112,
} as const;

/** `struct perf_event_mmap_page` (linux/perf_event.h). */
export const PERF_MMAP_PAGE = {
  data_head: 1024,
  data_tail: 1032,
  data_offset: 1040,
  data_size: 1048,
} as const;

/** `enum bpf_prog_type`, as far as test runs go. */
export const BPF_PROG_TYPE = { UNSPEC: 0, SCHED_CLS: 3, SCHED_ACT: 4, XDP: 6 } as const;

/** `enum bpf_attach_type`: sections `xdp/devmap` and `xdp/cpumap` make programs that only a redirect runs. */
export const BPF_ATTACH_TYPE = { XDP_DEVMAP: 33, XDP_CPUMAP: 35, XDP: 37 } as const;
