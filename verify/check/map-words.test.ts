/** Contents of maps that are made for a program which takes them into its packets: with them, every sum comes to a special value. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { CHECKSUM, LAYER, verifyChecksums } from '../oracle/checksums.ts';
import { data, ethernet, ipv4, tcp, V4_A, V4_B } from '../test-support/packets.ts';
import { filledCases, mapWordCases } from './map-words.ts';
import { CaseRunner } from './probe.ts';
import type { Rewritten } from './rewritten.ts';
import { ChecksumRepair } from './sweep-packets.ts';

const file = new URL('recorded/translators.o', import.meta.url);
const program: Program = {
  name: 'backend_tunnel',
  entries: [{ function: 'backend_tunnel', hook: 'xdp' }],
  object: new Uint8Array(readFileSync(file)),
};
const engine = createWasmEngine();

const read16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

const packet = ethernet(0x0800, ipv4(6, tcp(data(8))));

/** The backend of an address. */
function backend(address: readonly number[], first = 1): World {
  const value = new Uint8Array(12);
  value[0] = first;
  return { maps: { backends: [{ key: Uint8Array.from(address), value }] } };
}

function word(world: World, name = 'ipv4+0'): Rewritten {
  return { world, stimulus: { packet }, name, at: 14, balance: -1 };
}

const backendHex = ({ maps }: World): string => Buffer.from(maps!.backends![0]!.value).toString('hex');

describe('contents of maps that reach a packet', () => {
  const world = backend(V4_B);

  it('differ from case to case, in that map alone, for the same packet', async () => {
    const cases = await mapWordCases(program, engine, [word(world)]);
    expect(cases.length).toBeGreaterThan(10);
    expect(cases.map(({ path }) => path)).toEqual(cases.map((_, index) => `contents of maps ${index + 1}`));
    for (const { case: one } of cases) {
      expect(one.program).toBe('backend_tunnel');
      expect(one.stimuli).toEqual([{ packet }]);
      expect(Object.keys(one.world.maps!)).toEqual(['backends']);
      expect(one.world.maps!.backends![0]!.key).toEqual(Uint8Array.from(V4_B));
    }
    // The world that was given stays as it is.
    expect(backendHex(world)).toBe('010000000000000000000000');
    await expect(`${cases.map(({ case: one }) => backendHex(one.world)).join('\n')}\n`).toMatchFileSnapshot(
      'recorded/map-words.txt',
    );
  });

  it('make sums go wrong in a program that folds once', async () => {
    const cases = await mapWordCases(program, engine, [word(world)]);
    const runner = new CaseRunner(program, engine);
    let wrong = 0;
    for (const { case: one } of cases) {
      const { packet: left } = (await runner.outcome(one.world, one.stimuli[0]!))!;
      verifyChecksums(left, 0, left.length, {
        checksum: ({ status }) => {
          if (status === CHECKSUM.bad) wrong++;
        },
      });
    }
    await runner.close();
    expect(wrong).toBeGreaterThan(0);
  });

  it('are no more than 160', async () => {
    const many = Array.from({ length: 12 }, (_, index) => word(backend(V4_B, index + 1)));
    expect((await mapWordCases(program, engine, many)).length).toBe(160);
  });

  it('are none where the packet finds no entry, no map has any, or there is no object', async () => {
    expect(await mapWordCases(program, engine, [word(backend(V4_A))])).toEqual([]);
    expect(await mapWordCases(program, engine, [word({})])).toEqual([]);
    expect(await mapWordCases(program, engine, [])).toEqual([]);
    const { object: _, ...bare } = program;
    expect(await mapWordCases(bare, engine, [word(world)])).toEqual([]);
  });
});

/** Takes an element out of a queue and makes it the identification, with the checksum that follows. */
const PUTS = `r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 4)\nr0 = r6\nr0 += 34\nif r0 > r7 goto out
    *(u64 *)(r10 - 8) = 0\nr1 = map[ids]\nr2 = r10\nr2 += -8\ncall bpf_map_pop_elem\nif r0 != 0 goto out
    r1 = *(u16 *)(r6 + 24)\nr1 ^= 65535\nr2 = *(u16 *)(r6 + 18)\nr2 ^= 65535\nr1 += r2\nr2 = *(u16 *)(r10 - 8)
    *(u16 *)(r6 + 18) = r2\nr1 += r2\nr2 = r1\nr2 >>= 16\nr1 &= 65535\nr1 += r2\nr1 ^= 65535
    *(u16 *)(r6 + 24) = r1\nout:\nr0 = 2\nexit`;

describe('elements of a queue or stack that reach a packet', () => {
  it.each<MapType>(['QUEUE', 'STACK'])('%s: the ones that come out first', async (type) => {
    const maps = [testMap('ids', type, { valueSize: 2, maxEntries: 100 })];
    const own: Program = {
      ...{ name: 'ids', entries: [{ function: 'main', hook: 'xdp' }] },
      object: writeElf({ main: PUTS }, maps),
    };
    const ids = Array.from({ length: 100 }, () => ({ key: new Uint8Array(0), value: new Uint8Array(2) }));
    const cases = await mapWordCases(own, engine, [word({ maps: { ids } })]);
    expect(cases.length).toBeGreaterThan(10);
    const first = cases.map(({ case: { world } }) =>
      world.maps!.ids!.at(type === 'STACK' ? -1 : 0)!.value.join(),
    );
    expect(new Set(first).size).toBeGreaterThan(10);
  });
});

it('packets in which the word that is replaced is 0 show carries that others do not', async () => {
  // The new identification takes the place of the old one, and the sum is folded once: 0x1FFFF loses its carry.
  const own: Program = {
    ...{ name: 'ids', entries: [{ function: 'main', hook: 'xdp' }] },
    object: writeElf({ main: PUTS }, [testMap('ids', 'QUEUE', { valueSize: 2, maxEntries: 9 })]),
  };
  const world: World = { maps: { ids: [{ key: new Uint8Array(0), value: new Uint8Array(2) }] } };
  const large = packet.slice();
  new ChecksumRepair().apply(large, 0, large.length, 18, 0xfeff, -1);
  const rewritten = { ...word(world, 'ipv4+4'), stimulus: { packet: large }, at: 18 };
  const cases = await mapWordCases(own, engine, [rewritten]);
  expect(new Set(cases.map(({ case: one }) => read16(one.stimuli[0]!.packet, 18)))).toEqual(
    new Set([0xfeff, 0]),
  );
  const runner = new CaseRunner(own, engine);
  const wrong = new Set<number>();
  for (const { case: one } of cases) {
    const { packet: left } = (await runner.outcome(one.world, one.stimuli[0]!))!;
    verifyChecksums(left, 0, left.length, {
      checksum: ({ status }) => {
        if (status === CHECKSUM.bad) wrong.add(read16(one.stimuli[0]!.packet, 18));
      },
    });
  }
  await runner.close();
  expect([...wrong]).toEqual([0]);
});

describe('an entry with a field that decides', () => {
  const SUM = Array.from({ length: 10 }, (_, index) => `r1 = *(u16 *)(r7 + ${14 + 2 * index})\nr2 += r1`);
  const FOLD = 'r1 = r2\nr1 &= 0xffff\nr2 >>= 16\nr2 += r1';
  /** Puts both addresses of the entry into the header where the entry's third word is 2, and sums the header up anew. */
  const programOf = (folds: number): Program => ({
    ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp' }] },
    object: writeElf(
      {
        main: `r7 = *(u32 *)(r1 + 0)
          r8 = *(u32 *)(r1 + 4)
          r0 = r7
          r0 += 62
          if r0 > r8 goto out
          r1 = *(u32 *)(r7 + 30)
          *(u32 *)(r10 - 8) = r1
          r1 = map[tunnels]
          r2 = r10
          r2 += -8
          call bpf_map_lookup_elem
          if r0 == 0 goto out
          r1 = *(u32 *)(r0 + 8)
          if r1 != 2 goto out
          r1 = *(u32 *)(r0 + 0)
          *(u32 *)(r7 + 26) = r1
          r1 = *(u32 *)(r0 + 4)
          *(u32 *)(r7 + 30) = r1
          *(u16 *)(r7 + 24) = 0
          r2 = 0
          ${SUM.join('\n')}
          ${Array.from({ length: folds }, () => FOLD).join('\n')}
          r2 ^= 0xffff
          *(u16 *)(r7 + 24) = r2
          r0 = 3
          exit
          out:
          r0 = 2
          exit`,
      },
      [testMap('tunnels', 'HASH', { valueSize: 12 })],
    ),
  });
  const value = Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0);
  const world: World = { maps: { tunnels: [{ key: Uint8Array.from(V4_B), value }] } };

  /** Cases in which the header's checksum comes out wrong, of all that are made. */
  async function wrongOf(own: Program): Promise<[wrong: number, made: number]> {
    // Of no protocol that sums its addresses up, and of small words: one large one does not make two carries.
    const stimulus = { packet: ethernet(0x0800, ipv4(61, data(28))) };
    const cases = await mapWordCases(own, engine, [{ ...word(world), stimulus }]);
    const runner = new CaseRunner(own, engine);
    let wrong = 0;
    for (const { case: one } of cases) {
      const { packet: left, action } = (await runner.outcome(one.world, one.stimuli[0]!))!;
      expect(action).toBe(3);
      verifyChecksums(left, 0, left.length, {
        checksum: ({ status, layer }) => {
          if (layer === LAYER.ipv4 && status === CHECKSUM.bad) wrong++;
        },
      });
    }
    await runner.close();
    return [wrong, cases.length];
  }

  it('keeps its value, and all others are large: a sum that is folded once goes wrong', async () => {
    const [wrong, made] = await wrongOf(programOf(1));
    expect(made).toBeGreaterThan(10);
    expect(wrong).toBeGreaterThan(0);
  });

  it('leaves a right sum right', async () => {
    const [wrong, made] = await wrongOf(programOf(2));
    expect(made).toBeGreaterThan(10);
    expect(wrong).toBe(0);
  });
});

describe('other contents for a map of zeros', () => {
  /** r9 = the entry of the destination; `body` does something with it to r7, the frame. */
  const programOf = (body: string): Program => ({
    ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp' }] },
    object: writeElf(
      {
        main: `r6 = r1
          r7 = *(u32 *)(r1 + 0)
          r8 = *(u32 *)(r1 + 4)
          r0 = r7
          r0 += 62
          if r0 > r8 goto out
          r1 = *(u32 *)(r7 + 30)
          *(u32 *)(r10 - 8) = r1
          r1 = map[deltas]
          r2 = r10
          r2 += -8
          call bpf_map_lookup_elem
          if r0 == 0 goto out
          r9 = r0
          ${body}
          out:
          r0 = 2
          exit
          ${body.includes('goto drop') ? 'drop:\nr0 = 1\nexit' : ''}`,
      },
      [testMap('deltas', 'HASH')],
    ),
  });
  const ADD = 'r1 = *(u32 *)(r9 + 4)\nr2 = *(u32 *)(r7 + 38)\nr2 += r1\n*(u32 *)(r7 + 38) = r2';
  const worldOf = (value: readonly number[], key: readonly number[] = V4_B): World => ({
    maps: { deltas: [{ key: Uint8Array.from(key), value: Uint8Array.from(value) }] },
  });
  const ZEROS = [0, 0, 0, 0, 0, 0, 0, 0];

  async function filled(body: string, world: World, packets = [packet]): Promise<string[]> {
    const cases = packets.map((one) => ({
      ...{ path: 'guided case 1', case: { program: 'p', world, stimuli: [{ packet: one }] } },
    }));
    const made = await filledCases(programOf(body), engine, cases);
    expect(made.map(({ path }) => path)).toEqual(made.map((_, index) => `filled maps ${index + 1}`));
    return made.map(({ case: one }) => Buffer.from(one.world.maps!.deltas![0]!.value).toString('hex'));
  }

  it('is one with which the packet comes out changed', async () => {
    const [value, ...others] = await filled(ADD, worldOf(ZEROS));
    expect(others).toEqual([]);
    expect(value!.slice(8)).not.toMatch(/^00|0000/);
  });

  it('is one with which a packet comes out otherwise that becomes shorter', async () => {
    const cut = 'r1 = r6\nr2 = 4\ncall bpf_xdp_adjust_head\nr7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 4)';
    const room = 'r1 = r7\nr1 += 58\nif r1 > r8 goto out';
    const put = (what: string): string =>
      `r5 = *(u32 *)(r9 + 4)\n*(u32 *)(r10 - 16) = r5\n${cut}\n${room}\n${what}`;
    const own = put('r1 = *(u32 *)(r10 - 16)\n*(u32 *)(r7 + 34) = r1');
    expect(await filled(own, worldOf(ZEROS))).toHaveLength(1);
    expect(await filled(put('*(u32 *)(r7 + 34) = 7'), worldOf(ZEROS))).toEqual([]);
  });

  it('leaves alone what decides', async () => {
    const only = (value: string): string => `r1 = *(u8 *)(r9 + 0)\nif r1 != ${value} goto out\n${ADD}`;
    expect(await filled(only('1'), worldOf([1, ...ZEROS.slice(1)]))).toEqual([
      expect.stringMatching(/^0100/),
    ]);
    // A zero may decide as well: each word is tried by itself.
    expect(await filled(only('0'), worldOf(ZEROS))).toEqual([expect.stringMatching(/^0{8}/)]);
  });

  it('is tried with a sound packet besides one that is not', async () => {
    const broken = packet.slice();
    broken[50]! ^= 1;
    expect(await filled(ADD, worldOf(ZEROS), [broken, packet, packet])).toHaveLength(2);
  });

  it('is none where nothing more is written, or the packet is dropped, or has no entry', async () => {
    expect(await filled('r1 = *(u32 *)(r9 + 4)', worldOf(ZEROS))).toEqual([]);
    expect(await filled('*(u32 *)(r7 + 38) = 7', worldOf(ZEROS))).toEqual([]);
    expect(await filled(`r1 = *(u32 *)(r9 + 4)\nif r1 != 0 goto drop\n${ADD}`, worldOf(ZEROS))).toEqual([]);
    expect(await filled(ADD, worldOf(ZEROS, V4_A))).toEqual([]);
  });
});
