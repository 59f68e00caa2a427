/** Checksums on one path: what is proved without a solver, what a packet refutes, what stays open. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import { Enumerate, type PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { NO_SOLVER, type Solver } from '../../sim/ebpf/symbolic/solver.ts';
import type { Assignment, Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { type Attempt, type ChecksumVerdict, proveChecksum } from './checksum-proof.ts';
import { suspects } from './checksum-search.ts';
import type { LaidChecksum, TermFrame } from './frame-layout.ts';
import { OnesForm } from './ones-form.ts';
import { formValue } from './ones-term.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;
beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

const object = testObject({ main: 'exit' });
const pool = new TermPool();
const inputs = new Inputs(pool, new Machine(object, {}), 'xdp', object.programs[0]!);
const size64 = (value: number): Term => pool.constant(64, value);
const zero = (term: Term): Term => pool.equal(term, pool.constant(term.width, 0));
const byte = (at: number): Term => inputs.frameByte(at);
const word = (at: number): Term => pool.concat([byte(at), byte(at + 1)]);
const other = (name: string): Term => pool.unknown(8, name);

const FRAME: TermFrame = { byte, length: size64(100) };
const edited = (edits: Readonly<Record<number, Term>>): TermFrame => ({
  ...FRAME,
  byte: (at) => edits[at] ?? byte(at),
});
const laid = (layer: LaidChecksum['layer'], more: Partial<LaidChecksum> = {}): LaidChecksum => ({
  ...{
    layer,
    start: 34,
    size: size64(20),
    header: 8,
    at: 6,
    isAbsent: false,
    pseudo: [],
    overIpv6: false,
    ...more,
  },
});
const PSEUDO = Array.from({ length: 8 }, (_, at) => byte(26 + at));
const udp = (more: Partial<LaidChecksum> = {}): LaidChecksum => laid('udp', { pseudo: PSEUDO, ...more });
const IPV4 = laid('ipv4', { start: 14, header: 20, at: 10 });

/** What is left of a message where its checksum came right: does it leave right? */
function showsFault(
  before: TermFrame,
  came: LaidChecksum | undefined,
  after: TermFrame,
  left: LaidChecksum,
  values: Assignment,
): boolean {
  const evaluator = new Evaluator(values);
  const sum = (frame: TermFrame, { start, size, pseudo }: LaidChecksum): bigint => {
    const bytes = [
      ...pseudo,
      ...Array.from({ length: Number(evaluator.value(size)) }, (_, at) => frame.byte(start + at)),
    ];
    return bytes.reduce((all, one, at) => all + evaluator.value(one) * (at % 2 === 0 ? 256n : 1n), 0n);
  };
  return (sum(after, left) - (came === undefined ? 0n : sum(before, came))) % 65_535n !== 0n;
}

interface Case {
  readonly came?: LaidChecksum | undefined;
  readonly left: LaidChecksum;
  readonly after?: TermFrame;
  readonly knows?: readonly Term[];
  readonly solver?: Solver;
  /** Default: as the sums say. */
  readonly attempt?: Attempt;
  readonly edit?: (state: PathState) => void;
}

function verdict({
  left,
  after = FRAME,
  knows = [],
  solver = NO_SOLVER,
  edit,
  ...rest
}: Case): Promise<ChecksumVerdict> {
  const came = 'came' in rest ? rest.came : left;
  const state = inputs.start(0);
  for (const one of knows) state.knowledge.add(one, undefined);
  edit?.(state);
  const attempt = rest.attempt ?? ((values) => showsFault(FRAME, came, after, left, values));
  return proveChecksum({ state, before: FRAME, came, after, left }, new Feasibility(solver), attempt);
}

const PROVED = { kind: 'proved' };
const REFUTED = { kind: 'refuted' };
const NEVER: Attempt = () => false;
const IMPOSSIBLE: Solver = { check: () => Promise.resolve({ status: 'unsatisfiable' }) };
/** Words at two places exchanged. */
const swapped = (a: number, b: number, size: number): Record<number, Term> => {
  const edits: Record<number, Term> = {};
  for (let at = 0; at < size; at++) {
    edits[a + at] = byte(b + at);
    edits[b + at] = byte(a + at);
  }
  return edits;
};

describe('a checksum is proved', () => {
  it('where the TCP header that came does not lie within its segment, and names that', async () => {
    const words = pool.extract(byte(46), 4, 4);
    const atLeast = (count: number): Term => pool.not(pool.less(words, pool.constant(4, count)));
    const wrong = (size: number, ...knows: Term[]): Promise<ChecksumVerdict> => {
      const left = laid('tcp', { size: size64(size), header: 20, at: 16, pseudo: PSEUDO });
      return verdict({ left, after: edited({ 50: other('x') }), knows, solver, attempt: NEVER });
    };
    const except = { ...PROVED, except: 'TCP with an impossible data offset' };
    expect(await wrong(23, atLeast(6))).toEqual(except);
    expect(await wrong(40, pool.less(words, pool.constant(4, 5)))).toEqual(except);
    expect((await wrong(24, atLeast(6))).kind).toBe('undecided');
    expect((await wrong(23, atLeast(5))).kind).toBe('undecided');
  });

  it('where words have changed their places', async () => {
    expect(
      await verdict({ left: IPV4, after: edited(swapped(26, 30, 4)), knows: [pool.not(zero(byte(14)))] }),
    ).toEqual(PROVED);
    const field = pool.not(zero(word(40)));
    expect(await verdict({ left: udp(), after: edited(swapped(34, 36, 2)), knows: [field] })).toEqual(PROVED);
    // Not where bytes of one word have.
    expect(await verdict({ left: udp(), after: edited(swapped(34, 35, 1)), knows: [field] })).toEqual(
      REFUTED,
    );
    expect(await verdict({ left: udp(), after: edited(swapped(34, 36, 1)), knows: [field] })).toEqual(PROVED);
  });

  it('where what the path knows makes up for a change', async () => {
    const x = other('x');
    const field = pool.not(zero(word(40)));
    for (const at of [34, 35]) {
      const one = { left: udp(), after: edited({ [at]: x }) };
      const same = pool.equal(x, byte(at));
      expect(await verdict({ ...one, knows: [field, same] })).toEqual(PROVED);
      expect(await verdict({ ...one, knows: [field, pool.and(same, zero(byte(50)))] })).toEqual(PROVED);
      expect(await verdict({ ...one, knows: [field, zero(byte(50))] })).toEqual(REFUTED);
      expect(await verdict({ ...one, knows: [field, pool.equal(x, byte(50))] })).toEqual(REFUTED);
    }
  });

  it('where the solver finds no packet that breaks it', async () => {
    const after = edited({ 34: other('x') });
    const never = { left: udp(), after, attempt: NEVER };
    expect(await verdict({ ...never, solver: IMPOSSIBLE })).toMatchObject({
      kind: expect.stringMatching(/proved|undecided/),
    });
    expect(await verdict({ ...never })).toMatchObject({ kind: 'undecided' });
  });
});

describe('a checksum is refuted', () => {
  it('by a packet of a changed byte, or of a constant', async () => {
    for (const value of [other('x'), pool.constant(8, 7)]) {
      expect(await verdict({ left: IPV4, after: edited({ 22: value }) })).toEqual(REFUTED);
      expect(await verdict({ left: laid('icmp', { at: 2 }), after: edited({ 34: value }) })).toEqual(REFUTED);
    }
  });

  it('where nobody saw one, it stays open', async () => {
    const values = new Map([[other('x'), 5n]]);
    const solver: Solver = { check: () => Promise.resolve({ status: 'satisfiable', values }) };
    const after = edited({ 22: other('x') });
    expect(await verdict({ left: IPV4, after, attempt: NEVER })).toEqual({
      kind: 'undecided',
      reason: 'no solver',
    });
    expect(await verdict({ left: IPV4, after, solver, attempt: NEVER })).toEqual({
      kind: 'undecided',
      reason: 'the ipv4 checksum is wrong afterwards: no packet was found that shows it',
    });
  });

  it('packets that are tried keep what makes the difference', async () => {
    const kept: Set<string>[] = [];
    const attempt: Attempt = (_, keep) => kept.push(new Set([...keep].map((one) => one.name))) < 0;
    await verdict({ left: IPV4, after: edited({ 22: other('x') }), attempt });
    expect(kept[0]).toEqual(new Set(['x', 'p22']));
  });
});

describe('a message whose checksum comes to 0', () => {
  const field = [40, 41];
  it('of UDP says that there is none, where the field may be 0', async () => {
    const after = edited(swapped(34, 36, 2));
    // The field stays: only where it was 0 is it 0, and then there was none.
    expect(await verdict({ left: udp(), after, attempt: NEVER })).toEqual({
      kind: 'undecided',
      reason:
        'a checksum that comes out as 0x0000 leaves as that, which says “none”: no packet was found that shows it',
    });
    expect(await verdict({ left: udp(), after, attempt: () => true })).toEqual(REFUTED);
    expect(field).toHaveLength(2);
  });

  it('of others does not verify where everything is 0', async () => {
    const after = edited(swapped(34, 36, 2));
    const icmp = laid('icmp', { at: 2 });
    const open = await verdict({
      left: { ...icmp, header: 8 },
      came: { ...icmp, header: 4 },
      after,
      attempt: NEVER,
    });
    expect(open).toEqual({
      kind: 'undecided',
      reason:
        'a message of zeros leaves with the checksum 0x0000, which does not verify: no packet was found that shows it',
    });
    // One byte that is something says that it is not.
    const knows = [pool.not(zero(byte(39)))];
    expect(await verdict({ left: icmp, came: { ...icmp, header: 4 }, after, knows, attempt: NEVER })).toEqual(
      PROVED,
    );
    const behind = [pool.not(zero(byte(42)))];
    expect(
      await verdict({ left: icmp, came: { ...icmp, header: 4 }, after, knows: behind, attempt: NEVER }),
    ).toMatchObject({ kind: 'undecided' });
    const pseudo = [byte(26), pool.constant(8, 6)];
    expect(await verdict({ left: { ...icmp, pseudo }, after, attempt: NEVER })).toEqual(PROVED);
  });

  it('came wrong where all of it was 0 already', async () => {
    const icmp = laid('icmp', { at: 2 });
    expect(
      await verdict({ left: icmp, after: edited(swapped(34, 36, 2)), solver: IMPOSSIBLE, attempt: NEVER }),
    ).toEqual(PROVED);
  });
});

describe('a UDP checksum that leaves as 0', () => {
  const ABSENT = udp({ isAbsent: true });
  const none = edited({ 40: pool.constant(8, 0), 41: pool.constant(8, 0) });

  it('is right where it is new, where there was none, and where it is taken off on purpose', async () => {
    expect(await verdict({ came: undefined, left: ABSENT, attempt: () => true })).toEqual(PROVED);
    expect(await verdict({ came: ABSENT, left: ABSENT, attempt: () => true })).toEqual(PROVED);
    expect(await verdict({ came: udp(), left: ABSENT, after: none, attempt: () => true })).toEqual(PROVED);
  });

  it('is wrong over IPv6, however it came about', async () => {
    const over6 = { ...ABSENT, overIpv6: true };
    expect(
      await verdict({ came: udp({ overIpv6: true }), left: over6, after: none, attempt: () => true }),
    ).toEqual(REFUTED);
    expect(await verdict({ came: ABSENT, left: over6, attempt: () => true })).toEqual(REFUTED);
    expect(await verdict({ came: over6, left: over6, attempt: () => true })).toEqual(PROVED);
  });

  it('is wrong where it was computed, if a packet shows it', async () => {
    const after = edited({ 40: other('x'), 41: other('y') });
    expect(await verdict({ came: udp(), left: ABSENT, after, attempt: () => true })).toEqual(REFUTED);
    const open = await verdict({ came: udp(), left: ABSENT, after, attempt: NEVER });
    expect(open.kind).toBe('undecided');
    expect(
      await verdict({ came: udp(), left: ABSENT, after, attempt: NEVER, solver: IMPOSSIBLE }),
    ).toMatchObject({ kind: expect.stringMatching(/proved|undecided/) });
  });
});

describe('a checksum for a packet that had none', () => {
  const came = udp({ isAbsent: true });

  it('is refuted by any packet, and is nobody’s business over IPv6', async () => {
    expect(await verdict({ came, left: udp(), attempt: () => true })).toEqual(REFUTED);
    expect(
      await verdict({ came: { ...came, overIpv6: true }, left: udp({ overIpv6: true }), attempt: NEVER }),
    ).toEqual(PROVED);
  });

  it('has to cover a message that is not too long', async () => {
    const open = { kind: 'undecided', reason: 'a checksum over a message that is new' };
    const long = size64(300);
    expect(await verdict({ came: undefined, left: udp({ size: long }), attempt: NEVER })).toEqual(open);
    expect(
      await verdict({ came: { ...came, size: long }, left: udp({ size: long }), attempt: NEVER }),
    ).toEqual(open);
  });
});

describe('a message of a size that nobody knows', () => {
  const size = pool.zeroExtend(64, pool.unknown(16, 'size'));
  const after = edited({ 34: byte(45), 35: other('x') });
  const bounded = (most: number): Term[] => [
    pool.less(size, size64(most + 1)),
    pool.not(pool.less(size, size64(8))),
  ];

  it('is proved size by size, where it is about few and a byte of it makes the difference', async () => {
    const one = { left: laid('icmp', { at: 2, size }), after, attempt: NEVER };
    await expect(verdict({ ...one, knows: bounded(40) })).rejects.toThrow(Enumerate);
    await expect(verdict({ ...one, knows: bounded(72) })).rejects.toThrow(Enumerate);
    expect(await verdict({ ...one, knows: bounded(73) })).toMatchObject({ kind: 'undecided' });
  });

  it('is not taken apart where what makes the difference lies elsewhere', async () => {
    const elsewhere = edited({ 34: other('z'), 35: byte(35) });
    const one = { left: laid('icmp', { at: 2, size }), after: elsewhere, attempt: NEVER, knows: bounded(40) };
    await expect(verdict(one)).rejects.toThrow(Enumerate);
  });
});

describe('packets that may break a checksum', () => {
  const found = async (
    form: OnesForm,
    edit: (state: PathState) => void = () => {},
  ): Promise<Assignment[]> => {
    const state = inputs.start(0);
    edit(state);
    const all: Assignment[] = [];
    for await (const values of suspects(state, form, new Feasibility(NO_SOLVER))) all.push(values);
    for (const values of all) {
      expect(formValue(form, new Evaluator(values))).not.toBe(0n);
      for (const { condition } of state.constraints)
        expect(new Evaluator(values).isTrue(condition)).toBe(true);
    }
    return all;
  };
  const form = (...factors: readonly (readonly [Term, bigint])[]): OnesForm => {
    const made = new OnesForm();
    for (const [term, factor] of factors) made.addTerm(term, factor);
    return made;
  };

  it('are the path’s own, where it does, and three that are drawn', async () => {
    expect(await found(form([byte(30), 1n]))).toHaveLength(3);
    const own = new OnesForm();
    own.addConstant(1n);
    own.addTerm(byte(30), 1n);
    const all = await found(own);
    expect(all).toHaveLength(4);
    expect(all[0]!.get(byte(30)) ?? 0n).toBe(0n);
  });

  it('are drawn of bytes, those first that no condition asks for', async () => {
    const limit = (state: PathState): void =>
      state.knowledge.add(pool.less(byte(30), pool.constant(8, 9)), undefined);
    const all = await found(form([byte(30), 1n], [byte(31), 1n]), limit);
    expect(all).toHaveLength(3);
    expect(all[0]!.get(byte(30)) ?? 0n).toBe(0n);
    expect(all[0]!.get(byte(31))).toBeDefined();
    // Of those alone that are asked for.
    expect((await found(form([byte(30), 1n]), limit)).length).toBeGreaterThan(0);
    expect(await found(form([pool.unknown(16, 'wide'), 1n]))).toEqual([]);
  });

  it('are none where nothing breaks it', async () => {
    expect(await found(new OnesForm())).toEqual([]);
    const none = (state: PathState): void => {
      state.values = undefined;
    };
    expect(await found(form([byte(30), 1n]), none)).toEqual([]);
  });

  it('drive what has few values to each of them', async () => {
    const flag = pool.unknown(2, 'carry');
    const seen = (all: readonly Assignment[]): bigint[] => all.map((values) => values.get(flag) ?? 0n);
    expect(seen(await found(form([flag, 1n])))).toEqual([3n, 2n, 1n]);
    const bounded = (state: PathState): void =>
      state.knowledge.add(pool.less(flag, pool.constant(2, 2)), undefined);
    expect(seen(await found(form([flag, 1n]), bounded))).toEqual([1n]);
    // Five values are not few.
    const five = pool.unknown(3, 'more');
    const few =
      (most: number) =>
      (state: PathState): void =>
        state.knowledge.add(pool.less(five, pool.constant(3, most)), undefined);
    expect(await found(form([five, 1n]), few(5))).toEqual([]);
    expect(await found(form([five, 1n]), few(4))).toHaveLength(3);
  });

  it('drive six such terms, and no more', async () => {
    const flags = Array.from({ length: 8 }, (_, index) => pool.unknown(1, `flag${index}`));
    const all = await found(form(...flags.map((one, index) => [one, BigInt(1 << index)] as const)));
    expect(all.map((values) => flags.findIndex((one) => values.get(one) === 1n))).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
