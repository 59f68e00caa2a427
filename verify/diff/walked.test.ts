import { describe, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { ethernet } from '../../sim/packet/build.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { diff } from './diff.ts';
import { walkedCases } from './walked.ts';

/** Looks for a maximum segment size behind no-operations, in so many rounds; drops the packet where it finds one. */
function walker(rounds: number): Program {
  const text = `r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r2 += 54
    r4 = 0
    next:
    r5 = r2
    r5 += 2
    if r5 > r3 goto out
    r6 = *(u8 *)(r2 + 0)
    if r6 == 2 goto found
    if r6 != 1 goto out
    r2 += 1
    r4 += 1
    if r4 < ${rounds} goto next
    out:
    r0 = 2
    exit
    found:
    r6 = *(u8 *)(r2 + 1)
    if r6 != 4 goto out
    r0 = 1
    exit`;
  return {
    name: 'walker',
    entries: [{ function: 'main', hook: 'xdp' }],
    object: writeElf({ main: text }, []),
  };
}

describe('long walks', () => {
  it('tell loops apart that end at different rounds, and not those that end at the same', async () => {
    const options = { seed: 'a', runs: 0, maxClasses: 5, shrinkSeconds: 1, sweeps: false };
    const fields = async (old: number, next: number): Promise<string[]> => {
      const pair = { old: walker(old), new: walker(next) };
      const report = await diff({ pair, engine: createWasmEngine(), ...options });
      return report.classes.map(({ finding }) => finding.field);
    };
    expect(await fields(20, 19)).toEqual(['action']);
    expect(await fields(20, 20)).toEqual([]);
  });

  const base = ethernet().ipv4();
  const packets = [base.tcp({ flags: 2 }), base.tcp({ flags: 0x12 }), base.tcp({ flags: 0x10 }), base.udp()];
  const made = packets.map((one) => ({ world: {}, stimuli: [{ packet: one.bytes() }] }));

  it('are made of one packet of each kind', () => {
    // What sets the same of RST, SYN and FIN is of one kind.
    expect([...walkedCases(made)]).toHaveLength(3);
    const [first] = walkedCases(made);
    expect(first!.input.count).toBeGreaterThan(200);
  });

  it('are made of no sequence, and of nothing that has no headers', () => {
    const [one] = made[0]!.stimuli;
    expect([...walkedCases([{ world: {}, stimuli: [one!, one!] }])]).toEqual([]);
    expect([...walkedCases([{ world: {}, stimuli: [{ packet: new Uint8Array(60) }] }])]).toEqual([]);
    expect([...walkedCases([{ world: {}, stimuli: [] }])]).toEqual([]);
  });
});
