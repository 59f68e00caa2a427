/**
 * Packets of each kind in the tunnel that a packet begins with: a program asks for a port and the number of a tunnel, and what it
 * does with the packet within shows only where there is one. What a tunnel's header says of itself is put right by its declaration
 * (its length, a checksum, what it carries, a version of which there is one only); the rest stays, as an entry of a map may have
 * been made for it.
 */
import { layout, repair } from '../../corpus/simplify/packet-layout.ts';
import { checksum } from '../../sim/packet/checksum.ts';
import type { Field, Space } from '../../sim/packet/declaration/field.ts';
import { type Place, readNumber, writeNumber } from '../../sim/packet/declaration/place.ts';
import type { Protocol } from '../../sim/packet/declaration/protocol.ts';
import { announcements, followersOf, followingProtocol } from '../../sim/packet/protocols.ts';
import { CARRIED, type Carried, isCarried, type OuterLayer, outerLayers } from '../oracle/outer-layers.ts';

/** Layers of IP itself have these behind them, tunnels do not. */
const UPPER_LAYER = 'tcp';
/** Bytes of one. */
const LARGEST_NUMBER = 4;

/** The innermost header of the first tunnel of a packet. */
export interface Tunnel {
  /** What it can carry; of what it says that it carries, only what is alike. */
  readonly carries: readonly Carried[];
  /** What is in it, as it came. */
  readonly inner: Uint8Array;
  readonly innerKind: Carried | undefined;
  /** The same headers around something else; undefined where they then say that it is something else yet. */
  readonly around: (kind: Carried, inner: Uint8Array) => Uint8Array | undefined;
}

/** @returns undefined where the packet begins with none */
export function tunnelOf(packet: Uint8Array): Tunnel | undefined {
  // Lengths and checksums of what is in front are put right for IP that begins the frame.
  if (layout(packet).version === 0) return undefined;
  const layers = outerLayers(packet);
  const last = layers.findLastIndex(carriesPackets);
  if (last < 0) return undefined;
  const used = layers.slice(0, last + 1);
  const { protocol, headerEnd: start, end, next } = used.at(-1)!;
  return {
    carries: carriedBy(protocol, next),
    inner: packet.slice(start, end),
    innerKind: isCarried(next) ? next : undefined,
    around: (kind, inner) => {
      const whole = new Uint8Array(start + inner.length);
      whole.set(packet.subarray(0, start));
      whole.set(inner, start);
      return saying(whole, used, kind);
    },
  };
}

/** A header with a checksum of its own over all that it carries is an upper layer's: what ICMP carries it quotes. */
function carriesPackets({ protocol, next }: OuterLayer): boolean {
  const isUpperLayer = Object.values(protocol.declaration.fields).some(
    ({ options: { computed } }) => computed?.what === 'checksum' && computed.covers === 'message',
  );
  if (isUpperLayer) return false;
  return isCarried(next) || carriedBy(protocol, next).length > 0;
}

function carriedBy({ name }: Protocol, next: string): readonly Carried[] {
  const followers = followersOf(name);
  const can = CARRIED.filter((kind) => followers.includes(kind));
  if (next === 'ethernet') return ['ethernet'];
  if (next === 'ipv4' || next === 'ipv6') return can.filter((kind) => kind !== 'ethernet');
  return followers.includes(UPPER_LAYER) ? [] : can;
}

/** Puts right what the headers say; where that is not enough, a field that is 0 gets what packets have there, too. */
function saying(whole: Uint8Array, layers: readonly OuterLayer[], kind: Carried): Uint8Array | undefined {
  const last = layers.at(-1)!;
  for (const isPreset of [false, true]) {
    if (isPreset) writePresets(whole, last);
    writeFields(whole, last, kind);
    for (const layer of layers.slice(0, -1).toReversed()) writeFields(whole, layer, undefined);
    // Those of IP and UDP, which hang on addresses.
    repair(whole, 'checksum');
    const { next } = last.protocol.step(whole, last.offset, whole.length, last.context);
    if (next !== undefined && followingProtocol(next, whole) === kind) return whole;
  }
  return undefined;
}

/** @param kind what follows; undefined: what the header says already */
function writeFields(bytes: Uint8Array, { protocol, offset }: OuterLayer, kind: Carried | undefined): void {
  for (const { field, place } of fieldsIn(bytes, protocol, offset)) {
    const number = numberOf(field, bytes.length - offset, kind);
    if (number !== undefined) writeNumber(bytes, offset, place, number);
  }
  // GRE's own; the others are `repair`'s.
  for (const { field, place } of fieldsIn(bytes, protocol, offset)) {
    const { computed } = field.options;
    if (computed?.what !== 'checksum' || computed.covers === 'header' || computed.pseudoHeader !== undefined)
      continue;
    writeNumber(bytes, offset, place, 0);
    writeNumber(bytes, offset, place, checksum(bytes, offset, bytes.length - offset));
  }
}

/** What a header's field has to say; undefined: whatever it says. */
function numberOf({ constant, options }: Field, size: number, kind: Carried | undefined): number | undefined {
  const { computed } = options;
  if (computed?.what === 'length') return (size - computed.less) / computed.unit;
  if (computed?.what === 'next' && kind !== undefined) return numberFor(computed.space, kind);
  return constant;
}

function numberFor(space: Space, kind: Carried): number | undefined {
  return [...announcements(space)].find(([, name]) => name === kind)?.[0];
}

function writePresets(bytes: Uint8Array, { protocol, offset }: OuterLayer): void {
  for (const { field, place } of fieldsIn(bytes, protocol, offset))
    if (Number(field.preset) > 0 && readNumber(bytes, offset, place) === 0)
      field.write(bytes, offset, place, field.preset);
}

interface PlacedField {
  readonly field: Field;
  readonly place: Place;
}

/** Those that are numbers, and there. */
function fieldsIn(bytes: Uint8Array, protocol: Protocol, offset: number): PlacedField[] {
  const { fields, sections = {} } = protocol.declaration;
  const all = [fields, ...Object.values(sections).map((section) => section.fields)].flatMap(Object.entries);
  return all.flatMap(([name, field]: [string, Field]) => {
    const place = protocol.placeIn(bytes, offset, name);
    return place === undefined || place.size > LARGEST_NUMBER ? [] : [{ field, place }];
  });
}
