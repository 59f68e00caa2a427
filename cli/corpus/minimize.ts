/** `xdpsim corpus minimize`: of many packets those that reach something that no other does. */

import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Case } from '../../corpus/cases/case.ts';
import { type KeptCase, minimizeCases } from '../../corpus/cases/minimize.ts';
import { realPlace } from '../../corpus/files/atomic-file.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { announceMemory } from '../input/memory.ts';
import { casesForProgram } from '../input/program-cases.ts';
import { isDirectory } from '../input/read-file.ts';
import { type PlacedProgram, placePrograms, type WorldOptions } from '../input/world-options.ts';
import { onInterrupt } from '../interrupt.ts';
import { reportLine } from '../output.ts';
import { count, createTerminal, rate } from '../terminal.ts';
import { type CaseTarget, openCaseTarget } from './case-target.ts';
import { ReachReader, reasonsOf } from './reach.ts';

/** Milliseconds between two turns of everything else. */
const TURN_EVERY_MS = 25;

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
  await requireOtherDirectory(options.out, files);
  // Running the cases may take long.
  const target = await openCaseTarget(options.out);
  const [placed] = placePrograms([program], options) as [PlacedProgram];
  announceMemory([placed.program]);
  const interrupt = onInterrupt();
  const terminal = createTerminal({ color: true });
  const start = performance.now();
  const reader = new ReachReader(placed.program);
  try {
    const reached = new Map<Case, ReadonlySet<string>>();
    let lastTurn = performance.now();
    for await (const one of readCases(placed, files)) {
      if (interrupt.signal.aborted) break;
      reached.set(one, await reader.reachedBy(one));
      const now = performance.now();
      if (now - lastTurn < TURN_EVERY_MS) continue;
      // Signals get a turn: running a case does not wait for anything.
      await nextTurn();
      lastTurn = now;
      terminal.progress(
        () =>
          `${placed.program.name}: ${count(reached.size)} cases, ${rate(reached.size, (now - start) / 1000)}`,
      );
    }
    const { kept } = await minimizeCases([...reached.keys()], async (one) => reached.get(one)!);
    terminal.clearProgress();
    const isInterrupted = interrupt.signal.aborted;
    // An empty file is no capture.
    if (kept.length > 0 || !isInterrupted) await save(target, placed.program, kept);
    const left = isInterrupted ? '; interrupted: there are more' : '';
    reportLine(`${options.out}: ${count(kept.length)} of ${count(reached.size)} cases${left}`);
    if (isInterrupted) process.exitCode = EXIT.interrupted;
  } finally {
    await reader.close();
    interrupt.release();
  }
}

/** Among files that stay where they are nobody would find those that were kept. */
async function requireOtherDirectory(out: string, files: readonly string[]): Promise<void> {
  const directory = isDirectory(out) ? await realpath(out) : undefined;
  if (directory === undefined) return;
  for (const file of files) {
    const place = await realPlace(file);
    if (place === undefined || dirname(place) !== directory) continue;
    throw inputFailure(
      `--out names the directory of a file that is read: ${file}`,
      'Cases that are left out would stay there: give the output a directory of its own.',
    );
  }
}

/** Packet by packet: a whole capture as one case could only be kept or left out whole. */
async function* readCases(
  { program, inWorld }: PlacedProgram,
  files: readonly string[],
): AsyncGenerator<Case, void, undefined> {
  const worlds = new Map<World, World>();
  const world = program.definition?.worlds[0]?.world ?? {};
  for (const file of files) {
    for await (const one of casesForProgram(file, [program], {
      program: program.name,
      packetsPerCase: 1,
      world,
    })) {
      let own = worlds.get(one.world);
      if (own === undefined) {
        own = inWorld(one.world);
        worlds.set(one.world, own);
      }
      yield { ...one, world: own };
    }
  }
}

function save(target: CaseTarget, program: Program, kept: readonly KeptCase[]): Promise<void> {
  const noted = kept.map(({ case: one, alone }): Case => {
    const reasons = reasonsOf(program, alone);
    return reasons.length === 0 ? one : { ...one, note: { ...one.note, kept: reasons } };
  });
  return target.save(noted);
}
