import { describe, expect, it } from 'vitest';
import { helperNumber } from '../../sim/ebpf/helper-names.ts';
import type { Influence } from '../../sim/ebpf/helpers/helper.ts';
import { HELPERS } from '../../sim/ebpf/helpers/index.ts';
import { SUBSTITUTES } from './substitutes.ts';

/**
 * Devices, routes and sockets are those of the session's own namespace; what hangs on the order in which the kernel goes through a
 * hash map is not compared (`verify/unordered-helpers.ts`).
 */
const NOT_PINNED: readonly Influence[] = ['network', 'order'];

describe('substitutes of helpers', () => {
  it('are there for every helper whose result depends on clock, chance, hash, CPU or task', () => {
    const without = [...HELPERS.values()].filter(
      ({ number, effects }) =>
        effects.dependsOn.some((one) => !NOT_PINNED.includes(one)) && !SUBSTITUTES.has(number),
    );
    expect(without.map(({ name }) => name)).toEqual([]);
  });

  it('are there for values of another CPU: how many there are is this machine’s', () => {
    expect(SUBSTITUTES.has(helperNumber('bpf_map_lookup_percpu_elem')!)).toBe(true);
    expect(SUBSTITUTES.has(helperNumber('bpf_map_lookup_elem')!)).toBe(false);
  });

  it('move the clock on for the helpers that read it, and only for them', () => {
    const clocks = [...SUBSTITUTES.values()].filter(({ clock }) => clock).map(({ name }) => name);
    expect(clocks.sort()).toEqual([
      'bpf_jiffies64',
      'bpf_ktime_get_boot_ns',
      'bpf_ktime_get_coarse_ns',
      'bpf_ktime_get_ns',
      'bpf_ktime_get_tai_ns',
      'bpf_tcp_raw_check_syncookie_ipv4',
      'bpf_tcp_raw_check_syncookie_ipv6',
      'bpf_tcp_raw_gen_syncookie_ipv4',
      'bpf_tcp_raw_gen_syncookie_ipv6',
    ]);
  });
});
