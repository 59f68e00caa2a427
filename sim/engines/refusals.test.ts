/** Which packets engines do not take, at the borders of each rule (net/bpf/test_run.c, net/core/xdp.c). */
import { describe, expect, it } from 'vitest';
import { ethernet } from '../packet/build.ts';
import { PacketBatch, type SkbInput, type Stimulus } from '../packet/packet-batch.ts';
import type { Hook } from '../runtime/actions.ts';
import type { Program } from '../runtime/program.ts';
import { type Refusal, refusalText } from './engine.ts';
import { machineRefuses } from './machine-program.ts';
import { createModelEngine } from './model.ts';
import { noSuchQueue } from './refusal-rules.ts';

const programOf = (hook: Hook, frags = false): Program => ({
  name: 'test',
  entries: [{ function: 'test', hook, ...(frags ? { frags } : {}) }],
});

function refusals(
  program: Program,
  ...stimuli: Stimulus[]
): { machine: Refusal | undefined; model: Refusal | undefined } {
  const batch = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) batch.push(stimulus);
  return { machine: machineRefuses(program, batch), model: createModelEngine().refuses(program, batch) };
}

const bytes = (length: number): Uint8Array => new Uint8Array(length);
const XDP = programOf('xdp');
const TC = programOf('tc-egress');

describe('the machine refuses', () => {
  it.each<[what: string, program: Program, stimulus: Stimulus, refusal: string | undefined]>([
    ['XDP no bytes', XDP, { packet: bytes(0) }, undefined],
    ['TC a header', TC, { packet: bytes(14) }, undefined],
    ['TC less than a header', TC, { packet: bytes(13) }, 'a frame needs at least 14 bytes, this one has 13'],
    ['XDP a buffer', XDP, { packet: bytes(3520) }, undefined],
    [
      'XDP more than a buffer',
      XDP,
      { packet: bytes(3521) },
      'frames of more than 3520 bytes go only to programs in section xdp.frags, this one has 3521',
    ],
    ['XDP in several buffers', programOf('xdp', true), { packet: bytes(3521) }, undefined],
    ['TC more than a buffer', TC, { packet: bytes(3521) }, undefined],
    ['metadata of 4 bytes', XDP, { packet: bytes(60), metadata: bytes(4) }, undefined],
    ...[1, 2, 3, 5].map((length): [string, Program, Stimulus, string] => [
      `metadata of ${length} bytes`,
      XDP,
      { packet: bytes(60), metadata: bytes(length) },
      `metadata comes in multiples of 4 bytes, this packet has ${length}`,
    ]),
    ['long metadata', XDP, { packet: bytes(60), metadata: bytes(216) }, undefined],
    [
      'entry 1 of one',
      XDP,
      { packet: bytes(60), entry: 1 },
      'the program has no such entry, the packet names entry 1',
    ],
  ])('%s', (_what, program, stimulus, refusal) => {
    const { machine } = refusals(program, stimulus);
    expect(machine === undefined ? undefined : refusalText(machine)).toBe(refusal);
  });

  it('the first packet that is none, and says which', () => {
    const { machine } = refusals(
      TC,
      { packet: bytes(14) },
      { packet: bytes(60) },
      { packet: bytes(5) },
      { packet: bytes(1) },
    );
    expect(machine).toMatchObject({ packet: 2, detail: 'this one has 5' });
  });

  it('frames that are longer than a machine has room for, at TC and in several buffers', () => {
    const most = [TC, programOf('xdp', true)].map((program) => {
      const lengths = [65_536, 65_537, 200_000];
      return lengths.filter((length) => refusals(program, { packet: bytes(length) }).machine === undefined);
    });
    expect(most).toEqual([[65_536], [65_536]]);
  });

  it('metadata of more than 32 bytes on Linux before 6.8', () => {
    const batch = (length: number): PacketBatch => {
      const one = new PacketBatch(1);
      one.push({ packet: bytes(60), metadata: bytes(length) });
      return one;
    };
    const refused = (['6.7', '6.8'] as const).map((version) =>
      [32, 36].map((length) => machineRefuses(XDP, batch(length), version)?.rule),
    );
    expect(refused).toEqual([
      [undefined, 'metadata has at most 32 bytes here'],
      [undefined, undefined],
    ]);
  });
});

describe('fields of __sk_buff (convert___skb_to_skb)', () => {
  it.each<[what: string, program: Program, skb: SkbInput, refusal: string | undefined]>([
    ['a mark', TC, { mark: 1 }, undefined],
    ['a mark at XDP', XDP, { mark: 1 }, 'frames have no fields of __sk_buff at XDP'],
    ['no wire_len', TC, { wireLen: 0 }, undefined],
    ['the frame’s own length', TC, { wireLen: 60 }, undefined],
    [
      'a shorter one',
      TC,
      { wireLen: 59 },
      'wire_len is from the frame’s length to 65536, this frame has 60 bytes and a wire_len of 59',
    ],
    ['the longest', TC, { wireLen: 65_536 }, undefined],
    [
      'a longer one',
      TC,
      { wireLen: 65_537 },
      'wire_len is from the frame’s length to 65536, this frame has 60 bytes and a wire_len of 65537',
    ],
    ['the most segments', TC, { gsoSegs: 65_535 }, undefined],
    ['a device at egress', TC, { ingressIfindex: 0x7fff_ffff }, undefined],
    [
      'one more device',
      TC,
      { ingressIfindex: 0x8000_0000 },
      'an ifindex is at most 2147483647, this frame came in by 2147483648',
    ],
    [
      'another device',
      programOf('tc-ingress'),
      { ingressIfindex: 7 },
      'at TC ingress, frames came in by the device that they are on, this one is to have come in by 7',
    ],
    ['one more', TC, { gsoSegs: 65_536 }, 'gso_segs is at most 65535, this frame has 65536'],
    ['the last queue', TC, { queueMapping: 65_534 }, undefined],
    ['no queue', TC, { queueMapping: 65_535 }, 'queue_mapping is below 65535, this frame has 65535'],
    ['the last index', TC, { tcIndex: 65_535 }, undefined],
    ['one more', TC, { tcIndex: 65_536 }, 'tc_index has 16 bits, this frame has 65536'],
    ['one more class', TC, { tcClassid: 65_536 }, 'tc_classid has 16 bits, this frame has 65536'],
    ['a tunnel', TC, { tunnel: { remote: '::1', local: '::2', label: 7, options: '00000000' } }, undefined],
    [
      'a tunnel between families',
      TC,
      { tunnel: { remote: '::1', local: '10.0.0.1' } },
      'both ends of a tunnel have addresses of one family, this one goes from ::1 to 10.0.0.1',
    ],
    [
      'a flow label without IPv6',
      TC,
      { tunnel: { remote: '10.0.0.1', label: 7 } },
      'only tunnels over IPv6 have a flow label, this one has 7',
    ],
    [
      'half an option',
      TC,
      { tunnel: { options: '0000' } },
      'options of a tunnel have a multiple of 4 bytes, and at most 252, this one has 2',
    ],
    ['no linear byte behind the Ethernet header', TC, { linear: 14 }, undefined],
    [
      'a header in two pieces',
      TC,
      { linear: 13 },
      'of a frame, at least the Ethernet header is linear, and at most all of it, this one has 60 bytes and 13 linear ones',
    ],
    [
      'more linear bytes than there are',
      TC,
      { linear: 61 },
      'of a frame, at least the Ethernet header is linear, and at most all of it, this one has 60 bytes and 61 linear ones',
    ],
    ['any tag', TC, { vlan: { proto: 0x88a8, tci: 65_535 } }, undefined],
    ['a longer tag', TC, { vlan: { tci: 65_536 } }, 'vlan_tci has 16 bits, this frame has 65536'],
    [
      'a tag of another kind',
      TC,
      { vlan: { proto: 0x9100, tci: 0 } },
      'a tag beside a frame is of type 0x8100 or 0x88a8, this one is of type 0x9100',
    ],
  ])('%s', (_what, program, skb, refusal) => {
    const { machine } = refusals(program, { packet: bytes(60), skb });
    expect(machine === undefined ? undefined : refusalText(machine)).toBe(refusal);
  });
});

describe('a tag that the kernel takes out (__netif_receive_skb_core)', () => {
  const RULE = 'the kernel takes the VLAN tag out of a frame before TC ingress sees it';
  it.each<[hook: Hook, what: string, isRefused: boolean, packet: Uint8Array]>([
    ['tc-ingress', 'of 802.1Q', true, ethernet().vlan().ipv4().bytes()],
    ['tc-ingress', 'of 802.1ad', true, ethernet().vlan({ service: true }).ipv4().bytes()],
    ['tc-ingress', 'that is none', false, ethernet().ipv4().bytes()],
    ['tc-ingress', 'of an older kind', false, ethernet({ etherType: 0x9100 }).vlan().ipv4().bytes()],
    ['tc-ingress', 'without anything behind it', true, ethernet({ etherType: 0x8100 }).bytes()],
    ['tc-egress', 'of 802.1Q', false, ethernet().vlan().ipv4().bytes()],
    ['xdp', 'of 802.1Q', false, ethernet().vlan().ipv4().bytes()],
  ])('at %s, %s: %s', (hook, _what, isRefused, packet) => {
    // Something else in front: the tag is looked for in this packet.
    const { machine, model } = refusals(programOf(hook), { packet: ethernet().ipv4().bytes() }, { packet });
    const expected = isRefused ? { packet: 1, rule: RULE } : undefined;
    expect([machine, model]).toEqual([expected, expected]);
  });

  it('is another one where the first lies beside the frame', () => {
    const packet = ethernet().vlan().ipv4().bytes();
    const { machine, model } = refusals(
      programOf('tc-ingress'),
      { packet },
      { packet, skb: { vlan: { tci: 7 } } },
    );
    expect([machine, model].map((one) => one?.packet)).toEqual([0, 0]);
    expect(refusals(programOf('tc-ingress'), { packet, skb: { vlan: { tci: 7 } } }).machine).toBeUndefined();
  });

  it('is not looked for where there is no whole header', () => {
    const cut = ethernet({ etherType: 0x8100 }).bytes().subarray(0, 13);
    // What lies behind the packet is another one's.
    expect(
      refusals(programOf('tc-ingress'), { packet: cut }, { packet: Uint8Array.of(0x81, 0, 0) }).model,
    ).toBeUndefined();
  });
});

it('queues are named where there is one', () => {
  expect(refusalText(noSuchQueue(3))).toBe('the device has one receive queue, the packet names queue 3');
});
