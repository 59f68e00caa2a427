/** Objects that hold programs of many types: those that packets come to are tested, the others are named. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { notTested, programsOfObject } from '../cli/input/program-source.ts';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from '../cli/test-support/built-command.ts';
import { buildStyle } from './styles/programs.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixtureOf, frame, outcomes } from './test-support/testrun.ts';

const NOT_TESTED = [
  ['egress', 'xdp/devmap', 'runs behind a redirect (devmap)'],
  ['egress_frags', 'xdp.frags/devmap', 'runs behind a redirect (devmap)'],
  ['on_cpu', 'xdp/cpumap', 'runs behind a redirect (cpumap)'],
  ['filter', 'socket', 'type socket filter, neither XDP nor TC'],
  ['cgroup', 'cgroup_skb/egress', 'type cgroup_skb, neither XDP nor TC'],
  ['dissect', 'flow_dissector', 'type flow_dissector, neither XDP nor TC'],
  ['probe', 'kprobe/ip_rcv', 'type kprobe, neither XDP nor TC'],
  ['trace', 'tracepoint/net/netif_rx', 'type tracepoint, neither XDP nor TC'],
  ['message', 'sk_msg', 'type sk_msg, neither XDP nor TC'],
  ['replacement', 'freplace/prog', 'type extension (freplace), neither XDP nor TC'],
].map(([name, section, reason]) => ({ program: `sections.o:${name}`, section, reason }));

beforeAll(buildCommand, BUILD_TIMEOUT);

let scratch: string;
let path: string;

function xdpsim(...args: string[]) {
  return spawnSync(COMMAND[0], [COMMAND[1], ...args], {
    cwd: scratch,
    encoding: 'utf8',
  });
}

describeKernel('an object with programs of many types', ['root', 'testrun', 'compiler'], () => {
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'xdpsim-sections-'));
    path = join(scratch, 'sections.o');
    writeFileSync(path, fixtureOf('sections', 'fwd').object!);
  });
  afterAll(() => rmSync(scratch, { recursive: true }));

  it('is tested in its XDP and TC programs, and names the others', () => {
    const functions = programsOfObject({ path, function: undefined }).map((one) => one.entries[0]!.function);
    expect(functions.sort()).toEqual(['fwd', 'optional', 'policed', 'unnamed']);
    const byName = (a: { program: string }, b: { program: string }) => (a.program < b.program ? -1 : 1);
    expect(notTested([path]).sort(byName)).toEqual([...NOT_TESTED].sort(byName));
    expect(notTested([`${path}:fwd`])).toEqual([]);
  });

  it('agrees with the kernel, whatever else it holds', () => {
    const { status, stdout, stderr } = xdpsim(
      'verify',
      path,
      '--runs',
      '2000',
      '--engines',
      'wasm,testrun',
      '--json',
    );
    expect(status, stderr).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.notTested).toHaveLength(NOT_TESTED.length);
    for (const program of report.programs) {
      expect(program.divergences, program.name).toEqual([]);
      for (const engine of program.engines) expect(engine).toMatchObject({ status: 'ran' });
    }
  });

  it('is checked likewise, actions as the classifiers that they are to the kernel', () => {
    const { stdout, stderr } = xdpsim('check', path, '--runs', '300', '--seed', 'sections', '--json');
    const { programs, notTested: left } = JSON.parse(stdout);
    const others = NOT_TESTED.filter(({ reason }) => reason?.startsWith('runs behind a redirect') !== true);
    expect(left, stderr).toHaveLength(others.length);
    const behind = programs.find(({ name }: { name: string }) => name === 'sections.o:on_cpu');
    expect(behind).toMatchObject({
      ...{ verdict: 'pass', engines: [{ status: 'ran' }, { status: 'skipped' }] },
      notChecked: [expect.stringContaining('on_cpu runs behind a redirect only (cpumap)')],
    });
    const policed = programs.find(({ name }: { name: string }) => name === 'sections.o:policed');
    expect(policed).toMatchObject({ verdict: 'pass', engines: [{ status: 'ran' }, { status: 'ran' }] });
    const text = xdpsim('check', `${path}:policed`, '--runs', '300', '--seed', 'sections').stdout;
    expect(text).not.toContain('Not checked by itself');
    const whole = xdpsim('check', path, '--runs', '300', '--seed', 'sections').stdout;
    expect(whole).toContain(
      'Not checked by itself: sections.o:probe, section kprobe/ip_rcv: type kprobe, neither XDP nor TC',
    );
  });

  it('runs a program of a device map in the machine, and says why the kernel cannot', async () => {
    const program = programsOfObject({ path, function: 'egress_frags' })[0]!;
    for (const name of ['vm', 'wasm'] as const) {
      const session = await createEngine(name).open(program, {});
      const batch = batchOf({ packet: frame(60) });
      const output = outcomes(batch);
      await session.run(batch, output);
      // Whatever device the frame goes out of, it has a number.
      expect([output.status[0], output.action[0]], name).toEqual([0, 1]);
    }
    for (const name of ['testrun', 'veth'] as const) {
      expect(createEngine(name).availability(program), name).toMatchObject({
        available: false,
        reason: 'egress_frags runs behind a redirect only (devmap)',
      });
    }
  });

  it('refuses a program of another type by its name', () => {
    const named = () => programsOfObject({ path, function: 'probe' });
    expect(named).toThrow('probe cannot be tested: section kprobe/ip_rcv: type kprobe, neither XDP nor TC');
  });
});

describeKernel('an object whose programs call each other', ['compiler'], () => {
  it('is tested where packets come in, and names the programs behind tail calls', () => {
    const folder = mkdtempSync(join(tmpdir(), 'xdpsim-sections-'));
    try {
      const dispatcher = join(folder, 'dispatcher.o');
      writeFileSync(dispatcher, buildStyle('dispatcher', 'right'));
      const tested = programsOfObject({ path: dispatcher, function: undefined });
      // disp_again calls itself only: it is where packets come in, too.
      expect(tested.map((one) => one.entries[0]!.function).sort()).toEqual([
        'disp_again',
        'disp_chain',
        'disp_protocol',
        'disp_stages',
        'disp_tc',
      ]);
      expect(
        Object.fromEntries(notTested([dispatcher]).map(({ program, reason }) => [program, reason])),
      ).toEqual({
        'dispatcher.o:disp_udp': 'runs behind tail calls of disp_protocol',
        'dispatcher.o:disp_icmp': 'runs behind tail calls of disp_protocol',
        'dispatcher.o:disp_second': 'runs behind tail calls of disp_stages',
        'dispatcher.o:disp_tc_last': 'runs behind tail calls of disp_tc',
      });
      // Who names one means it.
      expect(programsOfObject({ path: dispatcher, function: 'disp_udp' })).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
