/** What both machines make of an object when they open it: sizes of maps, maps that forget, reads of what was never written. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../ebpf/test-support/assemble.ts';
import { writeElf } from '../ebpf/test-support/write-elf.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import type { Hook } from '../runtime/actions.ts';
import { indexKey } from '../runtime/map-snapshot.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
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

  it('are looked for in every entry, and known the next time', () => {
    const object = writeElf({ main: WRITTEN, second: READ });
    const entries = ['main', 'second'].map((name) => ({ function: name, hook: 'xdp' as const }));
    const program: Program = { name: 'test', entries, object };
    expect([mayReadUnwritten(program), mayReadUnwritten(program)]).toEqual([true, true]);
    expect(mayReadUnwritten({ ...program, entries: entries.slice(0, 1) })).toBe(false);
  });
});
