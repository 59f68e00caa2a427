/** The built-in programs reach every branch that some packet can take; the few that none here takes are named. */
import { expect, it } from 'vitest';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { possible } from '../../sim/ebpf/test-support/run-both.ts';
import { exampleCases, verify } from '../../verify/run.ts';
import { createEngine } from '../engines.ts';
import { builtInPrograms } from '../input/program-source.ts';

/**
 * Ways that stay open: icmp_echo compares the ICMP header with the end although the total length, which it has
 * compared, covers it (to see that takes arithmetic over two lengths); layer_coop asks for a tag beside the frame, which
 * only live traffic has, and whether the 14 bytes of the Ethernet header are there.
 */
const LEFT: Readonly<Record<string, number>> = { icmp_echo: 1, layer_coop: 2 };

for (const program of builtInPrograms()) {
  it(`${program.name} reaches all of its branches`, async () => {
    const { definition } = program;
    const report = await verify({
      program,
      engines: [createEngine('model'), createEngine('wasm')],
      seed: 'branches',
      runs: program.name in LEFT ? 25_000 : 6_000,
      cases: exampleCases(program),
      source: new PacketGenerator(
        definition!.hints,
        program.entries.map((entry) => entry.hook),
      ),
    });
    possible([...report.fullCoverage!.functions]);
    const [hit, total] = report.coverage!.branches;
    expect(total - hit).toBeLessThanOrEqual(LEFT[program.name] ?? 0);
  });
}
