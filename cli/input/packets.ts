/** Packets that the user names by files: captures, saved cases, and lists in text. */
import { type Case, type CasesFromCaptureOptions, casesFromCapture } from '../../corpus/cases/case.ts';
import {
  isPacketList,
  listToRead,
  PACKET_FORMATS,
  PACKET_LISTS,
  type PacketFormat,
} from '../../corpus/formats/packet-list/index.ts';
import type { ListedPacket } from '../../corpus/formats/packet-list/listed-packet.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { inputFailure } from '../failure.ts';
import { isThere, readText } from './read-file.ts';

/** For an option that names a format: it throws a `Failure` for a name that is none. */
export const parsePacketFormat =
  (option: string) =>
  (text: string): PacketFormat => {
    const found = PACKET_FORMATS.find((name) => name === text);
    if (found !== undefined) return found;
    throw inputFailure(`${option} must be one of ${PACKET_FORMATS.join(', ')}, not “${text}”`);
  };

/**
 * The cases in a file: a list in text by the ending of its name or by `format`, else a capture, whatever its name.
 * @throws {CaptureError | Failure} naming the file and the place in it that is wrong
 */
export async function* casesFromFile(
  path: string,
  options: CasesFromCaptureOptions,
  format?: PacketFormat,
): AsyncGenerator<Case, void, undefined> {
  const list = format === undefined ? listToRead(path) : isPacketList(format) ? format : undefined;
  if (list === undefined || !isThere(path)) {
    yield* casesFromCapture(path, options);
    return;
  }
  const { program, world = {}, packetsPerCase = 10_000 } = options;
  const packets = readList(path, list);
  for (let at = 0; at < packets.length; at += packetsPerCase) {
    const some = packets.slice(at, at + packetsPerCase);
    const [only] = some;
    const summary = some.length === 1 ? only!.description : undefined;
    yield {
      program,
      world,
      stimuli: some.map(({ packet }) => ({ packet })),
      ...(summary === undefined ? {} : { note: { summary } }),
    };
  }
}

/** @throws {Failure} for a file without packets, too: it is seldom what was meant */
export function readList(path: string, name: keyof typeof PACKET_LISTS): readonly ListedPacket[] {
  const { read, label } = PACKET_LISTS[name];
  const text = readText(path);
  let packets: readonly ListedPacket[];
  try {
    packets = read(text);
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
  if (packets.length > 0) return packets;
  throw inputFailure(
    `${path}: holds no packets as ${label}`,
    'The ending of its name says the format; xdpsim corpus convert --from reads it as another.',
  );
}
