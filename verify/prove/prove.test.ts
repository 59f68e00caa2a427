import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { withCode } from '../../sim/ebpf/test-support/patch-object.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { type ProgramProof, proveProgram } from './prove.ts';
import { wordsOf } from './words.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

function builtIn(name: string, entry: number = 0): Program {
  const definition = programByName(name)!;
  return {
    name,
    entries: [definition.entries[entry]!],
    object: new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`))),
    definition,
  };
}

function statuses({ branches }: ProgramProof): Record<string, number> {
  const counts = { reached: 0, unreachable: 0, undecided: 0 };
  for (const { status } of branches) counts[status]++;
  return counts;
}

it('decides nothing about headers of a program that puts an Ethernet header in front of frames without one', async () => {
  const object = writeElf({
    main: `r6 = r1
    r7 = *(u32 *)(r1 + 16)
    r2 = 14
    r3 = 0
    call bpf_skb_change_head
    if r0 != 0 goto out
    *(u64 *)(r10 - 16) = 2
    *(u32 *)(r10 - 8) = 3
    *(u16 *)(r10 - 4) = r7
    r1 = r6
    r2 = 0
    r3 = r10
    r3 += -16
    r4 = 14
    r5 = 0
    call bpf_skb_store_bytes
    out:
    r0 = 0
    exit`,
  });
  const program: Program = { name: 'p', entries: [{ function: 'main', hook: 'tc-ingress' }], object };
  const { properties } = await proveProgram(program, { solver });
  expect(properties.find((one) => one.invariant === 'ethertype/stale')).toMatchObject({
    status: 'undecided',
    reason: expect.stringContaining('without a link header'),
  });
  expect(properties.find((one) => one.invariant === 'verifier/stopped')).toMatchObject({ status: 'proved' });
});

describe('proving built-in programs', () => {
  it('decides every branch of the router, with routes that take it everywhere, and proves its checksum', async () => {
    const proof = await proveProgram(builtIn('router'), { solver });
    expect(statuses(proof)).toEqual({ reached: 29, unreachable: 3, undecided: 0 });
    expect(proof.paths).toHaveLength(16);
    expect(proof.paths.filter((one) => !one.confirmed)).toEqual([]);
    const checksum = proof.properties.find((one) => one.invariant === 'checksum/ipv4');
    expect(checksum).toMatchObject({ status: 'proved', paths: 1 });
  });

  it('takes entries of maps for granted and for missing, and maps for full', async () => {
    const proof = await proveProgram(builtIn('layer_coop'), { solver });
    expect(statuses(proof)).toEqual({ reached: 16, unreachable: 0, undecided: 0 });
    const full = proof.paths.find((one) => Object.values(one.witness?.world.maps ?? {})[0]?.length === 2048);
    expect(full?.confirmed).toBe(true);
  });

  it('names the lines whose conditions exclude each other', async () => {
    const proof = await proveProgram(builtIn('redirect_map'), { solver });
    const unreachable = proof.branches.filter((one) => one.status === 'unreachable');
    expect(unreachable.map(({ source, taken }) => `${source?.text} ${taken}`)).toEqual([
      'if (action >= XDP_ACTION_MAX) true',
      'if (!rec) true',
    ]);
  });

  it('takes what the kernel’s variables hold for anything, and what per-CPU addresses lead to for missing', async () => {
    const url = new URL('../../sim/ebpf/test-support/kernel-variables.o', import.meta.url);
    const entries = [{ function: 'kernel_variables_xdp', hook: 'xdp' as const }];
    const object = new Uint8Array(readFileSync(url));
    const { branches, assumptions } = await proveProgram({ name: 'variables', entries, object }, { solver });
    expect(branches.length).toBeGreaterThan(4);
    // The linker knows that the weak one is not there, and every slot of the results is.
    const unreachable = branches.filter((one) => one.status === 'unreachable');
    expect(
      unreachable.map(({ source }) => source?.text).filter((text) => !/nowhere|result/.test(text ?? '')),
    ).toEqual([]);
    expect(assumptions.join()).toContain('bpf_this_cpu_ptr: any result');
  });

  it('says in field names what a path asks for', async () => {
    const proof = await proveProgram(builtIn('port_filter'), { solver, paths: 60 });
    const texts = proof.paths.flatMap(({ state }) => wordsOf(proof.inputs, state).map((word) => word.text));
    expect(texts).toContain('ip.proto == 6');
    expect(texts).toContain('vlan.etype == 0x800');
    expect(proof.cut).toBe('after 60 paths');
    // What was not followed is nothing that is known.
    expect(statuses(proof).undecided).toBeGreaterThan(0);
    expect(proof.properties.every((one) => one.status === 'undecided')).toBe(true);
  });

  it('reaches neither way of a comparison that the machine stops at', async () => {
    const program = builtIn('icmp_echo');
    // if r1 > r5, the first bounds check: r9 holds nothing yet.
    const object = withCode(program.object!, 'xdp', 6, [0x2d, 0x59]);
    const proof = await proveProgram({ ...program, object }, { solver });
    expect(statuses(proof).reached).toBe(0);
    const reasons = proof.branches.slice(0, 2).map(({ status, reason }) => `${status}: ${reason}`);
    expect(reasons).toEqual(
      Array(2).fill('unreachable: the program is stopped at the comparison: R9 !read_ok'),
    );
  });

  it('takes a solver that finds nothing out for what it is', async () => {
    const none: Solver = { check: () => Promise.resolve({ status: 'unknown', reason: 'no time' }) };
    const proof = await proveProgram(builtIn('icmp_echo'), { solver: none, paths: 200 });
    const undecided = proof.branches.filter((one) => one.status === 'undecided');
    expect(undecided.length).toBeGreaterThan(0);
    // Three ways lead nowhere, with a solver or without.
    expect(statuses(proof).unreachable).toBeLessThanOrEqual(3);
  });
});
