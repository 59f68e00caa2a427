/**
 * Relatives of a packet: the same from or to another host or interface, of another flow, with other data. What a program decides by
 * one number it decides for them alike, or, where it asks for more than that number, for none of them; what it decides by a hash
 * of many fields, as samplers and load balancers do, comes out for each of them anew, and of one packet says nothing.
 */
import { IPPROTO } from '../../sim/packet/numbers.ts';
import { headerSize, networkAt, repaired, transportOf } from './variants.ts';

/** One thing that is different. */
export interface Relative {
  readonly field: string;
  readonly packet: Uint8Array;
}

/** Bytes that stay as they are. */
export interface Kept {
  readonly at: number;
  readonly size: number;
}

/** What a relative comes to: the same is special, nothing is, or something else is. */
export type Held = 'same' | 'nothing' | 'otherwise';

/** Of each byte: no two differ in the same bits alone, and none leaves the lowest ones as they are. */
const CHANGES = [0x15, 0x2a, 0x5b];
/** Fields that have to be as they are, too: an address, say. More of them are the fields of a hash. */
const MOST_CONDITIONS = 1;

const MAC_SIZE = 6;
/** Of addresses, what tells hosts of a network, and interfaces of a maker, apart. */
const HOST_SIZES: Readonly<Record<4 | 6, number>> = { 4: 1, 6: 2 };
const MAC_HOST_SIZE = 3;
const WITH_PORTS: ReadonlySet<number> = new Set([IPPROTO.TCP, IPPROTO.UDP, IPPROTO.SCTP]);

/**
 * Does it hold of relatives, too?
 * @param look what a relative comes to
 */
export async function holdsOfRelatives(
  packet: Uint8Array,
  kept: Kept,
  look: (relative: Uint8Array) => Promise<Held>,
): Promise<boolean> {
  const conditions = new Set<string>();
  for (const relative of relativesOf(packet, kept)) {
    const held = await look(relative.packet);
    if (held === 'otherwise') return false;
    if (held === 'nothing') conditions.add(relative.field);
    if (conditions.size > MOST_CONDITIONS) return false;
  }
  return true;
}

/** Several for each field that does not overlap with what is kept, their checksums right. */
export function* relativesOf(packet: Uint8Array, kept: Kept): Generator<Relative, void, void> {
  const fields = [...fieldsOf(packet)].filter(
    ({ at, size }) => size > 0 && (at + size <= kept.at || at >= kept.at + kept.size),
  );
  for (const change of CHANGES) {
    for (const { field, at, size } of fields) {
      const copy = packet.slice();
      for (let index = at; index < at + size; index++) copy[index]! ^= change;
      yield { field, packet: repaired(copy, kept.at) };
    }
  }
}

function* fieldsOf(packet: Uint8Array): Generator<Kept & { readonly field: string }, void, void> {
  if (packet.length < 2 * MAC_SIZE) return;
  const isGroup = (packet[0]! & 1) !== 0;
  if (!isGroup) yield { field: 'destination MAC', at: MAC_SIZE - MAC_HOST_SIZE, size: MAC_HOST_SIZE };
  yield { field: 'source MAC', at: 2 * MAC_SIZE - MAC_HOST_SIZE, size: MAC_HOST_SIZE };
  const network = networkAt(packet);
  if (network === undefined) return;
  const version = packet[network]! >> 4 === 4 ? 4 : 6;
  const [source, length] = version === 4 ? [network + 12, 4] : [network + 8, 16];
  const size = HOST_SIZES[version];
  yield { field: 'source address', at: source + length - size, size };
  yield { field: 'destination address', at: source + 2 * length - size, size };
  const transport = transportOf(packet);
  if (transport === undefined || !WITH_PORTS.has(transport.protocol)) return;
  yield { field: 'source port', at: transport.at, size: 2 };
  yield { field: 'destination port', at: transport.at + 2, size: 2 };
  const header =
    transport.protocol === IPPROTO.TCP
      ? (packet[transport.at + 12]! >> 4) * 4
      : headerSize(transport.protocol);
  yield {
    field: 'data',
    at: transport.at + header,
    size: Math.max(0, transport.end - transport.at - header),
  };
}
