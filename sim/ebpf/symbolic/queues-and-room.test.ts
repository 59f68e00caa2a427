/** Helpers whose answer depends on what was there before, in lockstep with the interpreter: queues, stacks, room in a frame. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { type LockstepRun, lockstep } from '../test-support/lockstep.ts';

const MOST_STEPS = 3000;

/** Numbers that are the same every time. */
function drawn(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % limit;
  };
}

/** @returns how many instructions were compared */
function compare(run: Pick<LockstepRun, 'machine' | 'hook' | 'packet' | 'held'>, what: string): number {
  const { steps, left, difference } = lockstep({ ...run, program: 0, mostSteps: MOST_STEPS });
  expect({ what, left, difference }).toEqual({ what, left: undefined, difference: undefined });
  return steps;
}

const MOST = 3;

describe.each(['QUEUE', 'STACK'] as const)('a %s on a path', (type) => {
  /** Calls in any order; each leaves its answer in r0, and what it took in r7. */
  function calls(seed: number): string {
    const below = drawn(seed);
    const lines: string[] = [];
    for (let index = 0; index < 24; index++) {
      const kind = below(10);
      if (kind < 5) {
        // 0 is BPF_ANY; 1 is refused; with 2, BPF_EXIST, the oldest makes room.
        const flags = [0, 0, 2, 2, 1][below(5)]!;
        lines.push(
          `*(u64 *)(r10 - 8) = ${1000 + index}`,
          `r1 = map[held]\nr2 = r10\nr2 += -8\nr3 = ${flags}\ncall bpf_map_push_elem`,
        );
      } else {
        const name = kind < 8 ? 'bpf_map_pop_elem' : 'bpf_map_peek_elem';
        lines.push(`*(u64 *)(r10 - 8) = 7\nr1 = map[held]\nr2 = r10\nr2 += -8\ncall ${name}`);
      }
      lines.push('r7 = *(u64 *)(r10 - 8)');
    }
    return `${lines.join('\n')}\nr0 = 2\nexit`;
  }

  it('gives what the machine gives, whatever was in it', () => {
    let steps = 0;
    for (let seed = 1; seed <= 80; seed++) {
      const maps = [testMap('held', type, { maxEntries: MOST })];
      const count = seed % (MOST + 1);
      const before = Array.from({ length: count }, (_, index) => ({
        key: new Uint8Array(0),
        value: new Uint8Array(8).fill(index + 1),
      }));
      // In the order in which they are taken out.
      const order = type === 'STACK' ? before.toReversed() : before;
      const held = [
        ...order.flatMap(({ value }, index) => [
          [1, `map0.${index}.there`, 1] as const,
          ...[...value].map((byte, at) => [8, `map0.${index}.${at}`, byte] as const),
        ]),
        ...Array.from(
          { length: MOST + 1 },
          (_, pushed) => [1, `full0.${pushed}`, Number(count + pushed >= MOST)] as const,
        ),
      ];
      const machine = new Machine(testObject({ main: calls(seed) }, maps), { maps: { held: before } });
      steps += compare({ machine, hook: 'xdp', packet: new Uint8Array(64), held }, `seed ${seed}`);
    }
    expect(steps).toBeGreaterThan(80 * 100);
  });
});

describe.each(['HASH', 'PERCPU_HASH'] as const)('a map of type %s on a path', (type) => {
  const KEYS = 5;

  /** Calls in any order, and the keys in the order in which they are asked for first. */
  function calls(seed: number): { readonly text: string; readonly order: readonly number[] } {
    const below = drawn(seed);
    const lines: string[] = [];
    const order = new Set<number>();
    for (let index = 0; index < 24; index++) {
      const key = below(KEYS);
      order.add(key);
      lines.push(`*(u32 *)(r10 - 4) = ${key}\n*(u32 *)(r10 - 8) = 3\nr1 = map[held]\nr2 = r10\nr2 += -4`);
      const kind = below(3);
      if (kind === 0) lines.push('call bpf_map_delete_elem');
      else if (kind === 1) lines.push('call bpf_map_lookup_elem\nr7 = r0\nr0 = 0');
      else lines.push(`r3 = r10\nr3 += -8\nr4 = ${[0, 0, 1, 2][below(4)]}\ncall bpf_map_update_elem`);
    }
    return { text: `${lines.join('\n')}\nr0 = 2\nexit`, order: [...order] };
  }

  it('has room for as many entries as the machine finds, whatever was in it', () => {
    let steps = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const count = seed % (MOST + 1);
      const maps = [testMap('held', type, { maxEntries: MOST, keySize: 4, valueSize: 4 })];
      const before = Array.from({ length: count }, (_, index) => ({
        key: Uint8Array.of((seed + index) % KEYS, 0, 0, 0),
        value: Uint8Array.of(3, 0, 0, 0),
      }));
      const { text, order } = calls(seed);
      const held = [
        ...order.flatMap((key, ordinal) => [
          [1, `map0.${ordinal}.there`, Number(before.some((one) => one.key[0] === key))] as const,
          ...[3, 0, 0, 0].map((byte, at) => [8, `map0.${ordinal}.${at}`, byte] as const),
        ]),
        ...Array.from(
          { length: MOST + 1 },
          (_, more) => [1, `full0.${more}`, Number(count + more >= MOST)] as const,
        ),
      ];
      const machine = new Machine(testObject({ main: text }, maps), { maps: { held: before } });
      steps += compare({ machine, hook: 'xdp', packet: new Uint8Array(64), held }, `seed ${seed}`);
    }
    expect(steps).toBeGreaterThan(60 * 100);
  });
});

describe('room that is made in a frame', () => {
  const header = (type: number, length: number): Uint8Array => {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 29 + 3) & 0xff);
    bytes.set([type >> 8, type & 0xff], 12);
    bytes[14] = type === 0x86dd ? 0x60 : 0x45;
    return bytes;
  };
  const FRAMES = [header(0x0800, 80), header(0x86dd, 120), header(0x0806, 60), header(0x0800, 34)];
  /** Every field of the flags, and a bit between them that has none (`BPF_F_ADJ_ROOM_*`). */
  const FLAGS = [
    0n,
    1n,
    2n,
    4n,
    0x08n,
    0x10n,
    0x20n,
    0x40n,
    1n << 20n,
    1n << 31n,
    1n << 32n,
    1n << 55n,
    14n << 56n,
  ];

  it('is what the machine makes, with any length, mode and flags', () => {
    for (const [at, packet] of FRAMES.entries()) {
      for (const mode of [0, 1, 2]) {
        for (const by of [0, 8, 20, 40, -8, -20, 0xfff, 0x1000, -0x1000]) {
          const flags = by === 8 || by === -8 ? FLAGS : [0n];
          for (const flag of flags) {
            const text = `r6 = r1\nr2 = ${by}\nr3 = ${mode}\nr4 = ${flag >> 32n}\nr4 <<= 32\nr5 = ${Number(flag & 0xffff_ffffn) | 0}
              r5 <<= 32\nr5 >>= 32\nr4 |= r5\ncall bpf_skb_adjust_room
              r7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 76)\nr0 = 0\nexit`;
            const machine = new Machine(testObject({ main: text }), {});
            compare(
              { machine, hook: 'tc-ingress', packet },
              `frame ${at}, mode ${mode}, by ${by}, flags ${flag}`,
            );
          }
        }
      }
    }
  });
});
