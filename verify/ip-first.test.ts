import { describe, expect, it } from 'vitest';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import { check } from './check/check.ts';
import type { CheckedProgram } from './check/finding.ts';
import { type FrameUses, frameUses } from './ip-first.ts';
import { data, ethernet, ipv4 } from './test-support/packets.ts';

/** A copy of the bytes at r2, as `bpf_skb_load_bytes` makes it; then what is asked of it. */
function copying(at: string, asked: string, hook: Hook = 'tc-ingress'): Program {
  const object = writeElf({
    main: `r6 = r1
    ${at}
    r3 = r10
    r3 += -24
    r4 = 20
    call bpf_skb_load_bytes
    if r0 != 0 goto out
    r1 = *(u8 *)(r10 - 24)
    ${asked}
    r1 = r6
    r2 = 16
    r3 = r10
    r3 += -12
    *(u32 *)(r10 - 12) = 0x0100000a
    r4 = 4
    r5 = 0
    call bpf_skb_store_bytes
    out:
    r0 = 0
    exit`,
  });
  return { name: 'p', entries: [{ function: 'main', hook }], object };
}

const VERSION = 'r1 &= 0xf0\nif r1 != 0x40 goto out';

function usesOf(program: Program): FrameUses {
  return frameUses(program, [{ world: {}, stimuli: [{ packet: ethernet(0x800, ipv4(6, data(40))) }] }]);
}

describe('a run without a link header', () => {
  it.each([
    ['the version of IPv4, masked', VERSION],
    ['the version of IPv6, shifted', 'r1 >>= 4\nif r1 != 6 goto out'],
    ['version and length of the header', 'if r1 != 0x45 goto out'],
    [
      'the version, by the EtherType beside the frame',
      `r2 = *(u32 *)(r6 + 16)\nif r2 != 8 goto out\n${VERSION}`,
    ],
  ])('asks a copy of the first byte for %s', (_, asked) => {
    expect(usesOf(copying('r2 = 0', asked))).toEqual({ ipFirst: true, onlyPuts: false, ethernet: false });
  });
});

describe('a run with an Ethernet header', () => {
  it.each([
    ['finds the IP header behind it', 'r2 = 14', VERSION, true],
    ['asks for a MAC address that begins like IPv4', 'r2 = 0', 'if r1 != 0x4e goto out', false],
    [
      'compares an address byte by byte',
      'r2 = 0',
      'r2 = *(u8 *)(r10 - 23)\nif r2 == 0x11 goto out\nif r1 != 0x45 goto out',
      false,
    ],
    ['asks for the bit of groups', 'r2 = 0', 'r1 &= 1\nif r1 != 1 goto out', false],
  ])('%s', (_, at, asked, ethernet) => {
    expect(usesOf(copying(at, asked))).toEqual({ ipFirst: false, onlyPuts: false, ethernet });
  });
});

/** Puts an Ethernet header of this type in front of the frame, of which it asks something first. */
function prepending(type: number, asked = '', size = 14): Program {
  const object = writeElf({
    main: `r6 = r1
    ${asked}
    r1 = r6
    r2 = ${size}
    r3 = 0
    call bpf_skb_change_head
    if r0 != 0 goto out
    *(u64 *)(r10 - 16) = 2
    *(u32 *)(r10 - 8) = 3
    *(u16 *)(r10 - 4) = ${type}
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += -16
    r4 = 14
    r5 = 0
    call bpf_skb_store_bytes
    out:
    r0 = 0
    exit`,
  });
  return { name: 'p', entries: [{ function: 'main', hook: 'tc-ingress' }], object };
}

/** Asks for the half-word or word there. */
const loading = (at: number, size: number, asked: string): string => `r2 = ${at}
    r3 = r10
    r3 += -24
    r4 = ${size}
    call bpf_skb_load_bytes
    if r0 != 0 goto out
    r1 = *(u${8 * size} *)(r10 - 24)
    ${asked}`;

describe('a run that puts an Ethernet header in front of the frame', () => {
  it.each([
    ['and never reads it', ''],
    ['by the EtherType beside it', 'r2 = *(u32 *)(r6 + 16)\nif r2 != 8 goto out'],
    [
      'and asks for the source address where it is without a link header',
      loading(12, 4, 'if r1 == 9 goto out'),
    ],
  ])('%s takes it for one without', (_, asked) => {
    expect(usesOf(prepending(0x0008, asked))).toEqual({ ipFirst: true, onlyPuts: true, ethernet: false });
  });

  it.each([
    ['says that something else follows', prepending(0x4788)],
    ['asked for the EtherType in it', prepending(0x0008, loading(12, 2, 'if r1 != 8 goto out'))],
    ['asked for an address behind its own', prepending(0x0008, loading(30, 4, 'if r1 == 9 goto out'))],
    ['puts more in front', prepending(0x0008, '', 34)],
  ])('does not where it %s', (_, program) => {
    expect(usesOf(program).ipFirst).toBe(false);
  });
});

it('is said to take the first byte for that of an IP header where it does both', () => {
  const both = prepending(0x0008, loading(0, 1, 'r1 &= 0xf0\nif r1 != 0x40 goto out'));
  expect(usesOf(both)).toEqual({ ipFirst: true, onlyPuts: false, ethernet: false });
});

const checked = (program: Program): Promise<CheckedProgram> =>
  check({
    ...{ program, machine: createWasmEngine(), witness: createVmEngine(), seed: 'first', runs: 200 },
    ...{ effort: 100_000, shrinkSeconds: 600, sweeps: false },
  });

it('a program that puts an Ethernet header in front is not judged by frames that have one', async () => {
  const { findings, reason } = await checked(prepending(0x0008));
  expect(findings).toEqual([]);
  expect(reason).toContain(
    'the program puts an Ethernet header in front of what it is given, as on devices without',
  );
  expect(reason).not.toContain('first byte');
  const asked = loading(12, 2, 'if r1 != 8 goto out');
  expect((await checked(prepending(0x0008, asked))).findings.map(({ invariant }) => invariant)).toContain(
    'ethertype/stale',
  );
});

it('a program that copies the IP header from the first byte is not judged by Ethernet frames', async () => {
  const { verdict, reason, findings } = await checked(copying('r2 = 0', VERSION));
  expect(findings).toEqual([]);
  expect({ verdict, reason }).toEqual({
    verdict: 'incomplete',
    reason: expect.stringContaining('without a link header'),
  });
});

it('one that copies it from behind the Ethernet header is', async () => {
  const { verdict } = await checked(copying('r2 = 14', VERSION));
  expect(verdict).toBe('fail');
});
