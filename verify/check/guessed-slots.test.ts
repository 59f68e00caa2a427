/** What a check says of programs behind tail calls into slots that it filled itself. */
import { expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { check } from './check.ts';
import type { CheckedProgram } from './finding.ts';

const MAPS = [testMap('handlers', 'PROG_ARRAY', { maxEntries: 8 })];
const PASS = 'r0 = 2\nexit';
const jump = (etherType: string, slot: number, behind: string): string => `r3 = *(u16 *)(r6 + 12)
  if r3 != ${etherType} goto ${behind}
  r1 = r7
  r2 = map[handlers]
  r3 = ${slot}
  call bpf_tail_call
  ${behind}:`;
/** Stores in front of the frame what it knows of it, and calls who goes by that. */
const mainThat = (jumps: string): string => `r7 = r1
  r2 = -4
  call bpf_xdp_adjust_meta
  if r0 != 0 goto pass
  r6 = *(u32 *)(r7 + 0)
  r2 = *(u32 *)(r7 + 4)
  r3 = *(u32 *)(r7 + 8)
  r4 = r3
  r4 += 4
  if r4 > r6 goto pass
  r4 = r6
  r4 += 14
  if r4 > r2 goto pass
  *(u32 *)(r3 + 0) = 14
  ${jumps}
  pass:
  ${PASS}`;
/** Clears the type of service of what it takes for IPv4 on the caller's word. */
const v4With = (sum: string): string => `r6 = *(u32 *)(r1 + 0)
  r2 = *(u32 *)(r1 + 4)
  r3 = *(u32 *)(r1 + 8)
  r4 = r3
  r4 += 4
  if r4 > r6 goto pass
  r4 = *(u32 *)(r3 + 0)
  if r4 != 14 goto pass
  r4 = r6
  r4 += 34
  if r4 > r2 goto pass
  r4 = *(u16 *)(r6 + 14)
  *(u8 *)(r6 + 15) = 0
  ${sum}
  pass:
  ${PASS}`;
const UPDATED = `r5 = *(u16 *)(r6 + 24)
  r5 ^= 65535
  r4 ^= 65535
  r5 += r4
  r4 ^= 65535
  r4 &= 255
  r5 += r4
  r4 = r5
  r4 >>= 16
  r5 &= 65535
  r5 += r4
  r4 = r5
  r4 >>= 16
  r5 += r4
  r5 ^= 65535
  *(u16 *)(r6 + 24) = r5`;
const IPV4 = jump('8', 4, 'other');
const IPV6 = jump('0xdd86', 6, 'neither');

function checked(
  texts: Readonly<Record<string, string>>,
  more: Partial<Parameters<typeof check>[0]> = {},
): Promise<CheckedProgram> {
  const program: Program = {
    ...{ name: 'main', entries: [{ function: 'main', hook: 'xdp' }] },
    object: writeElf(texts, MAPS),
  };
  return check({
    ...{ program, machine: createWasmEngine(), witness: createVmEngine(), seed: 'slots' },
    ...{ runs: 3_000, effort: 200_000, shrinkSeconds: 600, sweeps: false },
    testedApart: new Set(Object.keys(texts).filter((name) => name !== 'main')),
    ...more,
  });
}

const main = mainThat(`${IPV4}\n${IPV6}`);
const slot = (index: number, name: string) => ({ key: Uint8Array.of(index, 0, 0, 0), name });

it('what a handler does in a slot that it may not belong to is a note', async () => {
  const { verdict, findings, reason } = await checked({ main, v4: v4With(UPDATED), v6: PASS });
  const wrong = findings.filter(({ divergence }) => divergence?.severity === 'error');
  expect(wrong.length).toBeGreaterThan(0);
  for (const { severity, summary } of wrong) {
    expect(severity).toBe('info');
    expect(summary).toMatch(/with v4 in slot 6 of handlers, where the test put it\): say what belongs there/);
  }
  expect(reason).toMatch(/with v4 in slot 6 of handlers/);
  expect(verdict).toBe('incomplete');
});

it('it is an error where a world says that it belongs there', async () => {
  const verdictAt = async (index: number, v4: string): Promise<string> => {
    const worlds = [{ name: 'stated', world: { slots: { handlers: [slot(index, 'v4')] } } }];
    const { verdict } = await checked({ main, v4, v6: PASS }, { worlds, runs: 300, effort: 20_000 });
    return verdict;
  };
  expect(await verdictAt(6, v4With(UPDATED))).toBe('fail');
  expect(await verdictAt(4, v4With(''))).toBe('fail');
  expect(await verdictAt(4, v4With(UPDATED))).not.toBe('fail');
});

it('it is an error where nothing else can be there', async () => {
  const { verdict, findings } = await checked({ main: mainThat(IPV4), v4: v4With('') });
  expect(findings.map(({ severity }) => severity)).toContain('error');
  expect(verdict).toBe('fail');
});
