/** Packets of other kinds, with entries for the keys that they look up. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { CHECKSUM, verifyChecksums } from '../oracle/checksums.ts';
import { data, ethernet, ipv4, tcp, udp, V4_B } from '../test-support/packets.ts';
import { packetsLike, withOtherKeys } from './other-keys.ts';

const engine = createWasmEngine();
const PACKET4 = ethernet(0x0800, ipv4(6, tcp(data(9))));

/** Writes into frames whose address at byte 30 has an entry in the map. */
function programOf(maxEntries: number = 16): Program {
  const main = `r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr0 = r7\nr0 += 42\nif r0 > r8 goto out
    r1 = *(u32 *)(r7 + 30)\n*(u32 *)(r10 - 8) = r1\nr1 = map[table]\nr2 = r10\nr2 += -8\ncall bpf_map_lookup_elem
    if r0 == 0 goto out\nr1 = *(u8 *)(r0 + 0)\n*(u8 *)(r7 + 36) = r1\nout:\nr0 = 2\nexit`;
  const object = writeElf({ main }, [testMap('table', 'HASH', { valueSize: 8, maxEntries })]);
  return { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
}

const VALUE = Uint8Array.of(0xee, 1, 2, 3, 4, 5, 6, 7);
const worldOf = (...keys: readonly (readonly number[])[]): World => ({
  maps: { table: keys.map((key) => ({ key: Uint8Array.from(key), value: VALUE })) },
});

/** "4/6" is TCP in IPv4. */
function kindOf(packet: Uint8Array): string {
  return packet[12] === 0x86 ? `6/${packet[20]}` : `4/${packet[23]}`;
}

describe('packets like another one', () => {
  it('are sound, of both versions and in a tunnel, with its ports, flags and data', () => {
    const made = packetsLike({ packet: PACKET4, ingressIfindex: 3 });
    expect(new Set(made.map(({ packet }) => kindOf(packet)))).toEqual(
      new Set(['4/6', '6/6', '4/4', '4/17', '6/17']),
    );
    for (const { packet, ingressIfindex } of made) {
      expect(ingressIfindex).toBe(3);
      expect(packet.slice(0, 12)).toEqual(PACKET4.slice(0, 12));
      verifyChecksums(packet, 0, packet.length, {
        checksum: ({ status }) => expect(status).toBe(CHECKSUM.good),
      });
      expect(packet.slice(-9)).toEqual(data(9));
      const at = packet.length - 9 - (/6$/.test(kindOf(packet)) || packet[43] === 6 ? 20 : 8);
      expect([...packet.slice(at, at + 4)]).toEqual([...PACKET4.slice(34, 38)]);
    }
  });

  it('are none of a frame without IP, and have data of their own where it has no ports', () => {
    expect(packetsLike({ packet: ethernet(0x0806, data(40)) })).toEqual([]);
    const made = packetsLike({ packet: ethernet(0x0800, ipv4(50, data(40))) });
    expect(made.length).toBeGreaterThan(5);
  });
});

describe('other keys', () => {
  it('have the value that led a packet on, for each kind that looks one up', async () => {
    const found = await withOtherKeys(programOf(), engine, [
      { world: worldOf(V4_B), stimulus: { packet: PACKET4 } },
    ]);
    expect(new Set(found.map(({ stimulus }) => kindOf(stimulus.packet)))).toEqual(
      new Set(['4/6', '6/6', '4/4', '4/17', '6/17']),
    );
    const [first] = found;
    expect(found.every(({ world }) => world === first!.world)).toBe(true);
    const entries = first!.world.maps!.table!;
    // V4_B, that of the packets that are made, and what an address of IPv6 has there.
    expect(entries.map(({ key }) => [...key])[0]).toEqual([...V4_B]);
    expect(entries.length).toBe(3);
    expect(entries.every(({ value }) => value === VALUE)).toBe(true);
  });

  it('are no more than the map holds', async () => {
    const found = await withOtherKeys(programOf(2), engine, [
      { world: worldOf(V4_B), stimulus: { packet: PACKET4 } },
    ]);
    expect(found.length).toBeGreaterThan(0);
    expect(found.every(({ world }) => world.maps!.table!.length === 2)).toBe(true);
  });

  it('are asked for once for each way of changing packets, and not where none is changed', async () => {
    const program = programOf();
    const led = { world: worldOf(V4_B), stimulus: { packet: PACKET4 } };
    const other = ethernet(0x0800, ipv4(17, udp(data(40))));
    const again = { world: worldOf(V4_B), stimulus: { packet: other } };
    const both = await withOtherKeys(program, engine, [led, again]);
    expect(new Set(both.map(({ world }) => world)).size).toBe(1);
    const none = { world: worldOf([1, 2, 3, 4]), stimulus: { packet: PACKET4 } };
    const empty = { world: {}, stimulus: { packet: PACKET4 } };
    const noIp = { world: worldOf(V4_B), stimulus: { packet: ethernet(0x0806, data(60)) } };
    expect(await withOtherKeys(program, engine, [none, empty, noIp])).toEqual([]);
  });
});
