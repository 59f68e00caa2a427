/** Two small builds of a program: what differs, what decides it, whether chance does, and what becomes a class. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { fakeEngine } from '../test-support/engines.ts';
import { data } from '../test-support/packets.ts';
import { DiffClasses } from './classes.ts';
import type { DiffOptions } from './diff-report.ts';
import { type PairFinding, PairLook } from './look.ts';
import type { BuildPair } from './pair.ts';
import { PairReplay } from './pair-replay.ts';

/** r6 = the context, r7 = the frame, of which 20 bytes are there; r8 = the first byte. */
const BEGIN = (hook: Hook = 'xdp'): string => `r6 = r1
  r7 = *(u32 *)(r1 + ${hook === 'xdp' ? 0 : 76})
  r2 = *(u32 *)(r1 + ${hook === 'xdp' ? 4 : 80})
  r0 = r7
  r0 += 20
  if r0 > r2 goto out
  r8 = *(u8 *)(r7 + 0)`;
const END = `out:
  r0 = 2
  exit`;
const COUNTS = testMap('counts', 'ARRAY');
/** Where the first instruction behind `BEGIN` stands. */
const FIRST = 7;

function build(name: string, body: string, hook: Hook = 'xdp', maps: readonly BpfMap[] = [COUNTS]): Program {
  const object = writeElf({ main: [BEGIN(hook), body, END].join('\n') }, maps);
  return { name, entries: [{ function: 'main', hook }], object };
}
const pairOf = (old: string, next: string, hook?: Hook): BuildPair => ({
  old: build('old', old, hook),
  new: build('new', next, hook),
});
const numbered = (...firsts: readonly number[]): { packet: Uint8Array }[] =>
  firsts.map((first) => ({ packet: Uint8Array.of(first, ...data(59)) }));

/** All findings on packets with these first bytes. */
async function found(pair: BuildPair, ...firsts: readonly number[]): Promise<PairFinding[]> {
  const replay = new PairReplay(pair);
  const findings: PairFinding[] = [];
  for await (const finding of replay.findings({ world: {}, stimuli: numbered(...firsts) }))
    findings.push(finding);
  await replay.close();
  return findings;
}
const told = (findings: readonly PairFinding[]): string[] =>
  findings.map(({ part, field, packet }) => `${part} ${field} at ${packet}`);

const NOTHING = 'r0 = 2';
const DROPS = 'r0 = 1\nexit';
const WRITES = 'r3 = 5\n*(u8 *)(r7 + 15) = r3';
const STOPS = 'r3 = *(u8 *)(r7 + 4000)';
const COUNT = `*(u32 *)(r10 - 4) = 0
  r1 = map[counts]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u64 *)(r0 + 0)
  r1 += 1
  *(u64 *)(r0 + 0) = r1`;
const CHANCE = 'call bpf_get_prandom_u32\nr0 &= 1\nif r0 == 0 goto out\nr0 = 1\nexit';
const GARBAGE = 'r3 = *(u8 *)(r10 - 8)\nif r3 == 0 goto out\nr0 = 1\nexit';
const of = (first: number, body: string, more = ''): string =>
  `if r8 != ${first} goto skip\n${body}\nskip:\n${more}`;

describe('two builds differ', () => {
  it.each<[what: string, old: string, next: string, lines: string[]]>([
    ['in nothing', NOTHING, 'r3 = 4', []],
    ['in what they return', NOTHING, of(7, DROPS), ['action action at 1', 'action action at 3']],
    ['in what they write', NOTHING, of(7, WRITES), ['packet bytes at 1', 'packet bytes at 3']],
    ['where the machine stops one', NOTHING, of(7, STOPS), ['status status at 1', 'status status at 3']],
    ['where the machine stops the old one', of(8, STOPS), NOTHING, ['status status at 2']],
    ['in nothing where it stops both', of(7, STOPS), of(7, STOPS, 'r3 = 1'), []],
    ['in their maps', NOTHING, of(7, COUNT), ['map map counts at 3']],
    ['in what is dropped not by its bytes', DROPS, `${WRITES}\n${DROPS}`, []],
    [
      'in several ways',
      of(8, DROPS),
      `${of(7, STOPS)}\n${COUNT}`,
      ['status status at 1', 'action action at 2', 'status status at 3', 'map map counts at 3'],
    ],
  ])('%s', async (_what, old, next, lines) => {
    expect(told(await found(pairOf(old, next), 6, 7, 8, 7))).toEqual(lines);
  });

  it('in marks, at TC', async () => {
    const marks = 'r3 = 9\n*(u32 *)(r6 + 8) = r3\nr0 = 0\nexit';
    expect(told(await found(pairOf('r0 = 0\nexit', marks, 'tc-ingress'), 1))).toEqual(['skb skb at 0']);
  });

  it('in targets, and in what they print', async () => {
    const redirects = (to: number): string => `r1 = ${to}\nr2 = 0\ncall bpf_redirect\nexit`;
    expect(told(await found(pairOf(redirects(3), redirects(4)), 1))).toEqual(['redirect redirect at 0']);
  });

  it('with what each made of the packet', async () => {
    const [finding] = await found(pairOf(NOTHING, of(7, DROPS)), 6, 7);
    expect([finding?.expected?.action, finding?.got?.action, finding?.isDoubtful]).toEqual([2, 1, false]);
  });
});

describe('what decides', () => {
  const decided = async (old: string, next: string, hook?: Hook): Promise<unknown[]> => {
    const [finding] = await found(pairOf(old, next, hook), 7);
    const place = (one: PairFinding['decision']['old']) =>
      one === undefined ? undefined : `${one.as} ${one.instruction - FIRST}`;
    return [place(finding?.decision.old), place(finding?.decision.new), finding?.place];
  };

  it.each<[what: string, old: string, next: string, places: unknown[]]>([
    [
      'is who wrote the bytes last',
      NOTHING,
      WRITES,
      ['result 1', 'write 1', `main+${FIRST + 1} / main+${FIRST + 1}`],
    ],
    [
      'is the branch from which one goes its own way',
      DROPS,
      `if r8 == 7 goto out\n${DROPS}`,
      ['result 0', 'branch 0', `main+${FIRST} / main+${FIRST}`],
    ],
    [
      'is what sets the result where they go the same way',
      'r0 = 1\nexit',
      'r0 = 3\nexit',
      ['result 0', 'result 0', `main+${FIRST} / main+${FIRST}`],
    ],
    ['is where one is stopped', NOTHING, STOPS, ['result 1', 'stop 0', `main+${FIRST + 1} / main+${FIRST}`]],
    ['is who wrote the map', NOTHING, COUNT, [undefined, 'write 9', `? / main+${FIRST + 9}`]],
  ])('%s', async (_what, old, next, places) => {
    expect(await decided(old, next)).toEqual(places);
  });

  it('is who wrote the member that differs, not who wrote the map last', async () => {
    const counts = (first: number, second: number): string => `${COUNT.split('\n').slice(0, 6).join('\n')}
      r1 = ${first}
      *(u32 *)(r0 + 0) = r1
      r1 = ${second}
      *(u32 *)(r0 + 4) = r1`;
    const of = async (...next: readonly [number, number]): Promise<unknown> =>
      (await decided(counts(5, 5), counts(...next))).slice(0, 2);
    expect(await of(6, 5)).toEqual(['write 8', 'write 8']);
    expect(await of(5, 6)).toEqual(['write 10', 'write 10']);
    expect(await of(6, 6)).toEqual(['write 8', 'write 8']);
    const first = counts(5, 5).replace(/ *r1 = 5\n[^\n]*$/, 'r1 = 5');
    expect((await decided(counts(5, 5), first)).slice(0, 2)).toEqual(['write 10', undefined]);
    // A store of both members is one of either.
    const both = counts(5, 5).replace(/r1 = 5[\s\S]*/, 'r1 = 5\n*(u64 *)(r0 + 0) = r1');
    expect((await decided(counts(5, 5), both)).slice(0, 2)).toEqual(['write 10', 'write 8']);
  });

  it('is the call that stored a target, and the store of a mark', async () => {
    const redirects = (to: number): string => `r1 = ${to}\nr2 = 0\ncall bpf_redirect\nexit`;
    expect(await decided(redirects(3), redirects(4))).toEqual([
      'call 2',
      'call 2',
      `main+${FIRST + 2} / main+${FIRST + 2}`,
    ]);
    const marks = (mark: number): string => `r3 = ${mark}\n*(u32 *)(r6 + 8) = r3\nr0 = 0\nexit`;
    expect(await decided(marks(1), marks(2), 'tc-ingress')).toEqual([
      'write 1',
      'write 1',
      `main+${FIRST + 1} / main+${FIRST + 1}`,
    ]);
  });

  it('is the call that changed the size, where that differs', async () => {
    const grows = 'r1 = r6\nr2 = -4\ncall bpf_xdp_adjust_head';
    expect(await decided(NOTHING, grows)).toEqual([
      'result 1',
      'write 2',
      `main+${FIRST + 1} / main+${FIRST + 2}`,
    ]);
  });
});

describe('chance', () => {
  async function look(old: string, next: string, ...firsts: number[]): Promise<PairLook> {
    const one = new PairLook(pairOf(old, next));
    const input = new PacketBatch(firsts.length);
    for (const stimulus of numbered(...firsts)) input.push(stimulus);
    expect(await one.run({}, input)).toBe(true);
    return one;
  }

  it('has a part in it from the packet on for which one build draws another number', async () => {
    const one = await look(NOTHING, of(7, CHANCE), 6, 7, 6);
    expect([0, 1, 2].map((packet) => one.drewTheSame(packet))).toEqual([true, false, false]);
    await one.close();
    const both = await look(CHANCE, CHANCE, 6, 7);
    expect(both.drewTheSame(1)).toBe(true);
    await both.close();
  });

  it('has a part in it from the packet on for which one build reads bytes that nobody wrote', async () => {
    for (const [old, next] of [
      [NOTHING, of(7, GARBAGE)],
      [of(7, GARBAGE), NOTHING],
    ] as const) {
      const one = await look(old, next, 6, 7, 6);
      expect([0, 1, 2].map((packet) => one.readsUnwritten(packet))).toEqual([false, true, true]);
      await one.close();
    }
  });

  it('is told by signatures of ways where packets go the same', async () => {
    const one = await look(NOTHING, of(7, DROPS), 6, 7, 8);
    expect(one.signature(0)).toBe(one.signature(2));
    expect(one.signature(0)).not.toBe(one.signature(1));
    await one.close();
  });

  async function isSettled(old: string, next: string): Promise<boolean> {
    const replay = new PairReplay(pairOf(old, next));
    const shown = { program: 'old', world: { randomSeed: 3 }, stimuli: numbered(7) };
    const findings: PairFinding[] = [];
    for await (const finding of replay.findings(shown)) findings.push(finding);
    // One of them may come to the same by chance: then there is nothing to ask about.
    const settled = await replay.isSettled(
      shown,
      findings[0] ?? ({ packet: 0, part: 'action' } as PairFinding),
    );
    await replay.close();
    return settled;
  }

  it('settles nothing where either may come to what the other does', async () => {
    expect(await isSettled('r0 = 2\nexit', CHANCE)).toBe(false);
    expect(await isSettled('r0 = 2\nexit', GARBAGE)).toBe(false);
  });

  it('is no reason where they differ whatever it brings', async () => {
    expect(await isSettled('r0 = 3\nexit', CHANCE)).toBe(true);
    expect(await isSettled('r0 = 3\nexit', GARBAGE)).toBe(true);
    expect(await isSettled('r0 = 2\nexit', 'r0 = 1\nexit')).toBe(true);
  });
});

describe('classes of packets', () => {
  async function classesOf(
    pair: BuildPair,
    firsts: readonly number[],
    more: Partial<DiffOptions> = {},
  ): Promise<DiffClasses> {
    const classes = new DiffClasses({
      ...{ pair, engine: createVmEngine(), seed: 's', runs: 0, maxClasses: 9, shrinkSeconds: 600 },
      ...more,
    });
    const input = new PacketBatch(firsts.length);
    for (const stimulus of numbered(...firsts)) input.push(stimulus);
    const findings = await found(pair, ...firsts);
    for (const finding of findings) await classes.enter({}, input, finding, 2, `way ${finding.packet}`);
    return classes;
  }

  it('are entered once each, counted, and made small', async () => {
    const classes = await classesOf(pairOf(NOTHING, `${of(7, DROPS)}\n${WRITES}`), [6, 7, 7]);
    expect(classes.list.map(({ finding, packets, state }) => [finding.part, packets, state])).toEqual([
      ['packet', 2, 'shrunk'],
      ['action', 4, 'shrunk'],
    ]);
    expect([classes.size, classes.isCut, classes.left]).toEqual([2, false, []]);
    for (const { case: small } of classes.list) {
      expect(small.stimuli.length).toBe(1);
      expect(small.stimuli[0]!.packet.length).toBeLessThan(60);
    }
    const key = classes.ofWay('way 1');
    expect(classes.ofWay('way 2')).toBe(key);
    expect(classes.ofWay('way 0')).not.toBe(key);
    expect(classes.ofWay('another')).toBeUndefined();
    expect(classes.count(key!, 5)).toBe(true);
    expect(classes.count('another', 5)).toBe(false);
    expect(classes.list.map(({ packets }) => packets)).toEqual([2, 9]);
  });

  it('are no more than asked for', async () => {
    const classes = await classesOf(pairOf(NOTHING, `${of(7, DROPS)}\n${WRITES}`), [6, 7], { maxClasses: 1 });
    expect([classes.size, classes.isCut]).toEqual([1, true]);
  });

  it('keep packets before the one that differs where that needs them', async () => {
    const classes = await classesOf(pairOf(NOTHING, `${COUNT}\nif r1 != 2 goto out\nr0 = 1\nexit`), [6, 7]);
    const action = classes.list.find(({ finding }) => finding.part === 'action');
    expect(action?.case.stimuli.length).toBe(2);
  });

  it('are none where chance decides, with the reason', async () => {
    const classes = await classesOf(pairOf('r0 = 2\nexit', GARBAGE.replace('== 0', '!= 0')), [6, 7]);
    expect(classes.list).toEqual([]);
    const what =
      'packets whose outcome depends on random numbers that only one build draws, or on unwritten stack bytes';
    expect(classes.left).toEqual([
      { what, engine: 'vm', packets: 2 },
      { what, engine: 'vm', packets: 2 },
    ]);
  });

  it('are none where the kernel runs what the machine stops', async () => {
    const stopped = pairOf(NOTHING, STOPS);
    const ran = await classesOf(stopped, [6], { kernel: fakeEngine('testrun', () => ({ action: 2 })) });
    expect(ran.list).toEqual([]);
    expect(ran.left).toEqual([
      {
        what: 'packets on which the machine stops a build that this kernel accepts, a defect of xdpsim',
        engine: 'vm',
        packets: 2,
      },
    ]);
    const alone = await classesOf(stopped, [6]);
    expect(alone.list.map(({ finding }) => finding.part)).toEqual(['status']);
    const old = await classesOf(pairOf(STOPS, NOTHING), [6], {
      kernel: fakeEngine('testrun', () => ({ action: 2 })),
    });
    expect(old.list).toEqual([]);
  });
});
