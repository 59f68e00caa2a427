/** The packets that `run` is given, from files and as digits, each with the world that it meets. */
import type { Case } from '../../corpus/cases/case.ts';
import type { PacketFilter } from '../../corpus/filter/filter.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { commandText } from '../../verify/explain/command.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { parseHex } from '../input/options.ts';
import { casesForProgram } from '../input/program-cases.ts';
import { isThere } from '../input/read-file.ts';
import { reportLine } from '../output.ts';

export type WorldAndPackets = Pick<Case, 'world' | 'stimuli'>;

/**
 * A saved case brings the world that it begins in; all else meets the program's first world.
 * @throws {Failure} for saved cases of several worlds
 */
export async function* casesOf(
  sources: readonly string[],
  program: Program,
): AsyncGenerator<WorldAndPackets> {
  const world = program.definition?.worlds[0]?.world ?? {};
  let shared: World | undefined;
  for (const source of sources) {
    let isFirst = true;
    for await (const one of casesIn(source, program, world)) {
      if (shared !== undefined && one.world !== shared) {
        throw inputFailure(
          `${source}: a saved case starts in a world of its own and cannot follow other packets`,
          isFirst ? byItself(program, source) : inFiles(source),
        );
      }
      shared = one.world;
      isFirst = false;
      yield one.world === world ? { ...one, stimuli: one.stimuli.map(comingIn(program)) } : one;
    }
  }
}

/** Where there are several files. */
function byItself({ name, commandLine = [name] }: Program, source: string): string {
  return `Run each by itself, this one with: ${commandText('run', ...commandLine, '--packet', source)}`;
}

/** Where one file has several cases. */
function inFiles(source: string): string {
  const command = commandText('corpus', 'merge', source, '--out', 'DIR');
  return `Run each saved case by itself; this writes a file for each: ${command}`;
}

/** Where the user states devices, packets of which nobody says so come in by the first. */
function comingIn({ hints }: Program): (stimulus: Stimulus) => Stimulus {
  const [ingressIfindex] = hints?.ingressIfindexes ?? [];
  return (stimulus) => (ingressIfindex === undefined ? stimulus : { ingressIfindex, ...stimulus });
}

/**
 * Returns the packets that match; a program's state is then what these alone leave. Where there are none, that is said, and the exit
 * code is that of a run that is incomplete.
 */
export async function* matching(
  cases: AsyncIterable<WorldAndPackets>,
  filter: PacketFilter | undefined,
): AsyncGenerator<WorldAndPackets> {
  let seen = 0;
  let matches = 0;
  for await (const one of cases) {
    const stimuli =
      filter === undefined ? one.stimuli : one.stimuli.filter(({ packet }) => filter.matches(packet));
    seen += one.stimuli.length;
    matches += stimuli.length;
    yield { ...one, stimuli };
  }
  if (matches > 0) return;
  // Which files are empty is said where they are read.
  reportLine(seen === 0 || filter === undefined ? 'nothing ran' : `no packet matches ${filter.text}`);
  process.exitCode = EXIT.incomplete;
}

async function* casesIn(source: string, program: Program, world: World): AsyncGenerator<Case> {
  if (source === '-' || isThere(source)) {
    yield* casesForProgram(source, [program], { program: program.name, world });
  } else if (/[^0-9a-fA-F\s:]/.test(source)) {
    throw inputFailure(`${source}: neither a file nor hexadecimal digits`);
  } else {
    const packet = parseHex(source, 'packet');
    if (packet.length === 0) {
      throw inputFailure(`packet: expected hexadecimal digits or the name of a capture, got “${source}”`);
    }
    yield { program: program.name, world, stimuli: [{ packet }] };
  }
}
