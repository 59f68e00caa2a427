import { describe, expect, it } from 'vitest';
import { ModuleEncoder } from '../../sim/ebpf/wasm/encoder.ts';
import { I32 } from '../../sim/ebpf/wasm/opcodes.ts';
import { ethernet, type LayerStack } from '../../sim/packet/build.ts';
import { CHECKSUM, CHECKSUM_LAYERS } from '../oracle/found.ts';
import { COUNTS, countAt, PLACE, PORT_KIND } from './fast-scan-layout.ts';
import { PLAIN_PARAMETERS, plainRoutine } from './fast-scan-plain.ts';

// What is not judged here is judged the long way, with the same result: that it is, no report shows.

const ETHERNET = 14;
const TYPE_AT = 12;
const MTU = 300;
const TUNNEL_PORT = 4789;
const QUIET_PORT = 53;

const memory = new WebAssembly.Memory({ initial: 8 });
const bytes = new Uint8Array(memory.buffer);
const words = new Uint32Array(memory.buffer);
const plain = compile();
bytes.fill(0xff, PLACE.masks, PLACE.zeros);
bytes[PLACE.ports + swapped(TUNNEL_PORT)] = PORT_KIND.tunnel;
bytes[PLACE.ports + swapped(QUIET_PORT)] = PORT_KIND.nothing;

type Plain = (
  first: number,
  end: number,
  base: number,
  header: number,
  typeAt: number,
  mtu: number,
  arrays: number,
) => number;

function compile(): Plain {
  const encoder = new ModuleEncoder();
  const index = encoder.declare(encoder.type(new Array<number>(PLAIN_PARAMETERS).fill(I32), [I32]));
  encoder.define(index, plainRoutine().code);
  encoder.exportFunction('plain', index);
  const module = new WebAssembly.Module(encoder.encode());
  return new WebAssembly.Instance(module, { machine: { memory } }).exports.plain as Plain;
}

function swapped(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8);
}

/** How many packets are judged before the first that is not, and the good checksums of each layer. */
function judge(
  frames: readonly Uint8Array[],
  { typeAt = TYPE_AT, header = ETHERNET, mtu = MTU } = {},
): { readonly judged: number; readonly good: Record<string, number> } {
  words.fill(0, PLACE.counts / 4, PLACE.counts / 4 + COUNTS);
  let at = 0;
  frames.forEach((frame, index) => {
    bytes.set(frame, PLACE.data + at);
    words[PLACE.offsets / 4 + index] = at;
    words[PLACE.lengths / 4 + index] = frame.length;
    at += frame.length;
  });
  const judged = plain(0, frames.length, PLACE.data, header, typeAt, mtu, 0);
  const all = [...words.subarray(PLACE.counts / 4, PLACE.counts / 4 + COUNTS)];
  const good = Object.fromEntries(
    CHECKSUM_LAYERS.flatMap((name, layer) => {
      const found = all[countAt(layer, CHECKSUM.good) / 4]!;
      return found === 0 ? [] : [[name, found] as const];
    }),
  );
  // Nothing but good ones is ever counted here.
  expect(all.reduce((sum, one) => sum + one, 0)).toBe(Object.values(good).reduce((sum, one) => sum + one, 0));
  return { judged, good };
}

const data = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 37 + length) & 0xff);
const ports = { sourcePort: 4000, destinationPort: 5000 };
/** Data that begin as no packet does. */
const text = Uint8Array.of(0, ...data(40));

const KINDS: readonly (readonly [
  name: string,
  of: (length: number) => LayerStack,
  good: Record<string, number>,
])[] = [
  ['TCP over IPv4', (length) => ethernet().ipv4({}).tcp(ports).payload(data(length)), { ipv4: 1, tcp: 1 }],
  ['TCP over IPv6', (length) => ethernet().ipv6({}).tcp(ports).payload(data(length)), { tcp: 1 }],
  [
    'UDP over IPv4',
    (length) =>
      ethernet()
        .ipv4({})
        .udp(ports)
        .payload(Uint8Array.of(0, ...data(length))),
    { ipv4: 1, udp: 1 },
  ],
  [
    'UDP over IPv6',
    (length) =>
      ethernet()
        .ipv6({})
        .udp(ports)
        .payload(Uint8Array.of(0, ...data(length))),
    { udp: 1 },
  ],
  ['ICMP', (length) => ethernet().ipv4({}).echoRequest().payload(data(length)), { ipv4: 1, icmp: 1 }],
  ['ICMPv6', (length) => ethernet().ipv6({}).echoReply6().payload(data(length)), { icmpv6: 1 }],
];

describe.each(KINDS)('plain packets: %s', (_name, of, good) => {
  it('are judged, whatever length they have', () => {
    for (let length = 0; length <= 200; length++)
      expect(judge([of(length).bytes()])).toEqual({ judged: 1, good });
  });

  it('are judged with what the link layer adds behind them', () => {
    for (const trailing of [1, 2, 63]) {
      const frame = of(9).bytes();
      const padded = new Uint8Array(frame.length + trailing).fill(0xa5);
      padded.set(frame);
      expect(judge([padded])).toEqual({ judged: 1, good });
    }
  });

  it('are left with any one bit changed that a checksum covers, or that makes them something else', () => {
    const frame = of(21).bytes();
    // Of IPv6, traffic class, flow label and hop limit are covered by nothing.
    const uncovered = new Set(frame[TYPE_AT] === 0x08 ? [] : [15, 16, 17, 21]);
    for (let at = TYPE_AT; at < frame.length; at++) {
      if (uncovered.has(at)) continue;
      for (let bit = 0; bit < 8; bit++) {
        if (at === 14 && bit < 4 && frame[TYPE_AT] !== 0x08) continue;
        const changed = frame.slice();
        changed[at]! ^= 1 << bit;
        expect(judge([changed]), `byte ${at}, bit ${bit}`).toEqual({ judged: 0, good: {} });
      }
    }
  });

  it('are left where bytes are missing, and where they are longer than the MTU', () => {
    const frame = of(30).bytes();
    for (let length = ETHERNET; length < frame.length; length++)
      expect(judge([frame.subarray(0, length)]).judged, `${length} bytes`).toBe(0);
    const size = frame.length - ETHERNET;
    expect(judge([frame], { mtu: size }).judged).toBe(1);
    expect(judge([frame], { mtu: size - 1 })).toEqual({ judged: 0, good: {} });
  });

  it('are left where packets begin with IP, and judged behind other link-layer headers', () => {
    const frame = of(30).bytes();
    expect(judge([frame.subarray(ETHERNET)], { header: 0, typeAt: -1 }).judged).toBe(0);
    // Linux cooked capture: 16 bytes, the EtherType last.
    const cooked = new Uint8Array(frame.length + 2);
    cooked.set(frame.subarray(TYPE_AT), 14);
    expect(judge([cooked], { header: 16, typeAt: 14 })).toEqual({ judged: 1, good });
  });
});

describe('what is not plain', () => {
  const ipv4 = (fields: Parameters<ReturnType<typeof ethernet>['ipv4']>[0]): LayerStack =>
    ethernet().ipv4(fields).udp(ports).payload(text);
  const udp = (fields: object, first: number = 0): LayerStack =>
    ethernet()
      .ipv4({})
      .udp({ ...ports, ...fields })
      .payload(Uint8Array.of(first, ...data(40)));

  it.each([
    ['a fragment', ipv4({ fragmentOffset: 8 })],
    ['a first fragment', ipv4({ moreFragments: true })],
    ['a header with options', ipv4({ options: [{ type: 1 }, { type: 1 }, { type: 1 }, { type: 1 }] })],
    ['another protocol', ethernet().ipv4({ protocol: 89 }).payload(text)],
    ['extension headers', ethernet().ipv6({}).hopopts({}).udp(ports).payload(text)],
    ['a tag', ethernet().vlan().ipv4({}).udp(ports).payload(text)],
    ['no UDP checksum', udp({ checksum: 0 })],
    ['a UDP datagram shorter than its packet', udp({ length: 48 })],
    [
      'an ICMP error',
      ethernet()
        .ipv4({})
        .icmp({ type: 3, body: { kind: 'unreachable' } })
        .payload(ipv4({}).bytes().subarray(14)),
    ],
    ['data that may be an IPv4 packet', udp({}, 0x45)],
    ['data that may be an IPv6 packet', udp({}, 0x60)],
    ['data that may be an Ethernet frame', udp({}, 0x08)],
    ['a tunnel, by the destination', udp({ destinationPort: TUNNEL_PORT })],
    ['a tunnel, by the source', udp({ sourcePort: TUNNEL_PORT })],
    [
      'a tunnel, by the destination, whatever the source',
      udp({ sourcePort: QUIET_PORT, destinationPort: TUNNEL_PORT }),
    ],
  ])('is left: %s', (_name, stack) => {
    expect(judge([stack.bytes()])).toEqual({ judged: 0, good: {} });
  });

  it('is not what a destination port with a protocol of its own carries, whatever that begins with', () => {
    const good = { judged: 1, good: { ipv4: 1, udp: 1 } };
    for (const sourcePort of [4000, TUNNEL_PORT])
      expect(judge([udp({ sourcePort, destinationPort: QUIET_PORT }, 0x45).bytes()])).toEqual(good);
  });

  it('ends a run: what stands before it is counted, what stands behind it is not', () => {
    const good = udp({}).bytes();
    const frames = [good, good, udp({}, 0x45).bytes(), good];
    expect(judge(frames)).toEqual({ judged: 2, good: { ipv4: 2, udp: 2 } });
  });
});
