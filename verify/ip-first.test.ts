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
    expect(usesOf(copying('r2 = 0', asked))).toEqual({ ipFirst: true, ethernet: false });
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
    expect(usesOf(copying(at, asked))).toEqual({ ipFirst: false, ethernet });
  });
});

const checked = (program: Program): Promise<CheckedProgram> =>
  check({
    ...{ program, machine: createWasmEngine(), witness: createVmEngine(), seed: 'first', runs: 200 },
    ...{ effort: 100_000, shrinkSeconds: 600, sweeps: false },
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
