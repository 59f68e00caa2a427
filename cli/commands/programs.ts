/** `xdpsim programs`: what is built in, and what each program does. */
import type { Command } from 'commander';
import { packageFile } from '../../kernel/package-file.ts';
import { programByName, programs } from '../../sim/programs/index.ts';
import type { ProgramDefinition } from '../../sim/runtime/program.ts';
import { noProgram } from '../input/program-source.ts';
import { printJson } from '../output.ts';
import { createTerminal, table } from '../terminal.ts';

export function registerPrograms(program: Command): void {
  program
    .command('programs')
    .description('list the built-in programs, or describe one of them')
    .argument('[program]', 'the one to describe')
    .option('--json', 'print one JSON document')
    .option('--no-color', 'no colours')
    .action(run);
}

function run(name: string | undefined, options: { json?: boolean; color: boolean }): void {
  const chosen = name === undefined ? programs : [find(name)];
  if (options.json === true) {
    printJson({ version: 1, programs: chosen.map(toJson) }, 2);
    return;
  }
  const terminal = createTerminal(options);
  if (name === undefined) {
    for (const line of table(programs.map((one) => [one.name, hooksOf(one), one.summary])))
      terminal.print(line);
    terminal.print();
    terminal.print('xdpsim programs NAME describes one program; docs/programs/ has a page for each.');
    return;
  }
  const [one] = chosen;
  if (one === undefined) return;
  terminal.print(`${terminal.style('bold', one.name)} – ${one.summary}`);
  terminal.print();
  terminal.printLines(one.description);
  terminal.print();
  const rows = [
    ...one.entries.map(({ function: name, hook, after }) => [
      'function',
      `${name} (${hook}${after === undefined ? '' : `, after ${after}`})`,
    ]),
    ...one.maps.map((map) => [
      'map',
      `${map.name}: ${map.type}, key ${map.keySize} bytes, value ${map.valueSize} bytes, ${map.maxEntries} entries`,
    ]),
    ...one.worlds.map((world) => ['world', world.name]),
    ...one.examples.map((example) => ['example', example.name]),
    ['object', packageFile(`bpf/built/${one.name}.o`)],
    ['page', packageFile(`docs/programs/${one.name}.md`)],
  ];
  for (const line of table(rows)) terminal.print(line);
}

function find(name: string): ProgramDefinition {
  const found = programByName(name);
  if (found === undefined) throw noProgram(name, []);
  return found;
}

function hooksOf(program: ProgramDefinition): string {
  return [...new Set(program.entries.map((entry) => entry.hook))].join(', ');
}

function toJson(program: ProgramDefinition): unknown {
  return {
    name: program.name,
    summary: program.summary,
    description: program.description,
    functions: program.entries.map(({ function: name, hook, after }) => ({ name, hook, after })),
    maps: program.maps,
    worlds: program.worlds.map((world) => world.name),
    examples: program.examples.map((example) => example.name),
    object: packageFile(`bpf/built/${program.name}.o`),
  };
}
