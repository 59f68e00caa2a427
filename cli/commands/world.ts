/** `xdpsim world init`: a file to describe maps, devices, routes and globals in. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { initialWorldFile } from '../../sim/ebpf/world-file/init.ts';
import { commandText } from '../../verify/explain/command.ts';
import { cflagsOption, clangOption } from '../compile/settings.ts';
import { inputFailure } from '../failure.ts';
import { targetOf } from '../input/map-file.ts';
import { parseOutput } from '../input/options.ts';
import { resolvePrograms } from '../input/program-source.ts';
import { isThere } from '../input/read-file.ts';
import { printText, reportLine } from '../output.ts';

interface Options {
  readonly out?: string;
  readonly force?: boolean;
}

const SCHEMA = './node_modules/xdpsim/docs/schema/world-file.json';

export function registerWorld(program: Command): void {
  const world = program.command('world').description('describe what surrounds a program: a file for --world');
  world
    .command('init')
    .description('write a world file to start from: every map and global of an object with its type')
    .argument('<object>', 'an object or C source, a built-in program, or a module that defines one')
    .option(
      '--out <file>',
      'where to; - for standard output (default: OBJECT.world.jsonc)',
      parseOutput('--out'),
    )
    .option('--force', 'replace a file that is there')
    .addOption(cflagsOption())
    .addOption(clangOption())
    .action(init);
}

async function init(name: string, options: Options): Promise<void> {
  const [first] = await resolvePrograms([name]);
  // Programs of one object share its maps.
  const text = initialWorldFile(targetOf(first!), { name: basename(name), schema: SCHEMA });
  const out = options.out ?? `${stem(name)}.world.jsonc`;
  if (out === '-') {
    printText(text);
    return;
  }
  if (isThere(out) && options.force !== true) {
    throw inputFailure(
      `${out}: is there already`,
      '--force replaces it; --out names another file, - prints it',
    );
  }
  await writeAtomically(out, [new TextEncoder().encode(text)]);
  // How a source was compiled belongs to it.
  const compiled = first!.commandLine?.slice(1) ?? [];
  reportLine(`${out}: edit it, then run: ${commandText('verify', name, ...compiled, '--world', out)}`);
}

/** `my` for `build/my.bpf.o:main`. */
function stem(name: string): string {
  const file = basename(name).replace(/:[^:]*$/, '');
  return file.replace(/(\.bpf)?\.(o|c)$/, '').replace(/\.model\.[cm]?[jt]s$/, '');
}
