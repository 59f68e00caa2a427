/** A packet that leaves with several wrong checksums refutes each of them, though judges name the outermost one first. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Property } from './property.ts';
import { proveProgram } from './prove.ts';
import { showRefutation } from './show-refutation.ts';
import { END, frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

const tcp = (change: string): ReturnType<typeof programOf> =>
  programOf('test', {
    maps: [testMap('words', 'ARRAY')],
    text: `${frame(54)}
      r1 = *(u16 *)(r7 + 12)
      if r1 != 0x8 goto out
      r1 = *(u8 *)(r7 + 14)
      if r1 != 0x45 goto out
      r1 = *(u16 *)(r7 + 20)
      r1 &= 0xff3f
      if r1 != 0 goto out
      r1 = *(u8 *)(r7 + 23)
      if r1 != 6 goto out
      ${change}
      ${END}`,
  });

const IDENTIFICATION = '*(u16 *)(r7 + 18) = 0x7';
const PORT = '*(u16 *)(r7 + 36) = 0x7';

async function checksums(change: string): Promise<Property[]> {
  const limits = { shortest: 0, longest: 60, mostMetadata: 0 };
  const { properties } = await proveProgram(tcp(change), { solver, limits });
  return properties.filter(({ invariant }) => invariant.startsWith('checksum/'));
}
const said = (all: readonly Property[]): string[] =>
  all.map(({ invariant, status }) => `${invariant} ${status}`);

describe('a program that forgets', () => {
  it('both checksums is refuted in both, and both are shown', async () => {
    const all = await checksums(`${IDENTIFICATION}\n${PORT}`);
    expect(said(all).sort()).toEqual(['checksum/ipv4 refuted', 'checksum/tcp refuted']);
    for (const one of all) {
      const shown = await showRefutation(one, {
        ...{ program: tcp(`${IDENTIFICATION}\n${PORT}`), machine: createVmEngine(), shrinkSeconds: 1 },
      });
      expect([shown.status, shown.confirmedBy]).toEqual(['refuted', ['vm']]);
      expect(shown.divergence !== undefined).toBe(one.invariant === 'checksum/ipv4');
    }
  });

  it('one of them is refuted in that one', async () => {
    expect(said(await checksums(IDENTIFICATION))).toEqual(['checksum/ipv4 refuted']);
    expect(said(await checksums(PORT)).sort()).toEqual(['checksum/ipv4 proved', 'checksum/tcp refuted']);
  });
});

/** Puts a word of a map into the data of the packet, and mends the checksum (RFC 1624, eqn. 3), with what is added besides. */
const FILLED = (added: number): string => `r0 = r7
  r0 += 56
  if r0 > r8 goto out
  r1 = *(u16 *)(r7 + 16)
  if r1 != 0x2a00 goto out
  *(u32 *)(r10 - 8) = 0
  r1 = map[words]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u16 *)(r7 + 50)
  r1 ^= 0xffff
  r2 = *(u16 *)(r7 + 54)
  r2 ^= 0xffff
  r1 += r2
  r2 = *(u16 *)(r0 + 0)
  *(u16 *)(r7 + 54) = r2
  r1 += r2
  r1 += ${added}
  ${Array.from({ length: 2 }, () => 'r2 = r1\nr2 >>= 16\nr1 &= 0xffff\nr1 += r2').join('\n')}
  r1 ^= 0xffff
  *(u16 *)(r7 + 50) = r1`;

it('data that comes from a map is part of the message: the checksum is right for all of it, or refuted', async () => {
  expect(said(await checksums(FILLED(0))).sort()).toEqual(['checksum/ipv4 proved', 'checksum/tcp proved']);
  expect(said(await checksums(FILLED(5))).sort()).toEqual(['checksum/ipv4 proved', 'checksum/tcp refuted']);
});
