import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { programByName } from '../../sim/programs/index.ts';
import { XDP_DROP } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { exampleCases } from '../run.ts';
import { judgeMutants, type MutantOptions, type MutantResult } from './judge-mutants.ts';
import { UnchangedDiffersError } from './mutant-cases.ts';
import { mutationsOf } from './mutations.ts';

function builtIn(name: string): Program {
  const definition = programByName(name)!;
  const entries = definition.entries.map(({ model: _, ...entry }) => entry);
  const object = readFileSync(new URL(`../../bpf/built/${name}.o`, import.meta.url));
  return { name, entries, object, definition };
}

async function judged(program: Program, options: Partial<MutantOptions>): Promise<MutantResult[]> {
  const results: MutantResult[] = [];
  const all = { seed: 'mutants', runs: 4_096, cases: exampleCases(program), ...options };
  for await (const result of judgeMutants(program, all)) results.push(result);
  return results;
}

function verdicts(results: readonly MutantResult[]): string[] {
  return [...new Set(results.map(({ verdict }) => verdict))].sort();
}

describe('mutations', () => {
  const texts = (text: string): string[] =>
    mutationsOf(testObject({ main: text }), [0], () => true).map(({ kind, after }) => `${kind}: ${after}`);

  it('change operators, constants, offsets and conditions, and drop checks', () => {
    expect(texts('r0 = 1\nr0 += 5\nexit')).toEqual([
      'constant: r0 = 2',
      'operator: r0 -= 5',
      'constant: r0 += 6',
    ]);
    expect(texts('r0 = *(u16 *)(r1 + 4)\nexit')).toEqual(['offset: r0 = *(u16 *)(r1 +6)']);
    expect(texts('r0 = 0\nif r1 > 3 goto out\nr0 = 2\nout:\nexit').slice(1, 5)).toEqual([
      'condition: if r1 <= 0x3 goto pc+1',
      'condition: if r1 >= 0x3 goto pc+1',
      'constant: if r1 > 0x4 goto pc+1',
      'check dropped: no check',
    ]);
  });

  it('leave the object as it is', () => {
    const object = testObject({ main: 'r0 = 1\nexit' });
    const [first] = mutationsOf(object, [0], () => true);
    expect(first!.apply(object).programs[0]!.instructions.imm[0]).toBe(2);
    expect(object.programs[0]!.instructions.imm[0]).toBe(1);
  });
});

describe('judging mutants', () => {
  it('finds that a model notices all that can be told apart', async () => {
    const results = await judged(builtIn('tcp_filter'), { limit: 24 });
    expect(verdicts(results)).toContain('killed');
    expect(verdicts(results)).not.toContain('survived');
  });

  it('names what too few packets do not notice', async () => {
    const results = await judged(builtIn('tcp_filter'), { limit: 24, runs: 1, cases: [] });
    const survivors = results.filter(({ verdict }) => verdict === 'survived');
    expect(survivors.length).toBeGreaterThan(3);
    expect(survivors[0]!.mutation).toMatchObject({
      file: expect.stringContaining('bpf'),
      text: expect.any(String),
    });
  });

  it('ends by time, however many packets there may be', async () => {
    const options = { limit: 12, runs: Number.POSITIVE_INFINITY, seconds: 0.001 };
    const results = await judged(builtIn('tcp_filter'), options);
    expect(results).toHaveLength(12);
    expect(verdicts(results)).not.toContain('survived');
  });

  it('judges none where the program differs from its model as it is', async () => {
    const { definition, ...program } = builtIn('tcp_filter');
    const entries = definition!.entries.map((entry) => ({ ...entry, model: () => XDP_DROP }));
    const wrong = { ...program, definition: { ...definition!, entries } };
    await expect(judged(wrong, { limit: 4 })).rejects.toThrow(UnchangedDiffersError);
  });

  it('does not take stack that was never written for the zeros that it may hold', async () => {
    const results = await judged(builtIn('redirect_map'), { runs: 1_024 });
    const elsewhere = results.find(({ mutation }) => mutation.before === '*(u32 *)(r10 -16) = r2');
    expect(elsewhere?.verdict).toBe('killed');
    // Every byte of the addresses that are written counts.
    const alike = results.filter(({ verdict }) => verdict === 'alike').map(({ mutation }) => mutation);
    expect(alike.filter(({ text }) => text?.includes('memcpy'))).toEqual([]);
  });

  it('compares an object without a model with itself', async () => {
    const { definition: _, ...object } = builtIn('tcp_filter');
    const results = await judged(object, { limit: 12 });
    expect(verdicts(results)).toContain('killed');
    expect(verdicts(results)).not.toContain('survived');
  });
});
