import { describe, expect, it } from 'vitest';
import { helperName, helperNumber, LAST_HELPER } from './helper-names.ts';

describe('helperName', () => {
  // One from each stretch of include/uapi/linux/bpf.h: a name left out anywhere would move those behind it.
  it.each([
    [1, 'bpf_map_lookup_elem'],
    [5, 'bpf_ktime_get_ns'],
    [12, 'bpf_tail_call'],
    [28, 'bpf_csum_diff'],
    [44, 'bpf_xdp_adjust_head'],
    [51, 'bpf_redirect_map'],
    [69, 'bpf_fib_lookup'],
    [93, 'bpf_spin_lock'],
    [113, 'bpf_probe_read_kernel'],
    [130, 'bpf_ringbuf_output'],
    [164, 'bpf_for_each_map_elem'],
    [181, 'bpf_loop'],
    [189, 'bpf_xdp_load_bytes'],
    [197, 'bpf_dynptr_from_mem'],
    [211, 'bpf_cgrp_storage_delete'],
  ])('%i is %s, and back', (number, name) => {
    expect(helperName(number)).toBe(name);
    expect(helperNumber(name)).toBe(number);
  });

  it('knows none below 1 and above 211', () => {
    expect(LAST_HELPER).toBe(211);
    expect([helperName(0), helperName(212), helperName(-1), helperNumber('bpf_unspec')]).toEqual(
      Array(4).fill(undefined),
    );
  });
});
