/** The action and the recipes of docs/ci.md, as far as they can be run without the service that they are for. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCommand, COMMAND } from '../cli/test-support/built-command.ts';
import { packageFile } from '../kernel/package-file.ts';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-ci-')));
const GUIDE = readFileSync(packageFile('docs/ci.md'), 'utf8');
const ACTION = readFileSync(packageFile('action.yml'), 'utf8');
const OBJECT = packageFile('bpf/built/icmp_drop.o');

/** An `npm` and an `npx` that bring this build, where the real ones would fetch it. */
const NPM = `#!/bin/sh
while [ $# -gt 1 ]; do
  if [ "$1" = --prefix ]; then prefix=$2; fi
  shift
done
echo "$1" > "$prefix.package"
mkdir -p "$prefix/node_modules/.bin"
printf '#!/bin/sh\\nexec ${COMMAND.join(' ')} "$@"\\n' > "$prefix/node_modules/.bin/xdpsim"
chmod +x "$prefix/node_modules/.bin/xdpsim"
`;
const NPX = `#!/bin/sh
while [ "$1" != xdpsim ]; do shift; done
shift
exec ${COMMAND.join(' ')} "$@"
`;

beforeAll(() => {
  buildCommand();
  mkdirSync(join(scratch, 'bin'));
  for (const [name, text] of [
    ['npm', NPM],
    ['npx', NPX],
    ['apt-get', '#!/bin/sh\n'],
  ] as const) {
    writeFileSync(join(scratch, 'bin', name), text);
    chmodSync(join(scratch, 'bin', name), 0o755);
  }
  writeFileSync(join(scratch, 'drop.o'), readFileSync(OBJECT));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function bash(script: string, env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
    cwd: scratch,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${scratch}/bin:${process.env.PATH}`, RUNNER_TEMP: scratch, ...env },
  });
  return { code: status, out: stdout, err: stderr };
}

/** The lines below `key: |`, or the items of the list below `key:`. */
function block(yaml: string, key: string): string {
  const lines = yaml.split('\n');
  const at = lines.findIndex((line) => line.trimStart().startsWith(`${key}:`));
  const depth = (line: string): number => line.length - line.trimStart().length;
  const below: string[] = [];
  for (const line of lines.slice(at + 1)) {
    if (line.trim() !== '' && depth(line) <= depth(lines[at]!)) break;
    below.push(line.trim().replace(/^- /, ''));
  }
  return below.join('\n');
}

function recipe(heading: string): string {
  return new RegExp(`## ${heading}\\n[\\s\\S]*?\`\`\`yaml\\n([\\s\\S]*?)\`\`\``).exec(GUIDE)![1]!;
}

describe('the GitHub action', () => {
  const script = block(ACTION, 'run');
  const inputs = {
    XDPSIM_ARGUMENTS: '--runs 500 --no-sweeps --seed 1 --min-coverage 0',
    XDPSIM_SARIF: 'out.sarif',
    XDPSIM_PACKAGE: 'xdpsim@1',
    XDPSIM_SUDO: 'false',
  };

  it('checks objects with the package that it is told, and writes SARIF', () => {
    const { code, err, out } = bash(script, { ...inputs, XDPSIM_OBJECTS: 'drop.o' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^PASS drop\.o/m);
    expect(readFileSync(join(scratch, 'xdpsim.package'), 'utf8')).toBe('xdpsim@1\n');
    expect(JSON.parse(readFileSync(join(scratch, 'out.sarif'), 'utf8')).version).toBe('2.1.0');
  });

  it('takes no input for code, and fails as the check does', () => {
    const { code } = bash(script, { ...inputs, XDPSIM_OBJECTS: '$(touch hacked) ; touch hacked2' });
    expect(code).toBe(2);
    expect(() => readFileSync(join(scratch, 'hacked'))).toThrow();
    expect(() => readFileSync(join(scratch, 'hacked2'))).toThrow();
  });

  it('gives its script every input, and no other way in', () => {
    const declared = [...ACTION.matchAll(/^ {2}([a-z-]+):\n {4}description:/gm)].map((one) => one[1]);
    const used = [...ACTION.matchAll(/\$\{\{ inputs\.([a-z-]+) \}\}/g)].map((one) => one[1]);
    expect([...used].sort()).toEqual([...declared].sort());
    expect(script).not.toContain('${{');
    // The guide names them all.
    for (const name of declared) expect(GUIDE).toContain(`| \`${name}\` |`);
  });
});

describe('the recipes', () => {
  it('for GitLab writes the report that it names', () => {
    const yaml = recipe('GitLab');
    writeFileSync(
      join(scratch, 'xdpsim.config.json'),
      JSON.stringify({ programs: ['drop.o'], runs: 500, sweeps: false, minCoverage: 0 }),
    );
    const { code, err } = bash(`set -e\n${block(yaml, 'before_script')}\n${block(yaml, 'script')}`);
    rmSync(join(scratch, 'xdpsim.config.json'));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const report = /junit: (\S+)/.exec(yaml)![1]!;
    expect(readFileSync(join(scratch, report), 'utf8')).toContain('<testsuites name="xdpsim check">');
  });

  it('for pre-commit checks the files that it is given, of the names that it asks for', () => {
    const yaml = recipe('pre-commit');
    const entry = /entry: (.+)/.exec(yaml)![1]!;
    const files = new RegExp(/files: (.+)/.exec(yaml)![1]!);
    expect(['src/a.bpf.c', 'src/a.c', 'a.bpf.c.orig'].map((name) => files.test(name))).toEqual([
      true,
      false,
      false,
    ]);
    expect(bash(`${entry} drop.o`)).toMatchObject({ code: 0, err: '' });
    expect(bash(`${entry} gone.bpf.c`)).toMatchObject({ code: 2 });
  });

  it('for GitHub uses the action with inputs that it has', () => {
    const yaml = recipe('GitHub');
    expect(yaml).toContain('uses: OWNER/xdpsim@REF');
    for (const name of ['objects', 'arguments']) expect(ACTION).toContain(`\n  ${name}:\n`);
    expect(yaml).toContain(
      `sarif_file: ${/sarif:\n {4}description: .*\n {4}default: (\S+)/.exec(ACTION)![1]}`,
    );
  });

  const python = spawnSync('python3', ['-c', 'import yaml']).status === 0;
  it.skipIf(!python)('are YAML', () => {
    for (const text of [ACTION, recipe('GitHub'), recipe('GitLab'), recipe('pre-commit')]) {
      const { status, stderr } = spawnSync('python3', ['-c', 'import sys, yaml; yaml.safe_load(sys.stdin)'], {
        input: text,
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
  });
});
