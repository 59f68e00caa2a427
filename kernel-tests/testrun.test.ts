import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { MAX_TC_FRAME, MAX_XDP_FRAME } from '../kernel/testrun/limits.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { EngineError, type Session } from '../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch, Stimulus } from '../sim/packet/packet-batch.ts';
import type { Program, ProgramDefinition } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixture, fixtureOf, frame, outcomes } from './test-support/testrun.ts';

const engine = createTestRunEngine();
const sessions: Session[] = [];

async function open(program: Program, world: World = {}): Promise<Session> {
  const session = await engine.open(program, world);
  sessions.push(session);
  return session;
}

async function run(session: Session, ...stimuli: Stimulus[]): Promise<OutcomeBatch> {
  const batch = batchOf(...stimuli);
  const output = outcomes(batch);
  await session.run(batch, output);
  return output;
}

/** What `open` throws. */
async function failure(program: Program, world: World = {}): Promise<EngineError> {
  const error: unknown = await open(program, world).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EngineError);
  return error as EngineError;
}

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const u64 = (value: number): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);

function contents(session: Session, name: string): Record<string, string> {
  const snapshot = session.maps().find((map) => map.definition.name === name);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return Object.fromEntries(snapshot!.list().map(({ key, value }) => [hex(key), hex(value)]));
}

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
});

describeKernel('test runs of XDP programs', ['root', 'testrun', 'compiler'], () => {
  it('give action and bytes, packet by packet, in order', async () => {
    const session = await open(fixture('swap'));
    const output = await run(session, { packet: frame(60) }, { packet: frame(101) }, { packet: frame(14) });
    expect([...output.action.subarray(0, 3)]).toEqual([3, 1, 3]);
    expect([...output.status.subarray(0, 3)]).toEqual([STATUS.ran, STATUS.ran, STATUS.ran]);
    expect(output.packet(0)).toEqual(frame(60, 1));
    expect(output.packet(1)).toEqual(frame(101));
    expect(output.packet(2)).toEqual(frame(14, 1));
    expect(output.used).toBe(60 + 101 + 14);
  });

  it('take frames from 14 to 3520 bytes, and show how long they became', async () => {
    const session = await open(fixture('grow'));
    const output = await run(session, { packet: frame(14) }, { packet: frame(MAX_XDP_FRAME) });
    expect(output.action[0]).toBe(2);
    expect(output.packet(0).subarray(20, 34)).toEqual(frame(14));
    expect(output.length[0]).toBe(14 + 20 + 100);
    // The page is full: there is headroom left, and no tailroom.
    expect(output.action[1]).toBe(0);
    expect(output.length[1]).toBe(MAX_XDP_FRAME + 20);
    expect(output.packet(1).subarray(20)).toEqual(frame(MAX_XDP_FRAME));
  });

  it('make room in an arena that is too small to begin with', async () => {
    const session = await open(fixture('swap'));
    const batch = batchOf(...Array.from({ length: 50 }, (_, index) => ({ packet: frame(60 + index) })));
    const output = outcomes(batch);
    output.bytes = new Uint8Array(16);
    await session.run(batch, output);
    for (let index = 0; index <= 40; index++) expect(output.packet(index)).toEqual(frame(60 + index, 1));
  });

  it('show metadata that goes in and comes out', async () => {
    const session = await open(fixture('read_metadata', 'mark_metadata'));
    const metadata = Uint8Array.of(3, 1, 2, 3, 4, 5, 6, 7);
    const output = await run(
      session,
      { packet: frame(20), metadata },
      { packet: frame(20) },
      { packet: frame(20), entry: 1 },
      { packet: frame(20), metadata, entry: 1 },
    );
    expect([...output.action.subarray(0, 4)]).toEqual([3, 100, 2, 2]);
    expect(output.metadata(0)).toEqual(metadata);
    expect(output.packet(0)).toEqual(frame(20));
    expect(output.metadata(2)).toEqual(u32(42));
    expect(output.metadata(3)).toEqual(Uint8Array.of(42, 0, 0, 0, ...metadata));
    expect(output.packet(3)).toEqual(frame(20));
  });

  it('follow tail calls into functions that are no entries, and show the metadata that those make', async () => {
    const output = await run(await open(fixtureOf('tail-call', 'jump')), { packet: frame(60) });
    expect(output.action[0]).toBe(3);
    expect(output.metaLength[0]).toBe(4);
    expect(output.packet(0)).toEqual(frame(60));
  });

  it('return to runs without a context after one with metadata', async () => {
    const session = await open(fixture('read_metadata'));
    const output = await run(
      session,
      { packet: frame(20), metadata: u32(9) },
      { packet: frame(30) },
      { packet: frame(40) },
    );
    expect([...output.action.subarray(0, 3)]).toEqual([9, 100, 100]);
    expect([...output.metaLength.subarray(0, 3)]).toEqual([4, 0, 0]);
  });

  it('report a refused packet as a fault with the reason, and run the others', async () => {
    const session = await open(fixture('swap'));
    const output = await run(
      session,
      { packet: frame(60) },
      { packet: frame(13) },
      { packet: frame(60), ingressIfindex: 4711 },
      { packet: frame(60) },
    );
    expect([...output.status.subarray(0, 4)]).toEqual([STATUS.ran, STATUS.fault, STATUS.fault, STATUS.ran]);
    expect(output.notes.get(1)?.message).toContain('at least 14 bytes, this one has 13');
    expect(output.notes.get(2)?.message).toBe(
      'BPF_PROG_TEST_RUN: ENODEV: there is no device with ifindex 4711',
    );
    expect(output.packet(3)).toEqual(frame(60, 1));
    expect(output.count).toBe(4);
  });

  it('report a refused packet in a batch that is plain otherwise', async () => {
    const session = await open(fixture('swap'));
    const output = await run(session, { packet: frame(60) }, { packet: frame(5) }, { packet: frame(61) });
    expect([...output.status.subarray(0, 3)]).toEqual([STATUS.ran, STATUS.fault, STATUS.ran]);
    expect(output.length[1]).toBe(0);
    expect(output.packet(2)).toEqual(frame(61, 1));
  });

  it('are on the CPU that the world names, and by default on the first', async () => {
    expect((await run(await open(fixture('where')), { packet: frame(60) })).action[0]).toBe(0);
    // "0-1", or "0" alone
    const last = Number(readFileSync('/sys/devices/system/cpu/online', 'utf8').trim().split('-').at(-1));
    expect((await run(await open(fixture('where'), { cpu: last }), { packet: frame(60) })).action[0]).toBe(
      last,
    );
  });

  it('work from several worker threads at once', async () => {
    const worker = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const source = `
          import('tsx/esm/api').then(({ register }) => {
            register();
            return import(${JSON.stringify(new URL('./test-support/testrun-worker.ts', import.meta.url).href)});
          }).then(({ countAnswers }) => countAnswers())
            .then((count) => require('node:worker_threads').parentPort.postMessage(count));`;
        const thread = new Worker(source, { eval: true });
        thread.once('message', (count: number) => resolve(count));
        thread.once('error', reject);
      });
    expect(await Promise.all([worker(), worker(), worker()])).toEqual([3000, 3000, 3000]);
  });
});

describeKernel('test runs of TC programs', ['root', 'testrun', 'compiler'], () => {
  it('show mark, priority and cb, and the ingress device at ingress only', async () => {
    const session = await open(fixture(['fields', 'tc-ingress'], ['ingress', 'xdp']));
    const ingress = await run(session, { packet: frame(60) });
    expect(ingress.action[0]).toBe(-1);
    expect(ingress.mark[0]).toBe(101);
    expect(ingress.priority[0]).toBe(5);
    expect([...ingress.cb.subarray(0, 5)]).toEqual([10, 0, 0, 0, 14]);
    expect(ingress.packet(0)).toEqual(frame(60));
    const egress = await run(await open(fixture(['fields', 'tc-egress'])), { packet: frame(MAX_TC_FRAME) });
    expect(egress.mark[0]).toBe(1);
    expect(egress.length[0]).toBe(MAX_TC_FRAME);
  });

  it('leave nothing of one kind of program in the context of the other', async () => {
    const session = await open(fixture(['fields', 'tc-ingress'], 'mark_metadata'));
    const output = await run(
      session,
      { packet: frame(60), entry: 1 },
      { packet: frame(60), entry: 0 },
      { packet: frame(60), entry: 1 },
      { packet: frame(60), entry: 0 },
    );
    expect(output.notes.size).toBe(0);
    expect([...output.mark.subarray(0, 4)]).toEqual([0, 101, 0, 101]);
    expect([...output.metaLength.subarray(0, 4)]).toEqual([4, 0, 4, 0]);
  });
});

describeKernel('the maps and globals of a test run', ['root', 'testrun', 'compiler'], () => {
  it('are read back, per-CPU values added up', async () => {
    const session = await open(fixture('swap'));
    await run(session, { packet: frame(60) }, { packet: frame(60) }, { packet: frame(101) });
    expect(contents(session, 'counts')['03000000']).toBe(`${'0300000000000000'}${'dd00000000000000'}`);
    expect(contents(session, 'by_length')).toEqual({
      '3c000000': '0200000000000000',
      '65000000': '0100000000000000',
    });
    expect(contents(session, '.data')['00000000']).toBe('e4000000');
    expect(contents(session, '.bss')['00000000']).toBe('03000000');
  });

  it('start as the world says', async () => {
    const session = await open(fixture('swap'), {
      maps: {
        by_length: [{ key: u32(60), value: u64(41) }],
        counts: [{ key: u32(3), value: Uint8Array.of(...u64(1), ...u64(2)) }],
      },
      globals: { limit: Uint8Array.of(50, 0), gateway: Uint8Array.of(9, 9, 9, 9, 9, 9) },
    });
    const output = await run(session, { packet: frame(60) }, { packet: frame(40) });
    expect([...output.action.subarray(0, 2)]).toEqual([1, 3]);
    expect(output.packet(1)[0]).toBe(9);
    expect(contents(session, 'by_length')['3c000000']).toBe('2a00000000000000');
  });

  it('go back to the world’s at a reset', async () => {
    const world = { maps: { by_length: [{ key: u32(60), value: u64(41) }] } };
    const session = await open(fixture('swap'), world);
    const before = session.maps();
    await run(session, { packet: frame(60) }, { packet: frame(70) }, { packet: frame(101) });
    expect(session.maps()).not.toEqual(before);
    await session.reset();
    expect(session.maps()).toEqual(before);
    const output = await run(session, { packet: frame(60) });
    expect(output.action[0]).toBe(3);
    expect(contents(session, 'by_length')['3c000000']).toBe('2a00000000000000');
  });

  it('hold more entries than one batch call lists', async () => {
    const session = await open(fixture('swap'));
    const lengths = Array.from({ length: 2500 }, (_, index) => 14 + index);
    await run(session, ...lengths.map((length) => ({ packet: frame(length) })));
    const listed = contents(session, 'by_length');
    expect(Object.keys(listed)).toHaveLength(2500);
    expect(new Set(Object.values(listed))).toEqual(new Set(['0100000000000000']));
  });

  it('are not pinned, even where the object asks for it', async () => {
    const first = await open(fixture('swap'));
    await run(first, { packet: frame(60) });
    expect(existsSync('/sys/fs/bpf/counts')).toBe(false);
    expect(contents(await open(fixture('swap')), 'counts')['03000000']).toBe('0'.repeat(32));
  });

  it('take devices of the world into a device map', async () => {
    const device = { ifindex: 77, name: 'port', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) };
    const session = await open(fixture('to_port', 'ingress'), {
      devices: [device],
      maps: { ports: [{ key: u32(1), value: u32(77) }] },
    });
    const output = await run(
      session,
      { packet: frame(60) },
      { packet: frame(60), entry: 1, ingressIfindex: 77 },
    );
    expect([...output.action.subarray(0, 2)]).toEqual([4, 77_000]);
    expect(contents(session, 'ports')).toEqual({ '01000000': '4d000000' });
    expect((await run(await open(fixture('to_port')), { packet: frame(60) })).action[0]).toBe(1);
  });
});

describeKernel('the trace lines of a test run', ['root', 'testrun', 'compiler'], () => {
  const definition = { traces: true } as ProgramDefinition;

  it('belong to the packet that printed them', async () => {
    const session = await open({ ...fixture('print'), definition });
    const output = await run(session, ...[0, 2, 1, 0, 3].map((lines) => ({ packet: frame(60, lines) })));
    expect([...output.trace]).toEqual([
      [1, ['line 1 of 2', 'line 2 of 2']],
      [2, ['line 1 of 1']],
      [4, ['line 1 of 3', 'line 2 of 3', 'line 3 of 3']],
    ]);
  });

  it('are all there after more than the ring holds', async () => {
    const session = await open({ ...fixture('print'), definition });
    const batch = batchOf(...Array.from({ length: 8000 }, (_, index) => ({ packet: frame(60, index % 4) })));
    const output = outcomes(batch);
    for (let pass = 0; pass < 2; pass++) {
      await session.run(batch, output);
      expect(output.trace.size).toBe(6000);
      for (const [index, lines] of output.trace) expect(lines).toHaveLength(index % 4);
    }
  });

  it('of one session are not seen by another of the same thread', async () => {
    const first = await open({ ...fixture('print'), definition });
    const second = await open({ ...fixture('print'), definition });
    await run(first, { packet: frame(60, 3) });
    expect((await run(second, { packet: frame(60, 1) })).trace.get(0)).toEqual(['line 1 of 1']);
    expect((await run(first, { packet: frame(60, 0) })).trace.size).toBe(0);
  });

  it('are seen of a function that only a tail call leads to', async () => {
    const printed = await run(await open(fixtureOf('tail-call', 'jump_and_tell')), { packet: frame(60) });
    expect([...printed.trace]).toEqual([[0, ['landed with 7']]]);
    const silent = await run(await open(fixtureOf('tail-call', 'jump')), { packet: frame(60) });
    expect(silent.trace.size).toBe(0);
  });

  it('are left alone where the definition does not count them', async () => {
    const session = await open({ ...fixture('print'), definition: {} as ProgramDefinition });
    expect((await run(session, { packet: frame(60, 3) })).trace.size).toBe(0);
  });
});

describeKernel('opening what cannot be run', ['root', 'testrun', 'compiler'], () => {
  it('shows the verifier’s log', async () => {
    const error = await failure(fixture('unchecked'));
    expect(error.kind).toBe('input');
    expect(error.message).toContain('the verifier refuses unchecked of testrun.o');
    expect(error.log).toContain('invalid access to packet');
  });

  it('names the function that is not there, and those that are', async () => {
    const error = await failure(fixture('nobody'));
    expect(error.kind).toBe('input');
    expect(error.message).toMatch(/testrun\.o has no function nobody: it has swap, .*grow/);
  });

  it('refuses a section’s program at the wrong hook', async () => {
    const error = await failure(fixture(['swap', 'tc-ingress']));
    expect(error.message).toContain('section "xdp" and cannot run at tc-ingress');
  });

  it.each([
    [
      'a map that is not there',
      { maps: { nowhere: [] } },
      /a map nowhere that testrun\.o does not have \(it has \.bss/,
    ],
    [
      'a key of another size',
      { maps: { by_length: [{ key: u64(1), value: u64(1) }] } },
      /a key has 4 bytes, 8/,
    ],
    [
      'a value of another size',
      { maps: { by_length: [{ key: u32(1), value: u32(1) }] } },
      /a value has 8 bytes, 4/,
    ],
    [
      'a global that is not there',
      { globals: { nothing: u32(1) } },
      /no global nothing: it has gateway, limit/,
    ],
    ['a global of another size', { globals: { limit: u32(1) } }, /limit takes 2 bytes, 4/],
  ])('refuses a world with %s', async (_, world: World, message) => {
    const error = await failure(fixture('swap'), world);
    expect(error.kind).toBe('input');
    expect(error.message).toMatch(message);
  });

  it('leaves no descriptor open, whether it opened or not', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const definition = { traces: true } as ProgramDefinition;
    await (await engine.open({ ...fixture('print'), definition }, {})).close();
    await failure(fixture('unchecked'));
    const before = descriptors();
    for (let round = 0; round < 5; round++) {
      const session = await engine.open({ ...fixture('print'), definition }, {});
      await run(session, { packet: frame(60, 1) });
      await session.close();
      await session.close();
      await failure(fixture('unchecked'));
      await failure(fixture('swap'), { maps: { nowhere: [] } });
      await failure(fixture('nobody'));
    }
    expect(descriptors()).toBe(before);
  });

  it('gives a map that deletion does not restore back by loading anew', async () => {
    const session = await open(fixtureOf('recent', 'remember'));
    await run(session, { packet: frame(60) });
    expect(Object.keys(contents(session, 'recent'))).toHaveLength(1);
    await session.reset();
    expect(contents(session, 'recent')).toEqual({});
    expect((await run(session, { packet: frame(60) })).action[0]).toBe(2);
  });
});

describeKernel('what a test run refuses beforehand', ['root', 'testrun', 'compiler'], () => {
  /** Says `refuses`, and what happens when the packet is run all the same. */
  async function judge(
    program: Program,
    stimulus: Stimulus,
  ): Promise<{ refused: boolean; faulted: boolean }> {
    const batch: PacketBatch = batchOf(stimulus);
    const output = await run(await open(program), stimulus);
    return {
      refused: engine.refuses(program, batch) !== undefined,
      faulted: output.status[0] === STATUS.fault,
    };
  }

  const ip = (etherType: readonly number[], length: number): Uint8Array => {
    const bytes = frame(length);
    bytes.set(etherType, 12);
    return bytes;
  };
  const v4 = [0x08, 0x00];
  const v6 = [0x86, 0xdd];

  it.each([
    ['13 bytes', 'xdp', { packet: frame(13) }],
    ['14 bytes', 'xdp', { packet: frame(14) }],
    ['12 bytes behind metadata', 'xdp', { packet: frame(12), metadata: u64(1) }],
    ['14 bytes behind metadata', 'xdp', { packet: frame(14), metadata: u64(1) }],
    ['3520 bytes', 'xdp', { packet: frame(3520) }],
    ['216 bytes of metadata', 'xdp', { packet: frame(60), metadata: new Uint8Array(216) }],
    ['252 bytes of metadata', 'xdp', { packet: frame(60), metadata: new Uint8Array(252) }],
    ['metadata of 6 bytes', 'xdp', { packet: frame(60), metadata: new Uint8Array(6) }],
    ['a second queue', 'xdp', { packet: frame(60), rxQueueIndex: 1 }],
    ['13 bytes', 'tc-ingress', { packet: frame(13) }],
    ['14 bytes', 'tc-ingress', { packet: frame(14) }],
    ['33 bytes of IPv4', 'tc-ingress', { packet: ip(v4, 33) }],
    ['34 bytes of IPv4', 'tc-ingress', { packet: ip(v4, 34) }],
    ['53 bytes of IPv6', 'tc-ingress', { packet: ip(v6, 53) }],
    ['54 bytes of IPv6', 'tc-ingress', { packet: ip(v6, 54) }],
    ['3712 bytes', 'tc-ingress', { packet: frame(3712) }],
    ['3713 bytes', 'tc-ingress', { packet: frame(3713) }],
  ] as const)('is what the kernel refuses: %s at %s', async (_, hook, stimulus) => {
    const program = hook === 'xdp' ? fixture('ingress') : fixture(['fields', 'tc-ingress']);
    const { refused, faulted } = await judge(program, stimulus);
    expect(refused).toBe(faulted);
  });
});
