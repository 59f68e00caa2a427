import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileBpf } from '../../bpf/compile.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { describeKernel } from '../../kernel-tests/test-support/require-kernel.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { ChecksumJudge } from '../oracle/judge.ts';
import type { Property } from './property.ts';
import { proveProgram } from './prove.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver({ timeout: 8_000 }))!;
});
afterAll(endZ3);

async function properties(program: Program): Promise<Map<string, Property>> {
  const { properties: all } = await proveProgram(program, { solver, time: 100_000 });
  return new Map(all.map((one) => [one.invariant, one]));
}

function specimen(name: string, faulty: boolean): Program {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-prove-'));
  try {
    const object = join(scratch, `${name}.o`);
    compileBpf(`kernel-tests/checksum-specimens/${name}.bpf.c`, object, {
      options: faulty ? ['-DFAULTY'] : [],
    });
    return {
      name,
      entries: [{ function: 'specimen', hook: 'xdp' }],
      object: new Uint8Array(readFileSync(object)),
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

describe('checksums for all packets', () => {
  it('proves the echo server: incremental update, and 0xFFFF for 0', async () => {
    const object = new Uint8Array(readFileSync(packageFile('bpf/built/icmp_echo.o')));
    const entries = [{ function: 'icmp_echo', hook: 'xdp' as const }];
    const all = await properties({ name: 'icmp_echo', entries, object });
    for (const layer of ['icmp', 'icmpv6']) {
      expect(all.get(`checksum/${layer}`), layer).toMatchObject({ status: 'proved', reason: undefined });
    }
  });
});

/** What is wrong, and what must be found wrong about it. */
const FAULTS = [
  ['carry_lost', 'checksum/ipv4'],
  ['udp_zero_lost', 'checksum/udp'],
  ['address_left', 'checksum/tcp'],
  ['total_byte_order', 'lengths/total'],
] as const;

describeKernel('checksums of programs with a fault', ['compiler'], () => {
  for (const [name, invariant] of FAULTS) {
    it(`${name} is refuted by a packet that came right`, async () => {
      const found = (await properties(specimen(name, true))).get(invariant);
      expect(found).toMatchObject({ status: 'refuted', confirmedBy: ['vm'] });
      const { packet } = found!.witness!.stimulus;
      // Nothing is blamed on the program that the packet brought along.
      const judge = new ChecksumJudge();
      expect(judge.judge(packet, 0, packet.length, packet, 0, packet.length)).toBeUndefined();
    });

    it(`${name} without the fault is not`, async () => {
      const all = await properties(specimen(name, false));
      expect([...all.values()].filter((one) => one.status === 'refuted')).toEqual([]);
      const checksum = all.get(invariant);
      if (checksum !== undefined && invariant.startsWith('checksum/')) expect(checksum.status).toBe('proved');
    });
  }
});
