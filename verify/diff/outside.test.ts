import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { data } from '../test-support/packets.ts';
import { changesOf } from './describe.ts';
import { diff } from './diff.ts';
import { canActOutside } from './outside.ts';
import type { BuildPair } from './pair.ts';
import { PairReplay } from './pair-replay.ts';

const MAPS = [
  testMap('ring', 'RINGBUF', { keySize: 0, valueSize: 0, maxEntries: 4096 }),
  testMap('perf', 'PERF_EVENT_ARRAY', { keySize: 4, valueSize: 4, maxEntries: 2 }),
  testMap('queue', 'QUEUE', { keySize: 0, valueSize: 8, maxEntries: 4 }),
  testMap('stack', 'STACK', { keySize: 0, valueSize: 8, maxEntries: 4 }),
  testMap('filter', 'BLOOM_FILTER', { keySize: 0, valueSize: 8, maxEntries: 4 }),
  testMap('devices', 'DEVMAP', { keySize: 4, valueSize: 4, maxEntries: 4 }),
];

/** r6 = the context. */
function build(name: string, body: string, hook: Hook): Program {
  const object = writeElf({ main: `r6 = r1\n${body}\nexit` }, MAPS);
  return { name, entries: [{ function: 'main', hook }], object };
}
const pairOf = (old: string, next: string, hook: Hook): BuildPair => ({
  old: build('old', old, hook),
  new: build('new', next, hook),
});

/** What `diff` would say of one packet: `what: old → new`. */
async function told(old: string, next: string, hook: Hook, world: World = {}): Promise<string[]> {
  const pair = pairOf(old, next, hook);
  const replay = new PairReplay(pair);
  const shown = { program: 'old', world, stimuli: [{ packet: data(60) }] };
  const lines: string[] = [];
  for await (const finding of replay.findings(shown)) {
    const changes = changesOf(pair, { finding, case: shown, state: 'found', packets: 1 });
    lines.push(...changes.map((one) => `${one.what}: ${one.old} → ${one.new}`));
  }
  await replay.close();
  return lines;
}

const PASS = 'r0 = 0';
const DROP = 'r0 = 2';
const call = (helper: string, ...values: readonly (number | string)[]): string =>
  [...values.map((value, index) => `r${index + 1} = ${value}`), `call ${helper}`].join('\n');
const set = (offset: number, value: number): string => `r3 = ${value}\n*(u32 *)(r6 + ${offset}) = r3`;
const bytes = (value: number): string => `r3 = ${value}\n*(u64 *)(r10 - 8) = r3\nr7 = r10\nr7 += -8`;
const tunnel = (id: number): string => `${bytes(id)}\n${call('bpf_skb_set_tunnel_key', 'r6', 'r7', 8, 0)}`;
const ringOutput = (value: number, flags = 0): string =>
  `${bytes(value)}\n${call('bpf_ringbuf_output', 'map[ring]', 'r7', 8, flags)}`;
const ringSubmit = (value: number, end = 'submit'): string =>
  `${call('bpf_ringbuf_reserve', 'map[ring]', 8, 0)}
   if r0 == 0 goto full${value}
   r3 = ${value}
   *(u64 *)(r0 + 0) = r3
   r1 = r0
   r2 = 0
   call bpf_ringbuf_${end}
   full${value}:`;
const perf = (value: number): string =>
  `${bytes(value)}\n${call('bpf_perf_event_output', 'r6', 'map[perf]', 1, 'r7', 8)}`;
const clone = (to: number, flags = 0): string => call('bpf_clone_redirect', 'r6', to, flags);
const push = (tag: number): string => call('bpf_skb_vlan_push', 'r6', 0x81, tag);

const tunnelText = (id: number): string =>
  `for IPv4, id ${id}, remote 0x0, local 0x0, tos 0, ttl 0, label 0, flags 0x2005`;

describe('an event that a ring buffer has no room for', () => {
  /** Of 16 bytes each, with its header, the ring holds 255. */
  const many = (one: (value: number) => string, count: number): string =>
    `${Array.from({ length: count }, (_, value) => one(value)).join('\n')}\n${PASS}`;

  it('is none, whether it was to be sent in one piece or written in place', async () => {
    expect(await told(many(ringSubmit, 260), many(ringOutput, 260), 'xdp')).toEqual([]);
    expect(await told(many(ringOutput, 255), many(ringOutput, 260), 'xdp')).toEqual([]);
    expect(await told(many(ringOutput, 254), many(ringOutput, 260), 'xdp')).toEqual([
      'events in map ring: nothing → an event (8 bytes)',
    ]);
  });
});

describe('what goes along with a TC packet is compared', () => {
  it.each<[what: string, old: string, next: string, lines: string[]]>([
    ['the queue', set(12, 3), set(12, 4), ['__sk_buff queue_mapping: 3 → 4']],
    ['the class', set(72, 3), set(72, 4), ['__sk_buff tc_classid: 3 → 4']],
    ['the index', set(44, 3), set(44, 4), ['__sk_buff tc_index: 3 → 4']],
    ['the hash', call('bpf_set_hash', 'r6', 5), call('bpf_set_hash', 'r6', 6), ['__sk_buff hash: 5 → 6']],
    [
      'not a hash that is thrown away',
      `${call('bpf_set_hash', 'r6', 5)}\n${call('bpf_set_hash_invalid', 'r6')}`,
      '',
      [],
    ],
    ['not a hash that is asked for', call('bpf_get_hash_recalc', 'r6'), '', []],
    [
      'the kind',
      call('bpf_skb_change_type', 'r6', 2),
      call('bpf_skb_change_type', 'r6', 1),
      ['__sk_buff pkt_type: 2 → 1'],
    ],
    ['the tag', push(5), push(6), ['VLAN tag beside the frame: 5 of type 0x8100 → 6 of type 0x8100']],
    ['not a tag that is taken off', `${push(5)}\n${call('bpf_skb_vlan_pop', 'r6')}`, '', []],
    ['the tunnel key', tunnel(5), tunnel(6), [`tunnel key: ${tunnelText(5)} → ${tunnelText(6)}`]],
    ['not a tunnel key that is set anew', `${tunnel(5)}\n${tunnel(6)}`, tunnel(6), []],
    [
      'the checksum level',
      call('bpf_csum_level', 'r6', 1),
      call('bpf_csum_level', 'r6', 0),
      ['checksum level: one more → as it was'],
    ],
  ])('%s', async (_what, old, next, lines) => {
    expect(await told(`${old}\n${PASS}`, `${next}\n${PASS}`, 'tc-ingress')).toEqual(lines);
    // What goes along with a packet that goes no further is nobody's.
    expect(await told(`${old}\n${DROP}`, `${next}\n${DROP}`, 'tc-ingress')).toEqual([]);
  });
});

describe('what leaves the program is compared', () => {
  it.each<[what: string, old: string, next: string, lines: string[]]>([
    [
      'copies',
      clone(3),
      clone(4),
      ['copies sent: to device 3, flags 0 (60 bytes) → to device 4, flags 0 (60 bytes)'],
    ],
    [
      'their flags',
      clone(3),
      clone(3, 1),
      ['copies sent: to device 3, flags 0 (60 bytes) → to device 3, flags 1 (60 bytes)'],
    ],
    [
      'their number',
      `${clone(3)}\n${clone(3)}`,
      clone(3),
      ['copies sent: to device 3, flags 0 (60 bytes) → nothing'],
    ],
    [
      'the bytes of events',
      ringOutput(1),
      ringOutput(2),
      [
        'events in map ring: an event (8 bytes, from byte 0: 0100000000000000) → an event (8 bytes, from byte 0: 0200000000000000)',
      ],
    ],
    [
      'the waking of readers',
      ringOutput(1),
      ringOutput(1, 1),
      ['events in map ring: an event (8 bytes) → an event, without waking the reader (8 bytes)'],
    ],
    ['not the way in which an event is written', ringOutput(1), ringSubmit(1), []],
    ['not what is thrown away', ringSubmit(1, 'discard'), '', []],
    ['perf events', perf(1), '', ['events in map perf: an event for CPU 1 (8 bytes) → nothing']],
    ['not the order between readers', `${perf(1)}\n${ringOutput(1)}`, `${ringOutput(1)}\n${perf(1)}`, []],
    [
      'signals',
      call('bpf_send_signal', 9),
      call('bpf_send_signal', 10),
      ['signals sent: 9 to the process → 10 to the process'],
    ],
  ])('%s', async (_what, old, next, lines) => {
    expect(await told(`${old}\n${DROP}`, `${next}\n${DROP}`, 'tc-ingress')).toEqual(lines);
  });
});

describe('what maps without keys hold is compared', () => {
  const push = (map: string, value: number): string =>
    `${bytes(value)}\n${call('bpf_map_push_elem', `map[${map}]`, 'r7', 0)}`;
  const pop = (map: string): string => `${bytes(0)}\n${call('bpf_map_pop_elem', `map[${map}]`, 'r7')}`;
  const peek = (map: string): string => `${bytes(0)}\n${call('bpf_map_peek_elem', `map[${map}]`, 'r7')}`;
  const held = (value: number): string => `0x0${value}00000000000000`;
  it.each<[what: string, old: string, next: string, lines: string[]]>([
    ['a queue', push('queue', 5), push('queue', 6), [`map queue, value 0: ${held(5)} → ${held(6)}`]],
    [
      'the order in it',
      `${push('queue', 5)}\n${push('queue', 6)}`,
      `${push('queue', 6)}\n${push('queue', 5)}`,
      [`map queue, value 0: ${held(5)} → ${held(6)}`],
    ],
    ['a stack', push('stack', 5), '', [`map stack, value 0: ${held(5)} → none`]],
    ['not what is taken out again', `${push('queue', 5)}\n${pop('queue')}`, '', []],
    ['not what is looked at', peek('queue'), '', []],
    ['not the asking of an empty one', pop('stack'), '', []],
    [
      'not the order between maps',
      `${push('queue', 5)}\n${push('stack', 6)}`,
      `${push('stack', 6)}\n${push('queue', 5)}`,
      [],
    ],
    [
      'not the number of times that a filter is told',
      `${push('filter', 5)}\n${push('filter', 5)}`,
      push('filter', 5),
      [],
    ],
  ])('%s', async (_what, old, next, lines) => {
    expect(await told(`${old}\n${DROP}`, `${next}\n${DROP}`, 'tc-ingress')).toEqual(lines);
  });

  it('a filter', async () => {
    const [line] = await told(`${push('filter', 5)}\n${DROP}`, DROP, 'xdp');
    expect(line).toMatch(/^map filter, bits: .* → /);
  });

  it('what the world has put there, taken and looked at', async () => {
    const value = Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0);
    const world = { maps: { queue: [{ key: new Uint8Array(0), value }] } };
    expect(await told(`${pop('queue')}\n${DROP}`, `${peek('queue')}\n${DROP}`, 'xdp', world)).toEqual([
      `map queue, value 0: none → ${held(7)}`,
    ]);
    expect(await told(`${peek('queue')}\n${DROP}`, DROP, 'xdp', world)).toEqual([]);
  });
});

describe('the way of a redirect is compared', () => {
  const redirect = (name: string, ...more: readonly number[]): string =>
    call(`bpf_redirect${name}`, 3, ...more);
  it.each<[what: string, old: string, next: string, lines: string[]]>([
    [
      'into the device',
      redirect('', 0),
      redirect('', 1),
      ['out of the device → into the device (BPF_F_INGRESS)'],
    ],
    [
      'to its peer',
      redirect('', 0),
      redirect('_peer', 0),
      ["out of the device → into the device's peer (bpf_redirect_peer)"],
    ],
    [
      'to a neighbour',
      redirect('', 0),
      redirect('_neigh', 0, 0, 0),
      ['out of the device → to the neighbour (bpf_redirect_neigh), which the routes name'],
    ],
    ['not where it is not taken', `${redirect('', 0)}\n${PASS}`, `${redirect('', 1)}\n${PASS}`, []],
  ])('%s', async (_what, old, next, lines) => {
    expect(await told(old, next, 'tc-ingress')).toEqual(lines.map((line) => `way of the redirect: ${line}`));
  });

  it('to one device of a map, or to all, and not what a miss would have returned', async () => {
    const key = Uint8Array.of(1, 0, 0, 0);
    const world = { maps: { devices: [{ key, value: Uint8Array.of(1, 0, 0, 0) }] } };
    const to = (flags: number): string => call('bpf_redirect_map', 'map[devices]', 1, flags);
    expect(await told(to(0), to(2), 'xdp', world)).toEqual([]);
    expect(await told(to(8), to(8 | 16), 'xdp', world)).toEqual([
      'way of the redirect: to all of the devices 1 → to all of the devices 1, but to that which it came from',
    ]);
  });
});

describe('diff', () => {
  const packetsOf = async (old: string, next: string): Promise<string[]> => {
    const options = { seed: 'a', runs: 100, maxClasses: 5, shrinkSeconds: 1, guided: false, sweeps: false };
    const report = await diff({
      pair: pairOf(old, next, 'tc-ingress'),
      engine: createWasmEngine(),
      ...options,
    });
    return report.classes.map(({ finding, packets }) => `${finding.field} ${packets > 50}`);
  };

  it('finds what outcomes do not show', async () => {
    expect(await packetsOf(`${set(12, 3)}\n${PASS}`, `${set(12, 4)}\n${PASS}`)).toEqual([
      '__sk_buff queue_mapping true',
    ]);
    expect(await packetsOf(`${clone(3)}\n${PASS}`, `r7 = 0\n${clone(3)}\n${PASS}`)).toEqual([]);
  });

  it.each<[what: string, body: string, hook: Hook, can: boolean]>([
    ['that sends', clone(3), 'tc-ingress', true],
    ['that sets a field', set(12, 3), 'tc-egress', true],
    ['that sets another', set(8, 3), 'tc-egress', false],
    ['that redirects', call('bpf_redirect', 3, 0), 'tc-ingress', true],
    ['that redirects in the one way of XDP', call('bpf_redirect', 3, 0), 'xdp', false],
  ])('looks at a build %s', (_what, body, hook, can) => {
    expect(canActOutside(pairOf(PASS, `${body}\n${PASS}`, hook))).toBe(can);
  });
});
