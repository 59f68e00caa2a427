/**
 * Filters over packets, in Wireshark's language: `tcp.dport == 80 && ip.ttl < 2`. Names and types come from the
 * declarations of the protocols; docs/filters.md lists them.
 */
import { type Place, readNumber } from '../../sim/packet/declaration/place.ts';
import type { Context } from '../../sim/packet/dissection.ts';
import { protocolByName } from '../../sim/packet/protocols.ts';
import { type HeaderPlace, layersOf } from '../../sim/packet/walk-layers.ts';
import type { HeaderView } from './composed-names.ts';
import type { DeclaredTarget, Target } from './names.ts';
import { type Comparison, type Literal, type Node, type Operand, parseFilter } from './parse.ts';

/** Does a packet match? */
export interface PacketFilter {
  readonly text: string;
  /**
   * @param protocol what the packet begins with; Ethernet by default
   * @param around what every layer is told
   */
  matches(bytes: Uint8Array, offset?: number, end?: number, protocol?: string, around?: Context): boolean;
}

/** One packet, and where its layers lie. */
interface View {
  bytes: Uint8Array;
  offset: number;
  end: number;
  layers: readonly HeaderPlace[];
}

type Test = (view: View) => boolean;
/** Calls `see` with each occurrence until it returns true. */
type Each<V> = (view: View, see: (value: V) => boolean) => boolean;

/** Bytes of the packet that one operand stands for. */
interface Range {
  at: number;
  end: number;
}

/** @throws {FilterError} where the text is no filter: with the column, and what was expected */
export function compileFilter(text: string): PacketFilter {
  const test = compile(parseFilter(text));
  return {
    text,
    matches(bytes, offset = 0, end = bytes.length, protocol = 'ethernet', around) {
      return test({ bytes, offset, end, layers: layersOf(bytes, offset, end, protocol, around) });
    },
  };
}

function compile(node: Node): Test {
  switch (node.node) {
    case 'and': {
      const [left, right] = [compile(node.left), compile(node.right)];
      return (view) => left(view) && right(view);
    }
    case 'or': {
      const [left, right] = [compile(node.left), compile(node.right)];
      return (view) => left(view) || right(view);
    }
    case 'not': {
      const of = compile(node.of);
      return (view) => !of(view);
    }
    case 'protocol': {
      const names = new Set(node.names);
      return ({ layers }) => layers.some(({ name }) => names.has(name));
    }
    case 'operand':
      return presence(node);
    case 'compare':
      return comparison(node.left, node.by, node.right);
    case 'in': {
      const tests = node.set.map((one) =>
        one.is === 'range' ? inRange(node.left, one.from, one.to) : comparison(node.left, '==', one),
      );
      return (view) => tests.some((test) => test(view));
    }
    default: {
      const ranges = rangesOf(node.left);
      return (view) => ranges(view, ({ at, end }) => holds(view.bytes, at, end, node.bytes));
    }
  }
}

/** A field alone: is it there? With a mask: is one of its bits set? */
function presence(operand: Operand): Test {
  if (operand.mask === undefined) {
    const ranges = rangesOf({ ...operand, kind: 'bytes' });
    if (operand.kind !== 'number') return (view) => ranges(view, () => true);
    const there = numbersOf(operand);
    return (view) => there(view, () => true);
  }
  const numbers = numbersOf(operand);
  return (view) => numbers(view, (value) => value !== 0);
}

function inRange(left: Operand, from: number, to: number): Test {
  const numbers = numbersOf(left);
  return (view) => numbers(view, (value) => value >= from && value <= to);
}

/**
 * A comparison holds where it holds for one occurrence of the field; `!=` holds where the field is there and no
 * occurrence is equal, as in Wireshark.
 */
function comparison(left: Operand, by: Comparison, right: Operand | Literal): Test {
  if (by === '!=') {
    const equal = comparison(left, '==', right);
    const there = presence({ ...left, mask: undefined } as unknown as Operand);
    return (view) => there(view) && !equal(view);
  }
  if (left.kind === 'number') {
    const compare = NUMBERS[by];
    const values = numbersOf(left);
    if ('is' in right) {
      const value = right.is === 'number' ? right.value : 0;
      return (view) => values(view, (one) => compare(one, value));
    }
    const others = numbersOf(right);
    return (view) => values(view, (one) => others(view, (other) => compare(one, other)));
  }
  const ranges = rangesOf(left);
  const compare = NUMBERS[by];
  if ('is' in right) {
    const literal = right.is === 'bytes' ? right : { bytes: new Uint8Array(0), bits: 0 };
    return (view) =>
      ranges(view, ({ at, end }) =>
        compare(order(view.bytes, at, end, literal.bytes, 0, literal.bytes.length, literal.bits), 0),
      );
  }
  const others = rangesOf(right);
  return (view) =>
    ranges(view, ({ at, end }) =>
      others(view, (other) => compare(order(view.bytes, at, end, view.bytes, other.at, other.end), 0)),
    );
}

const NUMBERS: Readonly<Record<Exclude<Comparison, '!='>, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** Below 0, 0 or above, as the bytes come before, are the same, or come behind; at most `bits` of them count. */
function order(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
  bits: number = Number.POSITIVE_INFINITY,
): number {
  const size = Math.min(aEnd - aStart, bEnd - bStart);
  for (let index = 0; index < size && index * 8 < bits; index++) {
    const left = bits - index * 8;
    const mask = left >= 8 ? 0xff : (0xff00 >> left) & 0xff;
    const difference = (a[aStart + index]! & mask) - (b[bStart + index]! & mask);
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

function holds(bytes: Uint8Array, at: number, end: number, needle: Uint8Array): boolean {
  for (let start = at; start + needle.length <= end; start++) {
    let index = 0;
    while (index < needle.length && bytes[start + index] === needle[index]) index++;
    if (index === needle.length) return true;
  }
  return false;
}

/** The values of a numeric field in the packet, outermost first. */
function numbersOf({ field, mask }: Operand): Each<number> {
  const masked = (value: number): number => (mask === undefined ? value : (value & mask) >>> 0);
  if (field === 'frame.len') return ({ offset, end }, see) => see(masked(end - offset));
  if (field === 'frame' || 'protocols' in field) return () => false;
  const targets = byProtocol(field.targets);
  return (view, see) => {
    for (const layer of view.layers) {
      for (const target of targets.get(layer.name) ?? []) {
        const value = numberOf(view, layer, target);
        if (value !== undefined && see(masked(value))) return true;
      }
    }
    return false;
  };
}

/** The bytes of a field in the packet, outermost first. */
function rangesOf({ field, slice }: Operand): Each<Range> {
  const range: Range = { at: 0, end: 0 };
  const sliced = (at: number, end: number, see: (range: Range) => boolean): boolean => {
    const { start, length } = slice ?? { start: 0 };
    range.at = (start < 0 ? end : at) + start;
    range.end = length === undefined ? end : range.at + length;
    return range.at >= at && range.at <= range.end && range.end <= end && see(range);
  };
  if (field === 'frame') return ({ offset, end }, see) => sliced(offset, end, see);
  if (field === 'frame.len') return () => false;
  if ('protocols' in field) {
    const names = new Set(field.protocols);
    const isWhole = slice === undefined;
    return ({ layers }, see) =>
      layers.some(
        ({ name, offset, end, headerEnd }) =>
          names.has(name) && sliced(offset, isWhole ? end : headerEnd, see),
      );
  }
  const targets = byProtocol(field.targets);
  return (view, see) => {
    for (const layer of view.layers) {
      for (const target of targets.get(layer.name) ?? []) {
        const found = rangeOf(view, layer, target);
        if (found !== undefined && sliced(...found, see)) return true;
      }
    }
    return false;
  };
}

function byProtocol(targets: readonly Target[]): Map<string, Target[]> {
  const map = new Map<string, Target[]>();
  for (const target of targets) map.set(target.protocol, [...(map.get(target.protocol) ?? []), target]);
  return map;
}

function numberOf(view: View, layer: HeaderPlace, target: Target): number | undefined {
  if ('composed' in target) return target.composed.number?.(headerView(view, layer));
  const place = targetPlace(view, layer, target);
  if (place === undefined) return undefined;
  const value = readNumber(view.bytes, layer.offset, place);
  if (target.bit === undefined) return value;
  return (value & target.bit) === 0 ? 0 : 1;
}

function rangeOf(
  view: View,
  layer: HeaderPlace,
  target: Target,
): readonly [from: number, to: number] | undefined {
  if ('composed' in target) return target.composed.range?.(headerView(view, layer));
  const place = targetPlace(view, layer, target);
  const at = layer.offset + (place?.at ?? 0);
  return place === undefined ? undefined : [at, at + place.size];
}

function targetPlace(view: View, layer: HeaderPlace, { name, only }: DeclaredTarget): Place | undefined {
  if (only !== undefined) {
    const by = placeOf(view, layer, only.by);
    if (by === undefined || !only.types.includes(readNumber(view.bytes, layer.offset, by))) return undefined;
  }
  return placeOf(view, layer, name);
}

function headerView(view: View, layer: HeaderPlace): HeaderView {
  return {
    bytes: view.bytes,
    layer,
    outer: view.layers.slice(0, view.layers.indexOf(layer)),
    place: (field) => placeOf(view, layer, field),
  };
}

/** Where the field lies in this header; undefined where it is not there, or cut off. */
function placeOf({ bytes }: View, { name, offset, end }: HeaderPlace, field: string): Place | undefined {
  const place = protocolByName(name)!.placeIn(bytes, offset, field, end);
  if (place === undefined || offset + place.at + place.size > end) return undefined;
  return place;
}
