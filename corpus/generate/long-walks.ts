/**
 * Packets with as much of something as there may be: options, tags, extension headers. Programs walk through them in loops that
 * end after so many rounds, and what comes in the last of these shows in few other packets.
 */
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { ETHERTYPE, IPPROTO } from '../../sim/packet/numbers.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { layout, repair } from '../simplify/packet-layout.ts';

/** Lengths by kind (RFC 9293, 7323, 2018, 2385, 8684). */
const TCP_OPTIONS: readonly (readonly [kind: number, length: number])[] = [
  [2, 4],
  [3, 3],
  [4, 2],
  [5, 10],
  [8, 10],
  [19, 18],
  [30, 4],
];
/** The same of IPv4: record route, timestamp, source routes, router alert (RFC 791, 2113). */
const IPV4_OPTIONS: readonly (readonly [kind: number, length: number])[] = [
  [7, 7],
  [68, 8],
  [131, 7],
  [137, 7],
  [148, 4],
];
const MAX_OPTIONS = 40;
const NO_OPERATION = 1;
/** For experiments (RFC 4727): of TCP and of IPv4, which nobody looks for. */
const TCP_EXPERIMENT = 253;
const IPV4_EXPERIMENT = 94;
const EXTENSION_SIZE = 8;
const MAX_EXTENSIONS = 12;
const TAG_SIZE = 4;
const MAX_TAGS = 8;
const ETHERNET_TYPE_AT = 12;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const TCP_HEADER = 20;

/** What a packet is when all of these walks begin at its headers; nothing where it has none that are walked through. */
export function longWalks(stimulus: Stimulus): Stimulus[] {
  const { packet } = stimulus;
  const packets = [...tcpWalks(packet), ...ipv4Walks(packet), ...ipv6Walks(packet), ...tagWalks(packet)];
  return packets.map((one) => ({ ...stimulus, packet: one }));
}

/**
 * Each option behind any number of others: of those that say nothing in a byte, and of the shortest that have a length.
 * @param experiment the kind of the latter
 */
function* optionLists(
  options: readonly (readonly [kind: number, length: number])[],
  experiment: number,
): Generator<Uint8Array, void, void> {
  for (const [kind, length] of options) {
    for (const other of [[NO_OPERATION], [experiment, 2]]) {
      for (let before = 0; before + length <= MAX_OPTIONS; before += other.length) {
        const list = new Uint8Array((before + length + 3) & ~3);
        for (let at = 0; at < before; at++) list[at] = other[at % other.length]!;
        list.set([kind, length], before);
        yield list;
      }
    }
  }
}

function* tcpWalks(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const { protocol, upperAt, payloadAt } = layout(packet);
  if (protocol !== IPPROTO.TCP || upperAt < 0 || upperAt + TCP_HEADER > packet.length) return;
  for (const options of optionLists(TCP_OPTIONS, TCP_EXPERIMENT)) {
    const made = spliced(packet, upperAt + TCP_HEADER, payloadAt, options);
    made[upperAt + 12] = ((TCP_HEADER + options.length) << 2) | (made[upperAt + 12]! & 0xf);
    repair(made, 'checksum');
    yield made;
  }
}

function* ipv4Walks(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const { version, networkAt, options: known, upperAt } = layout(packet);
  if (version !== 4 || known.length > 0 || upperAt < 0) return;
  const at = networkAt + IPV4_HEADER;
  for (const options of optionLists(IPV4_OPTIONS, IPV4_EXPERIMENT)) {
    const made = spliced(packet, at, at, options);
    made[networkAt] = 0x40 | ((IPV4_HEADER + options.length) >> 2);
    repair(made, 'checksum');
    yield made;
  }
}

/** Destination options in a row, each of padding. */
function* ipv6Walks(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const { version, networkAt, options, upperAt } = layout(packet);
  if (version !== 6 || options.length > 0 || upperAt !== networkAt + IPV6_HEADER) return;
  const next = packet[networkAt + 6]!;
  for (let count = 1; count <= MAX_EXTENSIONS; count++) {
    const headers = new Uint8Array(count * EXTENSION_SIZE);
    for (let index = 0; index < count; index++) {
      const after = index === count - 1 ? next : IPPROTO.DSTOPTS;
      headers.set([after, 0, 1, 4], index * EXTENSION_SIZE);
    }
    const made = spliced(packet, upperAt, upperAt, headers);
    made[networkAt + 6] = IPPROTO.DSTOPTS;
    repair(made, 'checksum');
    yield made;
  }
}

/** Tags in a row, in front of those that there are. */
function* tagWalks(packet: Uint8Array): Generator<Uint8Array, void, void> {
  if (packet.length < ETHERNET_TYPE_AT + 2 || readU16(packet, ETHERNET_TYPE_AT) < 0x600) return;
  for (let count = 1; count <= MAX_TAGS; count++) {
    const tags = new Uint8Array(count * TAG_SIZE);
    for (let index = 0; index < count; index++) {
      writeU16(tags, index * TAG_SIZE, ETHERTYPE.VLAN);
      writeU16(tags, index * TAG_SIZE + 2, index + 1);
    }
    yield spliced(packet, ETHERNET_TYPE_AT, ETHERNET_TYPE_AT, tags);
  }
}

/** The packet with other bytes in the place of some. */
function spliced(packet: Uint8Array, from: number, to: number, bytes: Uint8Array): Uint8Array {
  const made = new Uint8Array(packet.length - (to - from) + bytes.length);
  made.set(packet.subarray(0, from));
  made.set(bytes, from);
  made.set(packet.subarray(to), from + bytes.length);
  return made;
}
