/** Which paths are followed, where that ends, and what a path has left behind when it ends. */
import { describe, expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import {
  DEFAULT_EXPLORE_LIMITS,
  type Exploration,
  type ExploreOptions,
  explore,
  jumpKey,
  wayKey,
} from './explore.ts';
import { Feasibility } from './feasibility.ts';
import { Inputs } from './inputs.ts';
import { PathMemory } from './path-memory.ts';
import type { PathState } from './path-state.ts';
import { stackPointer } from './path-value.ts';
import { NO_SOLVER } from './solver.ts';
import { termText } from './term.ts';
import { TermPool } from './term-pool.ts';

const MAPS = [
  testMap('held', 'ARRAY'),
  testMap('devices', 'DEVMAP'),
  testMap('cpus', 'CPUMAP'),
  testMap('table', 'HASH'),
  testMap('allocated', 'HASH', { mapFlags: 1 }),
  testMap('lru', 'LRU_HASH', { valueSize: 8 }),
  testMap('queue', 'QUEUE', { maxEntries: 2 }),
  testMap('stack', 'STACK', { maxEntries: 2 }),
];

interface Explored extends Exploration {
  readonly paths: readonly PathState[];
  readonly counts: Feasibility['counts'];
}

async function explored(
  text: string,
  { hook = 'xdp', ...options }: Partial<ExploreOptions> & { readonly hook?: Hook } = {},
): Promise<Explored> {
  const object = testObject({ main: text }, MAPS);
  const inputs = new Inputs(new TermPool(), new Machine(object, {}), hook, object.programs[0]!);
  const feasibility = new Feasibility(NO_SOLVER);
  const paths: PathState[] = [];
  const exploration = await explore(inputs, 0, feasibility, {
    limits: { ...DEFAULT_EXPLORE_LIMITS, deadline: Number.POSITIVE_INFINITY },
    now: () => 0,
    onPath: (state) => {
      paths.push(state);
    },
    stopped: () => false,
    ...options,
  });
  return { ...exploration, paths, counts: feasibility.counts };
}

const limits = (some: Partial<ExploreOptions['limits']>): Pick<ExploreOptions, 'limits'> => ({
  limits: { ...DEFAULT_EXPLORE_LIMITS, deadline: 100, ...some },
});
const endOf = ({ end }: PathState): string =>
  end?.kind === 'exit' ? `exit ${termText(end.action)}` : `${end?.kind}: ${end?.reason}`;

/** Of the queue's number: below 10, from 10 to 99, from 100 on. */
const THREE_WAYS = `r2 = *(u32 *)(r1 + 16)\nr0 = 1\nif r2 < 10 goto out\nr0 = 2\nif r2 < 100 goto out\nr0 = 3\nif r2 < 50 goto out\nout:\nexit`;
/** A loop that the queue's number ends. */
const LOOP = `r2 = *(u32 *)(r1 + 16)\nr0 = 0\nloop:\nr0 += 1\nif r0 < r2 goto loop\nexit`;

describe('exploring', () => {
  it('follows each way that an input may take, and no other', async () => {
    const { paths, cut, arrivals, doubts } = await explored(THREE_WAYS);
    expect(paths.map(endOf).sort()).toEqual(['exit 0x1:32', 'exit 0x2:32', 'exit 0x3:32']);
    expect([cut, doubts.size]).toEqual([undefined, 0]);
    expect([...arrivals.keys()]).toEqual([2, 4, 6].map((slot) => jumpKey(0, slot)));
    for (const [key, state] of arrivals) expect(jumpKey(state.program, state.slot)).toBe(key);
    const ways = paths.map((one) => one.trail().map(({ slot, taken }) => wayKey(0, slot, taken)));
    expect(ways.map((way) => way.length).sort()).toEqual([1, 2, 3]);
    expect(ways.find((way) => way.length === 2)).toEqual(['0:2:not taken', '0:4:taken']);
    expect((await explored(THREE_WAYS, { keepsArrivals: false })).arrivals.size).toBe(0);
  });

  it('remembers how it came to calls, too', async () => {
    const { arrivals } = await explored('call bpf_ktime_get_ns\ncall bpf_ktime_get_ns\nr0 = 0\nexit');
    expect([...arrivals.keys()]).toEqual(['0:0', '0:1']);
  });

  it('ends after so many paths, at its time, and when it is told to', async () => {
    for (const paths of [0, 1, 2]) {
      const some = await explored(THREE_WAYS, limits({ paths }));
      expect([some.paths.length, some.cut]).toEqual([paths, `after ${paths} paths`]);
    }
    expect((await explored(THREE_WAYS, limits({ paths: 3 }))).cut).toBeUndefined();
    const late = await explored(THREE_WAYS, { ...limits({}), now: () => 101 });
    expect([late.paths.length, late.cut]).toEqual([0, 'the time was up']);
    expect((await explored(THREE_WAYS, { ...limits({}), now: () => 100 })).cut).toBeUndefined();
    const stopped = await explored(THREE_WAYS, { ...limits({}), now: () => 101, stopped: () => true });
    expect([stopped.paths.length, stopped.cut]).toEqual([0, 'it was interrupted']);
  });

  it('leaves paths whose terms grow without bound, and looks at the clock within a path, too', async () => {
    const text = `r2 = *(u32 *)(r1 + 16)
      r3 = r2
      r0 = 0
      loop:
      r3 *= r2
      r3 ^= 5
      r0 += 1
      if r0 < 150 goto loop
      r0 = 1
      exit`;
    expect((await explored(text)).paths.map(endOf)).toEqual(['exit 0x1:32']);
    expect((await explored(text, limits({ depth: 100 }))).paths.map(endOf)).toEqual([
      'not followed: what it computes depends on itself over more than 100 steps',
    ]);
    const few = await explored(text, limits({ terms: 100 }));
    expect(few.paths.map(endOf)).toEqual(['not followed: what it computes takes more than 100 terms']);
    const none = await explored(THREE_WAYS, limits({ allTerms: 5 }));
    expect([none.paths.length, none.cut]).toEqual([0, 'they are made of more than 5 terms']);
    let looks = 0;
    const long = `r0 = 0\nloop:\nr0 += 1\nif r0 < 1000 goto loop\nexit`;
    const late = await explored(long, { ...limits({ deadline: 0 }), now: () => looks++ });
    expect([late.paths.length, late.cut]).toEqual([0, 'the time was up']);
    expect(
      (await explored(THREE_WAYS, limits({ terms: 100, depth: 20, allTerms: 1_000 }))).cut,
    ).toBeUndefined();
  });

  it('leaves paths that are too long, or split too often', async () => {
    const text = `r0 = 0\nloop:\nr0 += 1\nif r0 < 100 goto loop\nexit`;
    // 1, two in each of a hundred rounds, 1.
    expect((await explored(text, limits({ steps: 202 }))).paths.map(endOf)).toEqual(['exit 0x64:32']);
    expect((await explored(text, limits({ steps: 201 }))).paths.map(endOf)).toEqual(['exit 0x64:32']);
    expect((await explored(text, limits({ steps: 200 }))).paths.map(endOf)).toEqual([
      'not followed: more than 200 instructions on one path',
    ]);
    const { paths, counts } = await explored(LOOP, limits({ splits: 5 }));
    expect(paths.map(endOf)).toEqual([
      ...[1, 2, 3, 4, 5].map((rounds) => `exit 0x${rounds}:32`),
      // Both ways of the sixth time.
      ...new Array(2).fill('not followed: a loop that depends on the input, unrolled 5 times'),
    ]);
    expect(counts.queries).toBe(0);
    expect(counts.nearby).toBeGreaterThan(5);
  });

  it('ends a path where it does what is forbidden, or what is not followed', async () => {
    const { paths } = await explored(
      'r2 = *(u32 *)(r1 + 16)\nif r2 == 7 goto bad\nr0 = 0\nexit\nbad:\nr0 = r5\nexit',
    );
    expect(paths.map(endOf).sort()).toEqual(['exit 0x0:32', 'violation: R5 !read_ok']);
    const other = await explored(
      '*(u64 *)(r10 - 8) = 0\nr1 = map[devices]\nr2 = r10\nr2 += -8\ncall bpf_map_delete_elem\nr0 = 0\nexit',
    );
    expect(other.paths.map(endOf)).toEqual(['not followed: a deletion from a map of type DEVMAP']);
  });

  it('says how far it is while it goes on, every 64 steps', async () => {
    const told: number[] = [];
    await explored(LOOP, {
      ...limits({ splits: 40 }),
      onProgress: ({ paths, waiting }) => told.push(paths + waiting),
    });
    expect(told).toHaveLength(1);
  });
});

describe('what a path has left behind', () => {
  const only = async (text: string, hook: Hook = 'xdp'): Promise<PathState> => {
    const { paths } = await explored(`${text}\nout:\nexit`, { hook });
    return paths.at(-1)!;
  };
  const redirected = async (text: string, hook: Hook): Promise<unknown[]> => {
    const { redirect, via, refusal, end } = await only(text, hook);
    return [
      redirect === undefined ? undefined : termText(redirect),
      via === undefined ? undefined : [via.what, via.flags === undefined ? undefined : termText(via.flags)],
      refusal?.returned,
      end?.kind === 'exit' ? termText(end.action) : end?.reason,
    ];
  };

  it('is where a redirect leads, and what was refused', async () => {
    const none = [undefined, undefined];
    expect(await redirected('r1 = 7\nr2 = 0\ncall bpf_redirect', 'xdp')).toEqual([
      '0x7:32',
      ['device', undefined],
      undefined,
      '0x4:32',
    ]);
    expect(await redirected('r1 = 7\nr2 = 1\ncall bpf_redirect', 'xdp')).toEqual([...none, 0, '0x0:32']);
    expect(await redirected('r1 = 7\nr2 = 1\ncall bpf_redirect', 'tc-ingress')).toEqual([
      '0x7:32',
      ['device', '0x1:64'],
      undefined,
      '0x7:32',
    ]);
    expect(await redirected('r1 = 7\nr2 = 2\ncall bpf_redirect', 'tc-ingress')).toEqual([
      ...none,
      2,
      '0x2:32',
    ]);
    expect(await redirected('r1 = 7\nr2 = 0\ncall bpf_redirect_peer', 'tc-ingress')).toEqual([
      '0x7:32',
      ['peer', undefined],
      undefined,
      '0x7:32',
    ]);
    expect(await redirected('r1 = 7\nr2 = 1\ncall bpf_redirect_peer', 'tc-ingress')).toEqual([
      ...none,
      2,
      '0x2:32',
    ]);
    const neighbour = (
      size: number,
      flags: number,
    ): string => `*(u64 *)(r10 - 24) = 0\n*(u64 *)(r10 - 16) = 0\n*(u64 *)(r10 - 8) = 0
      r1 = 7\nr2 = r10\nr2 += -24\nr3 = ${size}\nr4 = ${flags}\ncall bpf_redirect_neigh`;
    const sent = ['0x7:32', ['neighbour', undefined], undefined, '0x7:32'];
    expect(await redirected(neighbour(20, 0), 'tc-ingress')).toEqual(sent);
    expect(await redirected(neighbour(19, 0), 'tc-ingress')).toEqual([...none, 2, '0x2:32']);
    expect(await redirected(neighbour(20, 1), 'tc-ingress')).toEqual([...none, 2, '0x2:32']);
    expect(await redirected(neighbour(0, 0).replace('r2 = r10\nr2 += -24', 'r2 = 0'), 'tc-ingress')).toEqual(
      sent,
    );
    // A good one behind a refused one.
    expect(
      (await redirected('r1 = 7\nr2 = 1\ncall bpf_redirect\nr1 = 8\nr2 = 0\ncall bpf_redirect', 'xdp')).slice(
        0,
        3,
      ),
    ).toEqual(['0x8:32', ['device', undefined], undefined]);
  });

  it('is what kind of thing a map of redirects holds', async () => {
    for (const [map, what] of [
      ['devices', 'device'],
      ['cpus', 'CPU'],
    ] as const) {
      const { paths } = await explored(`r1 = map[${map}]\nr2 = 1\nr3 = 2\ncall bpf_redirect_map\nexit`);
      const ends = paths.map((one) => [one.via?.what, one.redirect === undefined, endOf(one)]);
      expect(ends).toContainEqual([what, true, 'exit 0x2:32']);
      expect(ends).toContainEqual([what, false, 'exit 0x4:32']);
    }
  });

  it('is whether an address has left: in a frame or in a map, and nowhere else', async () => {
    const frame =
      'r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 4)\nr0 = r6\nr0 += 8\nr8 = 0\nif r0 > r7 goto out\nr0 = 0';
    const value =
      '*(u32 *)(r10 - 4) = 1\nr1 = map[held]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr2 = 5\nr1 = r0\nr0 = 0';
    const leaks = async (text: string): Promise<boolean> =>
      (await explored(`${text}\nout:\nr0 = 0\nexit`)).paths.some((one) => one.leaks);
    expect(await leaks(`${frame}\n*(u64 *)(r6 + 0) = r10`)).toBe(true);
    expect(await leaks(`${frame}\n*(u64 *)(r6 + 0) = r0`)).toBe(false);
    expect(await leaks(`${value}\n*(u64 *)(r1 + 0) = r10`)).toBe(true);
    expect(await leaks(`${value}\n*(u32 *)(r1 + 0) = r10`)).toBe(true);
    expect(await leaks(`${value}\n*(u64 *)(r1 + 0) = r2`)).toBe(false);
    expect(await leaks('*(u64 *)(r10 - 8) = r10')).toBe(false);
  });

  it('is what it takes for granted', async () => {
    const assumptions = async (text: string, hook: Hook = 'xdp'): Promise<readonly string[]> => {
      const { paths } = await explored(`${text}\nout:\nexit`, { hook });
      return [...new Set(paths.flatMap((one) => one.assumptions))];
    };
    const move = (name: string, by: number): string => `r2 = ${by}\ncall bpf_xdp_adjust_${name}\nr0 = 0`;
    const room = ['metadata has at most 216 bytes', 'there are 256 bytes of room in front of the frame'];
    expect(await assumptions(move('head', -4))).toEqual(room);
    expect(await assumptions(move('head', 0))).toEqual([]);
    expect(await assumptions(move('head', 4))).toEqual([]);
    expect(await assumptions('r0 = 0\nmay_goto out')).toEqual([
      'may_goto goes on: its budget of rounds is not used up',
    ]);
    const update = (map: string, flags: number): string =>
      `*(u64 *)(r10 - 8) = 1\nr1 = map[${map}]\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -8\nr4 = ${flags}\ncall bpf_map_update_elem\nr0 = 0`;
    const [BPF_ANY, BPF_NOEXIST, BPF_EXIST] = [0, 1, 2];
    expect(await assumptions(update('table', BPF_ANY))).toEqual([]);
    // What is there gives way to a new entry, too.
    for (const flags of [BPF_ANY, BPF_EXIST])
      expect(await assumptions(update('allocated', flags))).toEqual([
        'the kernel has memory for a new entry of map allocated',
      ]);
    // One that fails has made room before.
    for (const flags of [BPF_ANY, BPF_NOEXIST, BPF_EXIST])
      expect(await assumptions(update('lru', flags))).toEqual([
        'map lru evicts none of its entries while the packet is processed',
      ]);
    const push = 'r2 = 129\nr3 = 5\ncall bpf_skb_vlan_push\nr0 = 0';
    const memory = 'the kernel has memory for the frames that helpers change';
    expect(await assumptions(push, 'tc-egress')).toContain(memory);
    expect(await assumptions('call bpf_get_hash_recalc\nr0 = 0', 'tc-egress')).toEqual([]);
  });

  it('is what helpers were asked and have answered', async () => {
    const memory = [8, 16, 24, 32, 40, 48, 56, 64].map((at) => `*(u64 *)(r10 - ${at}) = ${at}`).join('\n');
    const answers = async (call: string): Promise<string[]> => {
      const { answers: all } = await only(`${memory}\n${call}\nr0 = 0`);
      return all.map(({ name, ordinal, read, written, arguments: given, result, open }) => {
        const [from, to] = [read, written].map((list) => list.map((one) => one.length).join());
        const bounds = open.between === undefined ? '' : ` between ${open.between.join(' and ')}`;
        const what = `${ordinal}: ${name} of ${given.length}, reads ${from}, writes ${to} through ${open.through.join()}`;
        return `${what}, gives ${result === undefined ? undefined : termText(result)}${bounds}`;
      });
    };
    const mtu = 'r6 = r1\nr2 = 0\nr3 = r10\nr3 += -64\nr4 = 0\nr5 = 0\nr1 = r6\ncall bpf_check_mtu';
    expect(await answers(mtu)).toEqual([
      '0: bpf_check_mtu.0 of 5, reads 4, writes 4 through 2, gives (sext bpf_check_mtu.0) between -4095 and 2',
    ]);
    // Random numbers have 32 bits, times 64.
    expect(await answers('call bpf_get_prandom_u32\ncall bpf_ktime_get_ns')).toEqual([
      '0: bpf_get_prandom_u32.0 of 0, reads , writes  through , gives (concat 0x0:32 bpf_get_prandom_u32.0)',
      '1: bpf_ktime_get_ns.1 of 0, reads , writes  through , gives bpf_ktime_get_ns.1',
    ]);
    expect(await answers('r2 = r10\nr2 += -64\nr3 = 64\nr4 = 0\ncall bpf_fib_lookup')).toEqual([
      '0: bpf_fib_lookup.0 of 4, reads 64, writes 64 through 1, gives (sext bpf_fib_lookup.0) between -4095 and 9',
    ]);
  });

  it.each(['queue', 'stack'])('is how much was in a %s: as much as pushes and pops say', async (map) => {
    const call = (name: string): string =>
      `r1 = map[${map}]\nr2 = r10\nr2 += -8\nr3 = 0\ncall bpf_map_${name}_elem\n`;
    /** What each call returned (0: all went well), from the first on, as digits. */
    const ways = async (...names: string[]): Promise<string[]> => {
      const noted = names.map((name) => `${call(name)}r6 *= 10\nif r0 == 0 goto good`);
      const text = noted.map(
        (one, index) => `${one.replace('goto good', `goto good${index}`)}\nr6 += 1\ngood${index}:`,
      );
      const { paths } = await explored(`*(u64 *)(r10 - 8) = 5\nr6 = 0\n${text.join('\n')}\nr0 = r6\nexit`);
      return paths
        .map((one) =>
          (one.end?.kind === 'exit' ? `${one.end.action.value}` : endOf(one)).padStart(names.length, '0'),
        )
        .sort();
    };
    expect(await ways('push')).toEqual(['0', '1']);
    expect(await ways('pop')).toEqual(['0', '1']);
    // Two fit: where nothing fits any more there are two, where two fit there was none.
    expect(await ways('push', 'pop', 'pop', 'pop')).toEqual(['0001', '0011', '1001']);
    expect(await ways('push', 'push', 'push')).toEqual(['001', '011', '111']);
    expect(await ways('pop', 'push', 'push')).toEqual(['000', '001', '100']);
    expect(await ways('peek', 'peek', 'pop', 'peek')).toEqual(['0000', '0001', '1111']);
  });

  it('is the first instruction that read what nobody wrote', async () => {
    expect((await only('r2 = *(u8 *)(r10 - 1)\nr2 = *(u8 *)(r10 - 2)\nr0 = 0')).readsUnwritten).toEqual({
      program: 0,
      slot: 0,
    });
    expect(
      (await only('*(u8 *)(r10 - 1) = 0\nr2 = *(u8 *)(r10 - 1)\nr0 = 0')).readsUnwritten,
    ).toBeUndefined();
  });
});

describe('memory on a path', () => {
  const pool = new TermPool();
  const pointer = stackPointer(pool, 0);
  const address = pointer.term.value;

  it('gives a pointer back whole, or as bytes of its address', () => {
    const memory = new PathMemory();
    memory.setPointer(8, pointer);
    expect(memory.pointer(8)).toBe(pointer);
    expect([7, 9, 16].map((at) => memory.pointer(at))).toEqual([undefined, undefined, undefined]);
    for (let at = 0; at < 8; at++)
      expect(memory.byte(pool, 8 + at)!.value).toBe((address >> BigInt(8 * at)) & 0xffn);
    expect([memory.byte(pool, 7), memory.byte(pool, 16)]).toEqual([undefined, undefined]);
    for (const at of [8, 11, 15]) {
      const copy = memory.copy();
      copy.setByte(at, pool.constant(8, 1));
      expect(copy.pointer(8)).toBeUndefined();
      expect(memory.pointer(8)).toBe(pointer);
    }
    const two = memory.copy();
    two.setPointer(12, stackPointer(pool, 1));
    expect([two.pointer(8), two.pointer(12)?.region]).toEqual([undefined, { kind: 'stack', frame: 1 }]);
  });

  it('stores the lowest byte first, forgets, and shares nothing with its copies', () => {
    const memory = new PathMemory();
    memory.store(pool, 4, pool.constant(32, 0x44332211));
    expect([4, 5, 6, 7].map((at) => memory.byte(pool, at)!.value)).toEqual([0x11n, 0x22n, 0x33n, 0x44n]);
    const copy = memory.copy();
    copy.forget(5);
    memory.setByte(2, pool.constant(8, 9));
    expect([memory.written(), copy.written()]).toEqual([
      [2, 4, 5, 6, 7],
      [4, 6, 7],
    ]);
    const later = memory.copy();
    memory.setByte(3, pool.constant(8, 9));
    expect(later.written()).toEqual([2, 4, 5, 6, 7]);
    copy.clear();
    copy.setByte(1, pool.constant(8, 9));
    expect([memory.written().length, copy.written()]).toEqual([6, [1]]);
  });
});
