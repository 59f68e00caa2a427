/** What two builds make of a packet, in words, for each part that may differ. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import type { Outcome } from '../outcome.ts';
import { builtIn } from '../test-support/changed-object.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { plainOutcome } from '../test-support/plain-outcome.ts';
import { changesOf } from './describe.ts';
import type { DiffClass } from './diff.ts';
import type { PairFinding } from './look.ts';
import type { BuildPair } from './pair.ts';

const { program } = builtIn('xdp_pass');
const pair = { old: program, new: program };
const packet = ethernet(0x0800, ipv4(17, udp(data(8))));

const PASSED = plainOutcome(packet);

function changes(
  part: PairFinding['part'],
  got: Partial<Outcome>,
  more: Partial<PairFinding> = {},
  of: BuildPair = pair,
): ReturnType<typeof changesOf> {
  const finding = {
    ...{ engines: ['vm', 'vm'], part, field: part, packet: 0, expected: PASSED, isDoubtful: false },
    ...{
      got: { ...PASSED, ...got },
      decision: { old: undefined, new: undefined, changed: { old: [], new: [] } },
    },
    ...more,
  } as PairFinding;
  const one: DiffClass = {
    finding,
    case: { program: program.name, world: {}, stimuli: [{ packet }] },
    state: 'shrunk',
    packets: 1,
  };
  return changesOf(of, one);
}

describe('a difference in words', () => {
  it('of actions, targets, metadata and traces', () => {
    expect(changes('action', { action: 1 })).toEqual([{ what: 'action', old: 'XDP_PASS', new: 'XDP_DROP' }]);
    expect(changes('redirect', { redirect: 3 })).toEqual([{ what: 'redirect', old: 'to 0', new: 'to 3' }]);
    expect(changes('metadata', { metadata: Uint8Array.of(1, 0xab) })).toEqual([
      { what: 'metadata', old: 'nothing', new: '01ab' },
    ]);
    expect(changes('trace', { trace: ['one', 'two'] })).toEqual([
      { what: 'trace', old: 'no line', new: '"one\\ntwo"' },
    ]);
  });

  it('of what the machine stops', () => {
    const note = { message: 'instruction 3: invalid access', instruction: 3 };
    expect(changes('status', { status: 'violation', note })).toEqual([
      { what: 'the machine', old: 'runs it to its end', new: 'stops it: invalid access (instruction 3)' },
    ]);
    expect(changes('status', { status: 'fault' })[0]?.new).toBe('stops it: fault');
  });

  it('of fields of the packet, at most six', () => {
    const lower = packet.slice();
    lower[14 + 8] = 63;
    expect(changes('packet', { packet: lower })).toContainEqual({ what: 'ipv4.ttl', old: '64', new: '63' });
    const other = packet.map((byte, at) => (at < 14 ? byte : byte ^ 1));
    expect(changes('packet', { packet: other }).length).toBe(6);
  });

  it('of fields of the context that TC shows', () => {
    expect(changes('skb', { mark: 7 })).toEqual([{ what: '__sk_buff mark', old: '0', new: '7' }]);
    expect(changes('skb', { priority: 2, cb: [0, 1, 0, 0, 0], tstamp: 9n })).toEqual([
      { what: '__sk_buff priority', old: '0', new: '2' },
      { what: '__sk_buff cb', old: '0 0 0 0 0', new: '0 1 0 0 0' },
      { what: '__sk_buff tstamp', old: '0', new: '9' },
    ]);
  });

  it('of values in queues and the like by their types in C, where they have one', () => {
    const object = new Uint8Array(readFileSync(packageFile('sim/ebpf/test-support/world-file.o')));
    const typed = { old: { ...program, object }, new: { ...program, object } };
    const of = (map: string, old: Uint8Array | undefined, next: Uint8Array | undefined): unknown => {
      const places = { old: undefined, new: undefined };
      const told = { what: `map ${map}, value 0`, old: '0x01', new: '0x02', places, isStore: false };
      return changes('outside', {}, { outside: [{ ...told, value: { map, old, new: next } }] }, typed).map(
        (one) => `${one.what}: ${one.old} → ${one.new}`,
      );
    };
    const number = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0, 0, 0, 0, 0);
    expect(of('limits', number(5), number(6))).toEqual(['map limits, value 0: 5 → 6']);
    expect(of('limits', number(5), undefined)).toEqual(['map limits, value 0: 5 → none']);
    // No type, and one that does not fit.
    expect(of('nobody', number(5), number(6))).toEqual(['map nobody, value 0: 0x01 → 0x02']);
    expect(of('limits', Uint8Array.of(1), Uint8Array.of(2))).toEqual(['map limits, value 0: 0x01 → 0x02']);
    // A value of many members: those that differ.
    const [one, other] = [new Uint8Array(44).fill(1, 40, 41), new Uint8Array(44)];
    expect(of('flows', one, other)).toEqual(['map flows, value 0.delta: 1 → 0']);
  });

  const offsets = { old: 0, new: 0 };

  it('of variables by their types in C, where they have one', () => {
    const object = new Uint8Array(readFileSync(packageFile('sim/ebpf/test-support/world-file.o')));
    const typed = { old: { ...program, object }, new: { ...program, object } };
    const bytes = (value: number): Uint8Array => Uint8Array.of(value, 1, 0, 0);
    const of = (map: string): unknown =>
      changes('map', {}, { pairMap: { is: 'variable', map, old: bytes(1), new: bytes(2), offsets } }, typed);
    expect(of('.bss: seen')).toEqual([{ what: '.bss: seen', old: '257', new: '258' }]);
    expect(of('.bss: nobody')).toEqual([{ what: '.bss: nobody', old: '0x01010000', new: '0x02010000' }]);
  });

  it('of variables, and of maps that one build lacks or has in another form', () => {
    const old = Uint8Array.of(1, 2);
    const of = (pairMap: PairFinding['pairMap']): ReturnType<typeof changesOf> =>
      changes('map', {}, { pairMap });
    expect(of({ is: 'variable', map: '.bss: hits', old, new: new Uint8Array(2), offsets })).toEqual([
      { what: '.bss: hits', old: '0x0102', new: '0x0000' },
    ]);
    expect(of({ is: 'only in', what: 'map', map: 'hits', build: 'old' })).toEqual([
      { what: 'map hits', old: 'is changed', new: 'has no such map' },
    ]);
    expect(of({ is: 'other form', what: 'map', map: 'hits', build: 'new' })).toEqual([
      { what: 'map hits', old: 'has it in another form', new: 'is changed' },
    ]);
  });
});
