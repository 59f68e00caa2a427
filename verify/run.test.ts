import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Case, SavedCase } from '../corpus/cases/case.ts';
import type { LimitsByHook } from '../corpus/generate/packet-limits.ts';
import type { Seed } from '../corpus/generate/random.ts';
import { EngineError } from '../sim/engines/engine.ts';
import type { EngineName } from '../sim/engines/register.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../sim/runtime/actions.ts';
import type { NamedWorld, Program, ProgramDefinition } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import type { Divergence } from './report.ts';
import { mergeReports, reportToJson, withCoverageFigures } from './report.ts';
import { exampleCases, type PacketSource, type VerifyOptions, verify } from './run.ts';
import { type Behaviour, COUNTS, FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';
import { data, ethernet, icmp, ipv4 } from './test-support/packets.ts';

/** Packets that spell their own index, 20 bytes long; every tenth has only 3 where limits allow. */
const numbered: PacketSource = {
  fill(batch: PacketBatch, _seed: Seed, first: number, count: number, limits: LimitsByHook): void {
    for (let index = first; index < first + count; index++) {
      const short = index % 10 === 7 && limits.xdp.minLength === 0;
      const at = batch.reserve(20);
      batch.bytes.fill(0, at, at + 20);
      new DataView(batch.bytes.buffer, at, 4).setUint32(0, index);
      batch.commit(short ? 3 : 20);
    }
  },
};

const indexOf = (packet: Uint8Array): number =>
  packet.length < 4 ? -1 : new DataView(packet.buffer, packet.byteOffset).getUint32(0);

const pass: Behaviour = () => ({ action: XDP_PASS });
/** Drops one packet of the run, passes the rest. */
const dropping =
  (...indices: number[]): Behaviour =>
  ({ packet }) => ({ action: indices.includes(indexOf(packet)) ? XDP_DROP : XDP_PASS });
const counting =
  (step: (packets: number) => number): Behaviour =>
  (_stimulus, state) => {
    state.counts.set(1, (state.counts.get(1) ?? 0) + step(state.packets));
    return { action: XDP_PASS };
  };

const options = (more: Partial<VerifyOptions>): VerifyOptions => ({
  program: FAKE_PROGRAM,
  engines: [],
  seed: 'a seed',
  source: numbered,
  runs: 400,
  batchSize: 64,
  shrink: false,
  ...more,
});

describe('verify', () => {
  it('runs every packet through every engine, and agrees', async () => {
    const engines = [fakeEngine('testrun', pass), fakeEngine('model', pass)];
    const report = await verify(options({ engines }));
    expect(report).toMatchObject({
      name: 'fake',
      packets: 400,
      divergences: [],
      interrupted: false,
      actions: { XDP_PASS: 400 },
      notCompared: [],
    });
    expect(report.engines).toMatchObject([
      { name: 'model', status: 'ran', packets: 400 },
      { name: 'testrun', status: 'ran', packets: 400 },
    ]);
    for (const { log } of engines) expect(log).toMatchObject({ opened: 1, closed: 1, packets: 400 });
  });

  it('starts every batch from the state of the world', async () => {
    const engine = fakeEngine(
      'model',
      counting((packets) => packets),
    );
    await verify(
      options({
        engines: [
          engine,
          fakeEngine(
            'vm',
            counting((packets) => packets),
          ),
        ],
      }),
    );
    expect(engine.log.resets).toBe(Math.ceil(400 / 64) - 1);
  });

  it('finds the packet that differs, wherever it is, and names reference and engine in order of rank', async () => {
    for (const index of [0, 63, 64, 399]) {
      const engines = [fakeEngine('testrun', dropping(index)), fakeEngine('model', pass)];
      const { divergences } = await verify(options({ engines }));
      expect(divergences).toHaveLength(1);
      expect(divergences[0]).toMatchObject({
        engines: ['model', 'testrun'],
        part: 'action',
        field: 'action',
        seen: { seed: 'a seed', packet: index },
        finding: { expected: { action: XDP_PASS }, got: { action: XDP_DROP } },
      });
      expect(indexOf(divergences[0]!.case.stimuli.at(-1)!.packet)).toBe(index);
      expect(divergences[0]!.case.stimuli).toHaveLength((index % 64) + 1);
    }
  });

  it('takes the first of the register that ran for the reference, however the engines are listed', async () => {
    for (const [reference, other] of [
      ['model', 'wasm'],
      ['testrun', 'vm'],
      ['veth', 'wasm'],
      ['testrun', 'veth'],
      ['vm', 'wasm'],
    ] as const) {
      const engines = [fakeEngine(other, dropping(5)), fakeEngine(reference, pass)];
      const { divergences, engines: ran } = await verify(options({ engines }));
      expect(divergences).toMatchObject([{ engines: [reference, other] }]);
      expect(ran.map(({ name }) => name)).toEqual([reference, other]);
    }
  });

  it('refuses an engine that is not registered: it becomes nobody’s reference', async () => {
    const stranger = fakeEngine('stranger' as EngineName, pass);
    for (const engines of [[stranger], [fakeEngine('model', pass), stranger]]) {
      await expect(verify(options({ engines }))).rejects.toThrow('engine “stranger” is not registered');
    }
    expect(stranger.log.opened).toBe(0);
  });

  it('asks the witness about what others disagree on, and only then', async () => {
    const witness = fakeEngine('vm', () => ({ action: 0, violation: 'R1 !read_ok' }));
    const disagreeing = [fakeEngine('testrun', dropping(70)), fakeEngine('model', pass)];
    const { divergences } = await verify(options({ engines: disagreeing, witness }));
    expect(divergences[0]?.witness).toMatchObject({ status: 'violation', note: { message: 'R1 !read_ok' } });
    expect(witness.log).toMatchObject({ packets: 7, opened: 1, closed: 1 });

    const own = fakeEngine('vm', pass);
    await verify(
      options({ engines: [fakeEngine('model', pass), fakeEngine('vm', dropping(3))], witness: own }),
    );
    await verify(options({ engines: [fakeEngine('model', pass), fakeEngine('wasm', pass)], witness: own }));
    expect(own.log.opened).toBe(0);
  });

  it('generates in the worlds that it is given', async () => {
    const named: NamedWorld[] = [
      { name: 'one', world: { cpu: 1 } },
      { name: 'two', world: { cpu: 2 } },
    ];
    const seen = new Set<number | undefined>();
    const watching: Behaviour = (_stimulus, { world }) => {
      seen.add(world.cpu);
      return { action: XDP_PASS };
    };
    await verify(options({ engines: [fakeEngine('model', watching)], worlds: named }));
    expect([...seen]).toEqual([1, 2]);
  });

  it('keeps the first divergence of each kind, and stops after as many as asked for', async () => {
    const two: Behaviour = (stimulus, state) => {
      const index = indexOf(stimulus.packet);
      return index === 5 || index === 6 || index === 100
        ? { action: XDP_DROP }
        : index === 20
          ? { ...pass(stimulus, state), redirect: 9 }
          : pass(stimulus, state);
    };
    const engines = (): VerifyOptions['engines'] => [fakeEngine('model', pass), fakeEngine('vm', two)];
    const one = await verify(options({ engines: engines() }));
    expect(one.divergences.map(({ field }) => field)).toEqual(['action']);
    // Those of the same packets are not passed over in silence.
    expect(one.further).toEqual([{ engines: ['model', 'vm'], field: 'redirect' }]);
    expect(one.packets).toBe(64);
    const all = await verify(options({ engines: engines(), maxDivergences: 10 }));
    expect(all.divergences.map(({ field, seen }) => [field, seen])).toEqual([
      ['action', { seed: 'a seed', packet: 5 }],
      ['redirect', { seed: 'a seed', packet: 20 }],
    ]);
    expect(all.packets).toBe(400);
    expect(all.further).toBeUndefined();
  });

  it('compares maps after every batch, of specified maps only', async () => {
    const engines = [
      fakeEngine(
        'model',
        counting(() => 1),
      ),
      fakeEngine(
        'vm',
        counting((packets) => (packets === 50 ? 2 : 1)),
      ),
    ];
    const { divergences } = await verify(options({ engines }));
    expect(divergences).toMatchObject([
      {
        part: 'map',
        field: 'map counts',
        finding: { map: { map: 'counts', key: Uint8Array.of(1, 0, 0, 0) } },
      },
    ]);
    const definition = { ...DEFINITION, maps: [] };
    const silent = await verify(options({ engines, program: { ...FAKE_PROGRAM, definition } }));
    expect(silent.divergences).toEqual([]);
  });

  it('reads maps only where they are compared', async () => {
    const count = counting(() => 1);
    const alone = fakeEngine('vm', count);
    await verify(options({ engines: [alone] }));
    expect(alone.log.snapshots).toBe(0);
    const engines = [fakeEngine('model', count), fakeEngine('vm', count), fakeEngine('wasm', count)];
    const definition = { ...DEFINITION, maps: [] };
    await verify(options({ engines, program: { ...FAKE_PROGRAM, definition } }));
    expect(engines.map(({ log }) => log.snapshots)).toEqual([0, 0, 0]);
    await verify(options({ engines }));
    // 400 packets are seven batches of 64.
    expect(engines.map(({ log }) => log.snapshots)).toEqual([7, 7, 7]);
  });

  it('judges checksums of what leaves, even where all engines agree', async () => {
    const echo = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(8))));
    const answer =
      (action: number): Behaviour =>
      () => {
        const packet = echo.slice();
        packet[34] = 0;
        return { action, packet };
      };
    const source: PacketSource = {
      fill(batch, _seed, _first, count) {
        for (let index = 0; index < count; index++) batch.push({ packet: echo });
      },
    };
    const both = (action: number): VerifyOptions['engines'] => [
      fakeEngine('model', answer(action)),
      fakeEngine('vm', answer(action)),
    ];
    const { divergences } = await verify(options({ engines: both(XDP_TX), source, maxDivergences: 5 }));
    expect(divergences).toMatchObject([
      { engines: ['oracle', 'model'], part: 'checksum', field: 'icmp.checksum' },
    ]);
    expect((await verify(options({ engines: both(XDP_DROP), source }))).divergences).toEqual([]);
  });

  const limited = (behave: Behaviour) =>
    fakeEngine('testrun', behave, {
      refuses: (batch) => {
        const packet = batch.length.subarray(0, batch.count).findIndex((length) => length < 14);
        if (packet < 0) return undefined;
        return {
          packet,
          rule: 'a frame needs at least 14 bytes',
          detail: `this one has ${batch.length[packet]! + packet}`,
        };
      },
    });

  it('takes what the machine stops for a finding, also where no other engine runs or all stop alike', async () => {
    const violating: Behaviour = () => ({ action: 0, violation: 'invalid access to packet' });
    for (const engines of [
      [fakeEngine('vm', violating)],
      [fakeEngine('vm', violating), fakeEngine('wasm', violating)],
    ]) {
      const { divergences } = await verify(options({ engines }));
      expect(divergences).toMatchObject([{ engines: ['oracle', 'vm'], field: 'status' }]);
      expect(divergences[0]!.summary).toContain('invalid access to packet');
    }
  });

  it('reports a warning where the interpreter warns of what differs between machine and kernel, and goes on', async () => {
    const note = { warning: 'unwritten-stack', message: 'reads what it never wrote' } as const;
    const warns: Behaviour = ({ packet }) =>
      [5, 6].includes(indexOf(packet)) ? { action: XDP_PASS, note } : { action: XDP_PASS };
    const run = (engines: VerifyOptions['engines']) =>
      verify(options({ engines, witness: fakeEngine('vm', warns), maxDivergences: 9 }));
    const kernel = () => fakeEngine('testrun', dropping(5, 6));
    for (const machine of [fakeEngine('wasm', pass), fakeEngine('vm', warns)]) {
      const report = await run([machine, kernel()]);
      expect(report.divergences).toEqual([]);
      expect(report.warnings).toMatchObject([{ severity: 'warning', kind: 'unwritten-stack' }]);
      expect(report.packets).toBe(400);
    }
    // What nobody warns of stays a divergence, and so does what a model says should be otherwise.
    const other = await run([fakeEngine('wasm', pass), fakeEngine('testrun', dropping(7))]);
    expect(other.divergences).toHaveLength(1);
    expect((await run([fakeEngine('model', pass), kernel()])).divergences).toHaveLength(1);
  });

  describe('where the program reads stack bytes that it never wrote', () => {
    const note = { warning: 'unwritten-stack', message: 'reads what it never wrote' } as const;
    /** Packets 5 and 70 do: what they come to is what the world puts there, or what the kernel has. */
    const reads =
      (fillOf: (world: World) => number): Behaviour =>
      ({ packet }, { world }) => {
        if (![5, 70].includes(indexOf(packet))) return { action: XDP_PASS };
        return { action: fillOf(world) === 0 ? XDP_PASS : XDP_DROP, note };
      };
    const machine = reads(({ stackFill = 0 }) => Number(stackFill));
    const garbage: Behaviour = (stimulus, state) => ({ action: reads(() => 1)(stimulus, state).action });
    const both = (
      kernel: Behaviour,
      save: VerifyOptions['save'],
    ): Promise<Awaited<ReturnType<typeof verify>>> =>
      verify(
        options({
          engines: [fakeEngine('wasm', machine), fakeEngine('testrun', kernel)],
          witness: fakeEngine('vm', machine),
          maxDivergences: 9,
          ...(save === undefined ? {} : { save }),
        }),
      );

    it('warns once, saves no case, and leaves these packets alone out', async () => {
      const saved: string[] = [];
      const report = await both(garbage, async ({ field }) => {
        saved.push(field);
        return { file: 'x' };
      });
      expect(report).toMatchObject({ divergences: [], packets: 400, compared: 398 });
      expect(report.warnings).toEqual([
        {
          severity: 'warning',
          kind: 'unwritten-stack',
          summary:
            'stack bytes that the program never wrote reach its output, which differs from run to run in the kernel: reads what it never wrote',
        },
      ]);
      expect(saved).toEqual([]);
    });

    it('finds the same kind of difference on a packet that reads none, in the same batch or later', async () => {
      for (const wrong of [6, 200]) {
        const kernel: Behaviour = (stimulus, state) =>
          indexOf(stimulus.packet) === wrong ? { action: XDP_DROP } : garbage(stimulus, state);
        const report = await both(kernel, undefined);
        expect(report.divergences).toMatchObject([{ part: 'action', seen: { packet: wrong } }]);
        expect(report.warnings).toHaveLength(1);
      }
    });

    it('takes over what moved in the values of a map, and compares the packets', async () => {
      /** The upper bytes of the value are padding. */
      const counts =
        (step: number, fillOf: (world: World) => number): Behaviour =>
        (_stimulus, state) => {
          state.counts.set(1, (fillOf(state.world) << 16) | step);
          return { action: XDP_PASS, note };
        };
      const filled = ({ stackFill = 0 }: World): number => Number(stackFill);
      const run = (step: number) =>
        verify(
          options({
            engines: [
              fakeEngine('vm', counts(3, filled)),
              fakeEngine(
                'testrun',
                counts(step, () => 0x77),
              ),
            ],
            maxDivergences: 9,
          }),
        );
      const report = await run(3);
      expect(report.divergences).toEqual([]);
      expect(report.warnings).toHaveLength(1);
      expect(report.compared).toBe(400);
      expect(report.notCompared).toContainEqual({
        what: 'map counts: bytes 0-3 of its values: depends on stack bytes that the program never wrote, or on an address',
        engine: 'testrun',
      });
    });
  });

  it('reaches machine against kernel behind wrong checksums where these are not judged', async () => {
    const echo = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 1], data(8))));
    const source: PacketSource = {
      fill(batch, _seed, _first, count) {
        for (let index = 0; index < count; index++) batch.push({ packet: echo });
      },
    };
    /** Spoils every checksum, and cuts the packet short by a byte. */
    const spoils: Behaviour = () => {
      const packet = echo.slice(0, -1);
      packet[34] = 0;
      return { action: XDP_TX, packet };
    };
    const late: Behaviour = (stimulus, state) =>
      state.packets === 60 ? { action: XDP_DROP } : spoils(stimulus, state);
    const run = (oracle: 'off' | 'checksums' | 'all') =>
      verify(
        options({
          engines: [fakeEngine('vm', spoils), fakeEngine('testrun', late)],
          source,
          oracle,
          maxDivergences: 9,
        }),
      );
    const fields = async (oracle: 'off' | 'checksums' | 'all') =>
      (await run(oracle)).divergences.map(({ part }) => part);
    expect(await fields('off')).toEqual(['action']);
    expect((await run('off')).judged).toBe(0);
    expect(await fields('checksums')).not.toContain('invariant');
    expect(await fields('all')).toEqual(expect.arrayContaining(['action', 'invariant']));
  });

  it('skips an engine that lacks what the program may rightly ask for: that is no failure of the program', async () => {
    const lacks = fakeEngine('wasm', pass, {
      openError: () =>
        new EngineError('input', 'fake: the machine lacks the helper bpf_x', { lacking: true }),
    });
    const report = await verify(options({ engines: [lacks, fakeEngine('testrun', pass)] }));
    expect(report.engines).toMatchObject([
      { name: 'testrun', status: 'ran', packets: 400 },
      { name: 'wasm', status: 'skipped', reason: 'fake: the machine lacks the helper bpf_x' },
    ]);
    expect(report.compared).toBe(0);
    expect(report.engines[1]).not.toHaveProperty('failure');
  });

  it('finds a model that fails, whatever the others do, and goes on comparing the rest', async () => {
    const failsAt =
      (...indices: number[]): Behaviour =>
      ({ packet }) =>
        indices.includes(indexOf(packet))
          ? { action: 0, fault: 'the model failed: no such map' }
          : { action: XDP_PASS };
    for (const others of [['wasm'], ['wasm', 'testrun']] as const) {
      const engines = [fakeEngine('model', failsAt(5, 6)), ...others.map((name) => fakeEngine(name, pass))];
      const report = await verify(options({ engines, maxDivergences: 9 }));
      expect(report.divergences).toMatchObject([
        { field: 'status', summary: 'fake: the model failed: no such map', seen: { packet: 5 } },
      ]);
      expect(report.defects).toEqual([]);
      // What the model does not say, the others may still say of each other.
      expect(report.compared).toBe(others.length === 1 ? 398 : 400);
    }
  });

  describe('where the machine stops a program', () => {
    const REASON = 'invalid access to packet';
    const stops =
      (...indices: number[]): Behaviour =>
      ({ packet }) =>
        indices.includes(indexOf(packet)) ? { action: 0, violation: REASON } : { action: XDP_PASS };
    /** Counts what it runs, and stops some of it: what it has counted then is not what the kernel has. */
    const countsAndStops =
      (...indices: number[]): Behaviour =>
      (stimulus, state) => {
        const outcome = stops(...indices)(stimulus, state);
        if (outcome.violation === undefined) state.counts.set(0, (state.counts.get(0) ?? 0) + 1);
        return outcome;
      };
    const refusing = () =>
      fakeEngine('testrun', pass, {
        openError: () =>
          new EngineError('input', 'the verifier refuses fake', { log: 'R1 invalid mem access' }),
      });

    it('reports a defect of the machine and no divergence where the kernel ran the packet to its end', async () => {
      for (const name of ['vm', 'wasm'] as const) {
        const engines = [fakeEngine(name, stops(5, 6, 100)), fakeEngine('testrun', pass)];
        const report = await verify(options({ engines, maxDivergences: 9 }));
        expect(report.divergences).toEqual([]);
        expect(report.defects).toEqual([
          {
            engine: name,
            summary: `the machine (${name}) refused what this kernel ran: ${REASON}, a defect of xdpsim`,
            packets: 3,
            seen: { seed: 'a seed', packet: 5 },
          },
        ]);
        expect(report).toMatchObject({ packets: 400, compared: 397 });
        expect(report.notCompared).toContainEqual({
          what: 'packets on which the machine stopped the program',
          engine: name,
          packets: 3,
        });
      }
    });

    it('compares the other packets, state and all, and the other engines on all packets', async () => {
      const counts: Behaviour = countsAndStops();
      const agreed = await verify(
        options({
          engines: [
            fakeEngine('model', counts),
            fakeEngine('wasm', countsAndStops(5, 70)),
            fakeEngine('vm', countsAndStops(9)),
            fakeEngine('testrun', counts),
          ],
          maxDivergences: 9,
        }),
      );
      expect(agreed.divergences).toEqual([]);
      expect(agreed.defects.map(({ engine, packets }) => [engine, packets])).toEqual([
        ['wasm', 2],
        ['vm', 1],
      ]);
      expect(agreed.compared).toBe(400);
      const differs = async (wasm: Behaviour, testrun: Behaviour) => {
        const engines = [fakeEngine('model', pass), fakeEngine('wasm', wasm), fakeEngine('testrun', testrun)];
        const { divergences } = await verify(options({ engines, maxDivergences: 9 }));
        return divergences.map((one) => [one.engines.join(), one.seen]);
      };
      // The machine differs on another packet of the batch; the kernel on the very packet that the machine stops.
      const both: Behaviour = (stimulus, state) =>
        indexOf(stimulus.packet) === 20 ? { action: XDP_DROP } : stops(5)(stimulus, state);
      expect(await differs(both, pass)).toEqual([['model,wasm', { seed: 'a seed', packet: 20 }]]);
      expect(await differs(stops(5), dropping(5))).toEqual([
        ['model,testrun', { seed: 'a seed', packet: 5 }],
      ]);
    });

    it('asks the kernel as a witness where it is not among the engines', async () => {
      const kernel = fakeEngine('testrun', pass);
      for (const engines of [
        [fakeEngine('vm', stops(5))],
        [fakeEngine('model', pass), fakeEngine('vm', stops(5)), fakeEngine('wasm', stops(5))],
      ]) {
        const report = await verify(options({ engines, kernel }));
        expect(report.divergences).toEqual([]);
        expect(report.defects).toMatchObject([{ engine: 'vm', packets: 1 }]);
      }
      expect(kernel.log.opened).toBe(2);
      expect(kernel.log.closed).toBe(2);
    });

    it('blames the machine also for a packet that a test run does not take: the verifier has accepted the program', async () => {
      const short: Behaviour = ({ packet }) =>
        packet.length < 14 ? { action: 0, violation: REASON } : { action: XDP_PASS };
      const report = await verify(
        options({ engines: [fakeEngine('vm', short), limited(pass)], runs: 64 * 8, maxDivergences: 9 }),
      );
      expect(report.divergences).toEqual([]);
      expect(report.defects).toMatchObject([
        { summary: expect.stringContaining('what this kernel accepts') },
      ]);
    });

    it('reports the program where the kernel refuses it or cannot be asked, and says so', async () => {
      const absent = fakeEngine('testrun', pass, {
        availability: { available: false, reason: 'not running as root', remedy: 'run it with sudo' },
      });
      const vm = () => fakeEngine('vm', stops(5));
      const refused = { did: 'refused', message: 'the verifier refuses fake', log: 'R1 invalid mem access' };
      for (const [more, kernel] of [
        [{ engines: [vm(), refusing()] }, refused],
        [{ engines: [vm()], kernel: refusing() }, refused],
        [{ engines: [vm(), absent] }, { did: 'not asked', why: 'not running as root' }],
        [{ engines: [vm()] }, { did: 'not asked', why: 'no engine here runs in the kernel' }],
      ] as const) {
        for (const shrink of [false, {}] as const) {
          const report = await verify(options({ ...more, shrink }));
          expect(report.defects).toEqual([]);
          expect(report.divergences).toMatchObject([{ field: 'status', finding: { kernel } }]);
          expect(report.divergences[0]!.summary).toMatch(/this kernel refuses|the kernel was not asked/);
          expect(JSON.parse(JSON.stringify(reportToJson(report)))).toMatchObject({
            divergences: [{ kernel }],
          });
        }
      }
    });

    it('does not shrink to a packet that the kernel runs', async () => {
      // The kernel refuses the world of the case, and takes the empty one.
      const kernel = fakeEngine('testrun', pass, {
        openError: ({ cpu }) => (cpu === 1 ? new EngineError('input', 'refused') : undefined),
      });
      const worlds = [{ name: 'one', world: { cpu: 1 } }];
      const report = await verify(
        options({ engines: [fakeEngine('vm', stops(5))], kernel, worlds, shrink: {} }),
      );
      expect(report.divergences).toMatchObject([{ state: 'cut short', case: { world: { cpu: 1 } } }]);
    });

    it('judges a replayed case the same way', async () => {
      const stimuli = [{ packet: data(20) }];
      const cases = [
        { path: 'old.pcapng', case: { program: 'fake', world: {}, stimuli, note: { summary: 'known' } } },
      ];
      const always: Behaviour = () => ({ action: 0, violation: REASON });
      const report = await verify(
        options({ engines: [fakeEngine('vm', always), fakeEngine('testrun', pass)], cases, runs: 1 }),
      );
      expect(report.divergences).toEqual([]);
      expect(report.defects).toMatchObject([{ packets: 2, seen: { file: 'old.pcapng' } }]);
    });

    it('finds two places in one program, each by itself', async () => {
      const places: Behaviour = ({ packet }) =>
        [5, 9].includes(indexOf(packet))
          ? { action: 0, violation: `${REASON} ${indexOf(packet)}` }
          : { action: XDP_PASS };
      const { divergences } = await verify(
        options({ engines: [fakeEngine('vm', places)], maxDivergences: 9 }),
      );
      expect(divergences.map(({ seen }) => seen)).toMatchObject([{ packet: 5 }, { packet: 9 }]);
    });

    it('takes an engine that gives up on a packet for no difference', async () => {
      const faulty: Behaviour = ({ packet }) =>
        indexOf(packet) === 5 ? { action: 0, fault: 'not implemented' } : { action: XDP_PASS };
      const engines = [fakeEngine('wasm', faulty), fakeEngine('testrun', pass)];
      const report = await verify(options({ engines }));
      expect(report.divergences).toEqual([]);
      expect(report.compared).toBe(399);
      expect(report.notCompared).toEqual([{ what: 'not implemented', engine: 'wasm', packets: 1 }]);
    });
  });

  it('compares engines with each other in what the most authoritative one cannot show', async () => {
    const redirecting =
      (target: number): Behaviour =>
      () => ({ action: XDP_REDIRECT, redirect: target });
    const blind = fakeEngine('testrun', redirecting(0), { observes: { redirect: false } });
    const { divergences } = await verify(
      options({ engines: [blind, fakeEngine('vm', redirecting(3)), fakeEngine('wasm', redirecting(4))] }),
    );
    expect(divergences).toMatchObject([{ engines: ['vm', 'wasm'], field: 'redirect' }]);
  });

  it('gives an engine only what it takes, and counts what it did not get', async () => {
    const testrun = limited(pass);
    const model = fakeEngine('model', pass);
    const report = await verify(options({ engines: [model, testrun], runs: 64 * 32 }));
    // Two of 32 batches are unbounded, and have short frames.
    const short = [5, 21].flatMap((batch) =>
      Array.from({ length: 64 }, (_, index) => batch * 64 + index).filter((index) => index % 10 === 7),
    ).length;
    expect(short).toBeGreaterThan(0);
    expect(testrun.log.packets).toBe(64 * 32 - short);
    expect(report.notCompared).toEqual([
      { what: 'a frame needs at least 14 bytes', engine: 'testrun', packets: short },
    ]);
    expect(report.packets).toBe(64 * 32);
    expect(report.actions).toEqual({ XDP_PASS: 64 * 32 });
    expect(report.engines).toMatchObject([{ packets: 64 * 32 }, { packets: 64 * 32 - short }]);
  });

  it('compares the rest of a batch with an engine that refuses some of it, state and all', async () => {
    const stateful: Behaviour = ({ packet }, state) => {
      if (packet.length >= 14) state.counts.set(0, (state.counts.get(0) ?? 0) + 1);
      return { action: XDP_PASS };
    };
    const agreed = await verify(
      options({ engines: [fakeEngine('model', stateful), limited(stateful)], runs: 64 * 8 }),
    );
    expect(agreed.divergences).toEqual([]);
    // Packet 350 is in an unbounded batch, behind a short one.
    const wrong = await verify(
      options({ engines: [fakeEngine('model', pass), limited(dropping(350))], runs: 64 * 8 }),
    );
    expect(wrong.divergences).toMatchObject([{ field: 'action', seen: { packet: 350 } }]);
    expect(indexOf(wrong.divergences[0]!.case.stimuli.at(-1)!.packet)).toBe(350);
  });

  it('compares engines with each other though every one of them refuses some of a batch', async () => {
    const long = (behave: Behaviour) =>
      fakeEngine('vm', behave, {
        refuses: (batch) => {
          const packet = batch.length.subarray(0, batch.count).findIndex((length) => length < 4);
          return packet < 0 ? undefined : { packet, rule: 'below 4 bytes' };
        },
      });
    const report = await verify(options({ engines: [long(pass), limited(dropping(350))], runs: 64 * 8 }));
    expect(report.divergences).toMatchObject([
      { engines: ['testrun', 'vm'], field: 'action', seen: { packet: 350 } },
    ]);
  });

  it('accounts for what an engine ran and could not see, and takes it for no difference', async () => {
    const reason = 'the frame got lost';
    const blind: Behaviour = ({ packet }) =>
      indexOf(packet) % 4 === 1
        ? { action: XDP_DROP, packet: new Uint8Array(0), unseen: reason }
        : { action: XDP_PASS };
    const report = await verify(
      options({ engines: [fakeEngine('model', pass), fakeEngine('veth', blind)], runs: 64 * 4 }),
    );
    expect(report.divergences).toEqual([]);
    expect(report.notCompared).toEqual([{ what: reason, engine: 'veth', packets: 64 }]);
    expect(report.engines).toMatchObject([{ packets: 64 * 4 }, { packets: 64 * 4 }]);
  });

  it('reports what cannot run here and what fails, and goes on with the rest', async () => {
    const absent = fakeEngine('testrun', pass, {
      availability: { available: false, reason: 'not running as root', remedy: 'run it with sudo' },
    });
    const broken = fakeEngine('wasm', pass, {
      openError: () => new EngineError('input', 'no such section', { remedy: 'name another object' }),
    });
    const throwing = fakeEngine('vm', () => {
      throw new Error('out of cheese');
    });
    const model = fakeEngine('model', pass);
    const report = await verify(options({ engines: [absent, broken, throwing, model] }));
    expect(report.engines).toMatchObject([
      { name: 'model', status: 'ran', packets: 400 },
      { name: 'vm', status: 'failed', failure: { kind: 'internal' } },
      {
        name: 'wasm',
        status: 'failed',
        reason: 'no such section',
        remedy: 'name another object',
        packets: 0,
      },
      { name: 'testrun', status: 'skipped', reason: 'not running as root', remedy: 'run it with sudo' },
    ]);
    expect(throwing.log.closed).toBe(throwing.log.opened);
  });

  it('replays saved cases first, each in its world, and does not save them again', async () => {
    const order: string[] = [];
    const seesWorld: Behaviour = ({ packet }, { world }) => {
      order.push(`${world.cpu ?? '-'}:${packet.length}`);
      return { action: packet.length === 33 ? XDP_DROP : XDP_PASS };
    };
    const saved = (size: number, more: Partial<Case> = {}): SavedCase => ({
      path: `${size}.pcapng`,
      case: { program: 'fake', world: { cpu: size }, stimuli: [{ packet: data(size) }], ...more },
    });
    const cases = [saved(31), saved(33, { note: { field: 'action', summary: 'known' } }), saved(35)];
    const saves: Divergence[] = [];
    const report = await verify(
      options({
        engines: [fakeEngine('model', pass), fakeEngine('vm', seesWorld)],
        cases,
        runs: 1,
        maxDivergences: 9,
        save: async (divergence) => {
          saves.push(divergence);
          return { file: 'new.pcapng' };
        },
      }),
    );
    expect(order).toEqual(['31:31', '33:33', '35:35', '-:20']);
    expect(report).toMatchObject({ packets: 4, savedPackets: 3, savedCases: 3 });
    expect(report.divergences).toMatchObject([
      { seen: { file: '33.pcapng' }, file: '33.pcapng', state: 'saved' },
    ]);
    expect(saves).toEqual([]);
  });

  it('reports a divergence that cannot be saved, and why', async () => {
    const report = await verify(
      options({
        engines: [fakeEngine('model', pass), fakeEngine('vm', dropping(5))],
        shrink: {},
        save: async () => {
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        },
      }),
    );
    expect(report.divergences).toMatchObject([
      { state: 'shrunk', unsaved: { reason: expect.stringContaining('no space left') } },
    ]);
    expect(report.divergences[0]).not.toHaveProperty('file');
  });

  it('replays cases longer than a batch in one go', async () => {
    const stimuli = Array.from({ length: 300 }, () => ({ packet: data(20) }));
    const report = await verify(
      options({
        engines: [
          fakeEngine(
            'model',
            counting(() => 1),
          ),
          fakeEngine(
            'vm',
            counting((n) => (n === 300 ? 2 : 1)),
          ),
        ],
        cases: [{ path: 'long.pcapng', case: { program: 'fake', world: {}, stimuli } }],
        runs: 0,
      }),
    );
    expect(report.divergences).toMatchObject([{ field: 'map counts' }]);
  });

  it('saves a divergence before it shrinks it, then again, in the same file', async () => {
    const saves: [size: number, state: string, file: string | undefined][] = [];
    const report = await verify(
      options({
        engines: [fakeEngine('model', pass), fakeEngine('vm', dropping(50))],
        shrink: {},
        save: async (divergence) => {
          saves.push([divergence.case.stimuli.length, divergence.state, divergence.file]);
          return { file: 'it.pcapng' };
        },
      }),
    );
    expect(saves[0]).toEqual([51, 'found', undefined]);
    expect(saves.at(-1)).toEqual([1, 'shrunk', 'it.pcapng']);
    expect(report.divergences[0]).toMatchObject({ state: 'shrunk', file: 'it.pcapng' });
    expect(report.divergences[0]!.case.note).toMatchObject({
      seed: 'a seed',
      engines: ['model', 'vm'],
      field: 'action',
    });
  });

  it('ends early when told to, with a complete report and nothing left open', async () => {
    const controller = new AbortController();
    const engine = fakeEngine('vm', ({ packet }) => {
      if (indexOf(packet) === 100) controller.abort();
      return { action: XDP_PASS };
    });
    const report = await verify(
      options({ engines: [fakeEngine('model', pass), engine], signal: controller.signal }),
    );
    expect(report).toMatchObject({ interrupted: true, packets: 128 });
    expect(engine.log.closed).toBe(engine.log.opened);
  });

  it('lets signals and timers in, though engines never wait', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 1);
    const report = await verify(
      options({
        engines: [fakeEngine('model', pass), fakeEngine('vm', pass)],
        runs: Number.POSITIVE_INFINITY,
        signal: controller.signal,
      }),
    );
    expect(report.interrupted).toBe(true);
  });

  it('stops after the given time', async () => {
    const engines = [fakeEngine('model', pass), fakeEngine('vm', pass)];
    const { runs: _runs, ...timed } = options({ engines, seconds: 0.05 });
    const report = await verify(timed);
    expect(report.interrupted).toBe(false);
    expect(report.packets).toBeGreaterThan(0);
    expect(report.packets % 64).toBe(0);
  });

  it('gives the same packets in the same worlds to any share of the work', async () => {
    const worlds: NamedWorld[] = [
      { name: 'a', world: { cpu: 1 } },
      { name: 'b', world: { cpu: 2 } },
    ];
    const program: Program = { ...FAKE_PROGRAM, definition: { ...DEFINITION, worlds } };
    const run = async (from: number, step: number): Promise<string[]> => {
      const seen: string[] = [];
      const watching: Behaviour = ({ packet }, { world }) => {
        seen.push(`${world.cpu} ${indexOf(packet)} ${packet.length}`);
        return { action: XDP_PASS };
      };
      const range = { from, step, to: Number.POSITIVE_INFINITY };
      await verify(options({ program, engines: [fakeEngine('model', watching)], runs: 64 * 34, range }));
      return seen;
    };
    const whole = (await run(0, 1)).sort();
    expect([...(await run(0, 3)), ...(await run(1, 3)), ...(await run(2, 3))].sort()).toEqual(whole);
    // Both worlds see frames of three bytes: the unbounded batches.
    expect(whole.some((line) => line.startsWith('1 ') && line.endsWith(' 3'))).toBe(true);
    expect(whole.some((line) => line.startsWith('2 ') && line.endsWith(' 3'))).toBe(true);
  });

  it('merges the reports of workers into the report of one', async () => {
    const faulty: Behaviour = ({ packet }) => {
      const index = indexOf(packet);
      return index === 70 || index === 130 || index === 390 ? { action: XDP_DROP } : { action: XDP_PASS };
    };
    const run = (from: number, step: number) =>
      verify(
        options({
          engines: [
            fakeEngine('model', pass),
            fakeEngine('vm', faulty, {
              refuses: (batch) => (batch.count < 64 ? { packet: 0, rule: 'few' } : undefined),
            }),
          ],
          maxDivergences: 9,
          range: { from, step, to: Number.POSITIVE_INFINITY },
        }),
      );
    const whole = await run(0, 1);
    const merged = withCoverageFigures(mergeReports([await run(0, 2), await run(1, 2)]));
    const timeless = (report: typeof whole): unknown =>
      JSON.parse(JSON.stringify(reportToJson(report), (key, value) => (key === 'seconds' ? 0 : value)));
    expect(timeless(merged)).toEqual(timeless(whole));
    expect(merged.divergences).toMatchObject([{ seen: { packet: 70 } }]);
    expect(merged.notCompared).toEqual([{ what: 'few', engine: 'vm', packets: 16 }]);
  });

  it('says of an engine that failed for one worker that it failed', async () => {
    const report = (fails: boolean) => {
      const error = new EngineError('environment', 'no more memory');
      const vm = fakeEngine('vm', pass, fails ? { openError: () => error } : {});
      return verify(options({ engines: [fakeEngine('model', pass), vm] }));
    };
    const merged = mergeReports([await report(false), await report(true)]);
    expect(merged.engines).toMatchObject([
      { name: 'model', status: 'ran', packets: 800 },
      { name: 'vm', status: 'failed', reason: 'no more memory', packets: 400 },
    ]);
  });

  it('turns a program’s examples into cases', () => {
    const worlds: NamedWorld[] = [
      { name: 'a', world: { cpu: 1 } },
      { name: 'b', world: { cpu: 2 } },
    ];
    const example = { name: 'does this', stimulus: { packet: data(20) }, action: XDP_PASS };
    const definition = { ...DEFINITION, worlds, examples: [example, { ...example, world: 'b' }] };
    expect(exampleCases({ ...FAKE_PROGRAM, definition })).toMatchObject([
      { path: 'example: does this', case: { program: 'fake', world: { cpu: 1 } } },
      { path: 'example: does this', case: { program: 'fake', world: { cpu: 2 } } },
    ]);
  });

  it('adds coverage up and prints it with the report', async () => {
    const row = (count: number): { readonly functions: [] } | object => ({
      functions: [
        {
          function: 'fake',
          instructions: Float64Array.of(count, Number.NaN, 0, 3),
          unreachable: new Uint8Array(4),
          branches: [
            { instruction: 2, taken: count, notTaken: 0, takenImpossible: false, notTakenImpossible: false },
          ],
          lines: [
            { instruction: 0, file: 'a.c', line: 1 },
            { instruction: 2, file: 'a.c', line: 1 },
            { instruction: 3, file: 'a.c', line: 2 },
          ],
        },
      ],
    });
    const engines = [
      fakeEngine('model', pass),
      fakeEngine('wasm', pass, { coverage: row(0) as never }),
      fakeEngine('vm', pass, { coverage: row(2) as never }),
    ];
    const report = await verify(options({ engines }));
    expect(report.coverage).toEqual({ instructions: [2, 3], branches: [1, 2], lines: [2, 2] });
    expect(JSON.parse(JSON.stringify(reportToJson(report)))).toMatchObject({
      name: 'fake',
      packets: 400,
      engines: [{ name: 'model', status: 'ran', packets: 400 }, {}, {}],
      notCompared: [],
      divergences: [],
      actions: { XDP_PASS: 400 },
      coverage: { instructions: [2, 3], branches: [1, 2], lines: [2, 2] },
    });
  });

  it('never misses a single differing packet (property)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(399), fc.integer({ min: 1, max: 100 }), async (index, batchSize) => {
        // In an unbounded batch such a packet is too short to spell its index.
        fc.pre(index % 10 !== 7);
        const engines = [fakeEngine('model', pass), fakeEngine('vm', dropping(index))];
        const { divergences } = await verify(options({ engines, batchSize }));
        expect(divergences).toMatchObject([{ seen: { packet: index } }]);
      }),
      { numRuns: 30 },
    );
  });
});

const DEFINITION: ProgramDefinition = {
  name: 'fake',
  summary: 'a fake',
  description: 'a fake',
  entries: [],
  maps: [COUNTS],
  worlds: [{ name: 'only', world: {} }],
  examples: [],
  hints: {},
};
