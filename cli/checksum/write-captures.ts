/** `--fix` and `--write-bad`: a second pass over the capture that writes it with right checksums, or only what is wrong. */
import { requireWritable, writeAtomically } from '../../corpus/files/atomic-file.ts';
import type { CaptureBatch, CaptureFormat } from '../../corpus/formats/capture-batch.ts';
import { editCapture, type PacketEdit } from '../../corpus/formats/capture-edit.ts';
import { captureBytes, type ReadProgress, STANDARD_STREAM } from '../../corpus/formats/capture-source.ts';
import { isReadable } from '../../corpus/formats/link-layer.ts';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import type { Datagram } from '../../verify/captures/datagrams.ts';
import type { PacketSet } from '../../verify/captures/packet-set.ts';
import { type BytePatch, PacketRepair } from '../../verify/captures/repair.ts';
import { inputFailure } from '../failure.ts';

/** What has to be changed in fragments, which no packet shows by itself: gathered while the capture is checked. */
export class FragmentRepairs {
  /** Which checksums are changed; undefined: all that are wrong. */
  readonly layers: ReadonlySet<string> | undefined;
  readonly #repair: PacketRepair;
  readonly #patches: Map<number, BytePatch[]> = new Map();

  constructor(layers?: ReadonlySet<string>) {
    this.layers = layers;
    this.#repair = new PacketRepair(layers);
  }

  note(datagram: Datagram<unknown>): void {
    const linkType = datagram.bytes[0]! >> 4 === 4 ? LINKTYPE.IPV4 : LINKTYPE.IPV6;
    for (const [packet, patches] of this.#repair.datagram(datagram, linkType))
      this.#patches.set(packet, patches);
  }

  of(packet: number): readonly BytePatch[] {
    return this.#patches.get(packet) ?? [];
  }
}

/** The second pass while it goes on. */
export interface WritePass {
  /** How far reading has come. */
  readonly progress: ReadProgress;
  /** Ends it: what was written so far is removed. */
  readonly signal: AbortSignal;
}

/**
 * Writes the capture with right checksums in the packets that were found faulty or unfinished.
 * @param faulty these packets; undefined: whichever are
 * @returns how many packets were changed
 * @throws the signal's reason, where it is aborted
 */
export async function writeFixed(
  input: string,
  output: string,
  fragments: FragmentRepairs,
  faulty?: Pick<PacketSet, 'has'>,
  pass?: WritePass,
): Promise<number> {
  const repair = new PacketRepair(fragments.layers);
  let changed = 0;
  const edit = (batch: CaptureBatch, index: number, packet: number): PacketEdit => {
    const of = fragments.of(packet);
    if (of.length === 0 && faulty?.has(packet) === false) return undefined;
    const { linkType } = batch.section.interfaces[batch.interface[index]!]!;
    const patches = isReadable(linkType) ? [...own(batch, index, linkType), ...of] : of;
    if (patches.length === 0) return undefined;
    changed++;
    return patches;
  };
  const own = (batch: CaptureBatch, index: number, linkType: number): BytePatch[] => {
    const start = batch.offset[index]!;
    const size = batch.frameLength(index);
    const packet = batch.bytes.subarray(start, start + size);
    return repair.packet(packet, linkType, batch.bytes.subarray(start + size, start + batch.length[index]!));
  };
  await write(input, output, edit, true, pass);
  return changed;
}

/** Writes the faulty packets only. */
export async function writeFaulty(
  input: string,
  output: string,
  faulty: PacketSet,
  pass?: WritePass,
): Promise<void> {
  const edit = (_batch: CaptureBatch, _index: number, packet: number): PacketEdit =>
    faulty.has(packet) ? undefined : 'drop';
  await write(input, output, edit, false, pass);
}

async function write(
  input: string,
  output: string,
  edit: (batch: CaptureBatch, index: number, packet: number) => PacketEdit,
  keepUnreadable: boolean,
  pass?: WritePass,
): Promise<void> {
  const onFormat = (format: CaptureFormat): void => {
    if (format === 'pcapng' && output.endsWith('.pcap')) {
      throw inputFailure(
        `${output}: ${input} is pcapng, which is kept as it is`,
        'Give the output a name that ends in .pcapng.',
      );
    }
  };
  const asPcapng = output.endsWith('.pcapng');
  const pieces = editCapture(captureBytes(input, pass?.progress, undefined, pass?.signal), edit, {
    asPcapng,
    keepUnreadable,
    onFormat,
  });
  await writeAtomically(output, pass === undefined ? pieces : untilAborted(pieces, pass.signal));
}

async function* untilAborted(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) {
    signal.throwIfAborted();
    yield piece;
  }
}

/** Refuses, before anything is read, inputs that cannot be read twice and outputs that cannot be written. */
export async function requireTwoPasses(
  files: readonly string[],
  option: string,
  output: string,
): Promise<void> {
  if (files.length > 1) throw inputFailure(`${option} takes exactly one capture`);
  if (files[0] === STANDARD_STREAM) {
    throw inputFailure(
      `${option} reads the capture twice, which standard input does not allow`,
      'Save it to a file first.',
    );
  }
  if (output === STANDARD_STREAM) throw inputFailure(`${option} writes to a file, not to standard output`);
  await requireWritable(output);
}
