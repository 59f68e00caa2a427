/** From what the user names on the command line to what engines open. */

import { basename, dirname, resolve } from 'node:path';
import { packageFile } from '../../kernel/package-file.ts';
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { tailCallersOf } from '../../sim/ebpf/referenced-maps.ts';
import { entriesOfObject, withFrags } from '../../sim/engines/object-entries.ts';
import { programByName, programs } from '../../sim/programs/index.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { nearestName } from '../../sim/runtime/nearest-name.ts';
import type { Program, ProgramDefinition, ProgramEntry } from '../../sim/runtime/program.ts';
import { isSource } from '../compile/compile-source.ts';
import { compilerSettings, settingsWords } from '../compile/settings.ts';
import { type Failure, inputFailure } from '../failure.ts';
import { mapProblem, worldProblem } from './declared-maps.ts';
import { definitionOfModule, isModule } from './program-module.ts';
import { isThere } from './read-file.ts';
import { readObject } from './read-object.ts';

/** `FILE` or `FILE:FUNCTION`. A colon that is part of a file's name wins if that file exists. */
export interface ObjectName {
  readonly path: string;
  readonly function: string | undefined;
}

export function parseObjectName(text: string): ObjectName {
  const colon = text.lastIndexOf(':');
  if (colon <= 0 || isThere(text)) return { path: text, function: undefined };
  if (colon === text.length - 1) {
    throw inputFailure(`${text}: expected a function's name after the colon (OBJECT:FUNCTION)`);
  }
  return { path: text.slice(0, colon), function: text.slice(colon + 1) };
}

/** Is it a file that is meant, there or not? Every other name is that of a built-in program. */
export function isFileName(path: string): boolean {
  return /\.[oc]$/.test(path) || path.includes('/') || isModule(path);
}

/** @throws {Failure} for a name that is neither a built-in program's nor a file's: no change of a file gives it a meaning */
export function requireNames(names: readonly string[]): void {
  for (const name of names) {
    const { path } = parseObjectName(name);
    if (programByName(name) === undefined && !isFileName(path) && !isThere(path)) throw noProgram(name);
  }
}

/** Every built-in program with its committed object. */
export function builtInPrograms(): Program[] {
  return programs.map(builtIn);
}

function builtIn(definition: ProgramDefinition): Program {
  const path = packageFile(`bpf/built/${definition.name}.o`);
  return {
    name: definition.name,
    entries: definition.entries,
    object: readObject(path),
    objectPath: path,
    commandLine: [definition.name],
    definition,
  };
}

/** What of an object counts as its programs, where none is named. */
export interface Selection {
  /** Those behind a redirect, in `xdp/devmap` and `xdp/cpumap` sections, too? The machine alone runs them. Default: no. */
  readonly behindRedirect?: boolean;
}

/** Every program that a frame can enter: what is said of an object as a whole is said of them all. */
export const ENTERED: Selection = { behindRedirect: true };

/**
 * The programs that the user means: a built-in's name, an object `FILE.o[:FUNCTION]` or the C source of one, or a
 * module that default-exports a definition.
 * @param names none: all built-in programs
 * @param object `--object`: takes the place of the (single) program's own
 * @param onImport called before code of the user's is run: that of a module
 * @throws {Failure} saying what each name could have been
 */
export async function resolvePrograms(
  names: readonly string[],
  object?: string,
  onImport: (module: string) => Promise<void> = async () => {},
  selection: Selection = {},
): Promise<Program[]> {
  const found: Program[] = [];
  for (const name of names) found.push(...(await resolveProgram(name, onImport, selection)));
  const all = names.length === 0 ? builtInPrograms() : found;
  if (object === undefined) return all;
  const [only, ...others] = all;
  if (only === undefined || others.length > 0 || names.length === 0) {
    throw inputFailure('--object replaces the object of one program: name that program');
  }
  if (only.definition === undefined) {
    throw inputFailure(
      `--object replaces the object of a program with a model: ${names[0]} is an object itself`,
      `name one of the two, as in: ${object}`,
    );
  }
  const replaced = withObject(only, parseObjectName(object));
  requireWorlds(replaced);
  const words = ['--object', object, ...compilerWords(parseObjectName(object).path)];
  return [{ ...replaced, commandLine: [...only.commandLine!, ...words] }];
}

/** The options with which a source was compiled. */
function compilerWords(path: string): string[] {
  return isSource(path) ? settingsWords(compilerSettings()) : [];
}

async function resolveProgram(
  name: string,
  onImport: (module: string) => Promise<void>,
  selection: Selection,
): Promise<Program[]> {
  const definition = programByName(name);
  if (definition !== undefined) return [builtIn(definition)];
  const file = parseObjectName(name);
  if (isModule(file.path)) {
    await onImport(file.path);
    return [await programOfModule(file.path)];
  }
  if (isThere(file.path)) return programsOfObject(file, selection);
  if (isFileName(file.path)) throw inputFailure(`${file.path}: no such file`);
  throw noProgram(name);
}

/** What programs' files end in, the compiled ones first. */
const FILE_ENDINGS = ['.o', '.bpf.o', '.bpf.c', '.c', '.model.ts'];

/**
 * For a name that is neither a built-in program's nor a file's.
 * @param endings of files that would do in its place
 */
export function noProgram(name: string, endings: readonly string[] = FILE_ENDINGS): Failure {
  const file = endings.map((ending) => `${name}${ending}`).find((path) => name !== '' && isThere(path));
  const near =
    file ??
    nearestName(
      name,
      programs.map((one) => one.name),
    );
  return inputFailure(
    `no program “${name}”${near === undefined ? '' : `; did you mean ${near}?`}`,
    'xdpsim programs lists the built-in programs. Name an object by its file (./prog.o).',
  );
}

/** A function of an object that packets cannot be given to, and why. */
export interface NotTested {
  /** As it would be named on the command line: `FILE.o:FUNCTION`. */
  readonly program: string;
  /** Absent where it is no reason. */
  readonly section?: string;
  /** "runs behind a redirect (devmap)", "type kprobe, neither XDP nor TC". */
  readonly reason: string;
}

/** The functions that `resolvePrograms` leaves out of the objects that are named as a whole. */
export function notTested(names: readonly string[], selection: Selection = {}): NotTested[] {
  return names.flatMap((name) => {
    const file = parseObjectName(name);
    const isObject = programByName(name) === undefined && !isModule(file.path);
    if (!isObject || file.function !== undefined || !isThere(file.path)) return [];
    return notTestedOf(file.path, readObject(file.path), selection);
  });
}

function notTestedOf(
  path: string,
  bytes: Uint8Array,
  { behindRedirect: isAlso = false }: Selection,
): NotTested[] {
  const object = objectOf(path, bytes);
  const tailCallers = tailCallersOf(object);
  return object.programs.flatMap(
    ({ function: name, section, hook, behindRedirect, otherType }, index): NotTested[] => {
      const callers = tailCallers.get(index);
      const reason =
        hook === undefined
          ? `${otherType === undefined ? '' : `type ${otherType}, `}neither XDP nor TC`
          : behindRedirect !== undefined && !isAlso
            ? `runs behind a redirect (${behindRedirect})`
            : callers !== undefined
              ? `runs behind tail calls of ${callers.join(', ')}`
              : undefined;
      return reason === undefined ? [] : [{ program: `${basename(path)}:${name}`, section, reason }];
    },
  );
}

/** The XDP and TC programs of an object, each by itself, or the one that is named. */
export function programsOfObject(file: ObjectName, selection: Selection = {}): Program[] {
  const bytes = readObject(file.path);
  const entries = entriesOf(file.path, bytes);
  // A program behind a redirect or a tail call relies on what ran before it: only who names it means it.
  const others = notTestedOf(file.path, bytes, selection);
  const isOther = (name: string): boolean =>
    others.some((one) => one.program === `${basename(file.path)}:${name}`);
  const chosen = entries.filter((entry) =>
    file.function === undefined ? !isOther(entry.function) : entry.function === file.function,
  );
  if (chosen.length === 0) {
    const has = entries.map((entry) => entry.function).join(', ') || 'no XDP or TC program';
    const other = others.find((one) => one.program === `${basename(file.path)}:${file.function}`);
    throw inputFailure(
      file.function === undefined
        ? `${file.path}: has no XDP or TC program to test${listed(others)}`
        : other === undefined
          ? `${file.path}: contains no program “${file.function}”; available: ${has}`
          : `${file.path}: ${file.function} cannot be tested: section ${other.section}: ${other.reason}`,
      file.function === undefined ? howToName(file.path, entries) : undefined,
    );
  }
  return chosen.map((entry) => ({
    name:
      chosen.length === 1 && file.function === undefined
        ? basename(file.path)
        : `${basename(file.path)}:${entry.function}`,
    entries: [entry],
    object: bytes,
    objectPath: file.path,
    commandLine: [
      entries.length === 1 ? file.path : `${file.path}:${entry.function}`,
      ...compilerWords(file.path),
    ],
  }));
}

/** What runs behind something else runs for whoever names it. */
function howToName(path: string, [first]: readonly ProgramEntry[]): string | undefined {
  return first === undefined
    ? undefined
    : `Who names one has it tested all the same: ${path}:${first.function}`;
}

function listed(others: readonly NotTested[]): string {
  const all = others.map(({ program, section, reason }) => `${program} (section ${section}: ${reason})`);
  return all.length === 0 ? '' : `: ${all.join('; ')}`;
}

function entriesOf(path: string, bytes: Uint8Array): ProgramEntry[] {
  return entriesOfObject(objectOf(path, bytes));
}

function objectOf(path: string, bytes: Uint8Array): BpfObject {
  return named(path, () => linkedObject(bytes));
}

/** Puts the file's name before what a codec says about its bytes. */
function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
}

/** Another build of a program: same model, other object. */
function withObject(program: Program, file: ObjectName): Program {
  const bytes = readObject(file.path);
  const entries = entriesOf(file.path, bytes);
  const wanted = program.entries.map((entry) => entry.function);
  const [only] = wanted;
  if (file.function !== undefined && wanted.length === 1 && only !== undefined) {
    // The model keeps its own name; the object's function may have any.
    if (!entries.some((entry) => entry.function === file.function)) {
      throw inputFailure(
        `${file.path}: contains no program “${file.function}”; available: ${entries.map((entry) => entry.function).join(', ')}`,
      );
    }
    const renamed = program.entries.map((entry) => ({ ...entry, function: file.function! }));
    const own = withFrags(renamed, objectOf(file.path, bytes));
    return { ...program, entries: own, object: bytes, objectPath: file.path };
  }
  const missing = wanted.filter((name) => !entries.some((entry) => entry.function === name));
  if (missing.length > 0) {
    throw inputFailure(
      `${file.path}: contains no program “${missing.join('”, “')}”; available: ${entries.map((entry) => entry.function).join(', ') || 'none'}`,
      'Name the function to use instead: --object FILE:FUNCTION',
    );
  }
  const own = withFrags(program.entries, objectOf(file.path, bytes));
  return { ...program, entries: own, object: bytes, objectPath: file.path };
}

/** A user's own program: a module that default-exports a `ProgramDefinition`. */
async function programOfModule(path: string): Promise<Program> {
  const definition = await definitionOfModule(path);
  const program: Program = {
    name: definition.name,
    entries: definition.entries,
    commandLine: [path],
    definition,
  };
  if (definition.object === undefined) return program;
  const object = resolve(dirname(path), definition.object);
  const whole = withObject(program, { path: object, function: undefined });
  requireMaps(path, definition, whole);
  return whole;
}

/** Whatever another object does, it is to do it in the worlds of the model. */
function requireWorlds({ name, definition, object, objectPath }: Program): void {
  if (definition === undefined) return;
  const problem = worldProblem(definition, objectOf(objectPath!, object!).maps, basename(objectPath!));
  if (problem === undefined) return;
  throw inputFailure(
    `the model of ${name}: ${problem}`,
    'Maps and variables are found by name. Without a model: verify the object by itself.',
  );
}

/**
 * The object that a definition names is the one that it is about. Another one (`--object`) may lack maps, or have them
 * otherwise: whether it does the same is what is asked then.
 */
function requireMaps(
  path: string,
  { maps, worlds }: ProgramDefinition,
  { object, objectPath }: Program,
): void {
  const own = objectOf(objectPath!, object!).maps;
  const file = basename(objectPath!);
  const problem = mapProblem(maps, own, file);
  if (problem !== undefined)
    throw inputFailure(`${path}: ${problem}`, 'A map is compared by its name, its kind and its sizes.');
  const ofWorlds = worldProblem({ worlds, maps }, own, file);
  if (ofWorlds !== undefined)
    throw inputFailure(`${path}: ${ofWorlds}`, 'What a world states has to be in the object.');
}
