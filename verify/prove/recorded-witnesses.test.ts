/**
 * What a path asks for in words, and the whole input that is made for it: of small programs, each of which asks one thing. That
 * the input takes the path is no record: the machine ran it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { proofText } from '../test-support/proof-text.ts';
import { type ProgramProof, proveProgram } from './prove.ts';
import { ASKING, programOf } from './test-support/asking-programs.ts';
import { wordsOf } from './words.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

/** Bytes as hexadecimal text without the zeros at their end, and numbers of 64 bits as such. */
const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return `${value}n`;
  if (!(value instanceof Uint8Array)) return value;
  return `${value.length} bytes: ${toHex(value).replace(/(00)+$/, '')}`;
};

/** The path's conditions one by one, how it ended, and the input. */
function pathText({ inputs }: ProgramProof, path: ProgramProof['paths'][number]): string {
  const { state, witness, confirmed, reason, stopped } = path;
  const { values: _, ...input } = witness ?? {};
  const words = wordsOf(inputs, state).map(({ text }) => text);
  const ending = [confirmed ? 'confirmed' : 'not confirmed', reason, stopped].filter(
    (one) => one !== undefined,
  );
  return `${words.join('; ')}\n  ${ending.join(', ')}\n  ${JSON.stringify(input, plain)}`;
}

describe('the inputs of a program that asks for', () => {
  it.each(Object.entries(ASKING))('%s are as recorded', async (name, asking) => {
    const { limits } = asking;
    const limited = limits === undefined ? {} : { limits };
    const proof = await proveProgram(programOf(name, asking), { solver, ...limited });
    const paths = proof.paths.map((path) => pathText(proof, path));
    const { length } = proof.paths;
    const text = [...paths, '', ...proofText(proof).toSpliced(proof.branches.length, length), ''].join('\n');
    await expect(text).toMatchFileSnapshot(`recorded/witnesses/${name.replaceAll(/[^\w]+/g, '-')}.txt`);
  });
});
