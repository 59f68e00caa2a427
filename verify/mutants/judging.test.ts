/** How mutants of a small program are chosen, counted and decided. */
import { describe, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import {
  judgeMutants,
  type MutantOptions,
  type MutantProgress,
  type MutantResult,
  mutantsOf,
} from './judge-mutants.ts';

const FIVE = `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 20
  if r0 > r8 goto out
  r1 = *(u8 *)(r7 + 12)
  r0 = 2
  if r1 == 8 goto out
  r0 = 3
  out:
  exit`;

const program = (
  texts: Record<string, string>,
  entries: Program['entries'] = [{ function: 'main', hook: 'xdp' }],
): Program => ({
  ...{ name: 'test', entries, object: writeElf(texts) },
});

async function judged(own: Program, options: Partial<MutantOptions> = {}): Promise<MutantResult[]> {
  const results: MutantResult[] = [];
  for await (const one of judgeMutants(own, { seed: 's', runs: 2048, cases: [], ...options }))
    results.push(one);
  return results;
}

describe('the mutants of a program', () => {
  it('are those of instructions that inputs reach', () => {
    const text = 'r0 = 2\nr1 = 5\nif r1 == 5 goto out\nr0 = 3\nout:\nexit';
    const places = mutantsOf(program({ main: text })).map(({ slot, kind }) => `${slot} ${kind}`);
    expect(places).toEqual(['0 constant', '1 constant', '2 condition', '2 constant', '2 check dropped']);
  });

  it('are those of all programs that the entries run, one behind another among them', () => {
    const texts = { main: 'r0 = 2\nexit', second: 'r0 = 0\nexit', third: 'r0 = 1\nexit' };
    const names = (entries: Program['entries']): string[] =>
      mutantsOf(program(texts, entries)).map((one) => one.function);
    expect(names([{ function: 'main', hook: 'xdp' }])).toEqual(['main']);
    expect(names([{ function: 'second', hook: 'tc-ingress', after: 'main' }])).toEqual(['main', 'second']);
    expect(
      names([
        { function: 'third', hook: 'xdp' },
        { function: 'second', hook: 'tc-ingress', after: 'main' },
      ]).sort(),
    ).toEqual(['main', 'second', 'third']);
  });

  it('are spread evenly where not all are wanted, the first among them', async () => {
    const all = mutantsOf(program({ main: FIVE }));
    const chosen = async (limit: number): Promise<number[]> => {
      const controller = new AbortController();
      const seen: number[] = [];
      const results = await judged(program({ main: FIVE }), {
        limit,
        onProgress: ({ mutants }) => seen.push(mutants),
        signal: controller.signal,
      });
      expect(seen[0]).toBe(Math.min(limit, all.length));
      return results
        .map(({ mutation }) =>
          all.findIndex((one) => one.slot === mutation.slot && one.after === mutation.after),
        )
        .sort((a, b) => a - b);
    };
    const count = all.length;
    expect(await chosen(2)).toEqual([0, Math.floor(count / 2)]);
  });
});

describe('judging', () => {
  it('decides each mutant once, and says how far it is', async () => {
    const own = program({ main: 'r0 = 2\nr1 = 5\nr0 += 1\nexit' });
    const progress: MutantProgress[] = [];
    const results = await judged(own, { limit: 1, onProgress: (one) => progress.push({ ...one }) });
    expect(results.map(({ verdict, mutation }) => `${mutation.after} ${verdict}`)).toEqual(['r0 = 3 killed']);
    expect(progress.map(({ decided, mutants }) => [decided, mutants])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(progress.at(-1)!.packets).toBe(2048);
  });

  it('tells apart what is killed, and what the machine stops', async () => {
    const results = await judged(program({ main: FIVE }), { limit: 4, runs: 4096 });
    const verdicts = new Map(
      results.map(({ mutation, verdict }) => [`${mutation.slot} ${mutation.kind}`, verdict]),
    );
    expect(verdicts.size).toBe(4);
    for (const verdict of verdicts.values()) expect(['killed', 'stopped']).toContain(verdict);
    expect([...verdicts.values()]).toContain('stopped');
  });

  it('ends where it is told to, and decides nothing any more', async () => {
    const signal = AbortSignal.abort();
    expect(await judged(program({ main: FIVE }), { signal })).toEqual([]);
  });

  it('takes stack that nobody wrote for anything, unless the program itself reads such', async () => {
    // The byte that is read is written one slot further on in the mutant.
    const writes = program({ main: '*(u8 *)(r10 - 8) = 0\nr0 = *(u8 *)(r10 - 8)\nr0 &= 1\nr0 += 1\nexit' });
    const [moved] = await judged(writes, { limit: 1 });
    expect([moved!.mutation.kind, moved!.verdict]).toEqual(['offset', 'killed']);
  });
});
