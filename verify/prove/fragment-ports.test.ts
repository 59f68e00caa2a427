/** Which packets are later fragments with data where first ones have ports, and what a program makes of that data. */
import { describe, expect, it } from 'vitest';
import { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import { NO_SOLVER, type Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { FragmentPorts } from './fragment-ports.ts';
import { type FollowedPaths, followPaths } from './paths.ts';
import { PropertyRows, type Row } from './property-rows.ts';
import { frame, programOf } from './test-support/asking-programs.ts';

const LIMITS = { shortest: 0, longest: 110, mostMetadata: 0 };
const ROW = 'fragments/ports-read';
const passing: Promise<FollowedPaths> = followPaths(programOf('pass', { text: 'r0 = 2\nexit' }), {
  solver: NO_SOLVER,
  limits: LIMITS,
});

const judging = passing.then(({ inputs, confirmer }) => ({
  inputs,
  judge: new FragmentPorts(inputs, new Feasibility(NO_SOLVER), confirmer),
}));

/** What is said of a path that knows every byte of its packet. */
async function row(packet: Uint8Array): Promise<Row> {
  const { inputs, judge } = await judging;
  const { pool } = inputs;
  const state = inputs.start(0);
  state.end = { kind: 'exit', action: pool.constant(64, 2) };
  const values = new Map(state.values);
  values.set(inputs.length, BigInt(packet.length));
  state.knowledge.add(pool.equal(inputs.length, pool.constant(16, packet.length)), undefined);
  for (const [at, byte] of packet.entries()) {
    state.knowledge.add(pool.equal(inputs.frameByte(at), pool.constant(8, byte)), undefined);
    values.set(inputs.frameByte(at), BigInt(byte));
  }
  state.values = values;
  const rows = new PropertyRows();
  await judge.judge(state, rows);
  return rows.row(ROW);
}
const isLater = async (packet: Uint8Array): Promise<boolean> => (await row(packet)).undecided !== undefined;

interface Shape {
  readonly tags?: readonly number[];
  readonly words?: number;
  readonly protocol?: number;
  readonly offset?: number;
  /** Bytes behind the header, and those of them that the IP packet has by its own length. */
  readonly data?: number;
  readonly stated?: number;
  readonly type?: number;
  readonly first?: number;
}

const ethernet = (tags: readonly number[], type: number): number[] => [
  ...new Uint8Array(12),
  ...tags.flatMap((one) => [one >> 8, one & 0xff, 0, 5]),
  ...[type >> 8, type & 0xff],
];

function fragment4({
  tags = [],
  words = 5,
  protocol = 17,
  offset = 1,
  data = 8,
  stated = data,
  type = 0x0800,
  first = 0x40 | words,
}: Shape): Uint8Array {
  const total = 4 * words + stated;
  const header = [
    first,
    0,
    total >> 8,
    total & 0xff,
    0,
    0,
    offset >> 8,
    offset & 0xff,
    64,
    protocol,
    ...new Uint8Array(4 * words - 10),
  ];
  return Uint8Array.from([...ethernet(tags, type), ...header, ...new Uint8Array(data)]);
}

function fragment6({
  tags = [],
  protocol = 17,
  offset = 8,
  data = 8,
  stated = data,
  type = 0x86dd,
  first = 0x60,
  words: next = 44,
}: Shape): Uint8Array {
  const payload = 8 + stated;
  const header = [first, 0, 0, 0, payload >> 8, payload & 0xff, next, 64, ...new Uint8Array(32)];
  return Uint8Array.from([
    ...ethernet(tags, type),
    ...header,
    protocol,
    0,
    offset >> 8,
    offset & 0xff,
    0,
    0,
    0,
    9,
    ...new Uint8Array(data),
  ]);
}

describe.each([
  ['IPv4', fragment4],
  ['IPv6', fragment6],
] as const)('a later fragment of %s', (name, fragment) => {
  it.each([6, 17, 33, 132, 136])('has protocol %i', async (protocol) => {
    expect(await isLater(fragment({ protocol }))).toBe(true);
  });

  it.each([0, 1, 5, 7, 16, 18, 58, 131, 133, 137])('has not protocol %i', async (protocol) => {
    expect(await isLater(fragment({ protocol }))).toBe(false);
  });

  it('lies behind up to two tags', async () => {
    for (const tags of [[0x8100], [0x88a8], [0x88a8, 0x8100], [0x8100, 0x8100]])
      expect([tags, await isLater(fragment({ tags }))]).toEqual([tags, true]);
    for (const tags of [[0x8101], [0x8100, 0x0800], [0x8100, 0x8100, 0x8100]])
      expect([tags, await isLater(fragment({ tags }))]).toEqual([tags, false]);
    expect(await isLater(fragment({ type: 0x0806 }))).toBe(false);
  });

  it('has eight bytes that are there, and that its length counts', async () => {
    expect(await isLater(fragment({ data: 7 }))).toBe(false);
    expect(await isLater(fragment({ data: 20, stated: 8 }))).toBe(true);
    expect(await isLater(fragment({ data: 20, stated: 7 }))).toBe(false);
    expect(await isLater(fragment({ data: 20, stated: 20 }))).toBe(true);
    expect(await isLater(fragment({ data: 20, stated: 21 }))).toBe(false);
  });

  it('has an offset', async () => {
    const bits = name === 'IPv4' ? [0x0001, 0x1000, 0x1fff, 0x0100] : [0x0008, 0x8000, 0xfff8, 0x0100];
    const none = name === 'IPv4' ? [0x0000, 0x2000, 0x4000, 0x8000] : [0x0000, 0x0001, 0x0002, 0x0004];
    for (const offset of bits) expect([offset, await isLater(fragment({ offset }))]).toEqual([offset, true]);
    for (const offset of none) expect([offset, await isLater(fragment({ offset }))]).toEqual([offset, false]);
  });
});

it('has options or has none', async () => {
  for (const words of [5, 6, 14, 15])
    expect([words, await isLater(fragment4({ words }))]).toEqual([words, true]);
  expect(await isLater(fragment4({ words: 6, first: 0x47 }))).toBe(false);
  expect(await isLater(fragment4({ first: 0x55 }))).toBe(false);
  expect(await isLater(fragment6({ first: 0x40 }))).toBe(false);
  expect(await isLater(fragment6({ words: 43 }))).toBe(false);
  expect(await isLater(fragment6({ first: 0x6f }))).toBe(true);
});

describe('a program that reads these bytes', () => {
  const text = `${frame(42)}
    r1 = *(u16 *)(r7 + 36)
    if r1 == 0x3500 goto out
    r0 = 2
    exit
    out:
    r0 = 1
    exit`;
  /** Judges the path that passes, with a solver that answers with these ports. */
  async function judged(ports: readonly number[] | undefined, code = text): Promise<Row> {
    const { inputs, confirmer, paths } = await followPaths(programOf('reads', { text: code }), {
      solver: NO_SOLVER,
      limits: { ...LIMITS, longest: 60 },
    });
    const { pool } = inputs;
    const path = paths.find(
      ({ state }) => state.end?.kind === 'exit' && state.knowledge.only(state.end.action) === 2n,
    )!;
    const later = fragment4({ data: 10 });
    const state = path.state.copy();
    state.end = path.state.end;
    state.values = new Map([...path.state.values!, [inputs.length, BigInt(later.length)] as const]);
    for (const [at, byte] of later.entries()) {
      (state.values as Map<unknown, bigint>).set(inputs.frameByte(at), BigInt(byte));
      if (at < 34) state.knowledge.add(pool.equal(inputs.frameByte(at), pool.constant(8, byte)), undefined);
    }
    const solver: Solver = {
      check: () =>
        Promise.resolve(
          ports === undefined
            ? { status: 'unsatisfiable' }
            : {
                status: 'satisfiable',
                values: new Map(ports.map((byte, index) => [inputs.frameByte(34 + index), BigInt(byte)])),
              },
        ),
    };
    const rows = new PropertyRows();
    await new FragmentPorts(inputs, new Feasibility(solver), confirmer).judge(state, rows);
    return rows.row(ROW);
  }

  it('treats data as ports where other data comes to another action', async () => {
    const found = await judged([1, 2, 0, 53]);
    expect(found.refuted?.reason).toBe(
      'with 01020035 in place of the later fragment’s first bytes the program returns 1 instead of 2'.replace(
        '’',
        "'",
      ),
    );
    expect(found.refuted!.witness.stimulus.packet.subarray(34, 38)).toEqual(new Uint8Array(4));
  });

  it('stays open where none was seen to', async () => {
    const open = 'bytes of later fragments are read where first ones have ports';
    for (const ports of [undefined, [1, 2, 0, 54]]) {
      const { refuted, undecided, paths } = await judged(ports);
      expect([refuted, undecided, paths > 0]).toEqual([undefined, open, true]);
    }
  });

  it('does not where it reads others', async () => {
    const { refuted, undecided } = await judged([1, 2, 0, 53], text.replace('r7 + 36', 'r7 + 38'));
    expect([refuted, undecided]).toEqual([undefined, undefined]);
  });
});
