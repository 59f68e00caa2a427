import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine, Observables } from '../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import {
  TC_ACT_OK,
  TC_ACT_SHOT,
  TC_ACT_UNSPEC,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_TX,
} from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import { bothObserve, comparedParts, firstDifference, notCompared, type OutcomePart } from './compare.ts';

const EVERYTHING: Observables = {
  action: 'exact',
  packet: 'always',
  metadata: true,
  redirect: true,
  maps: true,
  trace: true,
  skb: true,
  tstamp: true,
};
const COUNT = 40;

/** Forty outcomes with every field filled in, the same on every call. */
function outcomes(hook: Hook): OutcomeBatch {
  const batch = new OutcomeBatch(64, 64);
  for (let packet = 0; packet < COUNT; packet++) {
    const metaLength = packet % 3 === 0 ? 4 : 0;
    const length = 14 + packet;
    const at = batch.reserve(metaLength + length);
    for (let index = 0; index < metaLength + length; index++) batch.bytes[at + index] = packet * 7 + index;
    batch.commit(hook === 'xdp' ? XDP_TX : TC_ACT_OK, length, metaLength);
    batch.redirect[packet] = packet;
    if (hook !== 'xdp') {
      batch.mark[packet] = packet + 1;
      batch.priority[packet] = packet + 2;
      batch.cb.fill(packet, packet * 5, packet * 5 + 5);
    }
    if (packet % 4 === 0) batch.trace.set(packet, ['one', `two ${packet}`]);
  }
  return batch;
}

const entries = new Uint8Array(64);

function difference(
  a: OutcomeBatch,
  b: OutcomeBatch,
  observed: Observables = EVERYTHING,
  hook: Hook = 'xdp',
) {
  return firstDifference(a, b, observed, [hook], entries);
}

type Change = [part: OutcomePart, hook: Hook, change: (batch: OutcomeBatch, packet: number) => void];

const CHANGES: Record<string, Change> = {
  action: ['action', 'xdp', (batch, packet) => (batch.action[packet] = XDP_PASS)],
  'negative action': ['action', 'tc-ingress', (batch, packet) => (batch.action[packet] = TC_ACT_UNSPEC)],
  'first byte': ['packet', 'xdp', (batch, packet) => (batch.bytes[batch.offset[packet]!]! ^= 1)],
  'last byte': [
    'packet',
    'xdp',
    (batch, packet) => (batch.bytes[batch.offset[packet]! + batch.length[packet]! - 1]! ^= 0x80),
  ],
  length: ['packet', 'xdp', (batch, packet) => (batch.length[packet]! -= 1)],
  'metadata byte': [
    'metadata',
    'xdp',
    (batch, packet) => (batch.bytes[batch.offset[packet - (packet % 3)]! - 1]! ^= 1),
  ],
  'metadata length': ['metadata', 'xdp', (batch, packet) => (batch.metaLength[packet - (packet % 3)]! -= 1)],
  'redirect target': ['redirect', 'xdp', (batch, packet) => (batch.redirect[packet]! += 1)],
  mark: ['skb', 'tc-egress', (batch, packet) => (batch.mark[packet]! += 1)],
  priority: ['skb', 'tc-egress', (batch, packet) => (batch.priority[packet]! += 1)],
  'first word of cb': ['skb', 'tc-egress', (batch, packet) => (batch.cb[packet * 5]! += 1)],
  'first word of tstamp': ['skb', 'tc-egress', (batch, packet) => (batch.tstamp[packet * 2]! += 1)],
  'last word of tstamp': ['skb', 'tc-egress', (batch, packet) => (batch.tstamp[packet * 2 + 1]! += 1)],
  'last word of cb': ['skb', 'tc-egress', (batch, packet) => (batch.cb[packet * 5 + 4]! += 1)],
  'a line more': [
    'trace',
    'xdp',
    (batch, packet) => batch.trace.set(packet, [...(batch.trace.get(packet) ?? []), 'more']),
  ],
  'another line': [
    'trace',
    'xdp',
    (batch, packet) => batch.trace.set(packet - (packet % 4), ['one', 'other']),
  ],
  'no lines': ['trace', 'xdp', (batch, packet) => batch.trace.delete(packet - (packet % 4))],
};

describe('firstDifference', () => {
  it('finds none between equal outcomes, whatever is observed', () => {
    for (const hook of ['xdp', 'tc-ingress'] as const) {
      expect(difference(outcomes(hook), outcomes(hook), EVERYTHING, hook)).toBeUndefined();
      const blind: Observables = { ...EVERYTHING, action: 'delivery', packet: 'delivered', trace: false };
      expect(difference(outcomes(hook), outcomes(hook), blind, hook)).toBeUndefined();
    }
  });

  for (const [name, [part, hook, change]] of Object.entries(CHANGES)) {
    it(`sees a change of ${name} on every packet, in either direction`, () => {
      for (let packet = 0; packet < COUNT; packet++) {
        const changed = outcomes(hook);
        change(changed, packet);
        const found = difference(outcomes(hook), changed, EVERYTHING, hook);
        expect(found?.part).toBe(part);
        expect(found!.packet).toBeLessThanOrEqual(packet);
        expect(found!.packet).toBeGreaterThan(packet - 4);
        expect(difference(changed, outcomes(hook), EVERYTHING, hook)).toEqual(found);
      }
    });

    it(`does not look at ${name} where one engine cannot see it`, () => {
      const blind: Observables = {
        ...EVERYTHING,
        redirect: part !== 'redirect',
        metadata: part !== 'metadata',
        trace: part !== 'trace',
        skb: part !== 'skb',
        tstamp: part !== 'skb',
      };
      if (part === 'action' || part === 'packet') return;
      const changed = outcomes(hook);
      change(changed, 12);
      expect(difference(outcomes(hook), changed, blind, hook)).toBeUndefined();
    });
  }

  it('compares nothing of a packet that either engine could not see, and all of the others', () => {
    for (const [, [, hook, change]] of Object.entries(CHANGES)) {
      const changed = outcomes(hook);
      change(changed, 12);
      const unseen = outcomes(hook);
      unseen.status[12] = STATUS.unseen;
      expect(difference(unseen, changed, EVERYTHING, hook)).toBeUndefined();
      expect(difference(changed, unseen, EVERYTHING, hook)).toBeUndefined();
      change(changed, 30);
      expect(difference(unseen, changed, EVERYTHING, hook)?.packet).toBeGreaterThan(26);
    }
  });

  it('returns the first packet that differs, and of it the first part, in the order of the list', () => {
    const names = Object.keys(CHANGES).filter((name) => CHANGES[name]![1] === 'xdp');
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: fc.constantFrom(...names), packet: fc.integer({ min: 0, max: 9 }) }), {
          minLength: 1,
          maxLength: 5,
        }),
        (changes) => {
          const changed = outcomes('xdp');
          // Every twelfth packet has metadata and lines, so that each change stays on its own packet.
          for (const { name, packet } of changes)
            CHANGES[name]![2](changed, packet * 4 - ((packet * 4) % 12));
          const reference = outcomes('xdp');
          const found = difference(reference, changed);
          if (found === undefined) return; // the same byte flipped twice
          for (let packet = 0; packet < found.packet; packet++) {
            expect(changed.packet(packet)).toEqual(reference.packet(packet));
            expect(changed.action[packet]).toBe(reference.action[packet]);
          }
          expect(firstDifference(reference, changed, EVERYTHING, ['xdp'], entries, found.packet)).toEqual(
            found,
          );
        },
      ),
    );
  });

  it('sees metadata that moved from one packet to the next, though the bytes in a row are the same', () => {
    const pair = (first: number, second: number): OutcomeBatch => {
      const batch = new OutcomeBatch(2, 64);
      batch.reserve(64);
      batch.commit(XDP_PASS, 4, first);
      batch.commit(XDP_PASS, 4, second);
      return batch;
    };
    expect(difference(pair(4, 0), pair(0, 4))).toEqual({ packet: 0, part: 'metadata' });
  });

  it('continues behind a difference when told where', () => {
    const changed = outcomes('xdp');
    changed.action[3] = XDP_DROP;
    changed.redirect[17] = 99;
    expect(firstDifference(outcomes('xdp'), changed, EVERYTHING, ['xdp'], entries, 4)).toEqual({
      packet: 17,
      part: 'redirect',
    });
  });

  it('takes aborted for dropped where only the delivery is seen, and nothing else', () => {
    const delivery: Observables = { ...EVERYTHING, action: 'delivery', packet: 'delivered' };
    const single = (action: number, bytes: number): OutcomeBatch => {
      const batch = new OutcomeBatch(1, 64);
      batch.reserve(bytes);
      batch.commit(action, bytes);
      return batch;
    };
    expect(difference(single(XDP_ABORTED, 60), single(XDP_DROP, 0), delivery)).toBeUndefined();
    expect(difference(single(77, 60), single(XDP_DROP, 0), delivery)).toBeUndefined();
    expect(difference(single(XDP_ABORTED, 0), single(XDP_PASS, 0), delivery)?.part).toBe('action');
    expect(difference(single(XDP_TX, 0), single(XDP_PASS, 0), delivery)?.part).toBe('action');
    expect(difference(single(XDP_PASS, 60), single(XDP_PASS, 59), delivery)?.part).toBe('packet');
    expect(difference(single(XDP_ABORTED, 0), single(XDP_DROP, 0))?.part).toBe('action');
    expect(difference(single(TC_ACT_OK, 9), single(TC_ACT_UNSPEC, 9), delivery, 'tc-egress')).toBeUndefined();
    expect(difference(single(TC_ACT_OK, 9), single(TC_ACT_SHOT, 9), delivery, 'tc-egress')?.part).toBe(
      'action',
    );
  });

  it('uses the hook of the entry that each packet ran', () => {
    const batch = (action: number): OutcomeBatch => {
      const one = new OutcomeBatch(1, 64);
      one.commit(action, 0);
      return one;
    };
    const delivery: Observables = { ...EVERYTHING, action: 'delivery' };
    // 0 and 5: both dropped in XDP, but OK and queued in TC.
    const hooks: Hook[] = ['xdp', 'tc-ingress'];
    expect(firstDifference(batch(0), batch(5), delivery, hooks, Uint8Array.of(0))).toBeUndefined();
    expect(firstDifference(batch(0), batch(5), delivery, hooks, Uint8Array.of(1))?.part).toBe('action');
  });

  it('does not compare what a stopped program left behind', () => {
    const a = outcomes('xdp');
    const b = outcomes('xdp');
    a.status[5] = STATUS.violation;
    b.status[5] = STATUS.violation;
    b.action[5] = XDP_DROP;
    expect(difference(a, b)).toBeUndefined();
  });
});

describe('what is left out', () => {
  const fake = (name: Engine['name'], observes: Partial<Observables>): Engine => ({
    name,
    observes: { ...EVERYTHING, ...observes },
    availability: () => ({ available: true }),
    refuses: () => undefined,
    open: () => Promise.reject(new Error('not opened here')),
  });
  const program: Program = { name: 'p', entries: [{ function: 'p', hook: 'xdp' }] };

  it('names the part and the engine that cannot see it', () => {
    expect(notCompared(program, fake('model', {}), fake('testrun', { redirect: false }))).toEqual([
      { what: 'redirect target', engine: 'testrun' },
    ]);
    expect(notCompared(program, fake('model', {}), fake('vm', {}))).toEqual([]);
    expect(
      notCompared(
        program,
        fake('testrun', { redirect: false }),
        fake('veth', { redirect: false, action: 'delivery' }),
      ),
    ).toEqual([
      { what: 'XDP_ABORTED against XDP_DROP', engine: 'veth' },
      { what: 'redirect target', engine: 'testrun' },
      { what: 'redirect target', engine: 'veth' },
    ]);
  });

  it('names __sk_buff only for programs with a TC entry', () => {
    const blind = fake('veth', { skb: false });
    expect(notCompared(program, fake('model', {}), blind)).toEqual([]);
    const tc: Program = { name: 'p', entries: [{ function: 'p', hook: 'tc-egress' }] };
    expect(notCompared(tc, fake('model', {}), blind)).toEqual([
      { what: 'mark, priority and cb of __sk_buff', engine: 'veth' },
    ]);
  });

  it('takes of two engines what both see', () => {
    const blind: Observables = {
      action: 'delivery',
      packet: 'delivered',
      metadata: false,
      redirect: false,
      maps: false,
      trace: false,
      skb: false,
      tstamp: false,
    };
    expect(bothObserve(EVERYTHING, blind)).toEqual(blind);
    expect(bothObserve(blind, EVERYTHING)).toEqual(blind);
    expect(bothObserve(EVERYTHING, EVERYTHING)).toEqual(EVERYTHING);
  });

  it('leaves trace lines out where the specification has none, and takes them where there is no specification', () => {
    expect(comparedParts(program, EVERYTHING, EVERYTHING).trace).toBe(true);
    const definition = {
      name: 'p',
      summary: '',
      description: '',
      entries: [],
      maps: [],
      worlds: [],
      examples: [],
      hints: {},
    };
    expect(comparedParts({ ...program, definition }, EVERYTHING, EVERYTHING).trace).toBe(false);
    expect(
      comparedParts({ ...program, definition: { ...definition, traces: true } }, EVERYTHING, EVERYTHING)
        .trace,
    ).toBe(true);
  });
});
