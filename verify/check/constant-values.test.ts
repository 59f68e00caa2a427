/** Which values are the program's own constants, as runs of small programs show it. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { type WrittenData, writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { data } from '../test-support/packets.ts';
import { ConstantValues } from './constant-values.ts';
import { traceOf } from './probe.ts';

const MAPS = [testMap('counts', 'ARRAY')];
/** What a compiler keeps apart, what user space fills in, and what may change. */
const DATA: WrittenData = {
  '.rodata.cst4': { own: [7, 0, 0, 0] },
  '.rodata': { set: [7, 0, 0, 0] },
  '.data': { free: [7, 0, 0, 0] },
};
/** r6 = the context, r7 = the frame, of which 32 bytes are there. */
const BEGIN = `r6 = r1
  r7 = *(u32 *)(r6 + 0)
  r8 = *(u32 *)(r6 + 4)
  r0 = r7
  r0 += 32
  if r0 > r8 goto out`;
const END = `out:
  r0 = 2
  exit`;
/** A value of the map in r0. */
const LOOKUP = `*(u32 *)(r10 - 32) = 0
  r1 = map[counts]
  r2 = r10
  r2 += -32
  call bpf_map_lookup_elem
  if r0 == 0 goto out`;

/** The values of a run on a packet, and where the helper was called last. */
async function valuesOf(
  text: string,
  helper: string,
  hook: Hook = 'xdp',
): Promise<{ readonly values: ConstantValues; readonly call: number }> {
  const object = writeElf({ main: text }, MAPS, DATA);
  const program: Program = { name: 'p', entries: [{ function: 'main', hook }], object };
  const trace = (await traceOf(program, { world: {}, stimuli: [{ packet: data(64) }] }))!;
  const call = trace.steps.findLastIndex((step) => step.call?.name === helper);
  return { values: new ConstantValues(program, trace), call };
}

describe('a register holds a constant of the program', () => {
  /** Is r1 one where `bpf_redirect` is called? */
  async function isHeld(body: string, behind = ''): Promise<boolean> {
    const { values, call } = await valuesOf(
      [BEGIN, body, 'r2 = 0', 'call bpf_redirect', END, behind].join('\n'),
      'bpf_redirect',
    );
    expect(call).toBeGreaterThan(0);
    return values.isHeld(1, call);
  }

  it.each<[what: string, ...lines: string[]]>([
    ['that it is set to', 'r1 = 0'],
    ['that is compared', 'r1 = 0', 'r3 = *(u32 *)(r7 + 0)', 'if r1 == r3 goto next', 'next:'],
    ['of 32 bits', 'w1 = 0'],
    ['of 64 bits', 'r1 = 9 ll'],
    ['that another register was set to', 'r3 = 0', 'r1 = r3'],
    ['that comes of constants', 'r1 = 5', 'r3 = 5', 'r1 -= r3', 'r1 *= 3', 'w1 |= w3'],
    ['that was turned around or negated', 'r1 = 5', 'r1 = -r1', 'r1 = be16 r1'],
    ['that lay on the stack', '*(u64 *)(r10 - 8) = 0', 'r1 = *(u64 *)(r10 - 8)'],
    ['that lay on the stack, from a register', 'r3 = 4', '*(u64 *)(r10 - 8) = r3', 'r1 = *(u64 *)(r10 - 8)'],
    ['that lay on the stack in more bytes', '*(u64 *)(r10 - 8) = 0', 'r1 = *(u16 *)(r10 - 4)'],
    [
      'that lay on the stack behind another pointer',
      'r3 = r10',
      'r3 += -24',
      '*(u64 *)(r3 + 8) = 0',
      'r1 = *(u64 *)(r3 + 8)',
    ],
    [
      'that lay where the stack begins',
      'r3 = r10',
      'r3 += -8',
      '*(u64 *)(r3 + 0) = 0',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    [
      'that was stored last',
      'r3 = *(u32 *)(r7 + 0)',
      '*(u64 *)(r10 - 8) = r3',
      '*(u64 *)(r10 - 8) = 0',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    [
      'beside which something else was stored',
      '*(u64 *)(r10 - 16) = 0',
      'r3 = *(u32 *)(r7 + 0)',
      '*(u64 *)(r10 - 8) = r3',
      '*(u64 *)(r10 - 24) = r3',
      'r1 = *(u64 *)(r10 - 16)',
    ],
    [
      'before which the packet was written',
      '*(u64 *)(r10 - 8) = 0',
      '*(u64 *)(r7 + 0) = 0',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    ['that the compiler keeps apart', 'r3 = map[.rodata.cst4]+0', 'r1 = *(u32 *)(r3 + 0)'],
    ['that was kept across a call', 'r9 = 0', 'call bpf_ktime_get_ns', 'r1 = r9'],
    [
      'that lay on the stack during a call',
      '*(u64 *)(r10 - 8) = 0',
      'call bpf_ktime_get_ns',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    [
      'that is set again after an atomic operation',
      'r1 = 1',
      '*(u64 *)(r10 - 8) = 0',
      'r1 = fetch_add *(u64 *)(r10 - 8)',
      'r1 = 0',
    ],
    [
      'beside an atomic operation with another register',
      'r1 = 1',
      'r3 = 1',
      '*(u64 *)(r10 - 8) = 0',
      'r3 = fetch_add *(u64 *)(r10 - 8)',
    ],
  ])('%s', async (_what, ...lines) => {
    expect(await isHeld(lines.join('\n'))).toBe(true);
  });

  it.each<[what: string, ...lines: string[]]>([
    ['from the packet', 'r1 = *(u32 *)(r7 + 0)'],
    ['that is compared with one', 'r1 = *(u32 *)(r7 + 0)', 'if r1 <= 5 goto next', 'next:'],
    ['from the context', 'r1 = *(u32 *)(r6 + 12)'],
    ['that is a pointer', 'r1 = r6'],
    ['that is the address of a map', 'r1 = map[counts]'],
    ['from a map', LOOKUP, 'r1 = *(u64 *)(r0 + 0)'],
    ['from a section that user space fills in', 'r3 = map[.rodata]+0', 'r1 = *(u32 *)(r3 + 0)'],
    ['from a variable', 'r3 = map[.data]+0', 'r1 = *(u32 *)(r3 + 0)'],
    ['that comes of another value', 'r3 = *(u32 *)(r7 + 0)', 'r1 = 5', 'r1 -= r3'],
    ['that was moved from another value', 'r3 = *(u32 *)(r7 + 0)', 'r1 = 5', 'r1 = r3'],
    [
      'that lay on the stack, from the packet',
      'r3 = *(u32 *)(r7 + 0)',
      '*(u64 *)(r10 - 8) = r3',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    [
      'that something else was stored over',
      'r3 = *(u32 *)(r7 + 0)',
      '*(u64 *)(r10 - 8) = 0',
      '*(u64 *)(r10 - 8) = r3',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    [
      'of which a part was stored',
      '*(u32 *)(r10 - 4) = 0',
      '*(u32 *)(r10 - 8) = 0',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    [
      'over whose first byte something was stored',
      '*(u64 *)(r10 - 8) = 0',
      '*(u8 *)(r10 - 8) = 0',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    [
      'over whose last byte something was stored',
      '*(u64 *)(r10 - 8) = 0',
      '*(u8 *)(r10 - 1) = 0',
      'r1 = *(u64 *)(r10 - 8)',
    ],
    ['that was extended from the stack', '*(u64 *)(r10 - 8) = 0', 'r1 = *(s32 *)(r10 - 8)'],
    ['from a helper', 'call bpf_ktime_get_ns', 'r1 = r0'],
    [
      'on the stack where a helper may have written',
      '*(u64 *)(r10 - 32) = 0',
      LOOKUP,
      'r1 = *(u64 *)(r10 - 32)',
    ],
    [
      'that an atomic operation fetched',
      'r1 = 1',
      '*(u64 *)(r10 - 8) = 0',
      'r1 = fetch_add *(u64 *)(r10 - 8)',
    ],
    [
      'that was found in memory',
      'r0 = 1',
      'r3 = 1',
      '*(u64 *)(r10 - 8) = 0',
      'cmpxchg *(u64 *)(r10 - 8) r3',
      'r1 = r0',
    ],
    [
      'that was added to in memory',
      'r3 = 1',
      '*(u64 *)(r10 - 8) = 0',
      'lock *(u64 *)(r10 - 8) += r3',
      'r1 = *(u64 *)(r10 - 8)',
    ],
  ])('but none %s', async (_what, ...lines) => {
    expect(await isHeld(lines.join('\n'))).toBe(false);
  });

  it.each<[what: string, body: string, behind: string, expected: boolean]>([
    ['what a function returns is nobody’s', 'call own\n r1 = r0', 'own:\n r0 = 0\n exit', false],
    [
      'what was kept across a function is',
      'r9 = 0\n call own\n r1 = r9',
      'own:\n r9 = *(u32 *)(r1 + 0)\n r0 = 0\n exit',
      true,
    ],
    [
      'what a function left in its own register is not',
      'r9 = *(u32 *)(r6 + 12)\n r1 = r6\n call own\n r1 = r9',
      'own:\n r9 = 0\n r0 = 0\n exit',
      false,
    ],
    [
      'of what lies on the stack of a caller nothing is known',
      '*(u64 *)(r10 - 8) = 0\n call own\n r1 = *(u64 *)(r10 - 8)',
      'own:\n r0 = 0\n exit',
      false,
    ],
  ])('%s', async (_what, body, behind, expected) => {
    expect(await isHeld(body, behind)).toBe(expected);
  });

  /** Is r1 one in a function that is called with it? */
  async function isHandedOver(body: string, own = ''): Promise<boolean> {
    const text = [BEGIN, body, 'call own', END, 'own:', own, 'r2 = 0', 'call bpf_redirect', 'exit'];
    const { values, call } = await valuesOf(text.join('\n'), 'bpf_redirect');
    return values.isHeld(1, call);
  }

  it('as an argument, where the caller had one', async () => {
    expect(await isHandedOver('r1 = 0')).toBe(true);
    expect(await isHandedOver('r1 = *(u32 *)(r7 + 0)')).toBe(false);
    expect(await isHandedOver('r1 = *(u32 *)(r7 + 0)', 'r1 = 0')).toBe(true);
    expect(await isHandedOver('r5 = 0', 'r1 = r5')).toBe(true);
    expect(await isHandedOver('r5 = *(u32 *)(r7 + 0)', 'r1 = r5')).toBe(false);
  });

  it('at no step that there was none of', async () => {
    const { values } = await valuesOf(
      `${BEGIN}\n r1 = 0\n r2 = 0\n call bpf_redirect\n ${END}`,
      'bpf_redirect',
    );
    expect(values.isHeld(1, 10_000)).toBe(false);
    expect(values.isHeld(1, 0)).toBe(false);
  });
});

describe('bytes of the frame got constants', () => {
  async function isWritten(from: number, to: number, ...lines: string[]): Promise<boolean> {
    const { values } = await valuesOf([BEGIN, ...lines, END].join('\n'), '');
    return values.isWritten(from, to);
  }
  const OTHER = 'r3 = *(u32 *)(r7 + 16)';

  it('where a store covers them, or several', async () => {
    const store = '*(u32 *)(r7 + 4) = 0';
    expect(await isWritten(4, 8, store)).toBe(true);
    expect(await isWritten(5, 7, store)).toBe(true);
    expect(await isWritten(3, 8, store)).toBe(false);
    expect(await isWritten(4, 9, store)).toBe(false);
    expect(await isWritten(4, 9, store, '*(u8 *)(r7 + 8) = 1')).toBe(true);
    expect(await isWritten(0, 1, '*(u8 *)(r7 + 0) = 0')).toBe(true);
    expect(await isWritten(6, 6)).toBe(true);
  });

  it('from registers that hold some', async () => {
    expect(await isWritten(4, 8, 'r3 = 3', '*(u32 *)(r7 + 4) = r3')).toBe(true);
    expect(await isWritten(4, 8, OTHER, '*(u32 *)(r7 + 4) = r3')).toBe(false);
  });

  it('where nothing else came later', async () => {
    expect(await isWritten(4, 8, '*(u32 *)(r7 + 4) = 0', OTHER, '*(u8 *)(r7 + 5) = r3')).toBe(false);
    expect(await isWritten(4, 8, OTHER, '*(u8 *)(r7 + 5) = r3', '*(u32 *)(r7 + 4) = 0')).toBe(true);
    expect(await isWritten(4, 8, '*(u32 *)(r7 + 4) = 0', OTHER, '*(u8 *)(r7 + 8) = r3')).toBe(true);
  });

  it('on the stack none of them', async () => {
    expect(await isWritten(4, 8, '*(u64 *)(r10 - 8) = 0')).toBe(false);
  });

  it('before no helper that moves or writes the frame', async () => {
    const store = '*(u32 *)(r7 + 4) = 0';
    expect(await isWritten(4, 8, store, 'call bpf_ktime_get_ns')).toBe(true);
    expect(await isWritten(4, 8, store, 'r1 = r6', 'r2 = -4', 'call bpf_xdp_adjust_head')).toBe(false);
    const copy = ['r1 = r6', 'r2 = 20', 'r3 = r10', 'r3 += -8', 'r4 = 4', 'call bpf_xdp_store_bytes'];
    expect(await isWritten(4, 8, store, '*(u64 *)(r10 - 8) = 0', ...copy)).toBe(false);
    const back = ['r1 = r6', 'r2 = 20', 'r3 = r10', 'r3 += -8', 'r4 = 4', 'call bpf_xdp_load_bytes'];
    expect(await isWritten(4, 8, store, '*(u64 *)(r10 - 8) = 0', ...back)).toBe(true);
  });
});
