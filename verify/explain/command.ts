/** The commands that repeat a divergence. */
import type { Program } from '../../sim/runtime/program.ts';
import type { Divergence } from '../report.ts';

/** How many packets `verify` generates when it is not told. */
const DEFAULT_RUNS = 20_000;

/** One command a line, ready for a shell. */
export function repeatCommands(program: Program, divergence: Divergence): string[] {
  const { engines, seen, file } = divergence;
  const names = engines.filter((name) => name !== 'oracle').join(',');
  const commands: string[] = [];
  if ('seed' in seen) {
    const runs = seen.packet >= DEFAULT_RUNS ? ` --runs ${seen.packet + 1}` : '';
    const object = isOwnObject(program) ? '' : ` --object ${quoted(program.objectPath!)}`;
    commands.push(
      `npx xdpsim verify ${quoted(nameOf(program))}${object} --engines ${names} --seed ${quoted(seen.seed)}${runs}`,
    );
  }
  const capture = file ?? ('file' in seen && !seen.file.startsWith('example: ') ? seen.file : undefined);
  if (capture !== undefined && program.objectPath !== undefined) {
    const entry = program.entries[divergence.case.stimuli[divergence.finding.packet]?.entry ?? 0];
    const target = entry === undefined ? program.objectPath : `${program.objectPath}:${entry.function}`;
    commands.push(`npx xdpsim run ${quoted(target)} --packet ${quoted(capture)}`);
  }
  return commands;
}

/** What `verify` knows the program by: an object without a definition has no name but its file's. */
function nameOf({ name, objectPath, definition, entries }: Program): string {
  if (objectPath === undefined || definition !== undefined) return name;
  const [only, ...others] = entries;
  return only === undefined || others.length > 0 ? objectPath : `${objectPath}:${only.function}`;
}

/** Is it the object that belongs to the program, or has the program none beside it? */
function isOwnObject({ name, objectPath, definition }: Program): boolean {
  if (objectPath === undefined || definition === undefined) return true;
  return new RegExp(`(^|[\\\\/])${name}\\.(bpf\\.)?o$`).test(objectPath);
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
