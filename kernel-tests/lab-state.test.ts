import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { BUILD_TIMEOUT, buildCommand } from '../cli/test-support/built-command.ts';
import { runInProcess } from '../cli/test-support/in-process.ts';
import { attachedTo } from '../kernel/lab/attachments.ts';
import { Lab } from '../kernel/lab/lab.ts';
import { load, unload } from '../kernel/lab/load.ts';
import { lockedLater, STATE_DIRECTORY } from '../kernel/lab/lock.ts';
import { DEFAULT_LAB } from '../kernel/lab/names.ts';
import { reset, setup, teardown } from '../kernel/lab/setup.ts';
import { labNames, readState, removeState } from '../kernel/lab/state.ts';
import { labStatus } from '../kernel/lab/status.ts';
import { LOCK_EX, libc } from '../kernel/libc.ts';
import { packageFile } from '../kernel/package-file.ts';
import { removeNetnsName } from '../kernel/process/leftovers.ts';
import { built, freshName, labProcess, make, open, tearDownAfterEach, traces } from './test-support/lab.ts';
import { describeKernel } from './test-support/require-kernel.ts';

tearDownAfterEach();

const stateFile = (lab: string): string => join(STATE_DIRECTORY, `${lab}.json`);

beforeAll(buildCommand, BUILD_TIMEOUT);

describeKernel('several commands that change one device at once', ['root', 'libbpf'], () => {
  it('leave what the last one has loaded, known as the lab’s own, and nothing else', async () => {
    const lab = make(['left']);
    const object = (program: string): string =>
      fileURLToPath(new URL(`../bpf/built/${program}.o`, import.meta.url));
    const loaders = ['layer_coop', 'icmp_echo', 'account', 'xdp_drop'].map((program) =>
      labProcess(`
        const object = new Uint8Array(readFileSync(${JSON.stringify(object(program))}));
        for (let round = 0; round < 6; round++) {
          const lab = new Lab(${JSON.stringify(lab.name)});
          load(lab, 'left', { object, file: '${program}.o', replace: true });
          lab.close();
        }`),
    );
    const codes = await Promise.all(loaders.map(async (one) => (await once(one, 'close'))[0] as number));
    expect(codes).toEqual([0, 0, 0, 0]);
    const after = open(lab.name);
    const attached = attachedTo(after.device('left')).map((one) => one.id);
    const noted = after.attachments('left').map((one) => one.id);
    expect(attached.toSorted()).toEqual(noted.toSorted());
    expect(new Set(after.attachments('left').map((one) => one.object)).size).toBe(1);
    unload(after, 'left');
    expect(attachedTo(after.device('left'))).toEqual([]);
  });

  it('load and unload without confusion', async () => {
    const lab = make(['left']);
    const changers = ['load', 'unload'].map((what) =>
      labProcess(`
        const object = new Uint8Array(readFileSync(${JSON.stringify(packageFile('bpf/built/layer_coop.o'))}));
        for (let round = 0; round < 8; round++) {
          const lab = new Lab(${JSON.stringify(lab.name)});
          if ('${what}' === 'load') load(lab, 'left', { object, file: 'layer_coop.o', replace: true });
          else unload(lab, 'left');
          lab.close();
        }`),
    );
    const codes = await Promise.all(changers.map(async (one) => (await once(one, 'close'))[0] as number));
    expect(codes).toEqual([0, 0]);
    const after = open(lab.name);
    expect(attachedTo(after.device('left')).length).toBe(after.attachments('left').length);
    expect(existsSync(after.pinDirectory('left'))).toBe(after.attachments('left').length > 0);
  });

  it('see the lab as it is, not as it was when they opened it', () => {
    const name = freshName();
    setup(name, { name: 'left' });
    const opened = open(name);
    teardown(name);
    setup(name, { name: 'left' });
    load(opened, 'left', built('xdp_pass'));
    expect(labStatus(open(name)).environments[0]).toMatchObject({ programs: [{ function: 'xdp_pass' }] });
    teardown(name);
    expect(() => load(opened, 'left', built('xdp_pass'))).toThrow(`the lab ${name} was torn down meanwhile`);
  });

  it('take off what was attached when the command that did it was killed before it could write that down', () => {
    const lab = make(['left']);
    load(lab, 'left', built('layer_coop'));
    const before = readFileSync(stateFile(lab.name));
    const [xdp, tc] = lab.attachments('left');
    // What the file says between the note and the attachment, on a kernel where the mode turns out another.
    writeFileSync(stateFile(lab.name), String(before).replace('"native"', '"generic"'));
    expect(unload(open(lab.name), 'left').map((one) => one.id)).toEqual([xdp!.id, tc!.id]);
    expect(attachedTo(open(lab.name).device('left'))).toEqual([]);
  });

  it.each([
    ['in the same mode', 'native', 'icmp_echo'],
    ['in the other mode', 'generic', 'layer_coop'],
  ] as const)(
    'know every program that is attached, wherever one is killed that puts a program %s instead of another',
    (_, mode, program) => {
      const lab = make(['left']);
      load(lab, 'left', built('layer_coop'));
      const note = lab.noteAttachments.bind(lab);
      const unknown: string[] = [];
      let changes = 0;
      lab.noteAttachments = (device, attached) => {
        // Between two notes, programs come and go: what is attached before and after each is all there is to meet.
        for (const write of [() => {}, () => note(device, attached)]) {
          write();
          changes++;
          const known = readState(lab.name)!.attachments.map(({ id }) => id);
          const there = attachedTo(lab.device('left')).filter(({ id }) => !known.includes(id));
          unknown.push(...there.map(({ name }) => name));
        }
      };
      load(lab, 'left', { ...built(program), mode, replace: true });
      expect(unknown).toEqual([]);
      expect(changes).toBeGreaterThanOrEqual(4);
    },
  );

  it('remove what a command that was killed had begun to write, whatever lab that was', () => {
    mkdirSync(STATE_DIRECTORY, { recursive: true, mode: 0o700 });
    const killed = freshName();
    writeFileSync(`${stateFile(killed)}.new`, '{');
    expect(() => teardown(killed)).toThrow('not set up');
    expect(traces(killed)).toEqual([]);
    writeFileSync(`${stateFile(killed)}.new`, '{');
    make(['left']);
    expect(traces(killed)).toEqual([]);
  });

  it('handle signals while they wait for another one, and say that they wait', async () => {
    mkdirSync(STATE_DIRECTORY, { recursive: true, mode: 0o700 });
    const held = openSync(STATE_DIRECTORY, 'r');
    libc().flock(held, LOCK_EX);
    const interrupted = once(process, 'SIGUSR2');
    const order: string[] = [];
    await lockedLater(
      () => order.push('changed'),
      async () => {
        order.push('told');
        process.kill(process.pid, 'SIGUSR2');
        await interrupted;
        order.push('interrupted');
        closeSync(held);
      },
    );
    expect(order).toEqual(['told', 'interrupted', 'changed']);
  });

  it('are not waited for where a name cannot be one', async () => {
    mkdirSync(STATE_DIRECTORY, { recursive: true, mode: 0o700 });
    const held = openSync(STATE_DIRECTORY, 'r');
    libc().flock(held, LOCK_EX);
    try {
      for (const [args, message] of [
        [['unload', 'a', '--lab', '../..'], /^xdpsim: “\.\.\/\.\.” cannot be a lab's name\n/],
        [['teardown', '--host', '--lab', 'b'], /^xdpsim: --host and --lab name different labs/],
        [['setup', 'a b', '--lab', freshName()], /^xdpsim: “a b” cannot be an environment's name\n/],
      ] as const)
        expect(await runInProcess('lab', ...args)).toMatchObject({
          code: 2,
          err: expect.stringMatching(message),
        });
    } finally {
      closeSync(held);
    }
  });
});

describeKernel('a lab whose file is damaged', ['root', 'libbpf'], () => {
  const canaries: string[] = [];
  afterEach(() => {
    for (const canary of canaries.splice(0)) rmSync(canary, { recursive: true, force: true });
  });

  it('removes no directory that the file names', () => {
    const lab = make(['left']);
    load(lab, 'left', built('layer_coop'));
    const canary = mkdtempSync(join(tmpdir(), 'xdpsim-canary-'));
    canaries.push(canary);
    writeFileSync(join(canary, 'file'), '');
    const state = JSON.parse(readFileSync(stateFile(lab.name), 'utf8')) as object;
    writeFileSync(stateFile(lab.name), JSON.stringify({ ...state, pinRoot: canary }));
    expectDamaged(lab.name);
    expect(existsSync(join(canary, 'file'))).toBe(true);
  });

  it.each([
    ['truncated', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 100))],
    ['empty', (path: string) => writeFileSync(path, '')],
    ['deeply nested', (path: string) => writeFileSync(path, '['.repeat(200_000))],
    ['very large', (path: string) => writeFileSync(path, ' '.repeat(2 << 20))],
    ['a directory', (path: string) => replaceBy(path, () => mkdirSync(path))],
    ['a link', (path: string) => replaceBy(path, () => symlinkSync('/etc/passwd', path))],
    ['a pipe that nobody writes to', (path: string) => replaceBy(path, () => spawnSync('mkfifo', [path]))],
  ])('is refused by every command but teardown, which removes it: %s', (_, damage) => {
    const lab = make(['left']);
    damage(stateFile(lab.name));
    expectDamaged(lab.name);
  });

  function replaceBy(path: string, make: () => unknown): void {
    rmSync(path);
    make();
  }

  function expectDamaged(name: string): void {
    const damaged = expect.objectContaining({
      kind: 'environment',
      message: expect.stringContaining(`${stateFile(name)} is damaged: `) as string,
      remedy: expect.stringContaining(`xdpsim lab teardown --lab ${name}`) as string,
    });
    expect(() => new Lab(name)).toThrow(damaged);
    expect(() => setup(name, { name: 'more' })).toThrow(damaged);
    expect(teardown(name).map((one) => one.name)).toEqual(['left']);
    expect(traces(name)).toEqual([]);
    expect(existsSync('/etc/passwd')).toBe(true);
  }
});

describeKernel('a lab whose file is lost', ['root', 'libbpf'], () => {
  it('is found and removed, with its programs and pins', () => {
    const lab = make(['left', 'right']);
    load(lab, 'left', built('layer_coop'));
    removeState(lab.name);
    expect(
      teardown(lab.name)
        .map((one) => one.name)
        .toSorted(),
    ).toEqual(['left', 'right']);
    expect(traces(lab.name)).toEqual([]);
    expect(() => teardown(lab.name)).toThrow(`the lab ${lab.name} is not set up`);
  });

  it('is found with numbers, addresses and all, so that one environment can go and the others stay', () => {
    const lab = make(['left', 'right']);
    removeState(lab.name);
    teardown(lab.name, 'left');
    expect(open(lab.name).state.environments).toEqual([
      { name: 'right', number: 2, namespace: `xdpsim-${lab.name}-right`, ipv4: true, vlan: false },
    ]);
    reset(lab.name);
    expect(labStatus(open(lab.name)).environments).toMatchObject([{ name: 'right', broken: undefined }]);
  });

  it('is found in the default lab, whose namespaces have plain names; others’ stay', () => {
    if (labNames().includes(DEFAULT_LAB)) return;
    const name = `xq${process.pid}`;
    spawnSync('ip', ['netns', 'add', `${name}-theirs`]);
    try {
      setup(DEFAULT_LAB, { name });
      removeState(DEFAULT_LAB);
      expect(teardown(DEFAULT_LAB).map((one) => one.name)).toEqual([name]);
      expect(existsSync(`/run/netns/${name}`)).toBe(false);
      expect(existsSync(`/run/netns/${name}-theirs`)).toBe(true);
    } finally {
      removeNetnsName(`/run/netns/${name}-theirs`);
    }
  });

  it('is told apart from a lab whose name begins with its own', () => {
    const short = make(['left']);
    const long = make(['left'], `${short.name}-more`);
    removeState(short.name);
    removeState(long.name);
    teardown(short.name);
    expect(teardown(long.name).map((one) => one.name)).toEqual(['left']);
    expect(traces(short.name)).toEqual([]);
  });

  it('is found after its maker was killed, however far it had come', async () => {
    const stages: ((name: string) => boolean)[] = [
      (name) => existsSync(`/run/netns/xdpsim-${name}`),
      (name) => existsSync(`/run/netns/xdpsim-${name}-left`),
      (name) => existsSync(`/run/netns/xdpsim-${name}-right`),
    ];
    for (const reached of stages) {
      const name = freshName();
      const maker = labProcess(
        `for (const name of ['left', 'right', 'more']) setup(${JSON.stringify(name)}, { name });`,
      );
      while (!reached(name)) await new Promise((resolve) => setImmediate(resolve));
      process.kill(-maker.pid!, 'SIGKILL');
      await once(maker, 'close');
      removeState(name);
      teardown(name);
      expect(traces(name)).toEqual([]);
    }
  });

  it('names no path outside of the state directory', () => {
    for (const name of ['../../etc/passwd', 'a/b', '.', '']) {
      expect(() => new Lab(name)).toThrow("cannot be a lab's name");
      expect(() => teardown(name)).toThrow("cannot be a lab's name");
    }
  });
});
