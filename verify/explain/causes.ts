/** What is likely to have caused a finding, in half a sentence. */
import type { Case } from '../../corpus/cases/case.ts';
import { difference, type FieldDifference } from '../../sim/packet/difference.ts';
import type { ByteRange } from '../../sim/packet/hexdump.ts';
import type { MapDifference } from '../compare-maps.ts';
import { checksumOfField } from '../differing-field.ts';
import type { Finding } from '../finding.ts';
import type { Sample } from '../outcome.ts';
import type { Cause } from './cause.ts';
import { diagnoseChecksum } from './diagnose.ts';
import type { Numbers } from './map-text.ts';
import { notable } from './notable.ts';

/** Undefined where nothing sensible can be said. */
export function likelyCause(shown: Case, finding: Finding): string | undefined {
  const stimulus = shown.stimuli[finding.packet];
  if (finding.map !== undefined) return mapCause(finding.map, shown.stimuli.length);
  if (stimulus === undefined) return undefined;
  const { got, expected } = finding;
  switch (finding.part) {
    case 'invariant':
      return finding.breach?.sentence;
    case 'status':
      return (got?.note ?? expected?.note)?.message;
    case 'checksum':
    case 'packet':
      return got === undefined ? undefined : packetCause(stimulus.packet, finding);
    case 'trace':
    case 'skb':
    case 'redirect':
    case 'metadata':
      return undefined;
    default: {
      const features = notable(stimulus.packet);
      return features.length === 0 ? undefined : `the packet is special: ${features.join('; ')}`;
    }
  }
}

/** What is behind a wrong checksum, on the packet that a person sees and on those that failed like it; undefined for other findings. */
export function checksumCause(came: Uint8Array, { field, got, others }: Finding): Cause | undefined {
  const checksum = checksumOfField(field);
  if (checksum === undefined || got === undefined) return undefined;
  return diagnoseChecksum(came, got.packet, checksum.layer, checksum.depth, others);
}

function packetCause(came: Uint8Array, finding: Finding): string | undefined {
  const { field, got, expected } = finding;
  if (checksumOfField(field) !== undefined) return checksumCause(came, finding)?.sentence;
  if (expected === undefined) return undefined;
  const cause = sharedCause({ came, left: got!.packet, wanted: expected.packet }, finding.others ?? []);
  const features = notable(came).filter((feature) => !/checksum|TTL|hop limit/.test(feature));
  if (features.length === 0) return cause;
  return `${cause === undefined ? '' : `${cause}; `}the packet is special: ${features.join('; ')}`;
}

/** What is behind the first field that differs. One that fewer than half of the other packets show that differ there is a coincidence. */
function sharedCause(shown: Sample, others: readonly Sample[]): string | undefined {
  const field = difference(shown.wanted!, shown.left)[0]?.path;
  if (field === undefined) return undefined;
  const cause = causeAt(shown, field);
  const elsewhere = others.flatMap((other) => {
    const found = other.wanted === undefined ? null : causeAt(other, field);
    return found === null ? [] : [found];
  });
  const agreeing = elsewhere.filter((one) => one?.id === cause?.id).length;
  return cause === undefined || cause === null || agreeing * 2 < elsewhere.length
    ? undefined
    : cause.sentence;
}

/** Of a packet that does not differ in the field: null. */
function causeAt({ came, left, wanted }: Sample, field: string): FieldCause | undefined | null {
  const found = difference(wanted!, left).find(({ path }) => path === field);
  return found === undefined ? null : fieldCause(came, wanted!, left, found);
}

interface FieldCause {
  readonly id: 'left' | 'changed' | 'byte order';
  readonly sentence: string;
}

function fieldCause(
  came: Uint8Array,
  expected: Uint8Array,
  got: Uint8Array,
  { leftRange, rightRange }: FieldDifference,
): FieldCause | undefined {
  if (leftRange === undefined || rightRange === undefined) return undefined;
  const wanted = slice(expected, leftRange);
  const wrote = slice(got, rightRange);
  const was = slice(came, rightRange);
  if (same(wrote, was)) {
    const from = findSwapped(came, wanted);
    const which =
      from === undefined ? '' : `: addresses not swapped (byte ${from} holds what is expected here)`;
    return { id: 'left', sentence: `the field was left as it came${which}` };
  }
  if (same(wanted, slice(came, leftRange)))
    return { id: 'changed', sentence: 'the field was changed, though it should stay as it came' };
  if (same(wanted, wrote.toReversed()))
    return { id: 'byte order', sentence: 'the field was written in the wrong byte order' };
  return undefined;
}

/** Where in the packet as it came an address of this value lay; undefined for what is too short to be one. */
function findSwapped(came: Uint8Array, wanted: Uint8Array): number | undefined {
  if (wanted.length !== 4 && wanted.length !== 6 && wanted.length !== 16) return undefined;
  for (let at = 0; at + wanted.length <= came.length; at++) {
    if (same(came.subarray(at, at + wanted.length), wanted)) return at;
  }
  return undefined;
}

function slice(bytes: Uint8Array, { from, to }: ByteRange): Uint8Array {
  return bytes.slice(from, to);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * Counters that are too high or too low by a factor, or by so much a packet.
 * @param numbers the fields of both values; default: the values as 64-bit words where their size allows
 */
export function mapCause(
  { expected, got }: MapDifference,
  packets: number,
  numbers?: Numbers,
): string | undefined {
  if (expected === undefined) return 'an entry was made that should not be there';
  if (got === undefined) return 'no entry was made';
  // Another object's values: what differs is said.
  if (expected.length !== got.length) return undefined;
  const wanted = numbers?.expected ?? counters(expected);
  const counted = numbers?.got ?? counters(got);
  const factor = ratio(wanted, counted);
  if (factor !== undefined)
    return `counted ${times(factor)}: every number is ${factor} times what it should be`;
  const inverse = ratio(counted, wanted);
  if (inverse !== undefined) return `counted too seldom: every number should be ${inverse} times as large`;
  const index = wanted.findIndex((value, at) => value !== counted[at]);
  const off = (counted[index] ?? 0n) - (wanted[index] ?? 0n);
  const each = off % BigInt(packets) === 0n ? `, ${off / BigInt(packets)} a packet` : '';
  const hint =
    off === 14n * BigInt(packets) || off === -14n * BigInt(packets) ? ': the Ethernet header?' : '';
  return `number ${index + 1} of ${wanted.length} is off by ${off}${packets > 1 ? each : ''}${hint}`;
}

function times(factor: bigint): string {
  return factor === 2n ? 'twice' : `${factor} times`;
}

/** The value as little-endian numbers: 64 bits where the size allows, else 32, else 8. */
function counters(value: Uint8Array): bigint[] {
  const size = value.length % 8 === 0 ? 8 : value.length % 4 === 0 ? 4 : 1;
  const numbers: bigint[] = [];
  for (let at = 0; at < value.length; at += size) {
    let number = 0n;
    for (let byte = size - 1; byte >= 0; byte--) number = (number << 8n) | BigInt(value[at + byte]!);
    numbers.push(number);
  }
  return numbers;
}

/** The whole number ≥ 2 by which every number of `b` exceeds its counterpart in `a`. */
function ratio(a: readonly bigint[], b: readonly bigint[]): bigint | undefined {
  let factor: bigint | undefined;
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0n;
    if (value === 0n && other === 0n) continue;
    if (value === 0n || other % value !== 0n) return undefined;
    const here = other / value;
    if (here < 2n || (factor !== undefined && factor !== here)) return undefined;
    factor = here;
  }
  return factor;
}
