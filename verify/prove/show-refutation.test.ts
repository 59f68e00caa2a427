/** What is said of a refutation is said of the packet that is shown. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
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

async function shown(text: string, invariant: string): Promise<Property> {
  const program = programOf('test', { text });
  const limits = { shortest: 0, longest: 60, mostMetadata: 0 };
  const { properties } = await proveProgram(program, { solver, limits });
  const found = properties.find((one) => one.invariant === invariant)!;
  return showRefutation(found, { program, machine: createVmEngine(), shrinkSeconds: 5 });
}

/** Sets the TTL to 7 and leaves the checksum, of IPv4 packets that say so. */
const IPV4 = (condition: string): string => `${frame(34)}
  r1 = *(u16 *)(r7 + 12)
  if r1 != 0x8 goto out
  r1 = *(u8 *)(r7 + 14)
  if r1 != 0x45 goto out
  ${condition}
  r1 = *(u8 *)(r7 + 22)
  if r1 < 9 goto out
  *(u8 *)(r7 + 22) = 7
  ${END}`;

describe('the packet that is shown', () => {
  it.each([
    ['as it is usual', ''],
    ['a length that no frame here has', 'r1 = *(u8 *)(r7 + 16)\nif r1 != 4 goto out'],
  ])('came right: %s', async (_what, condition) => {
    const property = await shown(IPV4(condition), 'checksum/ipv4');
    const { fault } = property.divergence!.finding;
    expect([fault?.kind, fault?.before?.status]).toEqual(['wrong', 'good']);
    const hex = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;
    const { got, expected } = fault!.after;
    expect(property.reason).toBe(`the ipv4 checksum leaves as ${hex(got)} where ${hex(expected)} is right`);
  });

  it('is the one that returns what is said', async () => {
    const text = `${frame(34)}
      r0 = *(u8 *)(r7 + 20)
      r0 ^= 200
      if r0 > 180 goto out
      if r0 < 30 goto out
      exit
      out:
      r0 = 2
      exit`;
    const { divergence, reason } = await shown(text, 'action/unknown');
    expect(reason).toBe(`the program returns ${divergence!.finding.got!.action}`);
  });
});
