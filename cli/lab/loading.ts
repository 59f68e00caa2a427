/** `xdpsim lab load | unload | redirect`: programs on the lab's devices. */

import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { ifindexOf } from '../../kernel/lab/environment.ts';
import { Lab } from '../../kernel/lab/lab.ts';
import type { AttachmentState } from '../../kernel/lab/lab-state.ts';
import { load, unload } from '../../kernel/lab/load.ts';
import { connect } from '../../kernel/lab/redirect.ts';
import { forgetEmptyHostLab, requireHostLab } from '../../kernel/lab/setup.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { programByName, programs } from '../../sim/programs/index.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { cflagsOption, clangOption } from '../compile/settings.ts';
import { type Failure, inputFailure } from '../failure.ts';
import { announceObjectMemory } from '../input/memory.ts';
import { noProgram, parseObjectName } from '../input/program-source.ts';
import { isThere } from '../input/read-file.ts';
import { readObject } from '../input/read-object.ts';
import { printLine } from '../output.ts';
import { parseGlobals } from './globals.ts';
import { exclusively, type LabOptions, labCommand, printJson, withOutput } from './lab-command.ts';

interface LoadFlags extends LabOptions {
  readonly mode: string;
  readonly replace?: boolean;
  readonly yes?: boolean;
  readonly global: readonly string[];
}

const repeated = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function registerLoading(lab: Command): void {
  withOutput(
    labCommand(lab, 'load', 'load an object onto the outer device: its XDP and TC programs together')
      .argument('<name>', 'the environment; with --host also a device')
      .argument('<object>', 'an object or C source FILE[:FUNCTION], or a built-in program’s name')
      .option('--mode <mode>', 'XDP mode: native or generic', 'native')
      .option('--replace', 'replace the program that is attached, in either mode')
      .option('--global <name=value>', 'set a read-only global; may be repeated', repeated, [])
      .option('--yes', 'allow a device that carries the default route')
      .addOption(cflagsOption())
      .addOption(clangOption())
      .allowExcessArguments(),
  ).action((name: string, object: string, options: LoadFlags, { args }: Command) => {
    if (args.length > 2) throw tooMany(args);
    return runLoad(name, object, options);
  });

  withOutput(
    labCommand(lab, 'unload', 'detach what was loaded, and remove the pins of its maps').argument(
      '<name>',
      'the environment or device',
    ),
  ).action(async (name: string, options: LabOptions) => {
    const gone = await changeLab(options, (opened) => unload(opened, name));
    if (options.json === true) printJson({ unloaded: gone });
    else if (gone.length === 0) printLine(`the lab had loaded no program onto ${name}`);
    else print(gone, 'unloaded');
  });

  withOutput(
    labCommand(
      lab,
      'redirect',
      'fill the maps of redirect_map, both ways between two environments; with router, for all of them',
    )
      .argument('<a>', 'an environment')
      .argument('<b>', 'another environment'),
  ).action(async (a: string, b: string, options: LabOptions) => {
    const filled = await changeLab(options, (opened) => connect(opened, a, b));
    if (options.json === true) printJson({ redirects: filled });
    else for (const { environment, to } of filled) printLine(`${environment} → ${to.join(', ')}`);
  });
}

/** Of environments as of objects people name several. */
function tooMany([name, ...others]: readonly string[]): Failure {
  return inputFailure(
    `lab load takes one environment and one object: after ${name} came ${others.join(' and ')}`,
    'Run it once for each environment. The programs of one object are loaded together: OBJECT alone is all of them, OBJECT:FUNCTION one.',
  );
}

async function runLoad(name: string, object: string, options: LoadFlags): Promise<void> {
  const { mode } = options;
  if (mode !== 'native' && mode !== 'generic') {
    throw inputFailure(`--mode must be native or generic, not “${mode}”`);
  }
  const source = findObject(object);
  const bytes = readObject(source.path);
  announceObjectMemory(basename(source.path), bytes);
  const { attached, pins } = await changeLab(
    options,
    (lab) => {
      lab.device(name);
      if (lab.state.namespace === 'host' && options.yes !== true && lab.carriesDefaultRoute(name)) {
        throw inputFailure(
          `${name} carries the default route: a program there can cut this machine off`,
          'Use --yes if that is what you want.',
        );
      }
      const attached = load(lab, name, {
        object: bytes,
        file: source.path,
        ...(source.function === undefined ? {} : { function: source.function }),
        register: programs.flatMap((program) => program.entries),
        mode,
        replace: options.replace ?? false,
        globals: globalsOf(lab, bytes, source.path, options.global),
      });
      return { attached, pins: lab.pinDirectory(name) };
    },
    options.host === true,
  );
  if (options.json === true) printJson({ attached, pins });
  else {
    print(attached, 'loaded');
    printLine(`maps pinned in ${pins}`);
  }
}

/**
 * Opens the lab and changes it while no other command does.
 * @param makesHostLab the lab of the host's own devices is there as long as something of it is: made here, if it must be
 */
function changeLab<T>(
  options: LabOptions,
  change: (lab: Lab) => T,
  makesHostLab: boolean = false,
): Promise<T> {
  return exclusively(options, (name) => {
    try {
      if (makesHostLab) requireHostLab();
      const lab = new Lab(name);
      try {
        return lab.exclusively(() => change(lab));
      } finally {
        lab.close();
      }
    } finally {
      if (options.host === true) forgetEmptyHostLab();
    }
  });
}

function globalsOf(
  lab: Lab,
  bytes: Uint8Array,
  path: string,
  options: readonly string[],
): Record<string, Uint8Array> {
  if (options.length === 0) return {};
  try {
    return parseGlobals(options, loadObject(bytes), (device) => ifindexOf(lab.outside, device) || undefined);
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
}

/** A built-in program's name is taken where no file has it. */
function findObject(text: string): { path: string; function: string | undefined } {
  const named = parseObjectName(text);
  if (isThere(named.path)) return { ...named, path: resolve(named.path) };
  const [stem = '', wanted] = text.split(':', 2);
  if (programByName(stem) !== undefined) {
    return { path: packageFile(`bpf/built/${stem}.o`), function: wanted };
  }
  if (/[./]/.test(named.path)) throw inputFailure(`${named.path}: no such file`);
  throw noProgram(named.path);
}

function print(attached: readonly AttachmentState[], verb: string): void {
  for (const { device, function: name, hook, mode, object } of attached) {
    printLine(`${verb} ${name} of ${basename(object)}: ${device}, ${hook}, ${mode}`);
  }
}
