/** What is not looked at on one path leaves open what the others would prove: of a program, not of a path, something is proved. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { proveProgram } from './prove.ts';
import { END, frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

const IPV4 = `${frame(34)}
  r1 = *(u16 *)(r7 + 12)
  if r1 != 0x8 goto out
  r1 = *(u8 *)(r7 + 14)
  if r1 != 0x45 goto out`;

/** Takes the header's first byte from a map. */
const HEADER_OF_MAP = `*(u32 *)(r10 - 8) = 0
  r1 = map[headers]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u8 *)(r0 + 0)
  *(u8 *)(r7 + 14) = r1`;

const LOWERED_TTL = `r1 = *(u8 *)(r7 + 22)
  if r1 < 2 goto out
  r1 += -1
  *(u8 *)(r7 + 22) = r1`;

async function said(text: string): Promise<Record<string, string>> {
  const program = programOf('test', {
    text,
    maps: [testMap('headers', 'ARRAY', { keySize: 4, valueSize: 4, maxEntries: 1 })],
  });
  const limits = { shortest: 0, longest: 60, mostMetadata: 0 };
  const { properties } = await proveProgram(program, { solver, limits });
  return Object.fromEntries(
    properties.map(({ invariant, status, reason }) => [invariant, `${status}: ${reason}`]),
  );
}

describe('headers that a map decides', () => {
  const open = 'undecided: which headers leave depends on what map headers holds';

  it.each([
    ['first', `if r1 == 0 goto lower\n${HEADER_OF_MAP}\ngoto end\nlower:\n${LOWERED_TTL}`],
    ['last', `if r1 == 0 goto other\n${LOWERED_TTL}\ngoto end\nother:\n${HEADER_OF_MAP}`],
  ])('leave open what the other path shows (they come %s)', async (_, text) => {
    const all = await said(`${IPV4}\nr1 = *(u8 *)(r7 + 15)\n${text}\nend:\n${END}`);
    for (const name of ['ttl/expired', 'ttl/wrapped', 'lengths', 'fragments', 'reply/zero-source'])
      expect([name, all[name]]).toEqual([name, open]);
    expect(all['checksum/ipv4']).toContain('refuted');
  });

  it('leave everything of the frame open where there is no other path', async () => {
    const all = await said(`${IPV4}\n${HEADER_OF_MAP}\n${END}`);
    for (const name of ['checksum/ipv4', 'ttl/expired', 'lengths', 'fragments', 'reply/zero-source'])
      expect([name, all[name]]).toEqual([name, open]);
  });

  it('are none where the map is not asked', async () => {
    const all = await said(`${IPV4}\n${LOWERED_TTL}\n${END}`);
    expect([all['ttl/expired'], all.lengths]).toEqual(Array(2).fill('proved: undefined'));
    expect(all).not.toHaveProperty('reply/zero-source');
  });
});

/** Sends UDP to the port that a map names, and updates its checksum. @param change adds to r2 what changes the sum */
const toPort = (change: string, zero: string): string => `${IPV4}
  r0 = r7
  r0 += 42
  if r0 > r8 goto out
  r1 = *(u16 *)(r7 + 20)
  r1 &= 0xff3f
  if r1 != 0 goto out
  r1 = *(u8 *)(r7 + 23)
  if r1 != 17 goto out
  *(u32 *)(r10 - 8) = 0
  r1 = map[headers]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u16 *)(r0 + 0)
  r2 = *(u16 *)(r7 + 40)
  r3 = *(u16 *)(r7 + 36)
  *(u16 *)(r7 + 36) = r1
  if r2 == 0 goto end
  r2 ^= 0xffff
  ${change}
  r4 = r2
  r4 >>= 16
  r2 &= 0xffff
  r2 += r4
  r4 = r2
  r4 >>= 16
  r2 += r4
  r2 &= 0xffff
  r2 ^= 0xffff
  ${zero}
  store:
  *(u16 *)(r7 + 40) = r2
  end:
  ${END}`;

const RIGHT = 'r3 ^= 0xffff\nr2 += r3\nr2 += r1';
const WRONG_WAY = 'r1 ^= 0xffff\nr2 += r3\nr2 += r1';
const ZERO = 'if r2 != 0 goto store\nr2 = 0xffff';

describe('a UDP checksum that is updated by what a map holds', () => {
  it('is proved where the update is right, and 0 is sent as 0xffff', async () => {
    const all = await said(toPort(RIGHT, ZERO));
    for (const name of ['checksum/ipv4', 'checksum/udp', 'lengths', 'fragments', 'fragments/ports-read'])
      expect([name, all[name] ?? 'proved: undefined']).toEqual([name, 'proved: undefined']);
    expect(all).toHaveProperty('checksum/udp');
    expect(Object.values(all).filter((one) => !one.startsWith('proved'))).toEqual([]);
  });

  it('is refuted where the update is wrong, or its 0 stays', async () => {
    expect((await said(toPort(WRONG_WAY, ZERO)))['checksum/udp']).toMatch(
      /^refuted: the udp checksum leaves as/,
    );
    expect((await said(toPort(RIGHT, '')))['checksum/udp']).toMatch(/^refuted: .* says “none”/);
  });

  it('stays open where it is taken from the map', async () => {
    expect((await said(toPort('', 'r2 = *(u16 *)(r0 + 2)')))['checksum/udp']).toBe(
      'undecided: the udp checksum is made of what map headers holds',
    );
  });
});
