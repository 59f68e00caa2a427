/** What TC programs send with `bpf_clone_redirect` is judged, whatever becomes of the packet itself. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { TC_ACT_REDIRECT, TC_ACT_SHOT } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { data } from '../test-support/packets.ts';
import { check } from './check.ts';
import type { CheckedProgram } from './finding.ts';
import { CaseRunner } from './probe.ts';

/** Sends a copy of IPv4 packets, with what it does to them before and after, and drops them. */
const mirror = (before: string, after = '', { target = 2, flags = 0 } = {}): Program => ({
  ...{ name: 'mirror', entries: [{ function: 'main', hook: 'tc-ingress' }] },
  object: writeElf({
    main: `r6 = r1
  r7 = *(u32 *)(r1 + 76)
  r8 = *(u32 *)(r1 + 80)
  r0 = r7
  r0 += 34
  if r0 > r8 goto pass
  r1 = *(u16 *)(r7 + 12)
  if r1 != 8 goto pass
  ${before}
  r1 = r6
  r2 = ${target}
  r3 = ${flags}
  call bpf_clone_redirect
  ${after}
  r0 = 2
  exit
  pass:
  r0 = 0
  exit`,
  }),
});

const DESTINATION = '*(u32 *)(r7 + 30) = 0x6300000a';
const MAC = '*(u32 *)(r7 + 0) = 0x02030402';

const checked = (program: Program): Promise<CheckedProgram> =>
  check({
    ...{ program, machine: createWasmEngine(), witness: createVmEngine(), seed: 'copies', runs: 200 },
    ...{ effort: 100_000, shrinkSeconds: 600, sweeps: false },
  });
const ids = ({ findings }: CheckedProgram): string[] => findings.map(({ invariant }) => invariant);

it('a copy with a checksum that nobody updated fails, though the packet is dropped', async () => {
  const found = await checked(mirror(DESTINATION));
  expect(ids(found)).toContain('checksum/not-updated');
  expect(found.verdict).toBe('fail');
  expect(found.findings[0]?.confirmedBy).toEqual(['vm']);
  expect(found.findings[0]?.summary).toContain('in a copy that bpf_clone_redirect sends');
  expect(found.findings[0]?.divergence?.summary).toContain('in a copy that bpf_clone_redirect sends');
});

it('a copy to another MAC address is right, whatever is written once it is gone', async () => {
  const reload = `r7 = *(u32 *)(r6 + 76)
  r8 = *(u32 *)(r6 + 80)
  r0 = r7
  r0 += 34
  if r0 > r8 goto pass
  ${DESTINATION}`;
  expect((await checked(mirror(MAC, reload))).findings).toEqual([]);
});

it('a copy to a device that the world of the test lacks is judged as any other', async () => {
  const found = await checked(mirror(DESTINATION, '', { target: 77 }));
  expect(ids(found)).toEqual(['checksum/not-updated']);
});

it('where no packet is copied, nobody can say that what is sent is right', async () => {
  const found = await checked(mirror(DESTINATION, '', { flags: 2 }));
  expect(ids(found)).toEqual(['helper/refused']);
  expect([found.verdict, found.reason]).toEqual([
    'incomplete',
    'no packet was copied: what bpf_clone_redirect sends was not judged',
  ]);
});

it('a run ends with the copy that is asked for, or is dropped', async () => {
  const program = mirror(MAC);
  const packet = data(60);
  packet.set([8, 0], 12);
  const outcomeOf = async (copy: number): Promise<number | undefined> => {
    const runner = new CaseRunner({ ...program, copy }, createVmEngine());
    try {
      return (await runner.outcome({}, { packet }))?.action;
    } finally {
      await runner.close();
    }
  };
  expect(await outcomeOf(0)).toBe(TC_ACT_REDIRECT);
  expect(await outcomeOf(1)).toBe(TC_ACT_SHOT);
});
