/** Does the machine as another kernel do the same? */
import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { comparedParts, firstDifference } from '../compare.ts';
import { outcomeAt } from '../outcome.ts';
import type { ProgramReport } from '../report.ts';
import type { CheckFinding } from './finding.ts';
import { CaseRunner, type Seen } from './probe.ts';
import type { Rewritten } from './rewritten.ts';
import { ChecksumRepair, SWEEP_SIZE } from './sweep-packets.ts';

/** The kernel of this version lacks something that the program needs; undefined where it ran. */
export function refusedBy(
  program: Program,
  version: string,
  report: ProgramReport,
): CheckFinding | undefined {
  const [engine] = report.engines;
  const stop = report.divergences.find(({ part }) => part === 'status');
  if (engine === undefined || (engine.status === 'ran' && stop === undefined)) return undefined;
  const reason = engine.status === 'ran' ? stop?.summary : (engine.reason ?? report.failure?.message);
  return {
    invariant: 'kernel-version/refused',
    severity: 'error',
    summary: `${program.name}: Linux ${version} cannot run it: ${reason ?? 'it does not say why'}`,
    confirmedBy: [engine.name],
  };
}

/** Values that are compared of each swept word: every so many. */
const STRIDE = 509;

/** The first packet, of those that the program rewrites, that the two treat differently. */
export async function kernelDifference(
  program: Program,
  version: string,
  machine: Engine,
  other: Engine,
  words: readonly Rewritten[],
  signal: AbortSignal | undefined,
): Promise<Seen | undefined> {
  const own = new CaseRunner(program, machine);
  const theirs = new CaseRunner(program, other);
  const hooks = program.entries.map(({ hook }) => hook);
  const observed = comparedParts(program, machine.observes, other.observes);
  const repair = new ChecksumRepair();
  try {
    for (const { world, stimulus, at, balance } of words) {
      if (signal?.aborted === true) return undefined;
      const stimuli = [];
      for (let value = 0; value < SWEEP_SIZE; value += STRIDE) {
        const packet = stimulus.packet.slice();
        repair.apply(packet, 0, packet.length, at, value, balance);
        stimuli.push({ ...stimulus, packet });
      }
      const a = await own.run(world, stimuli);
      const b = await theirs.run(world, stimuli);
      if (a === undefined || b === undefined) continue;
      const entries = Uint8Array.from(stimuli, (one) => one.entry ?? 0);
      const found = firstDifference(a.output, b.output, observed, hooks, entries, 0);
      if (found === undefined || b.output.status[found.packet] !== STATUS.ran) continue;
      const { packet, part } = found;
      return {
        world,
        stimuli: stimuli.slice(0, packet + 1),
        engine: other,
        got: outcomeAt(b.output, packet),
        breach: {
          invariant: 'kernel-version/differs',
          at: 0,
          size: 0,
          expected: `the same ${part} as on the newest kernel`,
          got: `another ${part} as Linux ${version}`,
          sentence: `as Linux ${version} the ${part} is another`,
        },
      };
    }
    return undefined;
  } finally {
    await own.close();
    await theirs.close();
  }
}
