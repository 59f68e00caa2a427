/** `layer_coop`: XDP and TC together count packets and bytes between pairs of IPv4 hosts. */
import { ipv4FromText } from '../packet/addresses.ts';
import { arp, echoRequest, ethernet, frame, ipv4, ipv6, tcp, udp, vlan } from '../packet/build.ts';
import { copy, readU16, writeU32le } from '../packet/bytes.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { IPV4, ipv4HeaderLength } from '../packet/ipv4.ts';
import { ETHERTYPE } from '../packet/numbers.ts';
import { TC_ACT_OK, XDP_PASS } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import { addU64, BPF_NOEXIST } from '../runtime/model-map.ts';
import type { Example, ProgramDefinition } from '../runtime/program.ts';
import type { MapEntry } from '../runtime/world.ts';
import { define } from './define.ts';

/** Key: `{ be32 local; be32 remote }`. Value: `{ u64 tx_packets, rx_packets, tx_bytes, rx_bytes }`. */
const trackers: MapDefinition = {
  name: 'trackers',
  type: 'HASH',
  keySize: 8,
  valueSize: 32,
  maxEntries: 2048,
};
const LOCAL = 0;
const REMOTE = 4;
const TX_PACKETS = 0;
const RX_PACKETS = 8;
const TX_BYTES = 16;
const RX_BYTES = 24;

const key = new Uint8Array(trackers.keySize);
const zero = new Uint8Array(trackers.valueSize);

/** Counts a frame with an IPv4 header, untagged; `localAt` is where in the header the local address lies. */
function count(
  context: ModelContext,
  localAt: number,
  remoteAt: number,
  packetsAt: number,
  bytesAt: number,
): void {
  const { bytes, data, dataEnd } = context.frame;
  if (dataEnd - data < ETHERNET.headerLength) return;
  if (context.skb.vlan !== undefined && context.hook !== 'xdp') return;
  if (readU16(bytes, data + ETHERNET.at.etherType) !== ETHERTYPE.IPV4) return;
  const l3 = data + ETHERNET.headerLength;
  if (ipv4HeaderLength(bytes, l3, dataEnd) === 0) return;
  copy(bytes, l3 + localAt, key, LOCAL, 4);
  copy(bytes, l3 + remoteAt, key, REMOTE, 4);
  const map = context.map(trackers.name);
  let tracker = map.lookup(key);
  if (tracker === undefined) {
    map.update(key, zero, BPF_NOEXIST);
    tracker = map.lookup(key);
  }
  // A full map counts nothing for new pairs.
  if (tracker === undefined) return;
  addU64(tracker, packetsAt, 1);
  addU64(tracker, bytesAt, dataEnd - data);
}

function rx(context: ModelContext): number {
  count(context, IPV4.at.destination, IPV4.at.source, RX_PACKETS, RX_BYTES);
  return XDP_PASS;
}

function tx(context: ModelContext): number {
  count(context, IPV4.at.source, IPV4.at.destination, TX_PACKETS, TX_BYTES);
  return TC_ACT_OK;
}

/** Of a pair that is nowhere yet. */
const stranger = { source: '198.51.100.7', destination: '10.11.1.1' };

const RX = 0;
const TX = 1;

function passes(name: string, packet: Uint8Array, entry: number = RX, world?: string): Example {
  return {
    name,
    stimulus: { packet, entry },
    action: entry === RX ? XDP_PASS : TC_ACT_OK,
    ...(world === undefined ? {} : { world }),
  };
}

function pair(local: string, remote: string): Uint8Array {
  const bytes = new Uint8Array(trackers.keySize);
  bytes.set(ipv4FromText(local), LOCAL);
  bytes.set(ipv4FromText(remote), REMOTE);
  return bytes;
}

/** `count` pairs that no packet of ours belongs to. */
function strangers(count: number): MapEntry[] {
  return Array.from({ length: count }, (_, index) => {
    const key = pair('192.0.2.1', '0.0.0.0');
    writeU32le(key, REMOTE, 0xc0000000 + index);
    return { key, value: new Uint8Array(trackers.valueSize) };
  });
}

/** Two hosts that have long been counted, in both directions: one more packet, and 32 bits no longer do. */
const acquaintances: readonly MapEntry[] = [
  { key: pair('10.11.1.1', '10.11.1.2'), value: new Uint8Array(32).fill(0xff, 0, 4).fill(0xff, 8, 12) },
  { key: pair('10.11.1.2', '10.11.1.1'), value: new Uint8Array(32).fill(0xff, 16, 20).fill(0xff, 24, 28) },
];

/** The next new pair is the last one that fits. */
const nearlyFull = (): MapEntry[] => strangers(trackers.maxEntries - 1);
/** No new pair fits; those that are there go on being counted. */
const full = (): MapEntry[] => [...acquaintances, ...strangers(trackers.maxEntries - acquaintances.length)];

export const layerCoop: ProgramDefinition = define({
  name: 'layer_coop',
  summary: 'counts packets and bytes between pairs of IPv4 hosts, XDP inwards and TC outwards',
  description:
    'The XDP half counts received, the TC-egress half sent IPv4 packets in one shared map, keyed by local and remote address; bytes are the frame’s whole length. Both let everything pass. VLAN-tagged, non-IPv4 and too short frames are not counted.',
  entries: [
    { function: 'layer_coop_rx', hook: 'xdp', model: rx },
    { function: 'layer_coop_tx', hook: 'tc-egress', model: tx },
  ],
  maps: [trackers],
  worlds: () => [
    { name: 'default', world: {} },
    { name: 'nearly full', world: { maps: { trackers: nearlyFull() } } },
    { name: 'full', world: { maps: { trackers: full() } } },
  ],
  examples: () => [
    passes('counts a received packet', frame(ethernet(), ipv4(), echoRequest())),
    passes('counts a sent packet', frame(ethernet(), ipv4(), udp(), new Uint8Array(1000)), TX),
    passes('counts padding, too', frame(ethernet(), ipv4({ totalLength: 20 }), new Uint8Array(26))),
    passes(
      'counts packets with options and fragments',
      frame(ethernet(), ipv4({ options: [{ type: 1 }], fragmentOffset: 7 }), tcp()),
    ),
    passes('counts a pair that just fits in', frame(ethernet(), ipv4(), tcp()), RX, 'nearly full'),
    passes(
      'does not count a pair that no longer fits in',
      frame(ethernet(), ipv4(stranger), tcp()),
      RX,
      'full',
    ),
    passes('goes on counting a pair that has its place', frame(ethernet(), ipv4(), tcp()), RX, 'full'),
    passes('goes on counting it when it sends, too', frame(ethernet(), ipv4(), tcp()), TX, 'full'),
    passes('does not count tagged frames', frame(ethernet(), vlan(), ipv4(), tcp())),
    passes('does not count tagged frames that are sent', frame(ethernet(), vlan(), ipv4(), tcp()), TX),
    passes('does not count IPv6', frame(ethernet(), ipv6(), tcp())),
    passes('does not count ARP', frame(ethernet(), arp()), TX),
    passes('does not count a frame too short for IPv4', frame(ethernet(), ipv4()).subarray(0, 33)),
    passes(
      'does not count an ihl below 5',
      frame(ethernet({ etherType: 0x0800 }), Uint8Array.of(0x44), new Uint8Array(40)),
    ),
    passes(
      'does not count another version',
      frame(ethernet({ etherType: 0x0800 }), Uint8Array.of(0x65), new Uint8Array(40)),
    ),
    passes('does not count a frame too short for Ethernet', frame(ethernet()).subarray(0, 13)),
  ],
  hints: {
    kinds: { tcp: 4, udp: 4, 'icmp-echo': 4 },
    addresses: ['10.11.1.1', '10.11.1.2', '10.11.1.3', '192.0.2.1'],
  },
});
