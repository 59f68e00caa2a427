/** Finds and reads the configuration file of the folder that the command runs in. */
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { programByName } from '../../sim/programs/index.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { parseJsonc } from '../../sim/runtime/jsonc.ts';
import { parse, ShapeError } from '../../sim/runtime/schema.ts';
import type { CompilerSettings } from '../compile/settings.ts';
import { splitWords } from '../compile/words.ts';
import { inputFailure } from '../failure.ts';
import { importDefault, isModule } from '../input/program-module.ts';
import { isThere, readText, requireRegularFile } from '../input/read-file.ts';
import { type Config, configShape } from './shape.ts';

/** In this order; a folder has one of them. */
export const CONFIG_NAMES = [
  'xdpsim.config.ts',
  'xdpsim.config.mts',
  'xdpsim.config.js',
  'xdpsim.config.mjs',
  'xdpsim.config.json',
  'xdpsim.config.jsonc',
] as const;

export interface LoadedConfig {
  readonly path: string;
  readonly config: Config;
}

/**
 * @param named `--config FILE`; false: `--no-config`; undefined: the one in the current folder
 * @returns undefined where there is none
 * @throws {Failure} naming file and place
 */
export async function loadConfig(named: string | false | undefined): Promise<LoadedConfig | undefined> {
  if (named === false) return undefined;
  const path = named ?? findConfig('.');
  if (path === undefined) return undefined;
  if (!isThere(path)) throw inputFailure(`${path}: no such file`, 'xdpsim init writes a configuration file.');
  requireRegularFile(path);
  return { path, config: await readConfig(path) };
}

/** @throws {Failure} where there are several: nobody knows which counts */
export function findConfig(folder: string): string | undefined {
  const there = CONFIG_NAMES.map((name) => join(folder, name)).filter(isThere);
  if (there.length > 1)
    throw inputFailure(`${there.join(' and ')}: only one configuration file may be there`);
  return there[0];
}

async function readConfig(path: string): Promise<Config> {
  try {
    const value = isModule(path) ? await importDefault(path) : parseJsonc(readText(path));
    if (value === undefined) throw inputFailure(`${path}: has no default export`);
    return parse(configShape, value);
  } catch (error) {
    if (error instanceof ShapeError) {
      const place = error.place === '' ? 'the configuration' : error.place;
      throw inputFailure(`${path}: ${place}: ${error.problem}`, 'docs/configuration.md lists all fields.');
    }
    if (error instanceof InputError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
}

/** A path of the configuration as the command names it: relative to the current folder where it lies below. */
export function besideConfig({ path }: Pick<LoadedConfig, 'path'>, file: string): string {
  if (isAbsolute(file)) return file;
  const full = resolve(dirname(path), file);
  const near = relative('.', full);
  // The folder itself has no name from here.
  return near === '' || near.startsWith('..') || isAbsolute(near) ? full : near;
}

/** A program of the configuration: a built-in one's name stays as it is. */
export function programOf(loaded: Pick<LoadedConfig, 'path'>, object: string): string {
  return programByName(object) === undefined ? besideConfig(loaded, object) : object;
}

/** What the configuration says of the compiler, with what counts more than it behind it. */
export function compilerOf(
  { path, config }: LoadedConfig,
  further: readonly string[],
  own: CompilerSettings,
): CompilerSettings {
  const flags = [...(config.compiler?.cflags ?? []), ...further].flatMap((text) =>
    splitWords(text, `${path}: cflags`),
  );
  const clang = own.clang ?? config.compiler?.clang;
  return { flags: [...flags, ...own.flags], ...(clang === undefined ? {} : { clang }) };
}
