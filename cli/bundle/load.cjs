'use strict';
/**
 * Runs a process of the bundle. V8 compiles it from source, or takes what it compiled when the bundle was built: that
 * is beside it, one file for each process and each command with a bundle of its own, and good for one version of V8 only.
 * Any other takes the source.
 */
const { readFileSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const vm = require('node:vm');

/** Commands that are bundled by themselves: reading all the rest would take a good part of their time. */
const BY_THEMSELVES = ['checksum', 'verify'];

/** Processes that are part of what is bundled by itself. */
const PART_OF = { verifyWorker: 'verify' };

/** Set by the build: the process, or command by itself, of which it writes down what was compiled. */
const recorded = process.env.XDPSIM_RECORD_COMPILED;

/** A script that is compiled like this has no `import()` of its own. */
const importModule = (specifier) => import(specifier);

function readCompiled(path) {
  if (recorded !== undefined) return undefined;
  try {
    return readFileSync(path);
  } catch {
    // Packed without, or on a file system that fails: it is only slower.
    return undefined;
  }
}

/** @returns the command, where that is bundled by itself; otherwise the process */
function partOf(name) {
  const [, , command] = process.argv;
  const isByItself = name === 'command' && recorded !== 'command' && BY_THEMSELVES.includes(command);
  return isByItself ? command : name;
}

function load(name) {
  const part = partOf(name);
  const bundled = PART_OF[part] ?? part;
  const path = join(__dirname, BY_THEMSELVES.includes(bundled) ? `${bundled}-bundle.cjs` : 'bundle.cjs');
  const compiled = join(__dirname, `${part}.v8`);
  // A function, as build.ts wraps it, in ASCII: V8 takes such a string as it was read, without a copy.
  const script = new vm.Script(readFileSync(path, 'latin1'), {
    filename: path,
    cachedData: readCompiled(compiled),
  });
  const bundle = { exports: {} };
  const run = script.runInThisContext();
  run(bundle.exports, createRequire(path), bundle, path, importModule);
  if (recorded === part) process.on('exit', () => writeFileSync(compiled, script.createCachedData()));
  return bundle.exports[name];
}

/** @param {'command' | 'verifyWorker'} name */
module.exports = (name) => {
  let start;
  try {
    start = load(name);
  } catch (error) {
    // What reports errors is in the bundle.
    const isLimit = error.code === 'EMFILE' || error.code === 'ENFILE';
    const problem = isLimit ? 'too many open files' : `cannot be loaded: ${error.message}`;
    process.stderr.write(`xdpsim: ${problem}\n`);
    process.exitCode = 3;
    return;
  }
  void start();
};

// For the build.
module.exports.BY_THEMSELVES = BY_THEMSELVES;
