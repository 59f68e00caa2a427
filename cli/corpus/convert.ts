/** `xdpsim corpus convert`: packets from one format to another. */

import type { Captured } from '../../corpus/cases/case.ts';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { writeCapture } from '../../corpus/formats/capture-writer.ts';
import {
  formatToWrite,
  isPacketList,
  PACKET_LISTS,
  type PacketFormat,
} from '../../corpus/formats/packet-list/index.ts';
import type { ListedPacket } from '../../corpus/formats/packet-list/listed-packet.ts';
import { OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { decodeTree } from '../../sim/packet/tree.ts';
import { actionName } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { casesFromFile } from '../input/packets.ts';
import type { PlacedProgram } from '../input/world-options.ts';
import { printText, reportLine } from '../output.ts';
import { count } from '../terminal.ts';

export interface ConvertOptions {
  readonly out: string;
  /** Of the result. */
  readonly format?: PacketFormat;
  /** Of the files that are read. */
  readonly from?: PacketFormat;
}

/** A description belongs to one packet. */
const ONE_BY_ONE = { program: '', packetsPerCase: 1, withCaptured: true } as const;

/** Packets that are held in memory, for lists, which are written as a whole. */
const MAX_LISTED = 100_000;

interface Read {
  readonly stimulus: Stimulus;
  readonly world: World;
  readonly description: string;
  readonly captured: Captured | undefined;
}

/** Packets with the times and lengths of the captures that they come from. */
class ConvertedBatch extends PacketBatch {
  readonly #read: readonly Read[];
  readonly #times: readonly bigint[];

  constructor(read: readonly Read[]) {
    super(Math.max(1, read.length));
    for (const { stimulus } of read) this.push(stimulus);
    this.#read = read;
    this.#times = timesOf(read);
  }

  nanoseconds(index: number): bigint {
    return this.#times[index]!;
  }

  original(index: number): number {
    return this.length[index]! + (this.#read[index]!.captured?.missing ?? 0);
  }
}

const MICROSECOND = 1000n;

/** What has no time comes a microsecond behind the packet before it: sorting by time then keeps the order. */
function timesOf(read: readonly Read[]): bigint[] {
  const times: bigint[] = [];
  let next = 0n;
  for (const { captured } of read) {
    const time = captured?.nanoseconds ?? next;
    times.push(time);
    next = time + MICROSECOND;
  }
  return times;
}

/**
 * @param placed runs each packet, from the start of its world, so that the result can say what is expected
 * @throws {Failure | CaptureError | InputError} for what cannot be read, and for an ending that names no format
 */
export async function convert(
  files: readonly string[],
  options: ConvertOptions,
  placed: PlacedProgram | undefined,
): Promise<void> {
  const format = formatToWrite(options.out, options.format);
  const read: Read[] = [];
  for (const file of files) {
    for await (const { stimuli, world, note, captured } of casesFromFile(file, ONE_BY_ONE, options.from)) {
      for (const [index, stimulus] of stimuli.entries()) {
        const description = note?.summary ?? summaryOf(stimulus.packet);
        read.push({ stimulus, world, description, captured: captured?.[index] });
      }
    }
  }
  if (isPacketList(format)) {
    if (read.length > MAX_LISTED) {
      reportLine(`xdpsim: ${count(read.length)} packets make a long text; a capture holds them better`);
    }
    const listed = await listedOf(read, placed);
    const context = { program: placed?.program.commandLine?.join(' ') ?? placed?.program.name ?? 'PROGRAM' };
    const text = PACKET_LISTS[format].write(listed, context);
    if (options.out === '-') printText(text);
    else await writeAtomically(options.out, [new TextEncoder().encode(text)]);
  } else {
    await writeCapture(options.out, [new ConvertedBatch(read)], { format });
  }
  reportLine(
    `${options.out === '-' ? 'standard output' : options.out}: ${count(read.length)} ${read.length === 1 ? 'packet' : 'packets'}`,
  );
}

/** "ethernet … | ipv4 … | udp …", as `corpus show` has it. */
function summaryOf(packet: Uint8Array): string {
  return decodeTree(packet, 0, packet.length)
    .map((layer) => `${layer.name} ${layer.text}`.trim())
    .join(' | ');
}

async function listedOf(read: readonly Read[], placed: PlacedProgram | undefined): Promise<ListedPacket[]> {
  const listed: ListedPacket[] = [];
  for (const { stimulus, world, description } of read) {
    const { packet } = stimulus;
    const expected = placed === undefined ? undefined : await expectedOf(placed, world, stimulus);
    listed.push({ packet, description, ...(expected === undefined ? {} : { expected }) });
  }
  return listed;
}

/** What the interpreter makes of a packet; undefined where it does not run it to its end. */
async function expectedOf(
  { program, inWorld }: PlacedProgram,
  world: World,
  stimulus: Stimulus,
): Promise<ListedPacket['expected']> {
  const session = await createVmEngine().open(program, inWorld(worldOf(program, world)));
  try {
    const input = new PacketBatch(1);
    input.push(stimulus);
    const output = new OutcomeBatch(1);
    await session.run(input, output);
    if (output.status[0] !== STATUS.ran) return undefined;
    const { hook } = program.entries[stimulus.entry ?? 0]!;
    return { action: actionName(hook, output.action[0]!), packet: output.packet(0).slice() };
  } finally {
    await session.close();
  }
}

/** A plain capture meets the program's first world, as in `run`. */
function worldOf({ definition }: Program, world: World): World {
  return Object.keys(world).length > 0 ? world : (definition?.worlds[0]?.world ?? world);
}
