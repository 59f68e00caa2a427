/** What an explanation says of the world, of what comes beside a packet, of entries of maps, and of the bytes in question. */
import { describe, expect, it } from 'vitest';
import { macFromText } from '../../sim/packet/addresses.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { XDP_DROP } from '../../sim/runtime/actions.ts';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { Finding } from '../finding.ts';
import type { Divergence } from '../report.ts';
import { FAKE_PROGRAM } from '../test-support/engines.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { plainOutcome } from '../test-support/plain-outcome.ts';
import { explain } from './explain.ts';
import { fieldPath } from './map-text.ts';

const packet = ethernet(0x0800, ipv4(17, udp(data(8))));

function lines(more: Partial<Finding> = {}, world: World = {}, stimulus: Partial<Stimulus> = {}): string[] {
  const finding: Finding = {
    ...{ engines: ['model', 'vm'], part: 'action', field: 'action', packet: 0 },
    ...{ expected: plainOutcome(packet), got: plainOutcome(packet, { action: 1 }) },
    ...more,
  };
  const { engines, part, field } = finding;
  const divergence: Divergence = {
    ...{ program: 'fake', engines, part, field, severity: 'error', summary: 'it differs', finding },
    ...{
      case: { program: 'fake', world, stimuli: [{ packet, ...stimulus }] },
      seen: { seed: 's', packet: 17 },
      state: 'shrunk',
    },
  };
  return explain(FAKE_PROGRAM, divergence);
}
const saidOf = (start: string, all: readonly string[]): string | undefined =>
  all.find((line) => line.startsWith(start))?.slice(start.length);

describe('the world', () => {
  const of = (world: object): string | undefined => saidOf('World: ', lines({}, world as World));
  const slot = { key: Uint8Array.of(3, 0, 0, 0), name: 'parse' };

  it.each<[what: string, world: object, text: string | undefined]>([
    ['is not spoken of where there is nothing', {}, undefined],
    [
      'has devices',
      { devices: [{ name: 'eth0', ifindex: 3, mac: macFromText('02:00:00:00:00:01') }] },
      'device eth0 (ifindex 3)',
    ],
    [
      'has routes',
      {
        routes: [
          { to: '10.0.0.0/8', ifindex: 3 },
          { to: 'default', type: 'blackhole' },
        ],
      },
      'route 10.0.0.0/8 ifindex 3, route default blackhole',
    ],
    [
      'has neighbours',
      { neighbours: [{ address: '10.0.0.2', ifindex: 3 }] },
      'neighbour 10.0.0.2 (ifindex 3)',
    ],
    [
      'has maps',
      { maps: { flows: [{ key: data(4), value: data(8) }], empty: [] } },
      'map flows: 2052403211 = 1074606175335821323, map empty (0)',
    ],
    ['has maps with much in them', { maps: { flows: [{ key: data(4), value: data(60) }] } }, 'map flows (1)'],
    ['has programs in slots', { slots: { jumps: [slot] } }, 'map jumps: parse at 3'],
    [
      'has programs that the test put there',
      { slots: { jumps: [{ ...slot, guessed: true }] } },
      'map jumps: parse at 3, put there by the test',
    ],
    ['has variables', { globals: { limit: Uint8Array.of(7, 0) } }, 'limit = 0x0700'],
  ])('%s', (_what, world, text) => {
    expect(of(world)).toBe(text);
  });
});

describe('beside the packet', () => {
  const of = (stimulus: Partial<Stimulus>): string | undefined =>
    saidOf('With the packet: ', lines({}, {}, stimulus));

  it.each<[what: string, stimulus: Partial<Stimulus>, text: string | undefined]>([
    [
      'nothing is said of what is as usual',
      { ingressIfindex: 1, rxQueueIndex: 0, entry: 0, metadata: new Uint8Array(0) },
      undefined,
    ],
    ['there is metadata', { metadata: Uint8Array.of(1, 2, 3, 4) }, 'metadata 01020304'],
    ['there is a device', { ingressIfindex: 2 }, 'ingress ifindex 2'],
    ['there is a queue', { rxQueueIndex: 1 }, 'rx queue 1'],
    ['there is a mark', { skb: { mark: 7 } }, 'mark 7'],
    [
      'there is all of it',
      { metadata: Uint8Array.of(1), ingressIfindex: 3, rxQueueIndex: 2, skb: { mark: 7, priority: 8 } },
      'metadata 01, ingress ifindex 3, rx queue 2, mark 7, priority 8',
    ],
  ])('%s', (_what, stimulus, text) => {
    expect(of(stimulus)).toBe(text);
  });
});

describe('an entry of a map', () => {
  const definition: MapDefinition = { name: 'm', type: 'HASH', keySize: 4, valueSize: 8, maxEntries: 1 };
  const of = (type: MapDefinition['type']): string[] => {
    const map = {
      map: 'm',
      definition: { ...definition, type },
      key: data(4),
      expected: data(8),
      got: new Uint8Array(8),
    };
    const all = lines({ part: 'map', field: 'map m', expected: undefined, got: undefined, map });
    const at = all.findIndex((line) => line.startsWith('Map m'));
    return all.slice(at, at + 4);
  };

  it('has its type, its key, and both values', () => {
    expect(of('HASH')).toEqual([
      'Map m (HASH), key 0x0b30557a:',
      '  value',
      `    expected ${Buffer.from(data(8)).readBigUInt64LE()}`,
      '    got      0',
    ]);
    expect(of('PERCPU_HASH')[0]).toBe('Map m (PERCPU_HASH, values added up over CPUs), key 0x0b30557a:');
  });

  it('is called by its field', () => {
    const path = (field: string): string =>
      fieldPath({ map: 'm', key: '1', fields: [] }, { field, expected: '', got: '', isClock: false });
    expect([path(''), path('packets'), path('[2]'), path('[2].seen'), path('(padding)')]).toEqual([
      'm[1]',
      'm[1].packets',
      'm[1][2]',
      'm[1][2].seen',
      'm[1] (padding)',
    ]);
  });
});

describe('the bytes in question', () => {
  const changed = packet.map((byte, at) => (at === 22 || at === 23 || at === 44 ? byte ^ 1 : byte));
  /** Columns of marks in the last dump: byte n of a row of sixteen. */
  const marks = (all: readonly string[]): number =>
    all
      .slice(all.findLastIndex((line) => line.startsWith('Got (')))
      .filter((line) => /^ +\^/.test(line))
      .join('')
      .replaceAll(' ', '').length / 2;

  it('are marked where a rule says which they are', () => {
    const breach = {
      invariant: 'ttl/step',
      severity: 'error',
      summary: '',
      at: 22,
      size: 1,
      expected: '',
      got: '',
      sentence: '',
    } as const;
    const of = (at: number, size: number): number =>
      marks(
        lines({
          part: 'invariant',
          field: 'ttl/step',
          expected: undefined,
          got: plainOutcome(changed),
          breach: { ...breach, at, size },
        }),
      );
    expect(of(22, 1)).toBe(1);
    expect(of(20, 4)).toBe(4);
    expect(of(0, 6)).toBe(6);
    // Where it does not, what is not as it came.
    expect(of(-1, 0)).toBe(3);
  });

  it('are those that differ from what was expected', () => {
    const all = lines({ part: 'packet', field: 'bytes', got: plainOutcome(changed) });
    expect(marks(all)).toBe(3);
    expect(all).toContain(`Expected (${packet.length} bytes), what differs is marked:`);
    const dropped = lines({
      part: 'packet',
      field: 'bytes',
      expected: plainOutcome(packet, { action: XDP_DROP }),
      got: plainOutcome(changed),
    });
    expect(dropped).toContain(
      `Expected (${packet.length} bytes, though it does not leave), what differs is marked:`,
    );
  });
});
