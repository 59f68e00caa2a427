/** Bytes of maps with which a packet comes out wrong that was right. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { data, ethernet, ipv4, ipv6, tcp, udp, V6_A, V6_B } from '../test-support/packets.ts';
import { kindsOf, mapByteCases } from './map-bytes.ts';

const engine = createWasmEngine();

const PACKET4 = ethernet(0x0800, ipv4(6, tcp(data(8))));
const PACKET6 = ethernet(0x86dd, ipv6(17, udp(data(8), V6_A, V6_B)));

/** r9 = the entry 0 of the map; `body` does something with it to r7, the frame. */
function programOf(body: string, type: MapType = 'HASH'): Program {
  const main = `r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr0 = r7\nr0 += 54\nif r0 > r8 goto out
    *(u32 *)(r10 - 8) = 0\nr1 = map[table]\nr2 = r10\nr2 += -8\ncall bpf_map_lookup_elem\nif r0 == 0 goto out
    r9 = r0\n${body}\nout:\nr0 = 2\nexit`;
  const object = writeElf({ main }, [testMap('table', type, { valueSize: 8 })]);
  return { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
}

const ENTRY: World = { maps: { table: [{ key: new Uint8Array(4), value: new Uint8Array(8) }] } };

/** The values of the map in the cases. */
async function valuesOf(program: Program, packet: Uint8Array, world = ENTRY): Promise<string[]> {
  const cases = await mapByteCases(program, engine, [{ world, stimulus: { packet } }]);
  return cases.map(({ case: one }) => Buffer.from(one.world.maps!.table!.at(-1)!.value).toString('hex'));
}

/** IPv4's identification becomes the map's, which the checksum follows or does not; r4 = what was there, r5 = what is. */
const PUTS = 'r4 = *(u16 *)(r7 + 18)\nr5 = *(u16 *)(r9 + 2)\n*(u16 *)(r7 + 18) = r5';
const ADDS = (register: string): string =>
  `r1 = *(u16 *)(r7 + 24)\nr1 ^= 65535\nr2 = r4\nr2 ^= 65535\nr1 += r2\nr1 += ${register}
   r2 = r1\nr2 >>= 16\nr1 &= 65535\nr1 += r2\nr2 = r1\nr2 >>= 16\nr1 &= 65535\nr1 += r2\nr1 ^= 65535\n*(u16 *)(r7 + 24) = r1`;

describe('bytes of a map that reach a packet', () => {
  it('make a checksum wrong that leaves them out', async () => {
    const values = await valuesOf(programOf(`${PUTS}\n${ADDS('0')}`), PACKET4);
    expect(values.slice(0, 3)).toEqual(['0000010000000000', '0000020000000000', '0000040000000000']);
    expect(values.every((value) => /^0000(?!0000)[0-9a-f]{4}00000000$/.test(value))).toBe(true);
  });

  it('are left alone where the checksum follows, or comes ready-made from the map', async () => {
    expect(await valuesOf(programOf(`${PUTS}\n${ADDS('r5')}`), PACKET4)).toEqual([]);
    const readyMade = `${PUTS}\nr5 = *(u16 *)(r9 + 6)\n${ADDS('r5')}`;
    expect(await valuesOf(programOf(readyMade), PACKET4)).toEqual([]);
  });

  const CLASS = (mask: string): string => `r1 = *(u8 *)(r9 + 1)\n${mask}r1 |= 96\n*(u8 *)(r7 + 14) = r1`;

  it('are those that a mask lets pass into a place where they are wrong', async () => {
    const values = await valuesOf(programOf(CLASS('r1 &= 63\n')), PACKET6);
    expect(values).toEqual(['0010000000000000', '007f000000000000', '00ff000000000000']);
  });

  it('are not those that nobody has to put there: all bits of it are taken', async () => {
    expect(await valuesOf(programOf(CLASS('')), PACKET6)).toEqual([]);
    expect(await valuesOf(programOf(CLASS('r1 &= 15\n')), PACKET6)).toEqual([]);
  });

  it('may be those of an array of which nobody has said anything', async () => {
    const program = programOf(CLASS('r1 &= 63\n'), 'ARRAY');
    expect(await valuesOf(program, PACKET6, {})).toEqual([
      '0010000000000000',
      '007f000000000000',
      '00ff000000000000',
    ]);
    expect(await valuesOf(programOf(CLASS('r1 &= 63\n')), PACKET6, {})).toEqual([]);
  });
});

it('one packet of each kind is looked at, and all that became longer', () => {
  const stimuli = [1, 2, 3, 4, 5].map((count) => ({ packet: data(count) }));
  const [first, second, third, fourth, fifth] = stimuli.map((stimulus) => ({ world: ENTRY, stimulus }));
  const words = [
    { ...first!, name: 'ipv4+4' },
    { ...second!, name: 'ipv4+8' },
    { ...third!, name: 'tcp+2 over ipv4' },
  ];
  expect(kindsOf([...words, fourth!, fifth!])).toEqual([first, third, fourth, fifth]);
});
