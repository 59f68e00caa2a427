import { describe, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { World } from '../../sim/runtime/world.ts';
import { bytes, data, ethernet, ipv6, udp, V6_A, V6_B } from '../test-support/packets.ts';
import type { CheckFinding } from './finding.ts';
import { looksAtLabel } from './label-meaning.ts';
import { placedFinding } from './placed-finding.ts';

const packet = ipv6(17, udp(data(20), V6_A, V6_B));
/** Under label 300. */
const came = ethernet(0x8847, bytes(0, 0x12, 0xc1, 64, packet));
/** Under another label, and that one. */
const under = ethernet(0x8847, bytes(0, 0x07, 0x00, 64, 0, 0x12, 0xc1, 64, packet));

/** Takes all labels off, and what is in front of them, where what it asks of one, in r1, does not lead to `out`. */
const pops = (asks: string, entry = 14): string => `r6 = r1
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 60
  if r4 > r3 goto out
  r1 = *(u16 *)(r2 + ${entry})
  ${asks}
  r1 = r6
  r2 = 22
  call bpf_xdp_adjust_head
  out:
  r0 = 2
  exit`;
const ONE = 'if r1 != 0x1200 goto out';

function shown(text: string, frame: Uint8Array) {
  const program = {
    name: 'p',
    entries: [{ function: 'main', hook: 'xdp' as const }],
    object: writeElf({ main: text }, []),
  };
  const world: World = {};
  const breach = {
    invariant: 'ethertype/stale',
    at: 12,
    size: 2,
    expected: '0x86dd (IPv6)',
    got: '0x0800 (IPv4)',
  };
  const divergence = {
    case: { program: 'p', world, stimuli: [{ packet: frame }] },
    finding: { breach, packet: 0 },
  };
  const finding = {
    invariant: 'ethertype/stale',
    severity: 'error',
    summary: 'it',
    confirmedBy: [],
    divergence,
  };
  return { program, finding: finding as unknown as CheckFinding };
}

async function looks(text: string, frame = came): Promise<boolean> {
  const { program, finding } = shown(text, frame);
  return looksAtLabel(program, finding.divergence!);
}

async function severityOf(text: string): Promise<string> {
  const { program, finding } = shown(text, came);
  return (await placedFinding({ program }, finding)).severity;
}

describe('a label', () => {
  it('is looked at where others are left alone', async () => {
    expect(await looks(pops(ONE))).toBe(true);
    expect(await looks(pops(ONE, 18), under)).toBe(true);
    // Those from 0 to 4095.
    expect(await looks(pops('r1 &= 0xff\nif r1 != 0 goto out'))).toBe(true);
    expect(await looks(pops(''))).toBe(false);
    // Only the one on top.
    expect(await looks(pops('if r1 != 0x0700 goto out'), under)).toBe(false);
    expect(await looks(pops(ONE), ethernet(0x86dd, packet))).toBe(false);
  });

  it('may stand for one version of IP alone', async () => {
    expect(await severityOf(pops(ONE))).toBe('warning');
    expect(await severityOf(pops(''))).toBe('error');
  });
});
