/** Whether the machine takes a path to its end as the path says it: of paths that are right, and of such with one thing wrong. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { NO_SOLVER } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { Confirmer } from './confirm.ts';
import { type FollowedPaths, followPaths, type ProvedPath } from './paths.ts';
import { type Asking, END, frame, programOf } from './test-support/asking-programs.ts';
import type { Witness } from './witness.ts';

const LIMITS = { shortest: 0, longest: 40, mostMetadata: 8 };

/** Everything that a path says: jumps, a byte, an entry and its value. */
const WHOLE: Asking = {
  maps: [testMap('flows', 'HASH')],
  text: `${frame(20)}
    r1 = *(u8 *)(r7 + 14)
    if r1 == 5 goto out
    *(u8 *)(r7 + 15) = 9
    *(u64 *)(r10 - 8) = 7
    r1 = map[flows]
    r2 = r10
    r2 += -8
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    *(u64 *)(r0 + 0) = 3
    ${END}`,
};
const follow = (asking: Asking): Promise<FollowedPaths> =>
  followPaths(programOf('test', asking), { solver: NO_SOLVER, limits: LIMITS });

let whole: FollowedPaths;
let main: ProvedPath;
beforeAll(async () => {
  whole = await follow(WHOLE);
  main = whole.paths.find(({ state }) => passes(state))!;
});

function passes(state: PathState): boolean {
  return state.end?.kind === 'exit' && state.knowledge.only(state.end.action) === 2n;
}

/** What the machine says of the path with one thing done to it. */
function said(edit: (state: PathState) => void, witness: Witness = main.witness!): string | undefined {
  const state = main.state.copy();
  state.end = main.state.end;
  edit(state);
  return whole.confirmer.confirm(whole.inputs, state, witness).reason;
}

describe('a path that is right', () => {
  it('is confirmed, each of them', () => {
    expect(whole.paths).toHaveLength(4);
    expect(whole.paths.map(({ confirmed }) => confirmed)).toEqual([true, true, true, true]);
    expect([whole.cut, whole.doubt]).toEqual([undefined, undefined]);
    expect(said(() => {})).toBeUndefined();
  });

  it('has a frame that leaves, and an action', () => {
    const { packet } = main.witness!.stimulus;
    const left = whole.confirmer.frameOf(main.witness!)!;
    const expected = packet.slice();
    expected[15] = 9;
    expect(left).toEqual({ frame: expected, action: 2, redirect: 0 });
    const dropped = { ...main.witness!, stimulus: { packet: packet.subarray(0, 10) } };
    expect(whole.confirmer.frameOf(dropped)).toEqual({
      frame: packet.subarray(0, 10),
      action: 1,
      redirect: 0,
    });
  });

  it('is so with metadata, and in a machine that has run before', () => {
    const metadata = Uint8Array.of(1, 2, 3, 4);
    const { packet } = main.witness!.stimulus;
    const witness = { ...main.witness!, world: {}, stimulus: { packet, metadata } };
    const confirmer = new Confirmer(programOf('test', WHOLE));
    const first = confirmer.frameOf(witness);
    expect([confirmer.frameOf(witness), confirmer.frameOf({ ...witness, stimulus: { packet } })]).toEqual([
      first,
      first,
    ]);
    expect(first!.frame).toHaveLength(packet.length);
  });
});

describe('a path is another one where', () => {
  const constant = (value: number | bigint, width = 64) => whole.inputs.pool.constant(width, value);

  it('the action is', () => {
    expect(
      said((state) => {
        state.end = { kind: 'exit', action: constant(3) };
      }),
    ).toBe('the machine returns XDP_PASS, the path XDP_TX');
    expect(
      said((state) => {
        state.end = { kind: 'exit', action: constant(0xff_0000_0002n) };
      }),
    ).toBeUndefined();
    expect(
      said((state) => {
        state.end = { kind: 'exit', action: constant(0xffff_ffff) };
      }),
    ).toBe('the machine returns XDP_PASS, the path -1');
  });

  it('a byte of the frame is, unless an address may have left there', () => {
    const byte = (at: number, value: number) => (state: PathState) =>
      state.packet.bytes.setByte(whole.inputs.data + at, constant(value, 8));
    expect(said(byte(15, 8))).toBe('byte 15 of the frame is 9 in the machine, 8 on the path');
    expect(said(byte(15, 9))).toBeUndefined();
    expect(
      said((state) => {
        byte(15, 8)(state);
        state.leaks = true;
      }),
    ).toBeUndefined();
    const { length } = main.witness!.stimulus.packet;
    expect(said(byte(length - 1, 77))).toContain(`byte ${length - 1} of the frame`);
    expect(said(byte(length, 77))).toBeUndefined();
    expect(said(byte(0, 77))).toContain('byte 0 of the frame');
  });

  it.each(['data', 'end', 'meta'] as const)('its bounds are (%s)', (bound) => {
    expect(
      said((state) => {
        state.packet[bound] = whole.inputs.pool.addConst(state.packet[bound], 4);
      }),
    ).toBe('the frame has other bounds in the machine');
  });

  it('an entry is there, or is not, or has another value', () => {
    const { pool: terms } = whole.inputs;
    const entries = 'map flows has another set of entries in the machine';
    expect(
      said((state) => {
        state.entries = state.entries.map((one) => ({ ...one, isThere: terms.false }));
      }),
    ).toBe(entries);
    const value = (at: number, to: number) => (state: PathState) =>
      state.blocks[state.entries[0]!.block]!.memory.setByte(at, constant(to, 8));
    const other = 'a value of map flows is another one in the machine';
    expect([said(value(0, 4)), said(value(7, 1)), said(value(0, 3))]).toEqual([other, other, undefined]);
    const key = said((state) => {
      state.entries = state.entries.map((one) => ({ ...one, key: one.key.map(() => constant(1, 8)) }));
    });
    expect(key).toBe(entries);
    // What is not there has no value.
    expect(
      said((state) => {
        value(0, 4)(state);
        state.entries = state.entries.map((one) => ({
          ...one,
          isThere: terms.false,
          key: one.key.map(() => constant(1, 8)),
        }));
      }),
    ).toBeUndefined();
  });

  it('a jump goes the other way, is none, or is one more', () => {
    const [first, second, third] = main.state.trail();
    const way = (index: number, slot: number): string =>
      `the machine goes another way at jump ${index} of the path, instruction ${slot}`;
    const decisions =
      (...all: readonly { slot: number; taken: boolean }[]) =>
      (state: PathState): void => {
        state.decisions = undefined;
        for (const { slot, taken } of all)
          state.decisions = { program: 0, slot, taken, before: state.decisions };
      };
    expect(said(decisions({ ...first!, taken: !first!.taken }, second!, third!))).toBe(way(1, first!.slot));
    expect(said(decisions(first!, second!, { ...third!, taken: !third!.taken }))).toBe(way(3, third!.slot));
    expect(said(decisions(first!, third!))).toBe(way(2, third!.slot));
    expect(said(decisions(first!, second!, third!, third!))).toBe(way(4, third!.slot));
    expect(said(decisions(first!, second!))).toBeUndefined();
  });

  it('the packet takes another path', () => {
    const { stimulus } = main.witness!;
    const packet = stimulus.packet.slice();
    packet[14] = 5;
    const witness = { ...main.witness!, stimulus: { ...stimulus, packet } };
    expect(said(() => {}, witness)).toMatch(/^the machine goes another way at jump 2 of the path/);
    // Of a walk through a map nobody knows the order.
    const state = main.state.copy();
    state.end = main.state.end;
    state.walks = 1;
    const confirmation = whole.confirmer.confirm(whole.inputs, state, witness);
    expect([confirmation.reason, confirmation.missed]).toEqual([
      'no keys were found that the map is walked through in the order of the path',
      [],
    ]);
  });

  it('the machine is to stop and does not', () => {
    expect(
      said((state) => {
        state.end = { kind: 'violation', reason: 'x' };
      }),
    ).toBe('the machine runs it to its end');
    expect(
      said((state) => {
        state.end = { kind: 'not followed', reason: 'x' };
      }),
    ).toBeUndefined();
  });
});

describe('a path that the machine stops', () => {
  const STOPPED: Asking = { text: 'r7 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r7 + 60)\nr0 &= 1\nexit' };

  it('is confirmed where it says so, with the reason, and leaves no frame', async () => {
    const { paths, confirmer, inputs } = await follow(STOPPED);
    const [path] = paths;
    expect([paths.length, path!.state.end?.kind, path!.confirmed]).toEqual([1, 'violation', true]);
    expect(path!.stopped).toMatch(/./);
    expect(confirmer.frameOf(path!.witness!)).toBeUndefined();
    const state = path!.state.copy();
    state.end = { kind: 'exit', action: inputs.pool.constant(64, 1) };
    const { confirmed, reason, stopped } = confirmer.confirm(inputs, state, path!.witness!);
    expect([confirmed, reason, stopped]).toEqual([false, `the machine stops: ${stopped}`, path!.stopped]);
  });
});

describe('a redirect', () => {
  it.each([
    ['xdp', 4, 3],
    ['tc-ingress', 7, 3],
  ] as const)('at %s leads where the path says', async (hook, action, target) => {
    const text = `r1 = ${target}\nr2 = 0\ncall bpf_redirect\nr0 = ${action}\nexit`;
    const { paths, confirmer, inputs } = await follow({ text, hook });
    const path = paths.find(({ confirmed, state }) => confirmed && state.redirect !== undefined)!;
    const tried = (edit: (state: PathState) => void): string | undefined => {
      const state = path.state.copy();
      state.end = path.state.end;
      edit(state);
      return confirmer.confirm(inputs, state, path.witness!).reason;
    };
    const to =
      (number: number) =>
      (state: PathState): void => {
        state.redirect = inputs.pool.constant(32, number);
      };
    expect(tried(to(target))).toBeUndefined();
    expect(tried(to(target + 1))).toBe(`the machine redirects to ${target}`);
    expect(
      tried((state) => {
        state.redirect = undefined;
      }),
    ).toBeUndefined();
  });

  it('that does not take place leads nowhere', async () => {
    const { paths, confirmer, inputs } = await follow({
      text: 'r1 = 3\nr2 = 0\ncall bpf_redirect\nr0 = 2\nexit',
    });
    const path = paths.find(({ state }) => state.redirect !== undefined)!;
    const state = path.state.copy();
    state.end = path.state.end;
    state.redirect = inputs.pool.constant(32, 9);
    expect(confirmer.confirm(inputs, state, path.witness!).confirmed).toBe(true);
  });
});

describe('what no packet can say', () => {
  it('stands in the context: fields, and the socket', async () => {
    const { paths } = await follow({
      hook: 'tc-ingress',
      text: `r6 = r1
        r0 = 0
        r2 = *(u32 *)(r6 + 84)
        if r2 == 7 goto out
        r0 = 2
        exit
        out:
        exit`,
    });
    const seven = paths.find(({ witness }) => witness!.context.length > 0)!;
    expect([seven.witness!.context, seven.confirmed]).toEqual([[[84, 7]], true]);
    expect(paths.every(({ confirmed }) => confirmed)).toBe(true);
  });

  it('lies unread in a ring buffer', async () => {
    const { paths } = await follow({
      maps: [testMap('events', 'RINGBUF')],
      text: `r1 = map[events]
        r2 = 0
        call bpf_ringbuf_query
        if r0 > 1000 goto out
        ${END}`,
    });
    expect(paths.map(({ confirmed }) => confirmed)).toEqual([true, true]);
    const full = paths.find(({ witness }) => witness!.rings.length > 0)!;
    expect(full.witness!.rings[0]!.unread).toBeGreaterThan(1000);
  });

  it('stands in a map of programs: where nothing does, the program goes on', async () => {
    const { paths } = await follow({
      maps: [testMap('jumps', 'PROG_ARRAY')],
      text: `${frame(20)}
        r9 = *(u8 *)(r7 + 14)
        r1 = r6
        r2 = map[jumps]
        r3 = 1
        call bpf_tail_call
        if r9 == 5 goto out
        ${END}`,
    });
    const whole = paths.filter(({ state }) => state.trail().length === 3);
    expect(whole.map(({ confirmed }) => confirmed)).toEqual([true, true]);
    expect(paths.every(({ confirmed }) => confirmed)).toBe(true);
  });

  it('is answered by helpers: what they answer otherwise than the path wants is missed', async () => {
    const { paths, confirmer, inputs } = await follow({
      text: `${frame(24)}
        r1 = *(u64 *)(r7 + 14)
        *(u64 *)(r10 - 8) = r1
        r1 = r10
        r1 += -8
        r2 = 8
        r3 = 0
        r4 = r10
        r4 += -16
        call bpf_strtol
        if r0 s< 0 goto out
        ${END}`,
    });
    const path = paths.find(({ state }) => state.answers.length > 0 && passes(state))!;
    const letters = path.witness!.stimulus.packet.slice();
    letters.fill(0x7a, 14, 22);
    const witness = { ...path.witness!, stimulus: { packet: letters } };
    const { confirmed, reason, missed } = confirmer.confirm(inputs, path.state, witness);
    expect([confirmed, reason]).toEqual([
      false,
      'no input was found that bpf_strtol answers as the path wants it',
    ]);
    expect(missed!.map(({ helper }) => helper)).toEqual(['bpf_strtol']);
  });
});
