/** What runs with other garbage on the stack differ in, with functions in place of programs. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EngineSide } from '../engine-side.ts';
import { builtIn } from '../test-support/changed-object.ts';
import { type Behaviour, fakeEngine } from '../test-support/engines.ts';
import { data } from '../test-support/packets.ts';
import type { Seen, Sighting } from './probe.ts';
import { Uninitialized } from './uninitialized.ts';

/** An object that may read its stack before it writes there: what it does is up to the function. */
const READS_STACK: Program = {
  name: 'stack_decides',
  entries: [{ function: 'stack_decides', hook: 'xdp' }],
  object: new Uint8Array(readFileSync(new URL('recorded/garbage.o', import.meta.url))),
};

async function found(
  behaviour: Behaviour,
  packets: readonly Uint8Array[] = [data(60)],
  program: Program = READS_STACK,
): Promise<Seen[]> {
  const engine = fakeEngine('wasm', behaviour);
  const seen = await foundOn(engine, program, [[{}, packets]]);
  expect(engine.log.closed).toBe(engine.log.opened);
  return seen;
}

/** In the interpreter. */
function foundIn(program: Program, packets: readonly Uint8Array[]): Promise<Seen[]> {
  return foundOn(createVmEngine(), program, [[{}, packets]]);
}

/**
 * @param rounds worlds, one after the other, and the packets in each
 * @param known packets that were looked for
 */
async function foundOn(
  machine: Engine,
  program: Program,
  rounds: readonly (readonly [World, readonly Uint8Array[]])[],
  known: readonly Sighting[] = [],
): Promise<Seen[]> {
  const garbage = new Uninitialized(program);
  for (const [world, packets] of rounds) {
    const input = new PacketBatch(packets.length);
    for (const packet of packets) input.push({ packet });
    const side = new EngineSide(machine, program, packets.length);
    expect(await side.run(world, input)).toBe(true);
    garbage.observe(world, input, side);
    await side.close();
  }
  return garbage.find(machine, known);
}

const XDP_MAIN: Program['entries'] = [{ function: 'main', hook: 'xdp' }];

/** Are the bytes of the stack ones? */
const isFull = ({ world }: Parameters<Behaviour>[1]): boolean => world.stackFill === 0xff;

describe('bytes of the stack that were never written', () => {
  it('decide on an action', async () => {
    const seen = await found((_, state) => ({ action: isFull(state) ? XDP_DROP : XDP_PASS }));
    expect(seen.map(({ breach }) => breach)).toEqual([
      {
        invariant: 'uninitialized/decision',
        at: 0,
        size: 0,
        expected: 'the same whatever the stack held before',
        got: 'XDP_PASS or XDP_DROP',
        sentence:
          'the program returns XDP_PASS or XDP_DROP, as bytes of the stack have it that it never wrote',
      },
    ]);
    expect(seen[0]!.world).toEqual({ stackFill: 0xff });
    expect(seen[0]!.got.action).toBe(XDP_DROP);
    expect(seen[0]!.stimuli.length).toBe(1);
    // Any packet shows it: the simplest is shown.
    expect(seen[0]!.stimuli[0]!.packet.length).toBeLessThan(60);
  });

  it('decide on the target of a redirect', async () => {
    const seen = await found((_, state) => ({ action: XDP_REDIRECT, redirect: isFull(state) ? 3 : 2 }));
    expect(seen.map(({ breach }) => breach.invariant)).toEqual(['uninitialized/decision']);
  });

  const written: (action: number) => Behaviour =
    (action) =>
    ({ packet }, state) => {
      const left = packet.slice();
      left.fill(isFull(state) ? 0xff : 0, 5, 8);
      return { action, packet: left };
    };

  it('leave in a frame', async () => {
    const [seen, ...others] = await found(written(XDP_TX));
    expect(others).toEqual([]);
    expect(seen?.breach).toEqual({
      invariant: 'uninitialized/frame',
      at: 5,
      size: 3,
      expected: 'the same whatever the stack held before',
      got: 'whatever the stack held',
      sentence: '3 bytes of the frame, from byte 5 on, are what the stack held before',
    });
    expect(seen?.severity).toBeUndefined();
  });

  it('leave in a checksum, to which nothing but ones is the same as nothing but zeros', async () => {
    const summing = (written: string): Program => ({
      ...READS_STACK,
      entries: [{ function: 'main', hook: 'xdp' }],
      object: writeElf({
        main: `r7 = *(u32 *)(r1 + 0)
          r8 = *(u32 *)(r1 + 4)
          r0 = r7
          r0 += 42
          if r0 > r8 goto pass
          ${written}
          r1 = 0
          r2 = 0
          r3 = r10
          r3 += -4
          r4 = 4
          r5 = 1
          call bpf_csum_diff
          r1 = r0
          r1 >>= 16
          r0 += r1
          *(u16 *)(r7 + 40) = r0
          pass:
          r0 = 2
          exit`,
      }),
    });
    const [seen, ...others] = await foundIn(summing('r0 = 0'), [data(60)]);
    expect(others).toEqual([]);
    expect(seen?.breach).toMatchObject({ invariant: 'uninitialized/frame', at: 40 });
    expect(seen?.breach.sentence).toBe(
      '2 bytes of the frame, from byte 40 on, depend on what the stack held before',
    );
    expect(await foundIn(summing('*(u32 *)(r10 - 4) = 7'), [data(60)])).toEqual([]);
  });

  it('do not leave in a frame that is dropped', async () => {
    expect(await found(written(XDP_DROP))).toEqual([]);
  });

  it('decide how long a frame is', async () => {
    const [seen] = await found(({ packet }, state) => ({
      action: XDP_PASS,
      packet: packet.subarray(0, packet.length - (isFull(state) ? 1 : 0)),
    }));
    expect(seen?.breach.sentence).toBe(
      'the length of the frame depends on bytes of the stack that the program never wrote',
    );
    expect(seen?.breach.got).toMatch(/^(\d+) or \d+ bytes$/);
    expect([seen?.breach.at, seen?.breach.size]).toEqual([0, 0]);
  });

  it('are a key of a map: an error, or a value: a warning', async () => {
    const key = await found((_, state) => {
      state.counts.set(isFull(state) ? 255 : 0, 1);
      return { action: XDP_PASS };
    });
    expect(key.map(({ breach, severity }) => [breach.invariant, breach.got, severity])).toEqual([
      ['uninitialized/map', 'bytes of the stack in a key of map counts', undefined],
    ]);
    const value = await found((_, state) => {
      state.counts.set(7, isFull(state) ? 255 : 1);
      return { action: XDP_PASS };
    });
    expect(value.map(({ breach, severity }) => [breach.invariant, breach.got, severity])).toEqual([
      ['uninitialized/map', 'bytes of the stack in a value of map counts', 'warning'],
    ]);
    expect(value[0]!.breach.sentence).toBe(
      'a value of map counts holds bytes of the stack that the program never wrote',
    );
  });

  it('are shown once for each thing that they do', async () => {
    const twofold: Behaviour = (one, state) =>
      one.packet[0]! % 2 === 0
        ? { action: isFull(state) ? XDP_DROP : XDP_PASS }
        : written(XDP_TX)(one, state);
    const packets = [10, 11, 12, 13].map((first) => {
      const packet = data(60);
      packet[0] = first;
      return packet;
    });
    const seen = await found(twofold, packets);
    expect(seen.map(({ breach }) => breach.invariant).sort()).toEqual([
      'uninitialized/decision',
      'uninitialized/frame',
    ]);
  });

  it('change nothing in most programs', async () => {
    expect(await found(() => ({ action: XDP_PASS }))).toEqual([]);
  });

  const decides: Behaviour = (_, state) => ({ action: isFull(state) ? XDP_DROP : XDP_PASS });

  it('are looked for on packets of all lengths, not on those that were stopped', async () => {
    expect((await found(decides, [data(512)])).length).toBe(1);
    expect((await found(decides, [data(513)])).length).toBe(1);
    expect((await found(decides, [data(1514)])).length).toBe(1);
    const stopped: Behaviour = (one, state) =>
      isFull(state) ? { action: XDP_DROP, violation: 'stopped' } : decides(one, state);
    expect(await found(stopped)).toEqual([]);
    expect(await found(() => ({ action: XDP_DROP, violation: 'stopped' }))).toEqual([]);
  });

  it('are not looked for where the program reads none', async () => {
    expect(await found(decides, [data(60)], builtIn('xdp_pass').program)).toEqual([]);
  });

  it('are looked for on four packets of a kind', async () => {
    // The fifth packet alone would show it.
    const fifth: Behaviour = (one, state) =>
      one.packet[1] === 5 && one.packet.length === 60 ? decides(one, state) : { action: XDP_PASS };
    const packets = [1, 2, 3, 4, 5].map((number) => {
      const packet = data(60);
      packet[1] = number;
      return packet;
    });
    expect(await found(fifth, packets)).toEqual([]);
    expect((await found(fifth, packets.slice(1))).length).toBe(1);
    // Another type, or another protocol, is another kind.
    packets[4]![13]!++;
    expect((await found(fifth, packets)).length).toBe(1);
    packets[4]![13]!--;
    packets[4]![23]!++;
    expect((await found(fifth, packets)).length).toBe(1);
    packets[4]![23]!--;
    // So is one that is written to.
    const written: Behaviour = (one, state) => {
      const packet = one.packet.slice();
      if (packet[1] === 5) packet[30]!++;
      return { ...fifth(one, state), packet };
    };
    expect((await found(written, packets)).length).toBe(1);
  });

  it('are looked for where maps were filled, too, however many packets came before', async () => {
    const inFilled: Behaviour = (one, state) =>
      state.world.maps === undefined ? { action: XDP_PASS } : decides(one, state);
    const filled: World = { maps: { known: [{ key: data(4), value: data(4) }] } };
    const packets = Array.from({ length: 8 }, () => data(60));
    const rounds = [[{}, packets] as const, [filled, packets] as const];
    expect((await foundOn(fakeEngine('wasm', inFilled), READS_STACK, rounds)).length).toBe(1);
  });
});

describe('bytes of the stack that are compared', () => {
  const END = 'r0 = 2\nexit\ndrop:\nr0 = 1\nexit';
  const OTHER = '*(u8 *)(r10 - 1) = 0';
  const byMachine = (text: string, packets: readonly Uint8Array[] = [data(60)]): Promise<Seen[]> =>
    foundIn({ name: 'p', entries: XDP_MAIN, object: writeElf({ main: text }, []) }, packets);

  it.each<[what: string, text: string, stackFill: bigint]>([
    ['a byte', 'r1 = *(u8 *)(r10 - 5)\nif r1 == 7 goto drop', 7n << 24n],
    ['a port', 'r1 = *(u16 *)(r10 - 2)\nif r1 == 0x3500 goto drop', 0x3500n << 48n],
    [
      'a port in the machine’s order',
      'r1 = *(u16 *)(r10 - 2)\nr1 = be16 r1\nif r1 == 53 goto drop',
      0x3500n << 48n,
    ],
    ['a word', 'r1 = *(u32 *)(r10 - 8)\nif r1 == 2 goto drop', 2n],
    ['eight bytes', 'r1 = *(u64 *)(r10 - 16)\nif r1 == 0x1234 goto drop', 0x1234n],
    ['some bits', 'r1 = *(u32 *)(r10 - 8)\nr1 >>= 4\nr1 &= 15\nif r1 == 9 goto drop', 0x90n],
    ['a range', 'r1 = *(u32 *)(r10 - 8)\nr1 += -100\nif r1 < 9 goto drop', 108n],
    [
      'a word beside one that was written',
      `${OTHER}\nr1 = *(u32 *)(r10 - 4)\nif r1 == 2 goto drop`,
      2n << 32n,
    ],
    [
      'one word behind another',
      'r1 = *(u32 *)(r10 - 8)\nif r1 != 3 goto pass\nr1 = *(u32 *)(r10 - 4)\nif r1 == 4 goto drop\npass:',
      0x4_0000_0003n,
    ],
  ])('with what neither zeros nor ones are: %s', async (_what, text, stackFill) => {
    const [seen, ...others] = await byMachine(`${text}\n${END}`);
    expect(others).toEqual([]);
    expect(seen?.breach).toEqual({
      invariant: 'uninitialized/decision',
      at: 0,
      size: 0,
      expected: 'the same whatever the stack held before',
      got: 'XDP_PASS or XDP_DROP',
      sentence: 'the program returns XDP_PASS or XDP_DROP, as bytes of the stack have it that it never wrote',
    });
    expect(seen?.world).toEqual({ stackFill });
    expect(seen?.got.action).toBe(XDP_DROP);
  });

  it('with what the packet holds', async () => {
    const port =
      'r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 2\nif r4 > r3 goto pass\nr1 = *(u16 *)(r2 + 0)';
    const packet = Uint8Array.of(0x12, 0x34, ...new Uint8Array(58));
    const [seen] = await byMachine(`${port}\nr2 = *(u16 *)(r10 - 8)\nif r1 == r2 goto drop\npass:\n${END}`, [
      packet,
    ]);
    expect(seen?.breach.invariant).toBe('uninitialized/decision');
  });

  it('decide nothing where both ways come to the same', async () => {
    expect(await byMachine('r1 = *(u32 *)(r10 - 8)\nif r1 == 7 goto more\nmore:\nr0 = 2\nexit')).toEqual([]);
  });

  it('decide nothing where what was written is all that counts', async () => {
    const text = `${OTHER}\nr1 = *(u32 *)(r10 - 4)\nr1 >>= 24\nif r1 == 7 goto drop`;
    expect(await byMachine(`${text}\n${END}`)).toEqual([]);
  });

  it('are tried with sixteen values', async () => {
    // Only the last condition decides.
    const compares = (conditions: number): string => {
      const harmless = Array.from(
        { length: conditions - 1 },
        (_, index) => `if r1 == ${index + 2} goto l${index}\nl${index}:`,
      );
      return `r1 = *(u32 *)(r10 - 8)\n${harmless.join('\n')}\nif r1 == 99 goto drop\n${END}`;
    };
    expect((await byMachine(compares(16))).length).toBe(1);
    expect((await byMachine(compares(17))).length).toBe(0);
  });

  it('are tried with one value on eight packets', async () => {
    // The packet whose last byte is 9 alone would show it.
    const text = `r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 60\nif r4 > r3 goto pass
      r1 = *(u32 *)(r10 - 8)\nif r1 != 7 goto pass\nr1 = *(u8 *)(r2 + 59)\nif r1 == 9 goto drop\npass:\n${END}`;
    const packets = (count: number): Uint8Array[] =>
      Array.from({ length: count }, (_, index) => {
        const packet = data(60);
        packet[23] = index;
        packet[59] = index === count - 1 ? 9 : 0;
        return packet;
      });
    expect((await byMachine(text, packets(8))).length).toBe(1);
    expect((await byMachine(text, packets(9))).length).toBe(0);
  });
});

/** Of packets that are alike otherwise, those that begin with `begin`, where `rare` runs. */
const rareWay = (begin: number, rare: string): string =>
  `r6 = r1\nr2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 2\nif r4 > r3 goto pass\nr1 = *(u8 *)(r2 + 0)\nif r1 != ${begin} goto pass\n${rare}\npass:\nr0 = 2\nexit\ndrop:\nr0 = 1\nexit`;

describe('bytes of the stack in a rare way that ends as all others do', () => {
  const program = (text: string): Program => ({
    name: 'p',
    entries: XDP_MAIN,
    object: writeElf({ main: text }, []),
  });
  const beginning = (first: number): Uint8Array => Uint8Array.of(first, ...data(59));
  const KEPT = [1, 2, 3, 4, 5].map(beginning);
  const foundWith = (text: string, known: readonly Uint8Array[]): Promise<Seen[]> =>
    foundOn(
      createVmEngine(),
      program(text),
      [[{}, KEPT]],
      known.map((packet) => ({ world: {}, stimulus: { packet } })),
    );
  const DECIDES = rareWay(9, 'r1 = *(u32 *)(r10 - 8)\nif r1 == 0 goto drop');

  it('are found with a packet that was looked for', async () => {
    expect(await foundWith(DECIDES, [])).toEqual([]);
    const [seen, ...others] = await foundWith(DECIDES, [beginning(7), beginning(9)]);
    expect(others).toEqual([]);
    expect(seen?.breach.invariant).toBe('uninitialized/decision');
    expect(seen!.stimuli[0]!.packet[0]).toBe(9);
  });

  it('are none where the way writes them first', async () => {
    const text = rareWay(9, '*(u64 *)(r10 - 8) = 0\nr1 = *(u32 *)(r10 - 8)\nif r1 == 1 goto drop');
    expect(await foundWith(text, [beginning(9)])).toEqual([]);
  });
});

describe('bytes of the stack behind a tail call', () => {
  const jump = (behind = 'r0 = 2\nexit'): string =>
    `r2 = map[handlers]\nr3 = 0\ncall bpf_tail_call\n${behind}`;
  const reads = 'r1 = *(u32 *)(r10 - 8)\nif r1 == 7 goto drop\nr0 = 2\nexit\ndrop:\nr0 = 1\nexit';
  const writes = `*(u32 *)(r10 - 8) = 1\n${reads}`;
  const slot = { key: data(4).fill(0), name: 'handler' };
  const inSlot = (guessed: boolean): World => ({
    slots: { handlers: [guessed ? { ...slot, guessed } : slot] },
  });
  const behind = (
    main: string,
    handler: string,
    world: World,
    others: Readonly<Record<string, string>> = {},
  ): Promise<Seen[]> => {
    const maps = [testMap('handlers', 'PROG_ARRAY', { maxEntries: 8 })];
    const object = writeElf({ main, handler, ...others }, maps);
    return foundOn(createVmEngine(), { name: 'main', entries: XDP_MAIN, object }, [[world, [data(60)]]]);
  };
  const summaryOf = (seen: readonly Seen[]): unknown[] =>
    seen.map(({ breach, world, isByGuess }) => [breach.invariant, world.slots !== undefined, isByGuess]);

  it('decide where a world has filled the slot', async () => {
    const seen = await behind(jump(), reads, inSlot(false));
    expect(summaryOf(seen)).toEqual([['uninitialized/decision', true, undefined]]);
    expect(await behind(jump(), writes, inSlot(false))).toEqual([]);
    expect(await behind(jump(), reads, {})).toEqual([]);
  });

  it('are the caller’s where they decide without what the test put there', async () => {
    const seen = await behind(jump(reads), 'r0 = 2\nexit', {});
    expect(summaryOf(seen)).toEqual([['uninitialized/decision', false, undefined]]);
  });

  it('are no guess where the program in the slot reads them by itself', async () => {
    const seen = await behind(jump(), reads, inSlot(true), { other: 'r0 = 2\nexit' });
    expect(summaryOf(seen)).toEqual([['uninitialized/decision', true, undefined]]);
  });

  it('are a guess where it takes both, and another program may belong there', async () => {
    const cut = `r6 = r1\nr2 = -40\ncall bpf_xdp_adjust_tail\nr1 = r6\n${jump()}`;
    const short = `r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr2 += 30\nif r2 > r3 goto short\nr0 = 2\nexit\nshort:\n${reads}`;
    const seen = await behind(cut, short, inSlot(true), { other: 'r0 = 2\nexit' });
    expect(summaryOf(seen)).toEqual([['uninitialized/decision', true, true]]);
    // With no other program, and that slot alone, nothing else can be there.
    expect(summaryOf(await behind(cut, short, inSlot(true)))).toEqual([
      ['uninitialized/decision', true, undefined],
    ]);
  });
});

describe('room in front of a packet', () => {
  /** r6 = the context, r7 = the frame, with `bytes` more in front of it; then `body`, and an action. */
  const grown = (bytes: number, body: string, action = XDP_TX): string => `r6 = r1
    r2 = ${-bytes}
    call bpf_xdp_adjust_head
    if r0 != 0 goto out
    r7 = *(u32 *)(r6 + 0)
    r8 = *(u32 *)(r6 + 4)
    r0 = r7
    r0 += 24
    if r0 > r8 goto out
    ${body}
    left:
    r0 = ${action}
    exit
    out:
    r0 = 1
    exit`;
  const FOUR = '*(u32 *)(r7 + 0) = 1';
  const EIGHT = '*(u64 *)(r7 + 0) = 1';

  async function left(
    text: string,
    packets: readonly Uint8Array[] = [data(60)],
    hook: Hook = 'xdp',
  ): Promise<Seen[]> {
    const object = writeElf({ main: text }, [testMap('counts', 'ARRAY')]);
    const program: Program = { name: 'p', entries: [{ function: 'main', hook }], object };
    return foundIn(program, packets);
  }
  const places = async (text: string, packets?: readonly Uint8Array[]): Promise<(string | number)[][]> =>
    (await left(text, packets)).map(({ breach: { invariant, at, size } }) => [invariant, at, size]);

  it('leaves as it was where nothing was written there', async () => {
    const [seen, ...others] = await left(grown(8, FOUR));
    expect(others).toEqual([]);
    expect(seen?.breach).toEqual({
      invariant: 'uninitialized/frame',
      at: 4,
      size: 1,
      expected: 'bytes that the program wrote',
      got: 'whatever lay in byte 4',
      sentence: 'byte 4 of the frame lies in the room that bpf_xdp_adjust_head made, and was never written',
    });
    expect(seen?.severity).toBeUndefined();
    expect(seen?.engine.name).toBe('vm');
    expect(seen?.got.action).toBe(XDP_TX);
    expect(seen?.stimuli.map(({ packet }) => packet.length < 60)).toEqual([true]);
  });

  it.each<[what: string, text: string, at: number | undefined]>([
    ['from the first byte on', grown(8, ''), 0],
    ['from the second on', grown(8, '*(u8 *)(r7 + 0) = 1'), 1],
    ['in one byte', grown(9, EIGHT), 8],
    ['not where all of it was written', grown(8, EIGHT), undefined],
    ['not where the frame is dropped', grown(8, FOUR, XDP_DROP), undefined],
    ['where the frame is passed', grown(8, FOUR, XDP_PASS), 4],
    ['not where the frame became shorter', grown(-8, ''), undefined],
    ['not where the frame stays', 'r0 = 3\n exit', undefined],
  ])('%s', async (_what, text, at) => {
    expect(await places(text)).toEqual(at === undefined ? [] : [['uninitialized/frame', at, 1]]);
  });

  it('is looked for in frames of all lengths, and where the tail was cut off', async () => {
    expect((await places(grown(8, FOUR), [data(512)])).length).toBe(1);
    expect((await places(grown(8, FOUR), [data(513)])).length).toBe(1);
    expect((await places(grown(8, FOUR), [data(1514)])).length).toBe(1);
    const cut = `r6 = r1\nr2 = -40\ncall bpf_xdp_adjust_tail\nr1 = r6\n${grown(8, FOUR)}`;
    expect((await places(cut, [data(600)])).length).toBe(1);
  });

  it('is looked for in 24 packets, four of a kind', async () => {
    // Written where the packet's first byte is not 9.
    const seldom = grown(8, `r1 = *(u8 *)(r7 + 8)\n if r1 == 9 goto left\n ${EIGHT}`);
    const numbered = (count: number, of: (index: number) => number): Uint8Array[] =>
      Array.from({ length: count }, (_, index) => {
        const packet = data(60);
        packet[0] = index === count - 1 ? 9 : 1;
        packet[23] = of(index);
        return packet;
      });
    expect(
      (
        await places(
          seldom,
          numbered(4, () => 17),
        )
      ).length,
    ).toBe(1);
    expect(
      await places(
        seldom,
        numbered(5, () => 17),
      ),
    ).toEqual([]);
    expect(
      (
        await places(
          seldom,
          numbered(24, (index) => index),
        )
      ).length,
    ).toBe(1);
    expect(
      await places(
        seldom,
        numbered(25, (index) => index),
      ),
    ).toEqual([]);
  });

  it('is not told once more where the stack shows it: the frame is the same fault', async () => {
    const both = grown(12, `r1 = *(u64 *)(r10 - 8)\n *(u64 *)(r7 + 0) = r1`);
    const [seen, ...others] = await left(both);
    expect(others).toEqual([]);
    expect(seen?.breach.sentence).toBe(
      '8 bytes of the frame, from byte 0 on, are what the stack held before',
    );
  });
});
