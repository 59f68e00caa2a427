/** Proofs that one changed instruction makes a difference to built-in programs, or none: with their packets and what is open. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../../sim/ebpf/symbolic/solver.ts';
import { createWasmEngine } from '../../../sim/engines/wasm.ts';
import type { BuildPair } from '../../diff/pair.ts';
import { builtIn, changedPrograms } from '../../test-support/changed-object.ts';
import { diffText } from '../../test-support/diff-text.ts';
import { createZ3Solver, endZ3 } from '../z3-solver.ts';
import { proveAgainst } from './against.ts';
import { confirmSuspects } from './confirm-suspects.ts';

const engine = createWasmEngine();
let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver({ timeout: 600_000 }))!;
});
afterAll(endZ3);

async function proved(pair: BuildPair): Promise<string> {
  const proof = await proveAgainst(pair, { solver, time: 600_000, longer: false });
  const { isEqual, suspects, open, paths, pairs, assumptions } = proof;
  const confirmed = await confirmSuspects(pair, suspects, { engine, shrinkSeconds: 600 });
  return [
    `${isEqual ? 'equal' : 'not proved equal'}${open === undefined ? '' : `, open: ${open}`}; ${paths} paths, ${pairs} pairs`,
    ...assumptions.map((line) => `assumed: ${line}`),
    ...suspects.map(
      ({ what, world, stimulus: { packet } }) =>
        `suspected: ${what} of ${packet!.length} bytes in [${Object.keys(world)}]`,
    ),
    ...(suspects.length === 0 ? [] : diffText(confirmed)),
  ].join('\n');
}

/** Mutants of each program, spread evenly over all that it has. */
const MUTANTS = 3;

describe('one changed instruction', () => {
  it.each(['icmp_drop', 'tcp_filter', 'proto_count', 'meta_mark', 'redirect_map', 'account', 'router'])(
    'of %s',
    async (name) => {
      const { program, worlds } = builtIn(name);
      const sections: string[] = [];
      for (const { title, program: changed } of changedPrograms(program, worlds, MUTANTS))
        sections.push(`## ${title}\n${await proved({ old: program, new: changed })}\n`);
      await expect(sections.join('\n')).toMatchFileSnapshot(`recorded/${name}.txt`);
    },
  );
});

describe('programs', () => {
  it.each([
    ['tcp_filter', 'icmp_filter'],
    ['proto_count', 'proto_count_hash'],
    ['redirect', 'redirect_map'],
    ['icmp_drop', 'xdp_drop'],
  ])('%s and %s', async (old, next) => {
    const text = await proved({ old: builtIn(old).program, new: builtIn(next).program });
    await expect(`${text}\n`).toMatchFileSnapshot(`recorded/${old}-${next}.txt`);
  });
});
