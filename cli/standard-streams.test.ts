/** Node's streams are not made for what goes to files and pipes, and nothing is lost without them. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, expect, it } from 'vitest';
import { packageFile } from '../kernel/package-file.ts';
import { BUILD_TIMEOUT, buildCommand, builtModule, COMMAND } from './test-support/built-command.ts';

beforeAll(buildCommand, BUILD_TIMEOUT);

it.each(['pipes', '/dev/null'])('are not made by a run that prints to %s', (where) => {
  const script = `const { argv } = process;
    process.argv = [argv[0], ${JSON.stringify(COMMAND[1])}, 'verify', 'xdp_pass', '--runs', '10', '--engines', 'model,wasm'];
    process.on('exit', () => require('node:fs').writeSync(2, process.moduleLoadList.join()));
    require(process.argv[1]);`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    cwd: packageFile('.'),
    stdio: ['ignore', where === 'pipes' ? 'pipe' : 'ignore', 'pipe'],
  });
  expect(status).toBe(0);
  if (where === 'pipes') expect(stdout).toContain('agreed');
  expect(stderr).toContain('NativeModule fs');
  expect(stderr).not.toMatch(/NativeModule (stream|net|tty)\b/);
});

const print = (lines: number): string =>
  `import { listenToErrors } from ${JSON.stringify(builtModule('cli/standard-streams.ts'))};
   import { printLine } from ${JSON.stringify(builtModule('cli/output.ts'))};
   let heard = 0;
   listenToErrors('stdout', (error) => { heard++; process.exitCode = error.code === 'EPIPE' ? 32 : 33; });
   for (let line = 0; line < ${lines}; line++) printLine(String(line).padStart(99));
   process.on('exit', () => { if (heard > 1) process.exitCode = 34; });`;

it('wait for a reader of a pipe in which writing does not', async () => {
  const script = `import { createRequire } from 'node:module';
    const koffi = createRequire(${JSON.stringify(packageFile('package.json'))})('koffi');
    // F_SETFL with O_NONBLOCK and O_RDWR, as <fcntl.h> has them.
    koffi.load('libc.so.6').func('int fcntl(int, int, int)')(1, 4, 0o4002);
    ${print(20_000)}
    process.stderr.write('done');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  // Nobody reads before everything is printed: the pipe is full long before.
  const [said] = await once(child.stderr, 'data');
  expect(String(said)).toBe('done');
  let text = '';
  for await (const piece of child.stdout) text += String(piece);
  const lines = text.split('\n');
  expect(lines.length).toBe(20_001);
  expect(lines.slice(0, -1).map(Number)).toEqual(Array.from({ length: 20_000 }, (_, line) => line));
});

it('say that nobody reads any more when all is printed, like streams', () => {
  const script = `import { listenToErrors } from ${JSON.stringify(builtModule('cli/standard-streams.ts'))};
    import { printLine } from ${JSON.stringify(builtModule('cli/output.ts'))};
    let isPrinted = false;
    listenToErrors('stdout', ({ code }) => { process.exitCode = code === 'EPIPE' && isPrinted ? 32 : 33; });
    for (let line = 0; line < 20_000; line++) printLine(String(line).padStart(99));
    isPrinted = true;`;
  const args = ['-c', '{ "$@"; echo "$?" >&2; } | true', 'sh', process.execPath, '--input-type=module'];
  expect(spawnSync('sh', [...args, '-e', script], { encoding: 'utf8' }).stderr).toBe('32\n');
});

it('say once that nobody reads any more', () => {
  const args = ['-c', '{ "$@"; echo "$?" >&2; } | true', 'sh', process.execPath, '--input-type=module'];
  const { stderr } = spawnSync('sh', [...args, '-e', print(20_000)], { encoding: 'utf8' });
  expect(stderr).toBe('32\n');
});
