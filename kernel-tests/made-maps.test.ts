/** Maps that user space makes after a template: in the kernel they are what they are in the machine, and proofs follow them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { createEngine } from '../cli/engines.ts';
import { runInProcess } from '../cli/test-support/in-process.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { ethernet } from '../sim/packet/build.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { World } from '../sim/runtime/world.ts';
import { lostUpdates } from '../verify/check/lost-updates.ts';
import { buildGuarded, GUARDED_PROGRAMS } from './aim/programs.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const made = () => buildGuarded(GUARDED_PROGRAMS.find(({ name }) => name === 'made')!);

/** One customer, 10.0.0.1, with one service, whose limit is high; the source's count stands at 2. */
function world(): World {
  const limit = new Uint8Array(8);
  limit[2] = 1;
  const count = new Uint8Array(8);
  count[0] = 2;
  return {
    slots: {
      services_of: [{ key: Uint8Array.of(10, 0, 0, 1), name: 'services_of/0' }],
      seen_by_cpu: [{ key: new Uint8Array(4), name: 'seen_by_cpu/3' }],
    },
    maps: {
      'services_of/0': [{ key: Uint8Array.of(53, 0, 17, 0), value: limit }],
      'seen_by_cpu/3': [{ key: Uint8Array.of(192, 0, 2, 1), value: count }],
    },
  };
}

function packets(...destinations: readonly string[]): PacketBatch {
  const batch = new PacketBatch(destinations.length);
  for (const destination of destinations)
    batch.push({
      packet: ethernet()
        .ipv4({ source: '192.0.2.1', destination })
        .udp({ sourcePort: 9, destinationPort: 53 })
        .bytes(),
    });
  return batch;
}

const compiled = (file: string, use: (path: string) => Promise<void>): Promise<void> => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-made-'));
  const path = join(scratch, 'it.o');
  compileBpf(file, path);
  return use(path).finally(() => rmSync(scratch, { recursive: true, force: true }));
};

describeKernel('maps that user space makes', ['compiler', 'testrun'], () => {
  it('hold in the kernel what they hold in the machine, before and after the packets', async () => {
    const program = made();
    const batch = packets('10.0.0.1', '10.0.0.1', '10.0.0.2');
    const ran = async (name: 'wasm' | 'vm' | 'testrun') => {
      const session = await createEngine(name).open(program, world());
      try {
        const output = new OutcomeBatch(batch.count);
        // Once more after a reset: the counts begin where the world has them.
        for (let round = 0; round < 2; round++) {
          if (round > 0) await session.reset();
          await session.run(batch, output);
        }
        const maps = session
          .maps()
          .map((map) => [map.definition.name, map.definition.type, Array.from(map.list())]);
        return { actions: [...output.action.subarray(0, batch.count)], maps };
      } finally {
        await session.close();
      }
    };
    const machine = await ran('vm');
    // Seen for the third time, then for the fourth: of nobody’s customer nothing is asked.
    expect(machine.actions).toEqual([2, 3, 2]);
    expect(machine.maps.map(([name, type]) => `${name}: ${type}`)).toEqual([
      '.bss: ARRAY',
      'seen_by_cpu/3: LRU_HASH',
      'services_of/0: HASH',
    ]);
    expect(await ran('wasm')).toEqual(machine);
    expect(await ran('testrun')).toEqual(machine);
  });

  it('are there though no slot holds them', async () => {
    for (const name of ['vm', 'wasm', 'testrun'] as const) {
      const session = await createEngine(name).open(made(), { maps: { 'services_of/0': [] } });
      const output = new OutcomeBatch(1);
      await session.run(packets('10.0.0.1'), output);
      expect(output.action[0], name).toBe(2);
      expect(
        session.maps().map(({ definition }) => definition.name),
        name,
      ).toContain('services_of/0');
      await session.close();
    }
  });

  it('are refused by every engine where the object has no such template', async () => {
    for (const name of ['vm', 'testrun'] as const)
      await expect(createEngine(name).open(made(), { maps: { 'tables/0': [] } }), name).rejects.toThrow(
        /map tables\/0/,
      );
  });
});

describeKernel('maps whose size is the loader’s to say', ['compiler', 'testrun'], () => {
  it('gets its inner maps in the size that is stated, or in the usual one', () =>
    compiled('kernel-tests/fixtures/sizeless_inner.bpf.c', async (path) => {
      const object = new Uint8Array(readFileSync(path));
      const key = new Uint8Array(4);
      const entry = { key: Uint8Array.of(7, 0, 0, 0), value: Uint8Array.of(3, 0, 0, 0) };
      const given = { slots: { tables: [{ key, name: 'tables/0' }] }, maps: { 'tables/0': [entry] } };
      const ran = async (name: 'vm' | 'wasm' | 'testrun', sizes: Record<string, number>) => {
        const entries = [{ function: 'sizeless_inner', hook: 'xdp' as const }];
        const program = { name: 'sizeless', object, entries, maxEntries: sizes };
        const session = await createEngine(name).open(program, given);
        const output = new OutcomeBatch(1);
        await session.run(packets('10.0.0.1'), output);
        const made = session.maps().find(({ definition }) => definition.name === 'tables/0');
        await session.close();
        return [output.action[0], made?.definition.maxEntries];
      };
      for (const name of ['vm', 'wasm', 'testrun'] as const) {
        expect(await ran(name, { 'tables.inner': 8 }), name).toEqual([3, 8]);
        expect(await ran(name, {}), name).toEqual([3, 1024]);
        await expect(ran(name, { 'tables.inner': 7 }), name).rejects.toThrow('tables/0');
      }
    }));
});

describeKernel('an object with templates', ['compiler'], () => {
  it('is proved with two maps of each', () =>
    compiled('kernel-tests/aim/made.bpf.c', async (path) => {
      const { out } = await runInProcess('prove', path, '--json', '--off', 'fragments/ports-read');
      const [{ assumptions, branches }] = JSON.parse(out).programs;
      expect(assumptions).toContain(
        'user space puts 2 maps into map services_of at the most, each into as many slots as it likes',
      );
      expect(branches).toMatchObject({ undecided: 0 });
    }));

  it('can lose what CPUs count in the maps inside, unless they are one for each CPU', () =>
    compiled('kernel-tests/fixtures/inner_counts.bpf.c', async (path) => {
      const object = new Uint8Array(readFileSync(path));
      const lostBy = (name: string): string[] =>
        lostUpdates({ name, object, entries: [{ function: name, hook: 'xdp' }] }).map(
          ({ summary }) => summary,
        );
      expect(lostBy('shared')).toEqual([
        expect.stringContaining(
          'counter/lost-update: a value of a map in tables is loaded, added to and stored',
        ),
      ]);
      expect(lostBy('table_of_cpu')).toEqual([]);
      expect(lostBy('value_of_cpu')).toEqual([]);
    }));

  it('whose types are not described says what to do', () =>
    compiled('kernel-tests/fixtures/half_described.bpf.c', async (path) => {
      expect(() => loadObject(new Uint8Array(readFileSync(path)))).toThrow(
        'map services_of.inner, field key: expected the members of service, found its name alone (use the type elsewhere, too: for a global variable, say)',
      );
    }));
});
