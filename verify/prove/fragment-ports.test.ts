/** Which packets are later fragments with data where first ones have ports, and what a program makes of that data. */
import { describe, expect, it } from 'vitest';
import { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import { NO_SOLVER, type Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
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

/** What is said of two paths that know every byte of their packet, and come to different actions. */
async function row(packet: Uint8Array): Promise<Row> {
  const { inputs, confirmer } = await passing;
  const { pool } = inputs;
  const state = inputs.start(0);
  const values = new Map(state.values);
  values.set(inputs.length, BigInt(packet.length));
  state.knowledge.add(pool.equal(inputs.length, pool.constant(16, packet.length)), undefined);
  for (const [at, byte] of packet.entries()) {
    state.knowledge.add(pool.equal(inputs.frameByte(at), pool.constant(8, byte)), undefined);
    values.set(inputs.frameByte(at), BigInt(byte));
  }
  state.values = values;
  const rows = new PropertyRows();
  const judge = new FragmentPorts(inputs, new Feasibility(NO_SOLVER), confirmer);
  for (const action of [2, 1]) {
    const ended = state.copy();
    ended.end = { kind: 'exit', action: pool.constant(64, action) };
    await judge.judge(ended, rows);
  }
  judge.finish(rows);
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
  const text = `${frame(46)}
    r1 = *(u16 *)(r7 + 36)
    if r1 == 0x3500 goto out
    r0 = 2
    exit
    out:
    r0 = 1
    exit`;
  /** Judges its paths, that which passes first, with a solver that answers with these ports. */
  async function judged(ports: readonly number[] | undefined, code = text): Promise<Row> {
    const { inputs, confirmer, paths } = await followPaths(programOf('reads', { text: code }), {
      solver: NO_SOLVER,
      limits: { ...LIMITS, longest: 60 },
    });
    const { pool } = inputs;
    const later = fragment4({ data: 14 });
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
    const judge = new FragmentPorts(inputs, new Feasibility(solver), confirmer);
    for (const action of [2n, 1n]) {
      for (const path of paths) {
        if (path.state.end?.kind !== 'exit' || path.state.knowledge.only(path.state.end.action) !== action)
          continue;
        if (path.state.knowledge.settle(pool.less(inputs.length, pool.constant(16, 46))) === pool.true)
          continue;
        const state = path.state.copy();
        state.end = path.state.end;
        const values = new Map(path.state.values!);
        values.set(inputs.length, BigInt(later.length));
        for (const [at, byte] of later.entries()) {
          if (at < 34 || action === 2n) values.set(inputs.frameByte(at), BigInt(byte));
          if (at < 34)
            state.knowledge.add(pool.equal(inputs.frameByte(at), pool.constant(8, byte)), undefined);
        }
        state.values = values;
        await judge.judge(state, rows);
      }
    }
    judge.finish(rows);
    return rows.row(ROW);
  }

  it('treats data as ports where other data comes to another action', async () => {
    const found = await judged([1, 2, 0, 53]);
    expect(found.refuted?.reason).toBe(
      'with 01020035 in place of the later fragment’s first bytes the program returns XDP_DROP instead of XDP_PASS'.replace(
        '’',
        "'",
      ),
    );
    expect(found.refuted!.witness.stimulus.packet.subarray(34, 38)).toEqual(new Uint8Array(4));
  });

  it('stays open where none was seen to', async () => {
    const open = 'bytes of later fragments are read where first ones have ports';
    const { refuted, undecided, paths } = await judged(undefined);
    expect([refuted, undecided, paths > 0]).toEqual([undefined, open, true]);
  });

  it('does not where it reads others', async () => {
    // Behind the header of UDP, there is data in every fragment.
    const { refuted, undecided } = await judged([1, 2, 0, 53], text.replace('r7 + 36', 'r7 + 42'));
    expect([refuted, undecided]).toEqual([undefined, undefined]);
  });

  it('does not where it comes to the same', async () => {
    const { refuted, undecided, paths } = await judged([1, 2, 0, 53], text.replace('r0 = 1', 'r0 = 2'));
    expect([refuted, undecided, paths > 0]).toEqual([undefined, undefined, true]);
  });
});

describe('a program that looks only at TCP over IPv4 without options', () => {
  const segment = (text: string): string => `${frame(54)}
    r1 = *(u16 *)(r7 + 12)
    if r1 != 8 goto out
    r1 = *(u8 *)(r7 + 14)
    if r1 != 0x45 goto out
    r1 = *(u8 *)(r7 + 23)
    if r1 != 6 goto out
    ${text}
    r0 = 2
    exit
    drop:
    r0 = 1
    exit
    out:
    r0 = 2
    exit`;
  const lookup = (offset: number): string => `r1 = *(u32 *)(r7 + ${offset})
    *(u64 *)(r10 - 8) = r1
    r1 = map[flows]
    r2 = r10
    r2 += -8
    call bpf_map_lookup_elem`;

  async function judged(text: string): Promise<Row> {
    const maps = [testMap('flows', 'HASH', { keySize: 8, valueSize: 8 })];
    const program = programOf('segments', { text: segment(text), maps });
    const limits = { ...LIMITS, longest: 80 };
    const { inputs, confirmer, paths } = await followPaths(program, { solver: NO_SOLVER, limits });
    const rows = new PropertyRows();
    const judge = new FragmentPorts(inputs, new Feasibility(NO_SOLVER), confirmer);
    for (const { state } of paths) await judge.judge(state, rows);
    judge.finish(rows);
    return rows.row(ROW);
  }

  it('decides by flags', async () => {
    const { refuted, undecided } = await judged(`r1 = *(u8 *)(r7 + 47)
      if r1 == 2 goto drop`);
    expect(refuted?.reason ?? undecided).toMatch(
      /^bytes of later fragments|later fragment's data from byte 12 on/,
    );
  });

  it('decides by whether there is an entry under the ports', async () => {
    const { refuted } = await judged(`${lookup(34)}
      if r0 == 0 goto drop`);
    expect(refuted?.reason).toBe(
      "with ffffffff in place of the later fragment's first bytes the program returns XDP_DROP instead of XDP_PASS",
    );
    expect(refuted?.witness.world.maps).toHaveProperty('flows');
  });

  it('decides by the end of the frame, where no ports are', async () => {
    const fromEnd = lookup(34).replace(
      'r1 = *(u32 *)(r7 + 34)',
      `r1 = r6
      call bpf_xdp_get_buff_len
      r2 = r0
      r2 += -4
      r1 = r6
      r3 = r10
      r3 += -16
      r4 = 4
      call bpf_xdp_load_bytes
      if r0 != 0 goto out
      r1 = *(u32 *)(r10 - 16)`,
    );
    const { refuted, undecided } = await judged(`${fromEnd}\nif r0 == 0 goto drop`);
    expect([refuted, undecided]).toEqual([
      undefined,
      'bytes of later fragments are read where first ones have ports',
    ]);
  });

  it('decides by what an entry under the ports holds', async () => {
    const { refuted } = await judged(`${lookup(34)}
      if r0 == 0 goto out
      r1 = *(u8 *)(r0 + 0)
      if r1 == 7 goto drop`);
    expect(refuted?.reason).toMatch(/the program returns XDP_(DROP|PASS) instead of XDP_(DROP|PASS)$/);
  });

  it('only counts what is under the ports', async () => {
    const { refuted, undecided, paths } = await judged(`r1 = *(u8 *)(r7 + 15)
      if r1 == 9 goto drop
      ${lookup(34)}
      if r0 == 0 goto out
      r1 = *(u64 *)(r0 + 0)
      r1 += 1
      *(u64 *)(r0 + 0) = r1`);
    expect([refuted, undecided, paths > 0]).toEqual([undefined, undefined, true]);
  });

  it('decides by addresses, which every fragment has', async () => {
    const { refuted, undecided, paths } = await judged(`${lookup(26)}
      if r0 == 0 goto drop`);
    expect([refuted, undecided, paths]).toEqual([undefined, undefined, 0]);
  });

  it('lets later fragments through first', async () => {
    const { refuted, undecided } = await judged(`r1 = *(u16 *)(r7 + 20)
      r1 &= 0xff1f
      if r1 != 0 goto out
      ${lookup(34)}
      if r0 == 0 goto drop`);
    expect([refuted, undecided]).toEqual([undefined, undefined]);
  });
});
