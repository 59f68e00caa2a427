import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Case } from '../../corpus/cases/case.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { DEFAULT_LIMITS } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { interpret } from '../../sim/ebpf/test-support/run-both.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { Coverage } from '../../sim/runtime/coverage.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { summarizeCoverage } from '../coverage-summary.ts';
import { verify } from '../run.ts';
import { notToReach, type ProofAid, proofAid } from './aid.ts';
import { withoutImpossible } from './proved-coverage.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

function builtIn(name: string): Program {
  const definition = programByName(name)!;
  const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
  return { name, entries: definition.entries, object, definition };
}

/** Looks for port 7 behind an IPv4 header of any length. */
const BEHIND_OPTIONS = `
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r0 = 2
  r4 = r2
  r4 += 34
  if r4 > r3 goto out
  r5 = *(u8 *)(r2 + 14)
  r5 &= 15
  if r5 < 5 goto out
  r5 <<= 2
  r2 += r5
  r4 = r2
  r4 += 22
  if r4 > r3 goto out
  r6 = *(u8 *)(r2 + 17)
  if r6 != 7 goto out
  r0 = 1
out:
  exit`;

function object(text: string): Program {
  return { name: 'test', object: writeElf({ main: text }), entries: [{ function: 'main', hook: 'xdp' }] };
}

/** What the cases of a proof reach in the machine. */
async function reached(program: Program, { cases }: ProofAid): Promise<Coverage> {
  const report = await verify({
    program,
    engines: [createWasmEngine()],
    seed: 'aid',
    runs: 0,
    cases: cases.map((one) => ({ path: 'path', case: one })),
  });
  return report.fullCoverage!;
}

describe('a proof for other commands', () => {
  it.each(['router', 'meta_mark', 'redirect_map', 'account', 'tcp_filter'])(
    'has packets that reach all of %s that any input reaches',
    async (name) => {
      const program = builtIn(name);
      const aid = await proofAid(program, { solver });
      expect(aid).toMatchObject({ doubt: undefined, paths: aid.shown, beyond: 0 });
      const coverage = await reached(program, aid);
      const { instructions, branches, lines } = summarizeCoverage(
        withoutImpossible(coverage, loadObject(program.object!), aid.impossible),
      );
      for (const [hit, total] of [instructions, branches, lines]) expect(hit).toBe(total);
      // What leaves the count was not reached, and something did leave it.
      const [hit, total] = summarizeCoverage(coverage).branches;
      expect(branches[0]).toBe(hit);
      expect(total).toBeGreaterThanOrEqual(branches[1]);
    },
  );

  it('has a packet for each length of the headers in front of what a path reads', async () => {
    const followed = await proofAid(object(BEHIND_OPTIONS), { solver });
    const { cases, shown, paths, doubt } = followed;
    expect([shown, doubt]).toEqual([paths, undefined]);
    const lengths = (taken: readonly Case[]): number[] => {
      const words = taken.map(({ stimuli }) => stimuli[0]!.packet[14]! & 0xf);
      return [...new Set(words)].sort((a, b) => a - b);
    };
    const isPort = (port: number, { stimuli }: Case): boolean => {
      const { packet } = stimuli[0]!;
      const at = 14 + 4 * (packet[14]! & 0xf);
      return packet.length >= at + 4 && packet[at + 3] === port;
    };
    const all = Array.from({ length: 11 }, (_, index) => 5 + index);
    const seven = cases.filter((one) => isPort(7, one));
    expect(lengths(seven)).toEqual(all);
    expect(lengths(cases.filter((one) => !isPort(7, one))).slice(-11)).toEqual(all);
    // Each is another packet, and is said to be: the path's own is there once.
    expect(seven).toHaveLength(11);
    expect(new Set(cases.map(({ note }) => note?.kept?.[0])).size).toBe(cases.length);
    // What is read where it always lies has one packet for each path.
    const fixed = await proofAid(object(BEHIND_OPTIONS.replace('r2 += r5', 'r2 += 20')), { solver });
    expect([fixed.cases.length, fixed.shown]).toEqual([fixed.paths, fixed.paths]);
  });

  it('says each case’s function and why it is there', async () => {
    const { cases, paths, beyond } = await proofAid(builtIn('layer_coop'), { solver });
    expect({ paths, beyond, cases: cases.length }).toEqual({ paths: 18, beyond: 0, cases: 18 });
    // One path is for tags that a device took off the frame.
    const tags = cases.filter(({ stimuli }) => stimuli[0]!.skb?.vlan !== undefined);
    expect(tags).toHaveLength(1);
    const entries = cases.map(({ stimuli }) => stimuli[0]!.entry ?? 0);
    expect(new Set(entries)).toEqual(new Set([0, 1]));
    const notes = new Set(cases.map(({ note }) => note?.kept?.[0]));
    expect([notes.size, notes.has('always')]).toEqual([cases.length, false]);
    for (const { note, program } of cases) {
      expect(program).toBe('layer_coop');
      expect(note?.kept?.[0]).toMatch(/./);
    }
  });

  it('calls no way impossible while paths are left', async () => {
    const aid = await proofAid(builtIn('tcp_filter'), { solver, paths: 3 });
    expect(aid.doubt).toBe('not every path was followed: after 3 paths');
    const whole = await proofAid(builtIn('tcp_filter'), { solver });
    expect(whole.impossible).toEqual(expect.arrayContaining([...aid.impossible]));
    expect(aid.cases).toHaveLength(3);
  });
});

describe('ways that no engine here can go', () => {
  /** Makes room for metadata, and ends in its own way where there is none, or where the frame is short. */
  const program = (behind: string): Program => ({
    name: 'room',
    entries: [{ function: 'main', hook: 'xdp' }],
    object: writeElf({
      main: `  r6 = r1
  r2 = -4
  call bpf_xdp_adjust_meta
${behind}
  if r0 != 0 goto none
  r0 = 2
  exit
none:
  r0 = 1
  exit`,
    }),
  });

  it('are named with who goes them, and count for nothing', async () => {
    const one = program('');
    const aid = await proofAid(one, { solver, limits: { ...DEFAULT_LIMITS, mostMetadata: 0 } });
    const who = 'drivers that take no metadata';
    expect(aid.elsewhere).toEqual([{ function: 'main', instruction: 3, taken: true, who }]);
    expect(aid.impossible).toEqual([]);
    const coverage = await reached(one, aid);
    expect(summarizeCoverage(coverage).branches).toEqual([1, 2]);
    const rest = withoutImpossible(coverage, loadObject(one.object!), notToReach(aid));
    expect(summarizeCoverage(rest)).toMatchObject({ branches: [1, 1], instructions: [6, 6] });
  });

  it('are ways like others where a frame may go them, too, or where paths are left', async () => {
    const too = program('  r1 = *(u32 *)(r6 + 16)\n  if r1 == 7 goto none');
    const { elsewhere = [] } = await proofAid(too, {
      solver,
      limits: { ...DEFAULT_LIMITS, mostMetadata: 0 },
    });
    expect(elsewhere.map(({ instruction }) => instruction)).toEqual([5]);
    expect((await proofAid(program(''), { solver, paths: 1 })).elsewhere).toBeUndefined();
    expect((await proofAid(builtIn('tcp_filter'), { solver })).elsewhere).toBeUndefined();
  });
});

describe('coverage without what no input reaches', () => {
  // Instructions: 0 to 2 choose, 3 and 4 lie behind the way that is taken, 5 and 6 behind the other.
  const object = testObject({
    main: `r0 = 1
      r1 = *(u32 *)(r1 + 16)
      if r1 > 7 goto big
      r0 = 2
      exit
    big:
      r0 = 3
      exit`,
  });
  const batch = new PacketBatch(1);
  batch.push({ packet: new Uint8Array(64) });
  const { coverage: functions } = interpret(object, batch, { world: {} });
  const coverage = { functions };

  it('counts neither the way nor what lies behind it only', () => {
    expect(summarizeCoverage(coverage)).toMatchObject({ instructions: [5, 7], branches: [1, 2] });
    const way = { function: 'main', instruction: 2, taken: true };
    const proved = withoutImpossible(coverage, object, [way]);
    expect(summarizeCoverage(proved)).toMatchObject({ instructions: [5, 5], branches: [1, 1] });
    expect([...proved.functions[0]!.unreachable]).toEqual([0, 0, 0, 0, 0, 1, 1]);
  });

  it('goes by function, instruction and way', () => {
    for (const other of [
      { function: 'other', instruction: 2, taken: true },
      { function: 'main', instruction: 3, taken: true },
    ]) {
      const proved = withoutImpossible(coverage, object, [other]);
      expect(summarizeCoverage(proved)).toEqual(summarizeCoverage(coverage));
    }
  });

  it('keeps what was reached, whatever a proof says', () => {
    const way = { function: 'main', instruction: 2, taken: false };
    expect(summarizeCoverage(withoutImpossible(coverage, object, [way])).branches).toEqual([1, 2]);
  });

  it('is the same where nothing was proved', () => {
    expect(withoutImpossible(coverage, object, [])).toBe(coverage);
  });
});
