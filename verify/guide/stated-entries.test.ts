import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { addressToText } from '../../sim/packet/addresses.ts';
import { readU16 } from '../../sim/packet/bytes.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { guide } from './guide.ts';
import { statedKeys } from './stated-entries.ts';

const program: Program = {
  name: 'world_file',
  object: readFileSync(new URL('../../sim/ebpf/test-support/world-file.o', import.meta.url)),
  entries: [{ function: 'enter', hook: 'xdp' }],
  maxEntries: { sized: 8 },
};
const value = new Uint8Array(44);

it('leads to every entry of the world, by composite keys, prefixes and numbers in another byte order', () => {
  const world: World = {
    maps: {
      flows: [
        { key: Uint8Array.of(198, 18, 7, 7, 0x9c, 0xbb, 17, 0), value },
        { key: Uint8Array.of(198, 18, 9, 9, 0x9c, 0xbc, 6, 0), value },
      ],
      networks: [{ key: Uint8Array.of(16, 0, 0, 0, 203, 0, 0, 0), value: new Uint8Array(4) }],
    },
    slots: { tenants: [{ key: Uint8Array.of(0x39, 0x30, 0, 0, 0, 0, 0, 0), name: 'inner_one' }] },
  };
  const { cases } = guide(program, { seed: 's', effort: 300_000, worlds: [{ name: 'stated', world }] });
  const seen = cases
    .filter((one) => one.world === world)
    .flatMap(({ stimuli }) => stimuli)
    .filter(({ packet }) => packet.length >= 38)
    .map(({ packet }) => ({
      flow: `${addressToText(packet.subarray(26, 30))}:${readU16(packet, 36)}/${packet[23]}`,
      net: addressToText(packet.subarray(26, 28 + 2)).startsWith('203.0.'),
      port: readU16(packet, 36),
    }));
  const flows = seen.map(({ flow }) => flow);
  expect(flows).toContain('198.18.7.7:40123/17');
  expect(flows).toContain('198.18.9.9:40124/6');
  expect(seen.some(({ net }) => net)).toBe(true);
  // The program looks for the port in the machine's order.
  expect(seen.map(({ port }) => port)).toContain(12_345);
});

it('takes each key once, as far as a key is there', () => {
  const one = Uint8Array.of(1);
  const entries = [
    { key: one, value: one },
    { key: Uint8Array.of(1), value },
    { key: Uint8Array.of(2), value },
  ];
  const worlds = [
    { name: 'a', world: { maps: { m: entries } } },
    { name: 'b', world: { maps: { m: entries, n: [] } } },
  ];
  expect([...statedKeys(worlds)]).toEqual([
    ['m', [one, Uint8Array.of(2)]],
    ['n', []],
  ]);
});
