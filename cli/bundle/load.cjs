'use strict';
/**
 * Runs a process of the bundle. V8 compiles it from source, or takes what it compiled when the bundle was built: that
 * is beside it, one file for each process and each command with a bundle of its own, and good for one version of V8 only.
 * Any other takes the source.
 */
const { closeSync, fstatSync, openSync, readSync, writeFileSync } = require('node:fs');
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

/** @returns a descriptor; undefined where there is none, as where it was packed without, and it is only slower */
function openCompiled(path) {
  if (recorded !== undefined) return undefined;
  try {
    return openSync(path);
  } catch {
    return undefined;
  }
}

/** Reads a whole file to the begin of the room. */
function readTo(room, fd, size) {
  let at = 0;
  while (at < size) {
    const bytes = readSync(fd, room, at, size - at, null);
    if (bytes === 0) throw new Error('it ends early');
    at += bytes;
  }
  return room.subarray(0, size);
}

/**
 * @returns the text of the script, and what V8 made of it. One is read to where the other was: of 15 µs that a page takes on some
 *   machines, 12 go to the first touch.
 */
function read(path, compiled) {
  const files = [openSync(path), openCompiled(compiled)];
  try {
    const [size, compiledSize] = files.map((fd) => (fd === undefined ? 0 : fstatSync(fd).size));
    const room = Buffer.allocUnsafeSlow(Math.max(size, compiledSize));
    // ASCII: V8 takes such a string as it was read.
    const source = readTo(room, files[0], size).latin1Slice();
    return { source, cachedData: compiledSize === 0 ? undefined : tryToReadTo(room, files[1], compiledSize) };
  } finally {
    for (const fd of files) if (fd !== undefined) closeSync(fd);
  }
}

/** Where a file system fails, V8 compiles from source. */
function tryToReadTo(room, fd, size) {
  try {
    return readTo(room, fd, size);
  } catch {
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
  const { source, cachedData } = read(path, compiled);
  // A function, as build.ts wraps it.
  const script = new vm.Script(source, { filename: path, cachedData });
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
