/** The formats of packets, by name and by the ending of a file's name. */
import { InputError } from '../../../sim/runtime/input-error.ts';
import { BASE64_PAIRS } from './base64-pairs.ts';
import { BPFTOOL } from './bpftool.ts';
import { C_ARRAY } from './c-array.ts';
import { HEX_TEXT } from './hex-text.ts';
import type { PacketListFormat } from './listed-packet.ts';
import { PACKET_JSON } from './packet-json.ts';
import { SCAPY } from './scapy.ts';
import { TEST_CASE } from './test-case.ts';

/** Those that are text. */
export const PACKET_LISTS = {
  hex: HEX_TEXT,
  json: PACKET_JSON,
  c: C_ARRAY,
  scapy: SCAPY,
  bpftool: BPFTOOL,
  test: TEST_CASE,
  base64: BASE64_PAIRS,
} satisfies Readonly<Record<string, PacketListFormat>>;

export type PacketListName = keyof typeof PACKET_LISTS;
export type PacketFormat = PacketListName | 'pcap' | 'pcapng';

export const PACKET_FORMATS: readonly PacketFormat[] = [
  'pcapng',
  'pcap',
  ...(Object.keys(PACKET_LISTS) as PacketListName[]),
];

export function isPacketList(format: PacketFormat): format is PacketListName {
  return Object.hasOwn(PACKET_LISTS, format);
}

/**
 * The format in which a file is to be written: the one that is named, or that of its ending; pcapng for a name without an
 * ending and for `-`.
 * @throws {InputError} for an ending that says nothing
 */
export function formatToWrite(path: string, named?: PacketFormat): PacketFormat {
  if (named !== undefined) return named;
  const ending = endingOf(path);
  if (ending === undefined) return 'pcapng';
  const found = formatOfEnding(ending);
  if (found !== undefined) return found;
  const known = ['.pcapng', '.pcap', ...Object.values(PACKET_LISTS).flatMap(({ endings }) => endings)];
  throw new InputError(`${path}: no format of packets ends in ${ending}; known are ${known.join(', ')}`);
}

/** The text format that a file's name ends in; undefined: a capture, or nothing that is known. */
export function listToRead(path: string): PacketListName | undefined {
  const ending = endingOf(path);
  const found = ending === undefined ? undefined : formatOfEnding(ending);
  return found !== undefined && isPacketList(found) ? found : undefined;
}

function formatOfEnding(ending: string): PacketFormat | undefined {
  if (ending === '.pcap' || ending === '.pcapng') return ending.slice(1) as PacketFormat;
  for (const [name, { endings }] of Object.entries<PacketListFormat>(PACKET_LISTS)) {
    if (endings.includes(ending)) return name as PacketListName;
  }
  return undefined;
}

/** `.pcapng`, in small letters; of `a.pcap.gz` the last one. */
function endingOf(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return /.(\.[A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase();
}
