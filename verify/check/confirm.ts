/** Which engines show a finding on its case: each is asked by itself. */
import type { Engine } from '../../sim/engines/engine.ts';
import { byRank, type EngineName, isEngine, isKernel } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Judging } from '../judging.ts';
import { Replay } from '../replay.ts';
import type { Divergence } from '../report.ts';

export async function confirmed(
  program: Program,
  { finding, case: shown }: Divergence,
  engines: readonly Engine[],
  judging: Judging,
): Promise<EngineName[]> {
  // Where two engines disagree, both are needed to see it.
  if (finding.engines[0] !== 'oracle') return finding.engines.filter(isEngine);
  const names = new Set<EngineName>([finding.engines[1]]);
  if (finding.kernel !== undefined && finding.kernel.did === 'refused') {
    for (const { name } of engines) if (isKernel(name)) names.add(name);
  }
  for (const engine of engines) {
    if (names.has(engine.name) || !engine.availability(program).available) continue;
    const replay = new Replay(program, [engine], judging);
    try {
      const found = await replay.findings(shown);
      if (found.some(({ part, field }) => part === finding.part && field === finding.field))
        names.add(engine.name);
    } finally {
      await replay.close();
    }
  }
  return byRank([...names].map((name) => ({ engine: { name } }))).map(({ engine }) => engine.name);
}
