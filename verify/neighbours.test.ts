import { describe, expect, it } from 'vitest';
import type { Case } from '../corpus/cases/case.ts';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import type { Program } from '../sim/runtime/program.ts';
import { checksumCause } from './explain/causes.ts';
import { withNeighbours } from './neighbours.ts';
import { Replay } from './replay.ts';
import type { Found } from './segment.ts';
import { data, ethernet, ipv4, udp } from './test-support/packets.ts';

/** Adds a word to the IPv4 checksum, as an update for a lower TTL does, and leaves the TTL alone. */
const UPDATES = `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r2 = r7
  r2 += 34
  if r2 > r8 goto pass
  r2 = *(u16 *)(r7 + 12)
  if r2 != 8 goto pass
  r2 = *(u8 *)(r7 + 14)
  if r2 != 0x45 goto pass
  r2 = *(u16 *)(r7 + 24)
  r2 += 1
  r3 = r2
  r3 >>= 16
  r2 += r3
  *(u16 *)(r7 + 24) = r2
  pass:
  r0 = 2
  exit`;

const program: Program = {
  name: 'p',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: UPDATES }),
};
const engines = [createVmEngine()];

async function foundOn(packet: Uint8Array): Promise<Found> {
  const shown: Case = { program: 'p', world: {}, stimuli: [{ packet }] };
  const replay = new Replay(program, engines, 'checksums');
  const [finding] = await replay.findings(shown);
  await replay.close();
  return { finding: finding!, case: shown, seen: { seed: '1', packet: 0 } };
}

/** Its sum, of words or of pairs of words, loses its carry where it is folded once: by chance that is off as much. */
const chance = Array.from({ length: 64 }, (_, at) =>
  ethernet(0x0800, ipv4(17, udp(data(8)), { destination: [10 + 3 * at, 255 - at, 2 * at, 9] })),
);

describe('withNeighbours', () => {
  it('tells a cause from what explains the packet at hand by chance', async () => {
    const causes = await Promise.all(
      chance.map(async (packet) => {
        const found = await foundOn(packet);
        const told = await withNeighbours(found, { program, engines, oracle: 'checksums' });
        return [checksumCause(packet, found.finding)?.id, checksumCause(packet, told.finding)?.id];
      }),
    );
    expect(causes.some(([alone]) => alone === 'folded once')).toBe(true);
    expect(new Set(causes.map(([, together]) => together))).toEqual(new Set(['change not made']));
  });

  it('adds packets that differ in one word, come in sound and fail alike; once', async () => {
    const packet = chance[0]!;
    const found = await foundOn(packet);
    const told = await withNeighbours(found, { program, engines, oracle: 'checksums' });
    const { others = [] } = told.finding;
    expect(others.length).toBeGreaterThan(10);
    expect(others.every(({ came }) => came.length === packet.length)).toBe(true);
    expect(await withNeighbours(told, { program, engines, oracle: 'checksums' })).toBe(told);
  });

  it('leaves alone what is none of a checksum', async () => {
    const found = await foundOn(chance[0]!);
    const { fault: _, ...finding } = found.finding;
    const other = { ...found, finding };
    expect(await withNeighbours(other, { program, engines })).toBe(other);
  });
});
