/** Worlds that state no devices: the machine and the kernel give programs the same ones, and none of them is the host's. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from '../cli/test-support/built-command.ts';
import { createNetns } from '../kernel/network/netns.ts';
import type { Session } from '../sim/engines/engine.ts';
import type { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import type { EngineName } from '../sim/engines/register.ts';
import type { Stimulus } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixtureOf, frame, outcomes } from './test-support/testrun.ts';

const sessions: Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
});

async function run(
  engine: EngineName,
  program: Program,
  world: World,
  stimuli: readonly Stimulus[],
): Promise<OutcomeBatch> {
  const session = await createEngine(engine).open(program, world);
  sessions.push(session);
  const batch = batchOf(...stimuli);
  const output = outcomes(batch);
  await session.run(batch, output);
  return output;
}

/** A frame that asks the program for a device, and for more. */
function asking(ifindex: number, more: number = 0, length: number = 60): Stimulus {
  const packet = frame(length);
  const view = new DataView(packet.buffer);
  view.setUint32(14, ifindex, true);
  view.setUint32(18, more, true);
  return { packet };
}

const IFINDEXES = [0, 1, 2, 3, 8, 9, 4711, -1];
const KERNEL_AND_MACHINE: readonly EngineName[] = ['vm', 'wasm', 'testrun'];

beforeAll(buildCommand, BUILD_TIMEOUT);

describeKernel('the default world', ['root', 'testrun', 'compiler'], () => {
  it('sends copies to devices 2 to 8 and to no other', async () => {
    for (const engine of KERNEL_AND_MACHINE) {
      const asked = IFINDEXES.map((ifindex) => asking(ifindex));
      const output = await run(engine, fixtureOf('default-world', 'clone', 'tc-ingress'), {}, asked);
      const results = [...output.mark.subarray(0, asked.length)].map((mark) => mark | 0);
      expect(results, engine).toEqual([-22, 0, 0, 0, 0, -22, -22, -22]);
    }
  });

  it('takes copies of any length, on their way out and in', async () => {
    const asked = [60, 1514, 1518, 1519, 3712].flatMap((length) => [
      asking(2, 0, length),
      asking(2, 1, length),
      asking(1, 0, length),
      asking(1, 1, length),
    ]);
    const program = fixtureOf('default-world', 'clone', 'tc-ingress');
    const expected = [...(await run('testrun', program, {}, asked)).mark.subarray(0, asked.length)];
    for (const engine of ['vm', 'wasm'] as const) {
      const output = await run(engine, program, {}, asked);
      expect([...output.mark.subarray(0, asked.length)], engine).toEqual(expected);
    }
  });

  it('answers about routes and MTUs alike', async () => {
    const asked = IFINDEXES.map((ifindex) => asking(ifindex));
    const program = fixtureOf('default-world', 'look');
    const expected = await run('testrun', program, {}, asked);
    expect(expected.notes.size).toBe(0);
    for (const engine of ['vm', 'wasm'] as const) {
      const output = await run(engine, program, {}, asked);
      for (let packet = 0; packet < asked.length; packet++) {
        expect(output.packet(packet), `${engine}, ifindex ${IFINDEXES[packet]}`).toEqual(
          expected.packet(packet),
        );
      }
    }
  });

  it('has the devices that the entries of a device map name', async () => {
    const maps = { ports: [{ key: new Uint8Array(4), value: Uint8Array.of(77, 0, 0, 0) }] };
    for (const engine of KERNEL_AND_MACHINE) {
      const program = fixtureOf('default-world', 'through');
      expect((await run(engine, program, { maps }, [asking(0)])).action[0], engine).toBe(4);
      expect((await run(engine, program, {}, [asking(0)])).action[0], engine).toBe(0);
    }
  });

  it('leaves the counters of every device of the host alone, whatever engine runs', () => {
    const host = createNetns();
    const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-host-'));
    try {
      const pairs = [2, 3, 4].map(
        (ifindex) =>
          `name eth${ifindex} index ${ifindex} type veth peer name far${ifindex} index ${ifindex + 10}`,
      );
      host.sysctl('ipv6/conf/default/disable_ipv6', 1);
      host.ip(pairs.map((pair) => `link add ${pair}`));
      host.ip([
        'link set lo up',
        ...[2, 3, 4].flatMap((one) => [`link set eth${one} up`, `link set far${one} up`]),
      ]);
      const { object } = fixtureOf('default-world', 'clone');
      const path = join(scratch, 'clone.o');
      writeFileSync(path, object!);
      const before = counters(host);
      expect(before).toContain('eth3:');
      for (const engines of ['vm,wasm,testrun', 'vm,veth']) {
        const args = ['verify', `${path}:flood`, '--engines', engines, '--runs', '300', '--json'];
        const { stdout, stderr } = xdpsim(['nsenter', `--net=${host.path}`], args, scratch);
        const report = JSON.parse(stdout || '{}');
        expect(report.programs?.[0].packets, `${engines}: ${stderr}`).toBeGreaterThan(0);
        for (const engine of report.programs[0].engines)
          expect(engine, stderr).toMatchObject({ status: 'ran' });
        expect(counters(host), `after ${engines}`).toBe(before);
      }
    } finally {
      host.close();
      rmSync(scratch, { recursive: true });
    }
  });

  it('needs no namespace for programs that send nothing, without the right to make one', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-rights-'));
    try {
      const path = join(scratch, 'rights.o');
      writeFileSync(path, fixtureOf('default-world', 'through').object!);
      const less = ['setpriv', '--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'];
      const verify = (name: string) =>
        xdpsim([...less], ['verify', `${path}:${name}`, '--engines', 'vm,testrun', '--runs', '100'], scratch);
      const harmless = verify('through');
      expect(harmless.status, harmless.stdout + harmless.stderr).toBe(0);
      const sending = verify('clone');
      expect(sending.status, sending.stdout + sending.stderr).toBe(3);
      expect(sending.stdout).toContain('calls bpf_clone_redirect: that needs a network namespace of its own');
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});

function counters(host: ReturnType<typeof createNetns>): string {
  return host.enter(() => readFileSync('/proc/thread-self/net/dev', 'latin1'));
}

/** The command, started by another one that changes its surroundings. */
function xdpsim(starter: readonly string[], args: readonly string[], directory: string) {
  const [first, ...others] = [...starter, ...COMMAND, ...args];
  return spawnSync(first!, others, { cwd: directory, encoding: 'utf8' });
}
