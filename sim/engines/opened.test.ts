/** What both machines make of an object when they open it: sizes of maps, maps that forget, reads of what was never written. */
import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { assemble, testMap } from '../ebpf/test-support/assemble.ts';
import { writeElf } from '../ebpf/test-support/write-elf.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import { programs } from '../programs/index.ts';
import type { Hook } from '../runtime/actions.ts';
import { indexKey } from '../runtime/map-snapshot.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { EngineError } from './engine.ts';
import { OutcomeBatch } from './outcome-batch.ts';
import { mayReadUnwritten } from './unwritten-stack.ts';
import { createVmEngine } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

const ENGINES = [createVmEngine(), createWasmEngine()];

const programOf = (object: Uint8Array | undefined, hook: Hook = 'xdp', name = 'main'): Program => ({
  name: 'test',
  entries: [{ function: name, hook }],
  ...(object === undefined ? {} : { object }),
});

describe.each(ENGINES)('$name', (engine) => {
  it('has memory enough from the start for every built-in program and what runs of it take', async () => {
    const grow = vi.spyOn(WebAssembly.Memory.prototype, 'grow');
    try {
      for (const definition of programs) {
        const { name, entries } = definition;
        const object = readFileSync(new URL(`../../bpf/built/${name}.o`, import.meta.url));
        const program = { name, entries, object };
        for (const { world } of definition.worlds) {
          const session = await engine.open(program, world);
          const packets = new PacketBatch(512);
          for (let index = 0; index < 512; index++) {
            packets.push({ packet: new Uint8Array(256), entry: index % program.entries.length });
          }
          await session.run(packets, new OutcomeBatch(512));
          await session.close();
        }
      }
      expect(grow).not.toHaveBeenCalled();
    } finally {
      grow.mockRestore();
    }
  });

  it('gives maps the size that the user states where the object states none', async () => {
    const text = 'r1 = map[m]\nr1 = map[n]\nr1 = map[o]\nr0 = 2\nexit';
    const object = writeElf({ main: text }, [
      testMap('m', 'HASH', { maxEntries: 0 }),
      testMap('n', 'HASH', { maxEntries: 7 }),
      testMap('o', 'HASH', { maxEntries: 0 }),
    ]);
    const session = await engine.open({ ...programOf(object), maxEntries: { m: 5 } }, {});
    expect(session.maps().map(({ definition: { name, maxEntries } }) => [name, maxEntries])).toEqual([
      ['m', 5],
      ['n', 7],
      ['o', 1024],
    ]);
  });

  it('says from which packet on an LRU map may have forgotten something, also before the first', async () => {
    // An entry for each packet: its key is the first byte.
    const text = `r2 = *(u32 *)(r1 + 4)
      r1 = *(u32 *)(r1 + 0)
      r3 = r1
      r3 += 4
      if r3 > r2 goto out
      r3 = *(u8 *)(r1 + 0)
      *(u32 *)(r10 - 4) = r3
      *(u64 *)(r10 - 16) = r3
      r1 = map[recent]
      r2 = r10
      r2 += -4
      r3 = r10
      r3 += -16
      r4 = 0
      call bpf_map_update_elem
      out:
      r0 = 2
      exit`;
    const object = writeElf({ main: text }, [testMap('recent', 'LRU_HASH', { valueSize: 8, maxEntries: 8 })]);
    const uncertain = async (world: World, ...batches: number[]): Promise<number[]> => {
      const session = await engine.open(programOf(object), world);
      const found: number[] = [];
      let next = 0;
      for (const count of batches) {
        const batch = new PacketBatch(count);
        for (let index = 0; index < count; index++) batch.push({ packet: Uint8Array.of(next++, 0, 0, 0) });
        const output = new OutcomeBatch(count);
        await session.run(batch, output);
        found.push(output.uncertainFrom);
      }
      return found;
    };
    const never = Number.POSITIVE_INFINITY;
    const filled = (count: number): World => ({
      maps: {
        recent: Array.from({ length: count }, (_, index) => ({
          key: indexKey(100 + index),
          value: new Uint8Array(8),
        })),
      },
    });
    // Half of eight are surely kept.
    expect(await uncertain({}, 4, 1, 1)).toEqual([never, 0, 0]);
    expect(await uncertain({}, 6)).toEqual([4]);
    expect(await uncertain(filled(3), 3)).toEqual([1]);
    expect(await uncertain(filled(5), 1)).toEqual([0]);
  });
});

const MAKERS = [createVmEngine, createWasmEngine];
const PASS = 'r0 = 2\nexit';

/** What a program returns for a packet, one number a packet. */
async function actions(
  make: (typeof MAKERS)[number],
  program: Program,
  world: World = {},
  options: Parameters<typeof createVmEngine>[0] = {},
): Promise<number> {
  const session = await make(options).open(program, world);
  const batch = new PacketBatch(1);
  batch.push({ packet: new Uint8Array(20) });
  const output = new OutcomeBatch(1);
  await session.run(batch, output);
  return output.action[0]!;
}

describe.each(MAKERS.map((make) => ({ name: make().name, make })))('$name, given an object', ({ make }) => {
  it('runs it as it is, or as it is changed, and remembers only the former', async () => {
    const program = programOf(writeElf({ main: PASS }));
    const change: NonNullable<Parameters<typeof createVmEngine>[0]>['change'] = (object) => ({
      ...object,
      programs: object.programs.map((one) => ({ ...one, instructions: assemble('r0 = 1\nexit') })),
    });
    expect([
      await actions(make, program),
      await actions(make, program, {}, { change }),
      await actions(make, program),
    ]).toEqual([2, 1, 2]);
  });

  it('gives every session variables of its own', async () => {
    const text = 'r1 = map[.data]+4\nr0 = *(u32 *)(r1 + 0)\nr2 = r0\nr2 += 1\n*(u32 *)(r1 + 0) = r2\nexit';
    const program = programOf(
      writeElf({ main: text }, [], { '.data': { other: [9, 0, 0, 0], limit: [1, 0, 0, 0] } }),
    );
    const world = { globals: { limit: Uint8Array.of(3, 0, 0, 0) } };
    const found: number[] = [];
    for (const one of [world, {}, world, {}]) found.push(await actions(make, program, one));
    expect(found).toEqual([3, 1, 3, 1]);
  });

  it.each<[what: string, program: Program, options: object, why: string | undefined]>([
    ['none', programOf(undefined), {}, 'test has no compiled object to run'],
    ['one that is none', { ...programOf(Uint8Array.of(1)), objectPath: 'dir/my.o' }, {}, 'dir/my.o: '],
    [
      'one without the function',
      programOf(writeElf({ main: PASS, more: PASS }), 'xdp', 'other'),
      {},
      'test: program other: expected a program of the object, found only main, more',
    ],
    [
      'one with a ring, on Linux before 5.8',
      programOf(writeElf({ main: `r1 = map[ring]\n${PASS}` }, [testMap('ring', 'RINGBUF')])),
      { asKernel: '5.7' },
      'maps of type RINGBUF',
    ],
    [
      'one with a ring, on Linux 5.8',
      programOf(writeElf({ main: `r1 = map[ring]\n${PASS}` }, [testMap('ring', 'RINGBUF')])),
      { asKernel: '5.8' },
      undefined,
    ],
    [
      'one with a ring that nobody uses',
      programOf(writeElf({ main: PASS }, [testMap('ring', 'RINGBUF')])),
      { asKernel: '5.7' },
      undefined,
    ],
  ])('opens it or says why not: %s', async (_what, program, options, why) => {
    const problem = await make(options)
      .open(program, {})
      .then(() => undefined)
      .catch((error: unknown) => error);
    if (why === undefined) expect(problem).toBeUndefined();
    else {
      expect(problem).toBeInstanceOf(EngineError);
      expect(problem).toMatchObject({ kind: 'input', lacking: false, message: expect.stringContaining(why) });
    }
  });

  it('takes frames in several buffers since Linux 5.18', async () => {
    const program: Program = {
      name: 'test',
      entries: [{ function: 'main', hook: 'xdp', frags: true }],
      object: writeElf({ main: PASS }),
    };
    await expect(make({ asKernel: '5.17' }).open(program, {})).rejects.toThrow(
      'XDP frames in several buffers',
    );
    await expect(make({ asKernel: '5.18' }).open(program, {})).resolves.toBeDefined();
  });

  it.each<[hook: Hook, text: string, first: number[]]>([
    ['xdp', PASS, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['xdp', 'r1 = 77\nr2 = 0\ncall bpf_redirect\nexit', [4, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    // mark at 8, priority at 32, cb from 48 on (include/uapi/linux/bpf.h, struct __sk_buff).
    [
      'tc-ingress',
      'r2 = 5\n*(u32 *)(r1 + 8) = r2\nr2 = 6\n*(u32 *)(r1 + 32) = r2\nr2 = 7\n*(u32 *)(r1 + 48) = r2\nr2 = 8\n*(u32 *)(r1 + 64) = r2\nr0 = 3\nexit',
      [3, 0, 0, 5, 6, 7, 0, 0, 0, 8, 0, 0],
    ],
    ['tc-egress', 'r0 = -1\nexit', [-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ])('leaves nothing of what a batch of outcomes held before: %s, %j', async (hook, text, first) => {
    const session = await make().open(programOf(writeElf({ main: text }), hook), {});
    const output = new OutcomeBatch(3);
    for (const array of [
      output.action,
      output.status,
      output.redirect,
      output.mark,
      output.priority,
      output.cb,
      output.tstamp,
    ])
      array.fill(9);
    output.metaLength.fill(8);
    const batch = new PacketBatch(2);
    for (const length of [20, 30]) batch.push({ packet: new Uint8Array(length).fill(length) });
    await session.run(batch, output);
    const fields = (index: number): number[] => [
      output.action[index]!,
      output.status[index]!,
      output.redirect[index]!,
      output.mark[index]!,
      output.priority[index]!,
      ...output.cb.subarray(5 * index, 5 * index + 5),
      ...output.tstamp.subarray(2 * index, 2 * index + 2),
    ];
    expect([fields(0), fields(1), fields(2)]).toEqual([first, first, Array(12).fill(9)]);
    expect([output.count, output.used, [...output.metaLength]]).toEqual([2, 50, [0, 0, 8]]);
    expect([output.packet(0), output.packet(1)]).toEqual([
      batch.stimulus(0).packet,
      batch.stimulus(1).packet,
    ]);
    batch.clear();
    await session.run(batch, output);
    expect([output.count, output.used]).toEqual([0, 0]);
  });

  it('shows maps in order of their names', async () => {
    const maps = ['z', 'a', 'm'].map((name) => testMap(name, 'HASH'));
    const session = await make().open(programOf(writeElf({ main: PASS }, maps)), {});
    expect(session.maps().map(({ definition }) => definition.name)).toEqual(['a', 'm', 'z']);
  });

  it('is there only where there is an object', () => {
    expect(make().availability()).toEqual({ available: true });
    expect(make().availability(programOf(new Uint8Array(0)))).toEqual({ available: true });
    expect(make().availability(programOf(undefined))).toMatchObject({
      available: false,
      reason: 'test has no compiled object',
    });
  });
});

describe('reads of stack bytes that were never written', () => {
  const READ = 'r0 = *(u64 *)(r10 - 8)\nr0 = 2\nexit';
  const WRITTEN = `*(u64 *)(r10 - 8) = r1\n${READ}`;

  it('may be where the program has one, or where nothing can be told', () => {
    expect(mayReadUnwritten(programOf(writeElf({ main: READ })))).toBe(true);
    expect(mayReadUnwritten(programOf(writeElf({ main: READ }), 'tc-ingress'))).toBe(true);
    expect(mayReadUnwritten(programOf(writeElf({ main: WRITTEN })))).toBe(false);
    expect(mayReadUnwritten(programOf(writeElf({ main: WRITTEN }), 'xdp', 'other'))).toBe(true);
    expect(mayReadUnwritten(programOf(Uint8Array.of(1, 2, 3)))).toBe(true);
    expect(mayReadUnwritten(programOf(undefined))).toBe(false);
  });

  it('may be behind a tail call, whoever fills the slot', () => {
    const maps = [testMap('handlers', 'PROG_ARRAY')];
    const calls = 'r2 = map[handlers]\nr3 = 0\ncall bpf_tail_call\nr0 = 2\nexit';
    const may = (texts: Readonly<Record<string, string>>): boolean =>
      mayReadUnwritten(programOf(writeElf(texts, maps)));
    expect(may({ main: calls, other: READ })).toBe(true);
    expect(may({ main: calls, other: WRITTEN })).toBe(false);
    expect(may({ main: WRITTEN, other: READ })).toBe(false);
  });

  it('are looked for in every entry, and known the next time', () => {
    const object = writeElf({ main: WRITTEN, second: READ });
    const entries = ['main', 'second'].map((name) => ({ function: name, hook: 'xdp' as const }));
    const program: Program = { name: 'test', entries, object };
    expect([mayReadUnwritten(program), mayReadUnwritten(program)]).toEqual([true, true]);
    expect(mayReadUnwritten({ ...program, entries: entries.slice(0, 1) })).toBe(false);
  });
});
