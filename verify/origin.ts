/**
 * Which line of C wrote the wrong bytes last: the case runs once more in the interpreter, which notes every write to the
 * packet.
 */
import type { Case } from '../corpus/cases/case.ts';
import type { PacketWrite, PacketWrites } from '../sim/ebpf/interpreter/packet-writes.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { difference } from '../sim/packet/difference.ts';
import type { ByteRange } from '../sim/packet/hexdump.ts';
import type { Program } from '../sim/runtime/program.ts';
import { anyChecksumOfField } from './differing-field.ts';
import { type ChecksumCover, checksumCover, checksumSite, fragmentData } from './explain/checksum-site.ts';
import type { Finding } from './finding.ts';
import type { SourcePlaceWithText } from './outcome.ts';
import { testify } from './witness.ts';

/** @returns undefined where nothing wrote these bytes, the object has no line information, or the machine does otherwise */
export async function originOf(
  program: Program,
  shown: Case,
  finding: Finding,
): Promise<SourcePlaceWithText | undefined> {
  const { got, part } = finding;
  if (got === undefined || (part !== 'checksum' && part !== 'invariant' && part !== 'packet'))
    return undefined;
  let writes: PacketWrites | undefined;
  const watching = createVmEngine({
    onWrites: (of) => {
      writes = of;
    },
  });
  const upTo = { ...shown, stimuli: shown.stimuli.slice(0, finding.packet + 1) };
  const outcome = await testify(watching, program, upTo, finding.packet);
  if (writes === undefined || outcome === undefined) return undefined;
  // Where the kernel does something else, the machine cannot say who wrote it.
  if (Buffer.compare(outcome.packet, got.packet) !== 0) return undefined;
  const came = shown.stimuli[finding.packet]!.packet;
  const source = writeToBlame(finding, came, got.packet, writes)?.source;
  if (source === undefined || source.line === 0) return undefined;
  return { file: source.file, line: source.line, text: source.text };
}

/** Who wrote which byte of the packet that left. */
export type Writers = Pick<PacketWrites, 'lastIn' | 'resize'>;

/** Which of a run's writes to the packet made what was found; undefined: none. */
export function writeToBlame(
  finding: Pick<Finding, 'field' | 'breach' | 'expected'>,
  came: Uint8Array,
  left: Uint8Array,
  writes: Writers,
): PacketWrite | undefined {
  const { breach, expected } = finding;
  if (breach !== undefined) {
    const { at, size, against } = breach;
    return (
      writes.lastIn(at, at + size) ??
      (against === undefined ? undefined : writes.lastIn(against.at, against.at + against.size)) ??
      writes.resize ??
      (at === 0 ? undefined : lastBefore(at, left, writes))
    );
  }
  const checksum = anyChecksumOfField(finding.field);
  if (checksum !== undefined) {
    const cover = checksumCover(left, checksum.layer, checksum.depth);
    if (cover !== undefined) {
      const offBy = (packet: Uint8Array): number | undefined => {
        const site = checksumSite(packet, checksum.layer, checksum.depth);
        return site === undefined ? undefined : (site.got - site.expected + 0xffff) % 0xffff;
      };
      // What came wrong and was updated in the right way is as wrong as it came.
      const asItCame = offBy(came) ?? 0;
      const isRight = (packet: Uint8Array): boolean => offBy(packet) === asItCame;
      return (
        breakingWrite(cover, came, left, writes, isRight) ?? blamedForChecksum(cover, came, left, writes)
      );
    }
    const data = fragmentData(left, checksum.layer, checksum.depth);
    if (data !== undefined) return blamedForFragment(data, came, left, writes);
  }
  if (expected !== undefined) {
    const range = difference(expected.packet, left)[0]?.rightRange;
    return range === undefined ? undefined : writes.lastIn(range.from, range.to);
  }
  return writes.lastIn(34, left.length);
}

/** A fragment without a checksum: who wrote the first byte of its data that changed, as where the sum stays what it was. */
function blamedForFragment(
  { from, to }: ByteRange,
  came: Uint8Array,
  left: Uint8Array,
  writes: Writers,
): PacketWrite | undefined {
  for (let at = from; at < to; at++) {
    const write = came[at] === left[at] ? undefined : writes.lastIn(at, at + 1);
    if (write !== undefined) return write;
  }
  return writes.lastIn(from, to);
}

/**
 * Bytes that nobody wrote break a rule where what stands before them took another meaning: a protocol, a fragment offset.
 * The IPv4 checksum, written after every change, gives no meaning to anything.
 */
function lastBefore(at: number, left: Uint8Array, writes: Writers): PacketWrite | undefined {
  const check = checksumSite(left, 'ipv4', 0)?.at ?? at;
  const parts = [writes.lastIn(0, Math.min(check, at)), writes.lastIn(check + 2, at)];
  return parts.filter((write) => write !== undefined).sort((a, b) => b.step - a.step)[0];
}

/**
 * Behind the last write to a sum, the one that made it wrong: without what was written from then on it would be right. A translation
 * of two addresses that carries the first into the sum is right up to the second. Where the sum came out as it came, it was carried
 * nowhere, and the write to it is to blame.
 */
function breakingWrite(
  { field, covered, pseudoAt }: ChecksumCover,
  came: Uint8Array,
  left: Uint8Array,
  writes: Writers,
  isRight: (packet: Uint8Array) => boolean,
): PacketWrite | undefined {
  const own = writes.lastIn(field.from, field.to);
  const isSame = (at: number): boolean => came[at] === left[at];
  if (own === undefined || writes.resize !== undefined || came.length !== left.length) return undefined;
  if (isSame(field.from) && isSame(field.to - 1)) return undefined;
  const later = [covered, ...pseudoAt]
    .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index))
    .flatMap((at) => {
      const write = writes.lastIn(at, at + 1);
      return write === undefined || write.step <= own.step ? [] : [{ at, write }];
    })
    .sort((a, b) => b.write.step - a.write.step);
  const before = left.slice();
  for (const [index, { at, write }] of later.entries()) {
    before[at] = came[at]!;
    if (later[index + 1]?.write.step !== write.step && isRight(before)) return write;
  }
  return undefined;
}

/** Who wrote the field; where nobody did, who changed what it covers, or said how far it goes, or that it is one. */
function blamedForChecksum(
  { field, covered, pseudoAt }: ChecksumCover,
  came: Uint8Array,
  left: Uint8Array,
  writes: Writers,
): PacketWrite | undefined {
  const own = writes.lastIn(field.from, field.to);
  if (own !== undefined) return own;
  const last = [covered, ...pseudoAt]
    .map(({ from, to }) => writes.lastIn(from, to))
    .filter((write) => write !== undefined)
    .sort((a, b) => b.step - a.step)[0];
  const { resize } = writes;
  const isLonger = came.length !== left.length && resize !== undefined;
  if (isLonger && (last === undefined || resize.step > last.step)) return resize;
  return last ?? lastBefore(covered.from, left, writes);
}
