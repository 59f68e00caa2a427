/** Two builds of a program: proved equal for all packets, or told apart by a packet that machine and kernel confirm. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { proveAgainstShape } from '../cli/prove/against-json.ts';
import { runInProcess } from '../cli/test-support/in-process.ts';
import { packageFile } from '../kernel/package-file.ts';
import type { Solver } from '../sim/ebpf/symbolic/solver.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { programByName } from '../sim/programs/index.ts';
import type { Program } from '../sim/runtime/program.ts';
import { parse } from '../sim/runtime/schema.ts';
import { type AgainstProof, proveAgainst } from '../verify/prove/against/against.ts';
import { confirmSuspects } from '../verify/prove/against/confirm-suspects.ts';
import { createZ3Solver, endZ3 } from '../verify/prove/z3-solver.ts';
import { buildCheckSpecimen, CHECK_SPECIMENS } from './check-specimens/specimens.ts';
import { part } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

let solver: Solver;
let scratch: string;

beforeAll(async () => {
  solver = (await createZ3Solver({ timeout: 8_000 }))!;
  scratch = mkdtempSync(join(tmpdir(), 'xdpsim-against-'));
});
afterAll(async () => {
  await endZ3();
  rmSync(scratch, { recursive: true, force: true });
});

const objects = new Map<string, Uint8Array>();

function compiled(source: string, options: readonly string[]): Uint8Array {
  const key = [source, ...options].join(' ');
  let object = objects.get(key);
  if (object === undefined) {
    const file = join(scratch, `${objects.size}.o`);
    compileBpf(source, file, { options });
    object = new Uint8Array(readFileSync(file));
    objects.set(key, object);
  }
  return object;
}

function pairOf(name: string): { readonly old: Program; readonly new: Program } {
  const entries = [{ function: name, hook: 'xdp' as const }];
  const source = 'kernel-tests/prove-pairs/pairs.bpf.c';
  return {
    old: { name, entries, object: compiled(source, []) },
    new: { name, entries, object: compiled(source, ['-DNEW']) },
  };
}

/** The field of each class of packets that both builds were seen to treat differently. */
async function shown(pair: ReturnType<typeof pairOf>, { suspects }: AgainstProof): Promise<string[]> {
  const report = await confirmSuspects(pair, suspects, { engine: createVmEngine(), shrinkSeconds: 1 });
  return report.classes.map(({ finding }) => finding.field);
}

describeKernel('two builds', ['compiler'], () => {
  const BUILDS = [
    ['router', '-O1'],
    ['layer_coop', '-O3'],
    ['tcp_filter', '-mcpu=v2'],
    ['port_filter', '-O1'],
  ] as const;
  for (const [name, flags] of part(BUILDS, 2)) {
    it(`${name} built with ${flags} does what the committed object does`, async () => {
      const definition = programByName(name)!;
      const entries = [definition.entries[0]!];
      const committed = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
      const object = compiled(`bpf/${name}.bpf.c`, [flags]);
      const proof = await proveAgainst(
        { old: { name, entries, object: committed }, new: { name, entries, object } },
        { solver },
      );
      expect(proof).toMatchObject({ isEqual: true, suspects: [], open: undefined });
      expect(proof.pairs).toBeGreaterThanOrEqual(proof.paths);
    });
  }

  for (const name of ['conditions', 'state']) {
    it(`that say the same in another way are equal: ${name}`, async () => {
      const proof = await proveAgainst(pairOf(name), { solver });
      expect(proof).toMatchObject({ isEqual: true, suspects: [], open: undefined });
    });
  }

  const DIFFERENT = [
    ['deep', 'ipv4.tos'],
    ['map_value', 'map counts'],
    ['variable', 'map .data: limit'],
    ['target', 'redirect'],
    ['metadata', 'metadata'],
  ] as const;
  for (const [name, field] of DIFFERENT) {
    it(`that differ for few packets are told apart: ${name}`, async () => {
      const pair = pairOf(name);
      const proof = await proveAgainst(pair, { solver });
      expect(proof.isEqual).toBe(false);
      expect(await shown(pair, proof)).toContain(field);
    });
  }

  it('that ask for another route are not taken for equal', async () => {
    const proof = await proveAgainst(pairOf('route'), { solver });
    expect(proof.isEqual).toBe(false);
    expect(proof.suspects.map(({ what }) => what)).toContain('action');
  });

  it('that depend on what nobody wrote are not taken for equal', async () => {
    const specimen = CHECK_SPECIMENS.find(({ name }) => name === 'stack_decides')!;
    const [old, next] = [true, false].map((faulty) => buildCheckSpecimen(specimen, 'xdp', faulty));
    const proof = await proveAgainst({ old: old!, new: next! }, { solver });
    expect(proof).toMatchObject({ isEqual: false, open: expect.stringContaining('nobody wrote') });
  });
});

/** Faults of all kinds: the faulty form and the right one are told apart. */
describeKernel('faulty and right forms', ['compiler'], () => {
  const NAMES = [
    'carry_lost',
    'udp_zero_lost',
    'redirect_flags',
    'echo_group',
    'fragment_read',
    'ipip_total',
  ];
  for (const name of part(NAMES, 2)) {
    it(`of ${name} are told apart`, async () => {
      const specimen = CHECK_SPECIMENS.find((one) => one.name === name)!;
      const [old, next] = [true, false].map((faulty) => buildCheckSpecimen(specimen, 'xdp', faulty));
      const pair = { old: old!, new: next! };
      const proof = await proveAgainst(pair, { solver });
      expect(await shown(pair, proof)).not.toEqual([]);
    });
  }
});

describeKernel('prove --against', ['compiler'], () => {
  const write = (name: string, options: readonly string[]): string => {
    const file = join(scratch, name);
    writeFileSync(file, compiled('kernel-tests/prove-pairs/pairs.bpf.c', options));
    return file;
  };

  it('ends with 0 where builds are equal, and names what the proof rests on', async () => {
    const [old, next] = [write('old.o', []), write('new.o', ['-DNEW'])];
    const { code, out } = await runInProcess('prove', `${old}:state`, '--against', `${next}:state`);
    expect({ code, out }).toMatchObject({
      code: 0,
      out: expect.stringContaining('proved equal for frames of up to 3,520 bytes'),
    });
    expect(out).toContain('maps hold anything before the packet comes');
  });

  it('ends with 1 and the packet, in the published form, where they are not', async () => {
    const [old, next] = [write('old.o', []), write('new.o', ['-DNEW'])];
    const { code, out } = await runInProcess('prove', `${old}:deep`, '--against', `${next}:deep`, '--json');
    const document = parse(proveAgainstShape, JSON.parse(out));
    expect({ code, verdict: document.verdict }).toEqual({ code: 1, verdict: 'fail' });
    const [found] = document.programs[0]!.classes;
    expect(found).toMatchObject({ field: 'ipv4.tos', confirmedBy: expect.arrayContaining(['vm']) });
    // Least significant byte first, behind the header's eight bytes.
    expect(found!.example.packets.at(-1)).toContain('6e6968736e6f6f6d');
  });
});
