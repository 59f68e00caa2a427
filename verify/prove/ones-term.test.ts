import { expect, it } from 'vitest';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { Knowledge } from '../../sim/ebpf/symbolic/knowledge.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { OnesForm } from './ones-form.ts';
import { formValue, isNotZero } from './ones-term.ts';

it('is the same as a bit vector and as a number', () => {
  let random = 5;
  const below = (limit: number): number => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
    return (random >>> 8) % limit;
  };
  let zeros = 0;
  for (let round = 0; round < 400; round++) {
    const pool = new TermPool();
    const form = new OnesForm();
    const values = new Map();
    for (const [index, width] of [1, 8, 16, 32, 64].entries()) {
      if (below(2) === 0) continue;
      const unknown = pool.unknown(width, `u${index}`);
      form.addTerm(unknown, [1n, -1n, 256n, -256n, BigInt(below(65_535))][below(5)]!);
      values.set(unknown, BigInt.asUintN(width, BigInt(below(65_536)) * 0x1_0001_0001_0001n));
    }
    const evaluator = new Evaluator(values);
    // Half of them are 0.
    if (below(2) === 0) form.addConstant(-formValue(form, evaluator));
    const isZero = formValue(form, evaluator) === 0n;
    if (isZero) zeros++;
    expect(evaluator.isTrue(isNotZero({ pool, knowledge: new Knowledge(pool) }, form))).toBe(!isZero);
  }
  expect(zeros).toBeGreaterThan(100);
});
