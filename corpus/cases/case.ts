/**
 * Cases: a world and the packets that a program meets in it, one after the other; and their files, which
 * Wireshark opens (README.md beside this file describes the form).
 */

import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import type { Example } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { writeAtomically } from '../files/atomic-file.ts';
import type { CaptureBatch, CaptureSection } from '../formats/capture-batch.ts';
import { CaptureError } from '../formats/capture-error.ts';
import { captureName, readCapture } from '../formats/capture-file.ts';
import { ethernetFrame } from '../formats/ethernet-frame.ts';
import { LINKTYPE } from '../formats/link-type.ts';
import { PcapngEncoder } from '../formats/pcapng-encoder.ts';
import { type CaseHeader, type CaseNote, headerFromComments, headerToComments } from './case-header.ts';
import { stimulusComments, stimulusFromComments } from './stimulus-comment.ts';

export type { CaseNote } from './case-header.ts';

export interface Case {
  /** The program's name, or `OBJECT:FUNCTION` for one that is not built in. */
  readonly program: string;
  readonly world: World;
  readonly stimuli: readonly Stimulus[];
  readonly note?: CaseNote;
  /** Of a plain capture's packets, where it was asked for: what the file says of each beside its bytes. */
  readonly captured?: readonly Captured[];
}

/** What a capture says of a packet beside its bytes. */
export interface Captured {
  /** Nanoseconds since 1970. */
  readonly nanoseconds: bigint;
  /** Bytes at its end that were not captured. */
  readonly missing: number;
}

/** A case and the file it was read from. */
export interface SavedCase {
  readonly path: string;
  readonly case: Case;
  /** Where the case is a program's example, which has one packet: what must come of that. */
  readonly example?: Example;
}

/** What one case holds at the most: files beyond are refused instead of filling the memory. */
export const MAX_CASE_PACKETS = 1_000_000;
export const MAX_CASE_BYTES: number = 256 * 1024 * 1024;

/**
 * The bytes of a case's file: one section, one Ethernet interface, one packet for each stimulus.
 * @throws {RangeError} when a packet is longer than 262 144 bytes, or the world takes more than 15 MiB as JSON
 */
export function encodeCase(value: Case): Uint8Array {
  const encoder = new PcapngEncoder();
  encoder.section({ application: 'xdpsim', comments: headerToComments(value) });
  encoder.interface({ linkType: LINKTYPE.ETHERNET, ticksPerSecond: 1_000_000n });
  value.stimuli.forEach((stimulus, index) => {
    const { packet } = stimulus;
    // A microsecond apart: Wireshark's sorting by time then keeps the sequence.
    encoder.packet(packet, 0, packet.length, 0, index, packet.length, 0, stimulusComments(stimulus));
  });
  return encoder.take();
}

/**
 * Saves a case. The file appears, or changes, in one step: whatever ends the process, no half of it is left under
 * its name.
 * @throws {RangeError} as `encodeCase`
 * @throws {NodeJS.ErrnoException} when the file cannot be written
 */
export async function saveCase(path: string, value: Case): Promise<void> {
  await writeAtomically(path, [encodeCase(value)]);
}

/**
 * Loads the one case of a file.
 * @throws {CaptureError} when the file is no case file, is damaged, or holds more than one case
 * @throws {NodeJS.ErrnoException} when it cannot be read
 */
export async function loadCase(path: string): Promise<Case> {
  let only: Case | undefined;
  for await (const value of readCases(path, undefined, MAX_CASE_PACKETS)) {
    if (only !== undefined) throw new CaptureError(0, 'one case', 'a second one', path);
    only = value;
  }
  if (only === undefined) throw new CaptureError(0, 'a case', 'none', path);
  return only;
}

/** How a capture is cut into cases. */
export interface CasesFromCaptureOptions {
  /** The program that the packets of a plain capture are for. */
  readonly program: string;
  /** Longest case made of a plain capture; default 10 000 packets. */
  readonly packetsPerCase?: number;
  /** The world of a plain capture's packets; default: one that states nothing. */
  readonly world?: World;
  /** Shall cases of a plain capture say when their packets were captured? */
  readonly withCaptured?: boolean;
}

/**
 * The cases in any capture, in constant memory: a case file gives its own, a plain capture its packets in the given
 * world, cut into cases of `packetsPerCase`. Packets with link type RAW, IPV4 or IPV6 get an Ethernet
 * header with addresses of zero; a frame check sequence that the capture declares is taken off.
 * @param path a file, or `-` for standard input
 * @throws {CaptureError} when the file is damaged, or a packet's link type has no place for an Ethernet header
 * @throws {RangeError} when `packetsPerCase` is below 1
 */
export function casesFromCapture(
  path: string,
  options: CasesFromCaptureOptions,
): AsyncGenerator<Case, void, undefined> {
  const packetsPerCase = options.packetsPerCase ?? 10_000;
  if (!(packetsPerCase >= 1)) throw new RangeError(`a case of ${packetsPerCase} packets at the most`);
  const plain = { program: options.program, world: options.world ?? {} };
  return readCases(path, plain, Math.min(packetsPerCase, MAX_CASE_PACKETS), options.withCaptured);
}

async function* readCases(
  path: string,
  plain: CaseHeader | undefined,
  packetsPerCase: number,
  withCaptured: boolean = false,
): AsyncGenerator<Case, void, undefined> {
  let section: CaptureSection | undefined;
  let header: CaseHeader = { program: '', world: {} };
  let saved = false;
  let stimuli: Stimulus[] = [];
  let captured: Captured[] = [];
  let size = 0;
  const taken = (): Case => ({ ...header, stimuli, ...(withCaptured && !saved ? { captured } : {}) });
  const clear = (): void => {
    stimuli = [];
    captured = [];
    size = 0;
  };
  /** Does the section still owe a case? An empty plain capture gives none, an empty saved case does. */
  let open = false;
  try {
    for await (const batch of readCapture(path)) {
      if (batch.section !== section) {
        if (open) yield taken();
        section = batch.section;
        const own = caseHeader(section);
        saved = own !== undefined;
        header = own ?? plain ?? notPlain(section);
        clear();
        open = saved;
      }
      for (let index = 0; index < batch.count; index++) {
        const stimulus = stimulusAt(batch, index, saved);
        const isFull =
          stimuli.length >= (saved ? MAX_CASE_PACKETS : packetsPerCase) ||
          size + stimulus.packet.length > MAX_CASE_BYTES;
        if (isFull) {
          if (saved) throw tooLarge(batch, index);
          yield taken();
          clear();
        }
        size += stimulus.packet.length;
        stimuli.push(stimulus);
        if (withCaptured)
          captured.push({ nanoseconds: batch.nanoseconds(index), missing: batch.missing(index) });
        open = true;
      }
    }
  } catch (error) {
    throw error instanceof CaptureError && error.file === undefined ? error.inFile(captureName(path)) : error;
  }
  if (open) yield taken();
}

function stimulusAt(batch: CaptureBatch, index: number, saved: boolean): Stimulus {
  const packet = ethernetFrame(batch, index);
  if (!saved) return { packet };
  const comments = batch.comments(index);
  return asCaptureError(batch.base + batch.offset[index]!, 'the comment of a packet', () =>
    stimulusFromComments(packet, comments),
  );
}

function tooLarge(batch: CaptureBatch, index: number): CaptureError {
  return new CaptureError(
    batch.base + batch.offset[index]!,
    `a case of at most ${MAX_CASE_PACKETS} packets and ${MAX_CASE_BYTES} bytes`,
    'one more packet',
  );
}

function caseHeader(section: CaptureSection): CaseHeader | undefined {
  return asCaptureError(section.offset, 'the header of a case', () => headerFromComments(section.comments));
}

function notPlain(section: CaptureSection): never {
  throw new CaptureError(
    section.offset,
    'a section comment with program, world and note',
    'a capture without one',
  );
}

function asCaptureError<Result>(offset: number, expected: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) {
      const { message } = error;
      throw new CaptureError(offset, expected, message, undefined, `${expected}: ${message}`);
    }
    throw error;
  }
}
