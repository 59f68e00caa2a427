/**
 * What Linux did with programs that call helpers, recorded: the objects, and a digest of each outcome. The machines
 * are compared with it where there is neither a kernel nor a compiler. For tests only.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { loadObject } from '../../ebpf/object.ts';
import { PacketBatch, type Stimulus } from '../../packet/packet-batch.ts';
import type { Program } from '../../runtime/program.ts';
import { entriesOfObject } from '../object-entries.ts';

export const RECORDINGS: URL = new URL('./recorded/', import.meta.url);
/** Packets of a recording. */
export const RECORDED_PACKETS = 1000;
/** One packet at a time: the kernel has no memory for timers that programs make in quick succession (6.18). */
const SLOWLY = 'timers.bpf.c';
/** Its programs take frames of several buffers. */
const LONG = 'fragments.bpf.c';
/** The longest frame of the others. */
const LINEAR = 3520;

/** Noise with some order in it: lengths that matter, IP headers often, entries in turn. */
export function helperStimuli(entries: number, packets: number): Stimulus[] {
  let state = 20_251_120;
  const below = (limit: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  return Array.from({ length: packets }, () => {
    const length = [60, 64, 74, 98, 100 + below(200), 1514][below(6)]!;
    const packet = Uint8Array.from({ length }, () => below(256));
    const type = [0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8100, 0x88a8, below(0x1_0000)][below(8)]!;
    packet[12] = type >> 8;
    packet[13] = type;
    if (type === 0x0800) packet[14] = 0x45;
    if (type === 0x86dd) packet[14] = 0x60;
    // A tagged frame carries IP, or another tag.
    if (type === 0x8100 || type === 0x88a8)
      packet.set(
        [
          [0x08, 0],
          [0x86, 0xdd],
          [0x81, 0],
        ][below(3)]!,
        16,
      );
    return { packet, entry: below(entries) };
  });
}

/**
 * Frames of a test run in several buffers (net/bpf/test_run.c): lengths about every border of linear part, fragments and
 * frame, and anything between; the longest seldom, since every byte of them is compared. Some come with metadata.
 * @param longest by entry
 */
export function longStimuli(longest: readonly number[], packets: number): Stimulus[] {
  const page = 4096;
  let state = 20_261_126;
  const below = (limit: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  const around = (border: number): number => border + below(5) - 2;
  return Array.from({ length: packets }, (_, index) => {
    const entry = below(longest.length);
    const most = longest[entry]!;
    const length = [
      14 + below(80),
      1514,
      around(LINEAR),
      around(LINEAR + page),
      around(LINEAR + 2 * page),
      9018,
      14 + below(12_000),
      below(4) === 0 ? around(LINEAR + below(16) * page) : 4000,
      below(6) === 0 ? most - below(3) : 7700,
    ][below(9)]!;
    const packet = new Uint8Array(Math.min(length, most));
    for (let at = 0; at < packet.length; at++)
      packet[at] = at < 32 ? below(256) : at * 7 + (at >>> 8) + index;
    const metadata =
      below(4) === 0 ? { metadata: Uint8Array.from({ length: 4 * (1 + below(6)) }, () => below(256)) } : {};
    return { packet, ...metadata, entry };
  });
}

function batchOf(packets: readonly Stimulus[]): PacketBatch {
  const batch = new PacketBatch(packets.length);
  for (const packet of packets) batch.push(packet);
  return batch;
}

/** The packets of a program of `kernel-tests/helpers/`, or of that of long frames. */
export function helperPackets({ name, entries }: Program, packets: number): PacketBatch[] {
  const stimuli =
    name === LONG
      ? longStimuli(
          entries.map(({ frags }) => (frags === true ? 0x1_0000 : LINEAR)),
          packets / 5,
        )
      : helperStimuli(entries.length, packets);
  return name === SLOWLY ? stimuli.map((one) => batchOf([one])) : [batchOf(stimuli)];
}

export interface Recorded {
  readonly program: Program;
  /** As `uname -r` gives it, without what follows the two numbers. */
  readonly kernel: string;
  /** Of each line of `outcomesOf`. */
  readonly digests: readonly string[];
}

/** Eight hexadecimal digits. */
export const digestOf = (line: string): string => createHash('sha1').update(line).digest('hex').slice(0, 8);

export function recordedPrograms(): Recorded[] {
  const names = readdirSync(RECORDINGS).filter((name) => name.endsWith('.o'));
  return names.map((file) => {
    const object = new Uint8Array(readFileSync(new URL(file, RECORDINGS)));
    const name = file.replace(/\.o$/, '.bpf.c');
    const text = readFileSync(new URL(file.replace(/\.o$/, '.txt'), RECORDINGS), 'utf8');
    const [kernel = '', digests = ''] = text.trim().split('\n');
    return {
      program: { name, object, objectPath: file, entries: entriesOfObject(loadObject(object)) },
      kernel,
      digests: digests.match(/.{8}/g) ?? [],
    };
  });
}
