/** Forms modulo 65535: worth what their terms are worth, and plain sums where programs fold, complement and swap. */
import { describe, expect, it } from 'vitest';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { Knowledge } from '../../sim/ebpf/symbolic/knowledge.ts';
import { type Term, termText } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { OnesForm, OnesForms } from './ones-form.ts';
import { fold, formValue } from './ones-term.ts';

const pool = new TermPool();
const word = (name: string): Term => pool.unknown(16, name);
const wide = (term: Term, width = 32): Term => pool.zeroExtend(width, term);
const [A, B, C] = ['a', 'b', 'c'].map(word) as [Term, Term, Term];
const unknowns = [
  A,
  B,
  C,
  pool.unknown(8, 'h'),
  pool.unknown(8, 'l'),
  pool.unknown(1, 'flag'),
  pool.unknown(32, 'w'),
];
const [H, L, FLAG, W] = unknowns.slice(3) as [Term, Term, Term, Term];
const half = (sum: Term): Term => pool.add(wide(pool.extract(sum, 0, 16)), wide(pool.extract(sum, 16, 16)));
const sum2 = pool.add(wide(A), wide(B));
const sum3 = pool.add(sum2, wide(C));

const signedHalf = (sum: Term): Term =>
  pool.add(wide(pool.extract(sum, 0, 16)), pool.shiftRightSigned(sum, 16));
const difference = pool.sum(32, 0n, [
  [wide(A), 1n],
  [wide(B), 1n],
  [wide(C), -1n],
]);

const TERMS: Readonly<Record<string, Term>> = {
  'a word': A,
  'two bytes': pool.concat([H, L]),
  'two bytes the other way round': pool.swapBytes(pool.concat([H, L])),
  'four bytes': pool.concat([A, B]),
  'a sum': sum2,
  'a sum with a constant': pool.addConst(sum3, 77),
  'a difference that may go round': pool.subtract(wide(A), wide(B)),
  'a sum that may go round': pool.add(A, B),
  'a sum that surely goes round': pool.addConst(wide(A), 0xffff_0000),
  'a complement': pool.not(A),
  'a complement of 32 bits': pool.not(W),
  'an exclusive or': pool.xor(A, B),
  'a sum folded once': half(sum3),
  'a sum folded': fold(pool, sum3),
  'the lower part of a sum': pool.extract(sum3, 0, 16),
  'the upper part of a sum': pool.extract(sum3, 16, 16),
  'the middle of a sum': pool.extract(sum3, 8, 16),
  'the complement of a folded sum': pool.not(pool.extract(fold(pool, sum3), 0, 16)),
  'a product': pool.sum(32, 5n, [
    [wide(A), 3n],
    [wide(B), 256n],
  ]),
  'three words in one': pool.add(pool.add(A, B), C),
  '32 bits that may go round': pool.add(W, pool.concat([A, B])),
  'the same, and one more': pool.addConst(pool.add(W, pool.concat([A, B])), 1),
  'a word with its sign': pool.signExtend(32, A),
  'a sum with a sign': pool.add(wide(B), pool.signExtend(32, A)),
  'twice a sign taken away': pool.sum(32, 7n, [
    [wide(B), 1n],
    [pool.signExtend(32, A), -2n],
  ]),
  'a difference folded with its sign': signedHalf(difference),
  'the same twice': signedHalf(signedHalf(difference)),
  'a choice': pool.ite(FLAG, A, B),
  'the lower part of a word': pool.extract(A, 0, 8),
  'the upper part of 32 bits': pool.extract(W, 16, 16),
  'the upper bits of a complement': pool.extract(pool.not(W), 16, 16),
};

/** Values of the unknowns: small, large, and such as carry. */
const ROUNDS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff].map((value, round) => {
  const values = new Map<Term, bigint>();
  for (const [index, term] of unknowns.entries())
    values.set(term, BigInt.asUintN(term.width, BigInt(value) * 65_537n + BigInt(index * round * 4_099)));
  return new Evaluator(values);
});
const rest = (value: bigint): bigint => ((value % 65_535n) + 65_535n) % 65_535n;

describe('a form is worth what the term is', () => {
  it.each(Object.entries(TERMS))('%s', (_, term) => {
    const forms = new OnesForms(pool, new Knowledge(pool));
    for (const form of [forms.of(term), forms.of(term), forms.structure(term)])
      for (const values of ROUNDS) expect(formValue(form, values)).toBe(rest(values.value(term)));
  });

  it('also where the path knows more', () => {
    const knowledge = new Knowledge(pool);
    knowledge.add(pool.equal(A, pool.constant(16, 0x1234)), undefined);
    knowledge.add(pool.less(B, pool.constant(16, 0x10)), undefined);
    knowledge.add(FLAG, undefined);
    const forms = new OnesForms(pool, knowledge);
    for (const [name, term] of Object.entries(TERMS))
      for (const c of [0n, 0xffffn]) {
        const values = new Map([
          [A, 0x1234n],
          [B, 0xfn],
          [C, c],
          [FLAG, 1n],
          [H, 3n],
          [W, 0xffff_0001n],
        ]);
        const evaluator = new Evaluator(values);
        expect([name, formValue(forms.of(term), evaluator)]).toEqual([name, rest(evaluator.value(term))]);
      }
    expect([...forms.of(A).factors, forms.of(A).constant]).toEqual([0x1234n]);
    // What the term is made of, whatever it is known to be.
    expect(forms.structure(A).factors.get(A)).toBe(1n);
    expect([...forms.of(TERMS['a choice']!).factors]).toEqual([]);
  });
});

describe('what programs compute is a plain sum of words', () => {
  /** What is left of a form besides carries of one bit. */
  const beside = (term: Term, ...minus: readonly (readonly [Term, bigint])[]): bigint[] => {
    const knowledge = new Knowledge(pool);
    const forms = new OnesForms(pool, knowledge);
    const form = new OnesForm();
    form.add(forms.of(term), 1n);
    for (const [one, factor] of minus) form.add(forms.of(one), -factor);
    return [
      form.constant,
      ...[...form.factors].filter(([one]) => knowledge.range(one).max > 1n).map(([, factor]) => factor),
    ];
  };

  it.each([
    ['folded once', half(sum3), 1n],
    ['folded twice, and cut', pool.extract(half(half(sum3)), 0, 16), 1n],
    ['folded, and its complement', pool.not(pool.extract(half(half(sum3)), 0, 16)), -1n],
  ] as const)('%s', (_, term, factor) => {
    expect(beside(term, [A, factor], [B, factor], [C, factor])).toEqual([0n]);
  });

  it('folded with its sign, but for carries', () => {
    const folded = signedHalf(signedHalf(difference));
    expect(beside(folded, [A, 1n], [B, 1n], [C, -1n])).toEqual([0n]);
  });

  it('added up with the carry that a comparison says', () => {
    const sum = pool.add(W, pool.concat([A, B]));
    const short = pool.add(wide(A), wide(B));
    const low = pool.extract(short, 0, 16);
    const knowledge = new Knowledge(pool);
    knowledge.add(pool.less(sum, W), undefined);
    knowledge.add(pool.less(low, B), undefined);
    const forms = new OnesForms(pool, knowledge);
    // The carry comes back as 1.
    const plain = forms.of(W).plus(forms.of(A), 1n).plus(forms.of(B), 1n);
    const carried = forms.of(sum).plus(plain, -1n);
    expect([carried.constant, carried.factors.size]).toEqual([65_534n, 0]);
    const cut = forms.of(low).plus(forms.of(A), -1n).plus(forms.of(B), -1n);
    expect([cut.constant, cut.factors.size]).toEqual([65_534n, 0]);
  });

  /** Carries and borrows as programs ask for them, and what they are asked of. */
  const ASKED: readonly (readonly [asks: Term, sum: Term])[] = [
    [pool.less(pool.add(W, pool.concat([A, B])), W), pool.add(W, pool.concat([A, B]))],
    [pool.less(pool.add(A, B), B), pool.addConst(pool.add(A, B), 1)],
    [pool.less(pool.extract(pool.add(wide(A), wide(B)), 0, 16), B), pool.add(A, B)],
    [pool.less(W, wide(A)), pool.subtract(W, wide(A))],
    [pool.less(pool.not(wide(A)), pool.subtract(W, wide(A))), pool.subtract(W, wide(A))],
    [pool.equal(wide(pool.add(W, wide(A)), 64), pool.add(wide(W, 64), wide(A, 64))), pool.add(W, wide(A))],
    [pool.less(pool.add(W, pool.not(wide(A))), W), pool.subtract(W, wide(A))],
  ];

  it('with whatever carries the path has met', () => {
    for (const [asks, sum] of ASKED)
      for (const values of ROUNDS) {
        const knowledge = new Knowledge(pool);
        knowledge.add(values.isTrue(asks) ? asks : pool.not(asks), undefined);
        const form = new OnesForms(pool, knowledge).of(sum);
        expect(formValue(form, values), termText(asks)).toBe(rest(values.value(sum)));
      }
  });

  it('by what a term is made of, where the path knows what it is', () => {
    const once = half(sum3);
    const folded = pool.not(pool.extract(once, 0, 16));
    const knowledge = new Knowledge(pool);
    knowledge.add(pool.equal(pool.extract(once, 16, 1), pool.constant(1, 0)), undefined);
    knowledge.add(pool.equal(pool.extract(once, 0, 16), pool.constant(16, 0xffff)), undefined);
    const forms = new OnesForms(pool, knowledge);
    expect(forms.of(folded).isZero).toBe(true);
    const sum = forms.of(sum3);
    for (const term of [folded, pool.zeroExtend(64, folded)])
      expect(forms.structure(term).plus(sum, 1n).isZero).toBe(true);
    expect(forms.structure(pool.zeroExtend(64, once)).plus(sum, -1n).isZero).toBe(true);
  });

  it('in either byte order', () => {
    const swapped = pool.swapBytes(pool.concat([H, L]));
    expect(beside(swapped, [pool.concat([H, L]), 256n])).toEqual([0n]);
    expect(beside(pool.concat([A, B]), [A, 1n], [B, 1n])).toEqual([0n]);
  });

  it('with no carry left where the sum has none', () => {
    const forms = new OnesForms(pool, new Knowledge(pool));
    const difference = forms.of(half(sum2)).plus(forms.of(sum2), -1n);
    expect(difference.isZero).toBe(true);
    const once = forms.of(pool.extract(half(sum2), 0, 16)).plus(forms.of(sum2), -1n);
    // Two words carry once at the most: folding them once is enough.
    for (const values of ROUNDS) expect(formValue(once, values)).toBe(0n);
  });
});

describe('forms', () => {
  const form = (constant: bigint, ...factors: readonly (readonly [Term, bigint])[]): OnesForm => {
    const made = new OnesForm();
    made.addConstant(constant);
    for (const [term, factor] of factors) made.addTerm(term, factor);
    return made;
  };
  const shown = ({ constant, factors }: OnesForm): unknown[] => [
    constant,
    ...[...factors].map(([{ name }, factor]) => `${factor} ${name}`),
  ];

  it('are sums with factors from 0 to 65534', () => {
    expect(shown(form(65_535n, [A, 65_535n]))).toEqual([0n]);
    expect(shown(form(-1n, [A, -1n]))).toEqual([65_534n, '65534 a']);
    expect(shown(form(65_536n, [A, 65_536n], [B, 2n]))).toEqual([1n, '1 a', '2 b']);
    expect(shown(form(0n, [A, 3n], [A, -3n], [B, 1n], [B, 1n]))).toEqual([0n, '2 b']);
  });

  it('are added with a factor, and stay as they were', () => {
    const [one, other] = [form(5n, [A, 1n]), form(2n, [A, 1n], [B, 3n])];
    expect(shown(one.plus(other, -1n))).toEqual([3n, '65532 b']);
    expect(shown(one.plus(other, 256n))).toEqual([517n, '257 a', '768 b']);
    expect([shown(one), shown(other)]).toEqual([
      [5n, '1 a'],
      [2n, '1 a', '3 b'],
    ]);
  });

  it('are 0 without terms and constant', () => {
    expect([form(0n).isZero, form(1n).isZero, form(0n, [A, 1n]).isZero]).toEqual([true, false, false]);
    expect(form(3n, [A, 2n]).plus(form(3n, [A, 2n]), -1n).isZero).toBe(true);
  });
});
