import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { helperName, helperNumber, LAST_HELPER } from './helper-names.ts';
import { KERNEL_FUNCTIONS } from './helpers/kernel-functions.ts';
import { BPF_LOAD_ACQ, BPF_PSEUDO_FUNC } from './instruction.ts';
import {
  alikeKernels,
  BEHAVIOURS,
  behaviourOf,
  helperSince,
  isOlder,
  KERNEL_FUNCTIONS_SINCE,
  MAP_TYPES_SINCE,
  NEW_INSTRUCTIONS,
  NEWEST_KERNEL,
  OLDEST_KERNEL,
  PROGRAM_FEATURES,
  versionCode,
} from './kernel-versions.ts';
import { assemble } from './test-support/assemble.ts';
import { kernelTable } from './test-support/kernel-page.ts';

const PAGE = new URL('../../docs/kernels.md', import.meta.url);
const TABLE = /(?<=<!-- table -->\n\n)[\s\S]*?(?=\n\n<!-- end of table -->)/;

describe('docs/kernels.md', () => {
  it('has the table of the register (write it anew with -u)', async () => {
    const page = readFileSync(PAGE, 'utf8');
    expect(page).toMatch(TABLE);
    await expect(page.replace(TABLE, () => kernelTable())).toMatchFileSnapshot('../../docs/kernels.md');
  });
});

describe('versions of kernels', () => {
  it('are compared by number, not by text', () => {
    expect(isOlder('6.9', '6.10')).toBe(true);
    expect(isOlder('5.19', '6.0')).toBe(true);
    expect(isOlder('6.1', '6.1')).toBe(false);
    expect(isOlder('6.18', '6.2')).toBe(false);
    expect(versionCode('6.1')).toBe(0x060100);
  });

  it('lie between the oldest and the newest in every row', () => {
    const all = [
      ...[...Object.values(BEHAVIOURS), ...Object.values(PROGRAM_FEATURES), ...NEW_INSTRUCTIONS].map(
        (one) => one.since,
      ),
      ...KERNEL_FUNCTIONS_SINCE.values(),
      ...MAP_TYPES_SINCE.values(),
    ];
    for (const since of all) {
      expect(isOlder(OLDEST_KERNEL, since), since).toBe(true);
      expect(isOlder(NEWEST_KERNEL, since), since).toBe(false);
    }
  });

  it('of helpers are those of the BEHAVIOURS that are at hand', () => {
    expect(alikeKernels(['bpf_csum_diff'])).toEqual({ helpers: ['bpf_csum_diff'], from: '6.13' });
    expect(alikeKernels(['bpf_csum_diff'], '6.1')).toEqual({ helpers: ['bpf_csum_diff'], before: '6.13' });
    expect(alikeKernels(['bpf_fib_lookup', 'bpf_ktime_get_ns'], '6.6')).toEqual({
      helpers: ['bpf_fib_lookup'],
      from: '6.5',
      before: '6.7',
    });
    expect(alikeKernels(['bpf_ktime_get_ns'])).toBeUndefined();
    for (const { helper, before } of Object.values(BEHAVIOURS)) expect(before).toContain(helper);
  });

  it('never go back from helper to helper: the kernel gives numbers out in order', () => {
    for (let number = 2; number <= LAST_HELPER; number++) {
      expect(isOlder(helperSince(number), helperSince(number - 1)), helperName(number)).toBe(false);
    }
  });

  it.each([
    ['bpf_map_lookup_elem', OLDEST_KERNEL],
    ['bpf_tcp_gen_syncookie', OLDEST_KERNEL],
    ['bpf_probe_read_kernel', '5.5'],
    ['bpf_sk_assign', '5.7'],
    ['bpf_ringbuf_output', '5.8'],
    ['bpf_csum_level', '5.8'],
    ['bpf_redirect_neigh', '5.10'],
    ['bpf_redirect_peer', '5.10'],
    ['bpf_check_mtu', '5.12'],
    ['bpf_for_each_map_elem', '5.13'],
    ['bpf_timer_init', '5.15'],
    ['bpf_loop', '5.17'],
    ['bpf_xdp_load_bytes', '5.18'],
    ['bpf_skb_set_tstamp', '5.18'],
    ['bpf_map_lookup_percpu_elem', '5.19'],
    ['bpf_dynptr_data', '5.19'],
    ['bpf_tcp_raw_check_syncookie_ipv6', '6.0'],
    ['bpf_ktime_get_tai_ns', '6.1'],
    ['bpf_cgrp_storage_delete', '6.2'],
  ])('%s came with %s', (name, since) => {
    expect(helperSince(helperNumber(name)!)).toBe(since);
  });

  it('are known of every kernel function that the machine has', () => {
    expect([...KERNEL_FUNCTIONS_SINCE.keys()].sort()).toEqual([...KERNEL_FUNCTIONS.keys()].sort());
  });

  it('give the newest kernel everything and the oldest nothing', () => {
    expect(new Set(Object.values(behaviourOf()))).toEqual(new Set([true]));
    expect(new Set(Object.values(behaviourOf(OLDEST_KERNEL)))).toEqual(new Set([false]));
  });
});

describe('new instructions', () => {
  it.each([
    ['r1 = (s8)r2', '6.6'],
    ['w1 = (s16)w2', '6.6'],
    ['r1 = *(s8 *)(r2 + 0)', '6.6'],
    ['r1 s/= r2', '6.6'],
    ['w1 s%= w2', '6.6'],
    ['r1 = bswap32 r1', '6.6'],
    ['out:\ngotol out', '6.6'],
    ['out:\nmay_goto out', '6.9'],
    ['r2 = fetch_add *(u64 *)(r1 + 0)', '5.12'],
    ['lock *(u64 *)(r1 + 0) |= r2', '5.12'],
    ['cmpxchg *(u32 *)(r1 + 0) r2', '5.12'],
    ['r2 = xchg *(u64 *)(r1 + 0)', '5.12'],
    // What every kernel here has.
    ['lock *(u64 *)(r1 + 0) += r2', undefined],
    ['r1 = r2', undefined],
    ['w1 = w2', undefined],
    ['r1 /= r2', undefined],
    ['r1 = be16 r1', undefined],
    ['r1 = le32 r1', undefined],
    ['r1 = *(u8 *)(r2 + 4)', undefined],
    ['*(u64 *)(r10 - 8) = r1', undefined],
    ['r1 = 0x1234 ll', undefined],
    ['out:\ngoto out', undefined],
  ])('%s: since %s', (text, since) => {
    const program = assemble(text);
    expect(NEW_INSTRUCTIONS.filter((one) => one.is(program, 0)).map((one) => one.since)).toEqual(
      since === undefined ? [] : [since],
    );
  });

  it('know ordered loads and stores, and callbacks, by what stands in their fields', () => {
    const program = assemble('lock *(u64 *)(r1 + 0) += r2\nr1 = 0x1 ll');
    program.imm[0] = BPF_LOAD_ACQ;
    program.src[1] = BPF_PSEUDO_FUNC;
    const since = (slot: number) =>
      NEW_INSTRUCTIONS.filter((one) => one.is(program, slot)).map((one) => one.since);
    expect([since(0), since(1)]).toEqual([['6.15'], ['5.13']]);
  });
});
