/** `xdpsim corpus minimize`: of many packets those that reach something that no other does. */
import type { Case } from '../../corpus/cases/case.ts';
import { type KeptCase, minimizeCases } from '../../corpus/cases/minimize.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EXIT } from '../failure.ts';
import { announceMemory } from '../input/memory.ts';
import { casesFromFile } from '../input/packets.ts';
import { type PlacedProgram, placePrograms, type WorldOptions } from '../input/world-options.ts';
import { onInterrupt } from '../interrupt.ts';
import { reportLine } from '../output.ts';
import { count, createTerminal, rate } from '../terminal.ts';
import { type CaseTarget, openCaseTarget } from './case-target.ts';
import { ReachReader, reasonsOf } from './reach.ts';

export interface MinimizeFilesOptions extends WorldOptions {
  readonly out: string;
}

/**
 * Writes the smallest corpus. Ctrl-C ends the reading: what was read until then is minimised and written, and the exit
 * code says that it is not all.
 * @throws {Failure} for what cannot be read or written
 */
export async function minimizeFiles(
  program: Program,
  files: readonly string[],
  options: MinimizeFilesOptions,
): Promise<void> {
  // Running the cases may take long.
  const target = await openCaseTarget(options.out);
  const [placed] = placePrograms([program], options) as [PlacedProgram];
  announceMemory([placed.program]);
  const interrupt = onInterrupt();
  const terminal = createTerminal({ color: true });
  const start = performance.now();
  try {
    const cases = await readCases(placed, files, interrupt.signal);
    const reader = new ReachReader(placed.program);
    const { kept, read } = await minimizeCases(cases, (one) => reader.reachedBy(one), {
      signal: interrupt.signal,
      onProgress: (done, of) => {
        const speed = rate(done, (performance.now() - start) / 1000);
        terminal.progress(() => `${placed.program.name}: ${count(done)} of ${count(of)} cases, ${speed}`);
      },
    });
    await reader.close();
    terminal.clearProgress();
    await save(target, placed.program, kept);
    const left = read < cases.length || interrupt.signal.aborted ? `, interrupted after ${count(read)}` : '';
    reportLine(`${options.out}: ${count(kept.length)} of ${count(cases.length)} cases${left}`);
    if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted;
  } finally {
    interrupt.release();
  }
}

/** Packet by packet: a whole capture as one case could only be kept or left out whole. */
async function readCases(
  { program, inWorld }: PlacedProgram,
  files: readonly string[],
  signal: AbortSignal,
): Promise<Case[]> {
  const worlds = new Map<World, World>();
  const world = program.definition?.worlds[0]?.world ?? {};
  const cases: Case[] = [];
  for (const file of files) {
    for await (const one of casesFromFile(file, { program: program.name, packetsPerCase: 1, world })) {
      if (signal.aborted) return cases;
      let own = worlds.get(one.world);
      if (own === undefined) {
        own = inWorld(one.world);
        worlds.set(one.world, own);
      }
      cases.push({ ...one, world: own });
    }
  }
  return cases;
}

function save(target: CaseTarget, program: Program, kept: readonly KeptCase[]): Promise<void> {
  const noted = kept.map(({ case: one, alone }): Case => {
    const reasons = reasonsOf(program, alone);
    return reasons.length === 0 ? one : { ...one, note: { ...one.note, kept: reasons } };
  });
  return target.save(noted);
}
