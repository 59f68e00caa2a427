/** Captures: pcap, pcapng, snoop, packed ones, every link type, saved cases. */
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { checkFile } from '../../../cli/checksum/check-file.ts';
import { FragmentRepairs, writeFaulty, writeFixed } from '../../../cli/checksum/write-captures.ts';
import { EXIT, Failure } from '../../../cli/failure.ts';
import { builtInPrograms } from '../../../cli/input/program-source.ts';
import { createTerminal } from '../../../cli/terminal.ts';
import { type Case, casesFromCapture, encodeCase } from '../../../corpus/cases/case.ts';
import { headerToComments } from '../../../corpus/cases/case-header.ts';
import { stimulusComments } from '../../../corpus/cases/stimulus-comment.ts';
import { LINKTYPE } from '../../../corpus/formats/link-type.ts';
import { PcapngEncoder } from '../../../corpus/formats/pcapng-encoder.ts';
import type { Random } from '../../../corpus/generate/random.ts';
import { bytesOf as fromHex } from '../../../corpus/test-support/captures.ts';
import { LINK_FRAMES } from '../../../corpus/test-support/link-frames.ts';
import { OutcomeBatch } from '../../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../../sim/engines/vm.ts';
import { PacketBatch, type Stimulus } from '../../../sim/packet/packet-batch.ts';
import { programs } from '../../../sim/programs/index.ts';
import { parseJsonc } from '../../../sim/runtime/jsonc.ts';
import { worldToJson } from '../../../sim/runtime/world-json.ts';
import { damageBytes, damageText } from '../damage/bytes.ts';
import { damagePcap, damagePcapng, damageSnoop } from '../damage/capture.ts';
import { type Damage, joined, oneOf } from '../damage/damage.ts';
import { damageJson } from '../damage/json.ts';
import { asFile, bytesOf, filesIn, type InputKind, textOf } from './input-kind.ts';

const builtIn = builtInPrograms();
const captures = filesIn('corpus/captures', /\.pcapng$/);
const UDP_PACKET = fromHex(`
  4500 0024 0000 4000 40 11 667a 0a0b0102 0a0b0101
  d431 0007 0010 0000 7061636b65747321`);
const PACKETS = programs.flatMap(({ examples }) =>
  examples.slice(0, 2).map(({ stimulus }) => stimulus.packet),
);

/** `zstd -19` and `zstd --fast --no-check` of a capture: with literals, sequences and repeated offsets. */
const ZSTD: readonly string[] = [
  'KLUv/WTsAIUDAAIFEx6gqzH/vx6XAFeV6b/f7Z0JhvuRunNGltC+v/8nZQr7r/5Kbdk1JyyaXEdZUqS9cYEooq4Sg1fJ5j/5ZwFylkMG+r/M+uM48H5gKAYNIBAtULIDiwADDKoThWKAfYK0xEuPXoJPMANuvnYhKBd806HQ',
  'KLUv/WDsAL0DAMQE1MOyoQIABAD//wAAAQA+AgAAAAABBhEiM0RVCABFAAAwAAAAAEARZnoKCwECCgsBAdQxJw8AHAAAcGFja2V0cyBhbmQgbW9yZQEAAhAAwMGjIMEAgpflHuDiIMHHOHgUB5wMYykIehQHpvCAvTzYOQYgfEEc',
];

/** Packets, comments, and the saved case in them, the way every command reads them. */
async function readCases(bytes: Uint8Array, scratch: string): Promise<void> {
  const path = asFile(bytes, scratch, '.capture');
  for await (const one of casesFromCapture(path, { program: 'any' })) worldToJson(one.world);
}

/** What `checksum --fix --write-bad` does. */
async function checkAndRepair(bytes: Uint8Array, scratch: string): Promise<void> {
  const path = asFile(bytes, scratch, '.capture');
  const fragments = new FragmentRepairs();
  const report = await checkFile(
    path,
    { maxFaults: 20, keepFaulty: true, onFaultyDatagram: (datagram) => fragments.note(datagram) },
    createTerminal({ color: false }),
    new AbortController().signal,
  );
  const output = join(scratch, `${process.pid}.repaired`);
  await writeFixed(path, output, fragments);
  await writeFaulty(path, output, report.checker.faulty);
  const again = await checkFile(output, {}, createTerminal({ color: false }), new AbortController().signal);
  if (report.error === undefined && again.error !== undefined)
    throw new Error(`what was written cannot be read: ${again.error.message}`);
  if (report.error !== undefined) throw report.error;
}

/** Runs a saved case on its program. */
async function runCase({ program: name, world, stimuli }: Case): Promise<void> {
  const program = builtIn.find((one) => one.name === name);
  if (program === undefined) throw new Failure(EXIT.input, `no program ${name}`);
  const session = await createVmEngine().open(program, world);
  const input = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) input.push(stimulus);
  await session.run(input, new OutcomeBatch(stimuli.length));
  await session.close();
}

async function readAndRun(bytes: Uint8Array, scratch: string): Promise<void> {
  for await (const one of casesFromCapture(asFile(bytes, scratch, '.capture'), { program: 'any' }))
    await runCase(one);
}

/** A head as it stands in a section's comment, and in `packets` what stands in those of packets. */
interface Sequence {
  readonly head: unknown;
  readonly packets: readonly { readonly comment?: unknown }[];
}

/** A saved case whose comments are damaged, and nothing else of it. */
async function runSequence(json: Uint8Array, scratch: string): Promise<void> {
  const sequence = parseJsonc(textOf(json)) as Partial<Sequence> | null;
  const encoder = new PcapngEncoder();
  encoder.section({ application: 'xdpsim', comments: [commentOf(sequence?.head)] });
  encoder.interface({ linkType: LINKTYPE.ETHERNET, ticksPerSecond: 1_000_000n });
  const comments = Array.isArray(sequence?.packets) ? sequence.packets : [];
  comments.slice(0, 100).forEach((one, index) => {
    const packet = PACKETS[index % PACKETS.length]!;
    encoder.packet(packet, 0, packet.length, 0, index, packet.length, 0, [commentOf(one?.comment)]);
  });
  await readAndRun(encoder.take().slice(), scratch);
}

function commentOf(value: unknown): string {
  // No comment is longer.
  return (typeof value === 'string' ? value : (JSON.stringify(value, decimal) ?? '')).slice(0, 60_000);
}

/** JSON with comments has larger integers than JSON. */
function decimal(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

/** A head alone. */
async function readHead(head: Uint8Array, scratch: string): Promise<void> {
  const encoder = new PcapngEncoder();
  encoder.section({ application: 'xdpsim', comments: [textOf(head).slice(0, 60_000)] });
  await readCases(encoder.take().slice(), scratch);
}

const cases: readonly Case[] = programs.map(({ name, worlds, examples }) => ({
  program: name,
  world: worlds[0]?.world ?? {},
  stimuli: examples.slice(0, 3).map(({ stimulus }) => stimulus),
}));

const FULL: Omit<Stimulus, 'packet'> = {
  metadata: Uint8Array.of(0, 0, 0, 1),
  ingressIfindex: 3,
  rxQueueIndex: 1,
};
const MARKED: Omit<Stimulus, 'packet'> = { entry: 1, skb: { mark: 7, priority: 1, cb: [1, 2, 3, 4, 5] } };

/** Sequences of packets with everything that a packet can say besides its bytes. */
const sequences = cases.map((one): Uint8Array => {
  const [head] = headerToComments({ ...one, note: { seed: 's', engines: ['model', 'vm'], field: 'action' } });
  const packets = [FULL, MARKED, {}, FULL].map((fields) => {
    const [comment] = stimulusComments({ packet: new Uint8Array(0), ...fields }) ?? [];
    return comment === undefined ? {} : { comment: JSON.parse(comment) };
  });
  return bytesOf(JSON.stringify({ head: JSON.parse(head!), packets }));
});

/** A classic pcap, little-endian. */
function pcapOf(packets: readonly Uint8Array[], linkType: number = LINKTYPE.ETHERNET): Uint8Array {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(linkType, 20);
  const records = packets.map((packet) => {
    const record = Buffer.alloc(16 + packet.length);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    record.set(packet, 16);
    return record;
  });
  return joined([header, ...records]);
}

/** RFC 1761. */
function snoopOf(packets: readonly Uint8Array[], linkType: number): Uint8Array {
  const header = Buffer.alloc(16);
  header.write('snoop\0\0\0', 'latin1');
  header.writeUInt32BE(2, 8);
  header.writeUInt32BE(linkType, 12);
  const records = packets.map((packet) => {
    const padded = (packet.length + 3) & ~3;
    const record = Buffer.alloc(24 + padded);
    record.writeUInt32BE(packet.length, 0);
    record.writeUInt32BE(packet.length, 4);
    record.writeUInt32BE(24 + padded, 8);
    record.set(packet, 24);
    return record;
  });
  return joined([header, ...records]);
}

const pcaps = [pcapOf(PACKETS.slice(0, 8)), pcapOf(PACKETS.slice(8, 24))];
const linkTypes = LINK_FRAMES.map(([, linkType, header]) => {
  const front = fromHex(header);
  const frame = (payload: Uint8Array): Uint8Array => joined([front, payload]);
  return pcapOf([frame(UDP_PACKET), frame(PACKETS[0]!.subarray(14)), frame(PACKETS[0]!)], linkType);
});
/** Ethernet, 802.5, FDDI, and numbers that have no reader. */
const snoops = [4, 4, 4, 4, 2, 8, 99].map((linkType) => snoopOf(PACKETS.slice(0, 6), linkType));

/** What is inside is damaged before it is packed, or the packed bytes are. */
function packed(pack: (random: Random, bytes: Uint8Array) => Uint8Array): Damage {
  return (random, input, other) => {
    const inside = random.below(2) === 0;
    const bytes = pack(random, inside ? damagePcap(random, input, other) : input);
    return inside ? bytes : damageBytes(random, bytes, pack(random, other));
  };
}

/** RFC 1952: with a name, a comment and more in front, or in several members. */
function gzipped(random: Random, bytes: Uint8Array): Uint8Array {
  const level = random.below(10);
  if (random.below(3) === 0) {
    const half = random.below(bytes.length + 1);
    return joined([bytes.subarray(0, half), bytes.subarray(half)].map((one) => gzipSync(one, { level })));
  }
  const plain = new Uint8Array(gzipSync(bytes, { level }));
  if (random.below(2) === 0) return plain;
  const head = plain.slice(0, 10);
  head[3] = 0x04 | 0x08 | 0x10;
  return joined([head, Buffer.from('\u0004\u0000abcdname\0comment\0', 'latin1'), plain.subarray(10)]);
}

/** RFC 8878: blocks that are stored, and blocks of one byte, in frames with and without a size. */
function zstandard(random: Random, bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, random.below(64))];
  for (let at = 0; at < bytes.length; ) {
    const size = Math.min(bytes.length - at, 1 + random.below(400));
    const isLast = at + size === bytes.length;
    pieces.push(blockHeader(size, 0, isLast), bytes.subarray(at, at + size));
    at += size;
  }
  const frame = joined(pieces);
  if (random.below(4) > 0) return frame;
  const skipped = Uint8Array.of(0x50 + random.below(16), 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const one = joined([
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x58),
    blockHeader(9, 1, true),
    Uint8Array.of(0),
  ]);
  return joined([skipped, frame, one]);
}

function blockHeader(size: number, type: number, isLast: boolean): Uint8Array {
  const word = (size << 3) | (type << 1) | (isLast ? 1 : 0);
  return Uint8Array.of(word & 0xff, (word >> 8) & 0xff, word >> 16);
}

export const CAPTURE_KINDS: readonly InputKind[] = [
  { name: 'pcap', share: 60, seeds: pcaps, damage: oneOf(damageBytes, damagePcap), read: readCases },
  {
    name: 'pcapng',
    share: 60,
    seeds: [...captures, ...cases.map(encodeCase)],
    damage: oneOf(damageBytes, damagePcapng),
    read: readCases,
  },
  { name: 'gzip', share: 12, seeds: pcaps, damage: packed(gzipped), read: readCases },
  { name: 'zstd', share: 12, seeds: pcaps, damage: packed(zstandard), read: readCases },
  {
    name: 'zstd sequences',
    share: 12,
    seeds: ZSTD.map((base64) => new Uint8Array(Buffer.from(base64, 'base64'))),
    damage: damageBytes,
    read: readCases,
  },
  { name: 'snoop', share: 12, seeds: snoops, damage: oneOf(damageBytes, damageSnoop), read: readCases },
  {
    name: 'link types',
    share: 4,
    seeds: linkTypes,
    damage: oneOf(damageBytes, damagePcap, damagePcap),
    read: checkAndRepair,
  },
  {
    name: 'checksums',
    share: 1,
    seeds: [...captures, ...pcaps, ...snoops],
    damage: damageBytes,
    read: checkAndRepair,
  },
  {
    name: 'saved cases',
    share: 6,
    seeds: cases.map(encodeCase),
    damage: oneOf(damageBytes, damagePcapng),
    read: readAndRun,
  },
  { name: 'sequences', share: 10, seeds: sequences, damage: damageJson, read: runSequence },
  {
    name: 'worlds of cases',
    share: 30,
    seeds: programs.flatMap(({ name, worlds }) =>
      worlds.map(({ world }) => bytesOf(headerToComments({ program: name, world }).join(''))),
    ),
    damage: oneOf(damageText, damageJson),
    read: readHead,
  },
];
