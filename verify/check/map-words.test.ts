/** Contents of maps that are made for a program which takes them into its packets: with them, every sum comes to a special value. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { CHECKSUM, verifyChecksums } from '../oracle/checksums.ts';
import { data, ethernet, ipv4, tcp, V4_A, V4_B } from '../test-support/packets.ts';
import { mapWordCases } from './map-words.ts';
import { CaseRunner } from './probe.ts';
import type { Rewritten } from './rewritten.ts';

const file = new URL('recorded/translators.o', import.meta.url);
const program: Program = {
  name: 'backend_tunnel',
  entries: [{ function: 'backend_tunnel', hook: 'xdp' }],
  object: new Uint8Array(readFileSync(file)),
};
const engine = createWasmEngine();

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
