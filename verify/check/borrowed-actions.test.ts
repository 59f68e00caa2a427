/** TC programs that return the numbers of XDP, with functions in place of programs. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { entriesOfObject } from '../../sim/engines/object-entries.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import {
  type Hook,
  TC_ACT_OK,
  TC_ACT_PIPE,
  TC_ACT_RECLASSIFY,
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  TC_ACT_UNSPEC,
  XDP_DROP,
  XDP_PASS,
} from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EngineSide } from '../engine-side.ts';
import { FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { BorrowedActions, guessedTypes } from './borrowed-actions.ts';

const packet = ethernet(0x0800, ipv4(17, udp(data(4))));
const FILLED: World = { maps: { counts: [{ key: new Uint8Array(4), value: new Uint8Array(4) }] } };

interface Ran {
  readonly hook?: Hook;
  readonly world?: World;
  readonly isGiven?: boolean;
}

/** What is found where packets come to these actions one after the other. */
async function found(actions: readonly number[], ran: Ran = {}): Promise<string[]> {
  const { hook = 'tc-ingress', world = {}, isGiven = false } = ran;
  const program: Program = { ...FAKE_PROGRAM, entries: [{ function: 'f', hook }] };
  const engine = fakeEngine('wasm', (_, { packets }) => ({ action: actions[packets % actions.length]! }));
  const input = new PacketBatch(actions.length);
  for (const _ of actions) input.push({ packet });
  const side = new EngineSide(engine, program, actions.length);
  expect(await side.run(world, input)).toBe(true);
  const borrowed = new BorrowedActions(program, isGiven);
  borrowed.observe(world, input, side);
  await side.close();
  return (await borrowed.find(engine)).map(
    ({ invariant, severity, summary }) => `${severity} ${invariant} ${summary}`,
  );
}

describe('a TC program', () => {
  it.each([
    ['drops and passes', [XDP_PASS, XDP_DROP, XDP_PASS]],
    ['drops alone', [XDP_DROP]],
  ])('that %s as XDP does is warned of', async (_, actions) => {
    const [one, ...more] = await found(actions);
    expect(more).toEqual([]);
    expect(one).toMatch(/^warning action\/xdp-numbers .*none of \d packets? ?came to TC_ACT_OK/);
    expect(await found(actions, { hook: 'tc-egress' })).toHaveLength(1);
  });

  it.each([
    ['drops everything', [TC_ACT_SHOT]],
    ['is an action that passes packets on, or drops them', [TC_ACT_PIPE, TC_ACT_SHOT]],
    ['drops, and lets others through', [TC_ACT_SHOT, TC_ACT_OK]],
    ['classifies anew, and lets others through', [TC_ACT_RECLASSIFY, TC_ACT_OK]],
    ['classifies anew, and leaves others to the next', [TC_ACT_RECLASSIFY, TC_ACT_UNSPEC]],
    ['classifies anew, or redirects', [TC_ACT_RECLASSIFY, TC_ACT_REDIRECT]],
  ])('that %s is not', async (_, actions) => {
    expect(await found(actions)).toEqual([]);
  });

  it.each([
    ['after all others', [TC_ACT_OK, TC_ACT_SHOT, TC_ACT_RECLASSIFY]],
    ['before all others', [TC_ACT_RECLASSIFY, TC_ACT_SHOT, TC_ACT_UNSPEC]],
  ])('that drops packets as TC does, and some as XDP does, is warned of: %s', async (_, actions) => {
    const [one, ...more] = await found(actions);
    expect(more).toEqual([]);
    expect(one).toMatch(/^warning action\/xdp-numbers .*beside TC_ACT_SHOT: .* goes on$/);
    expect(await found(actions, { world: FILLED })).toEqual([]);
  });

  it('is not warned of what contents say that a test made up, and of what the user’s say', async () => {
    expect(await found([XDP_DROP], { world: FILLED })).toEqual([]);
    expect(await found([XDP_DROP], { world: FILLED, isGiven: true })).toHaveLength(1);
  });
});

it('an XDP program may return what XDP knows', async () => {
  expect(await found([XDP_DROP, XDP_PASS], { hook: 'xdp' })).toEqual([]);
});

describe('the type of a program', () => {
  const built = readFileSync(packageFile('bpf/built/account.o')).toString('latin1');
  /** The program with another name for its section. */
  const inSection = (name: string): Uint8Array =>
    new Uint8Array(Buffer.from(built.replaceAll(/(?<=\0|\.rel)tc(?=\0)/g, name), 'latin1'));
  const entriesOf = (object: Uint8Array): Program['entries'] =>
    entriesOfObject(linkedObject(object)).filter((one) => one.function === 'account_ingress');

  it('is guessed where only its context says it', () => {
    const object = inSection('my');
    expect(guessedTypes({ object, entries: entriesOf(object) })).toEqual([
      'whether account_ingress is a TC program: its section, "my", does not say so, its context (__sk_buff) does',
    ]);
    expect(guessedTypes({ object, entries: [{ function: 'another', hook: 'xdp' }] })).toEqual([]);
  });

  it('is known where its section says it, and of what cannot be read', () => {
    const object = inSection('tc');
    expect(guessedTypes({ object, entries: entriesOf(object) })).toEqual([]);
    expect(guessedTypes({ object: Uint8Array.of(1, 2, 3), entries: [] })).toEqual([]);
  });
});
