/** The compiled inner loop of the engine `testrun` (packet-loop.c): where a built one fits the machine, it is used. */
import { addressOf, type Pointer, requireLibbpf } from '../libbpf/libbpf.ts';
import { packageFile } from '../package-file.ts';

/** What the loop works on: arenas and arrays as `PacketBatch` and `OutcomeBatch` have them. */
export interface LoopMemory {
  readonly input: Uint8Array;
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  readonly output: Uint8Array;
  readonly outOffset: Uint32Array;
  readonly outLength: Uint32Array;
  readonly outMetadata: Uint8Array;
  readonly action: Int32Array;
}

/** What the loop needs of a harness (kernel/testrun/harness.ts). */
export interface HarnessMemory {
  /** The harness with the program in it. */
  readonly fd: number;
  /** Where its memory lies in this process. */
  readonly memory: Pointer;
}

/** `struct packet_loop`, in words of 64 bits. */
const WORD = {
  testRun: 0,
  fd: 1,
  input: 2,
  offset: 3,
  length: 4,
  output: 5,
  outputSize: 6,
  outOffset: 7,
  outLength: 8,
  action: 9,
  room: 10,
  count: 11,
  next: 12,
  used: 13,
  error: 14,
  harness: 15,
  outMetadata: 16,
} as const;

/** What a chunk of packets may leave: `HARNESS_BYTES` and twice `HARNESS_ROOM` (harness.h). */
export const CHUNK_ROOM: number = 128 * 1024 + 2 * 4096;

/** Why a run through a harness stops before a packet. */
export const HARNESS_ERROR = {
  /** The frame is too short or too long for it (ERANGE): a call of its own says what the kernel makes of it. */
  takesNoSuchFrame: -34,
  /** It could not make the packet's frame, or read it (EPROTO). */
  failed: -71,
} as const;

/** What packet-loop.c exports. */
interface LoopFunctions {
  runPackets(loop: Pointer): void;
  runThroughHarness(loop: Pointer): void;
}

export class PacketLoop {
  readonly #words = new BigInt64Array(Object.keys(WORD).length);
  readonly #address: Pointer = addressOf(this.#words);
  readonly #run: (loop: Pointer) => void;
  readonly #runThroughHarness: (loop: Pointer) => void;

  constructor(functions: LoopFunctions, testRun: bigint) {
    this.#run = functions.runPackets;
    this.#runThroughHarness = functions.runThroughHarness;
    this.#words[WORD.testRun] = testRun;
  }

  /**
   * Runs packets `next` to `count`, until one fails or the output may lack the room for another.
   * @param room bytes that any packet may need in the output
   */
  run(fd: number, memory: LoopMemory, room: number, count: number, next: number, used: number): void {
    this.#prepare(fd, memory, room, count, next, used);
    this.#run(this.#address);
  }

  /**
   * The same through a harness, many packets with one call, and with the metadata that come out. It also stops with a
   * `HARNESS_ERROR`.
   */
  runThroughHarness(
    harness: HarnessMemory,
    memory: LoopMemory,
    count: number,
    next: number,
    used: number,
  ): void {
    this.#prepare(harness.fd, memory, CHUNK_ROOM, count, next, used);
    this.#words[WORD.harness] = BigInt(harness.memory);
    this.#words[WORD.outMetadata] = BigInt(addressOf(memory.outMetadata));
    this.#runThroughHarness(this.#address);
  }

  #prepare(fd: number, memory: LoopMemory, room: number, count: number, next: number, used: number): void {
    const words = this.#words;
    const { input, offset, length, output, outOffset, outLength, action } = memory;
    words[WORD.fd] = BigInt(fd);
    words[WORD.input] = BigInt(addressOf(input));
    words[WORD.offset] = BigInt(addressOf(offset));
    words[WORD.length] = BigInt(addressOf(length));
    words[WORD.output] = BigInt(addressOf(output));
    words[WORD.outputSize] = BigInt(output.length);
    words[WORD.outOffset] = BigInt(addressOf(outOffset));
    words[WORD.outLength] = BigInt(addressOf(outLength));
    words[WORD.action] = BigInt(addressOf(action));
    words[WORD.room] = BigInt(room);
    words[WORD.count] = BigInt(count);
    words[WORD.next] = BigInt(next);
    words[WORD.used] = BigInt(used);
  }

  /** The packet that the last run stopped before; `count` where it ran all. */
  get next(): number {
    return Number(this.#words[WORD.next]);
  }

  /** Bytes of the output that are taken. */
  get used(): number {
    return Number(this.#words[WORD.used]);
  }

  /** The negative errno with which packet `next` failed; 0 where none did. */
  get error(): number {
    return Number(this.#words[WORD.error]);
  }
}

/** Null where the package brings no loop for this kind of machine, or the system does not let it load. */
export function createPacketLoop(): PacketLoop | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const { koffi, testRunAddress } = requireLibbpf();
  try {
    const library = koffi.load(packageFile('kernel/native/built/packet-loop-x64.so'));
    const functionOf = (name: string) => library.func(name, 'void', ['uintptr_t']) as (loop: Pointer) => void;
    return new PacketLoop(
      { runPackets: functionOf('run_packets'), runThroughHarness: functionOf('run_through_harness') },
      testRunAddress,
    );
  } catch {
    // A file system mounted without exec, say: packets then run by a call each.
    return null;
  }
}
