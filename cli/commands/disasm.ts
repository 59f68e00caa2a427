/** `xdpsim disasm`: an object's programs as the kernel will see them, C lines between. */

import type { Command } from 'commander';
import { packageFile } from '../../kernel/package-file.ts';
import type { BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { disassemble } from '../../sim/ebpf/disassemble.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { programByName } from '../../sim/programs/index.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { cflagsOption, clangOption } from '../compile/settings.ts';
import { inputFailure } from '../failure.ts';
import { noProgram, parseObjectName } from '../input/program-source.ts';
import { isThere } from '../input/read-file.ts';
import { readObject } from '../input/read-object.ts';
import { createTerminal, type Terminal } from '../terminal.ts';

export function registerDisasm(program: Command): void {
  program
    .command('disasm')
    .description('print the instructions of an object, with the C lines they were compiled from')
    .argument('<object>', 'an object or C source FILE[:FUNCTION], or a built-in program')
    .addOption(cflagsOption())
    .addOption(clangOption())
    .option('--no-color', 'no colours')
    .action(run);
}

function run(name: string, options: { readonly color: boolean }): void {
  const terminal = createTerminal(options);
  const file = parseObjectName(name);
  const isBuiltIn = programByName(file.path) !== undefined;
  if (!isBuiltIn && !/[./]/.test(file.path) && !isThere(file.path)) throw noProgram(file.path);
  const path = isBuiltIn ? packageFile(`bpf/built/${file.path}.o`) : file.path;
  try {
    const object = loadObject(readObject(path));
    const programs = object.programs.filter(
      (one) => file.function === undefined || one.function === file.function,
    );
    if (programs.length === 0) {
      const has = object.programs.map((one) => one.function).join(', ') || 'none';
      const wanted = file.function === undefined ? 'program' : `program “${file.function}”`;
      throw inputFailure(`${path}: contains no ${wanted}; available: ${has}`);
    }
    for (const [index, program] of programs.entries()) {
      if (index > 0) terminal.print();
      print(program, disassemble(object, program), terminal);
    }
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
}

function print({ section, instructions }: BpfProgram, text: string, terminal: Terminal): void {
  terminal.print(terminal.style('dim', `; section ${section}, ${instructions.count} instructions`));
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith(';')) terminal.print(terminal.style('dim', line));
    else if (/^\S+:$/.test(line)) terminal.print(terminal.style('bold', line));
    else terminal.print(line);
  }
}
