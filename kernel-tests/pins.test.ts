/**
 * Clock and chance, pinned: the kernel gives programs the values that the machine gives them, so that programs in which
 * they decide are compared in full.
 */
import { afterEach, expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import type { Session } from '../sim/engines/engine.ts';
import type { EngineName } from '../sim/engines/register.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixtureOf, frame, outcomes } from './test-support/testrun.ts';

/** `XDPSIM_PIN_PACKETS` goes further than a suite should. */
const PACKETS = Number(process.env.XDPSIM_PIN_PACKETS ?? 20_000);

const FUNCTIONS: readonly (readonly [string, Hook, boolean])[] = [
  ['every_clock', 'xdp', true],
  ['one_in_ten', 'xdp', true],
  ['idle', 'xdp', true],
  ['nested', 'xdp', true],
  ['staged', 'xdp', false],
  ['flow_hash', 'tc-ingress', false],
  ['flow_hash', 'tc-egress', false],
  ['token_bucket', 'xdp', true],
];

const WORLDS: readonly { readonly name: string; readonly world: World }[] = [
  { name: 'frozen', world: {} },
  { name: 'ticking', world: { time: 3_600_000_000_000n, tick: 1_000_003n, randomSeed: 99, hashSeed: 5 } },
  { name: 'jumping', world: { time: 5n, tick: 0x7fff_ffff_ffffn, randomSeed: 0xffff_ffff } },
];

const sessions: Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
});

describeKernel('clock and chance in the kernel', ['root', 'testrun', 'compiler'], () => {
  for (const [name, hook] of FUNCTIONS) {
    it(`are the machine's in ${name} (${hook})`, async () => {
      const report = await verify({
        program: fixtureOf('clocks', name, hook),
        engines: (['vm', 'wasm', 'testrun'] as const).map(createEngine),
        seed: 'pins',
        runs: PACKETS,
        worlds: WORLDS,
      });
      expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
      for (const { status, reason } of report.engines) expect(reason ?? status).toBe('ran');
      expect(report.packets).toBe(PACKETS);
    });
  }

  it.each([0, 3, 4095])('are those of CPU %i, wherever the kernel runs', async (cpu) => {
    const seen = `r6 = *(u32 *)(r1 + 0)
      call bpf_get_smp_processor_id
      if r0 == ${cpu} goto there
      r0 = 1
      exit
    there:
      r0 = 3
      exit`;
    const report = await verify({
      program: {
        name: 'cpu',
        entries: [{ function: 'main', hook: 'xdp' }],
        object: writeElf({ main: seen }),
      },
      engines: (['wasm', 'testrun'] as const).map(createEngine),
      seed: 'cpu',
      runs: 100,
      worlds: [{ name: 'one', world: { cpu } }],
    });
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
    expect(report.engines.map(({ status, reason }) => reason ?? status)).toEqual(['ran', 'ran']);
    expect(report.actions).toEqual({ XDP_TX: 100 });
  });

  it('vary where no world is stated, so that buckets empty and fill again; and the report names them', async () => {
    const report = await verify({
      program: fixtureOf('clocks', 'token_bucket'),
      engines: (['wasm', 'testrun'] as const).map(createEngine),
      seed: 'refill',
      runs: 10_000,
    });
    expect(report.divergences).toEqual([]);
    const { XDP_DROP: dropped = 0, XDP_PASS: passed = 0 } = report.actions;
    expect(dropped).toBeGreaterThan(100);
    expect(passed).toBeGreaterThan(dropped);
    expect(report.engines.find(({ name }) => name === 'testrun')!.pinned).toContain('bpf_ktime_get_ns');
  });

  it('start again with a session that is reset, and go on from batch to batch', async () => {
    const seen = new Map<EngineName, string[]>();
    for (const engine of ['vm', 'testrun'] as const) {
      const session = await open(engine, fixtureOf('clocks', 'every_clock'), WORLDS[1]!.world);
      const contents: string[] = [];
      for (const what of ['run', 'run', 'reset', 'run'] as const) {
        if (what === 'reset') await session.reset();
        else await runFrames(session, 5);
        const map = session.maps().find((one) => one.definition.name === 'seen')!;
        contents.push(Buffer.from(map.values).toString('hex'));
      }
      expect(contents[3]).toBe(contents[0]);
      expect(contents[1]).not.toBe(contents[0]);
      seen.set(engine, contents);
    }
    expect(seen.get('testrun')).toEqual(seen.get('vm'));
  });

  it('are named by the session', async () => {
    const session = await open('testrun', fixtureOf('clocks', 'token_bucket'), {});
    expect(session.pinning!.live).toEqual([]);
    expect(session.pinning!.pinned).toContain('bpf_ktime_get_ns');
  });

  it('are the kernel’s own again where one more function does not fit into a program', async () => {
    const session = await open('testrun', fixtureOf('clocks', 'deep'), {});
    expect(session.pinning!.live).toContain('bpf_ktime_get_ns');
    expect(session.pinning!.reason).toMatch(
      /^the kernel does not take a copy of deep with one more function/,
    );
    expect((await runFrames(session, 3)).action[0]).toBe(2);
  });
});

describeKernel('clock and chance that cannot be pinned', ['root', 'testrun', 'compiler'], () => {
  for (const name of ['deep', 'deep_sampler']) {
    it(`are masked in ${name}, and what is masked is named`, async () => {
      const report = await verify({
        program: fixtureOf('clocks', name),
        engines: (['wasm', 'testrun'] as const).map(createEngine),
        seed: 'masks',
        runs: 8_000,
      });
      expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
      expect(report.packets).toBe(8_000);
      const masked = report.notCompared.filter(({ what }) => what.includes('bpf_ktime_get_ns'));
      expect(masked.map(({ what }) => what.replace(/ depends on.*/, ''))).toContain(
        'map seen: bytes 0-7 of its values:',
      );
    });
  }
});

describeKernel('clock and chance on live frames', ['root', 'frames', 'compiler'], () => {
  for (const [name, hook, alone] of FUNCTIONS) {
    if (!alone) continue;
    it(`are the machine's in ${name} (${hook})`, async () => {
      const program = fixtureOf('clocks', name, hook);
      const report = await verify({
        program,
        engines: (['wasm', 'veth'] as const).map(createEngine),
        seed: 'live',
        runs: 600,
        batchSize: 200,
        source: new PacketGenerator(undefined, ['xdp']),
        worlds: WORLDS,
      });
      expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
      for (const { status, reason } of report.engines) expect(reason ?? status).toBe('ran');
    });
  }
});

async function open(engine: EngineName, program: Program, world: World): Promise<Session> {
  const session = await createEngine(engine).open(program, world);
  sessions.push(session);
  return session;
}

async function runFrames(session: Session, count: number) {
  const batch = batchOf(...Array.from({ length: count }, (_, index) => ({ packet: frame(60 + index) })));
  const output = outcomes(batch);
  await session.run(batch, output);
  return output;
}
