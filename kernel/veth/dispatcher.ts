/**
 * The dispatcher (bpf/live/dispatcher.bpf.c), loaded: user space's end of the memory that it shares with the kernel.
 *
 * It stands on the devices of programs with more functions than one XDP function. Whose turn it is, is written
 * before a frame is sent; what the function said and left behind is read when it has run.
 */
import { readFileSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { attachTc, attachTcx, attachXdp } from '../libbpf/attach.ts';
import { requireLibbpf } from '../libbpf/libbpf.ts';
import { BpfObject } from '../libbpf/object.ts';
import { lastErrorName, libc } from '../libc.ts';
import type { Netns } from '../network/netns.ts';
import { packageFile } from '../package-file.ts';

/** Nobody's turn: the frame passes the hook. */
export const NOBODY = 0xffff_ffff;
/** How much metadata the dispatcher can put in front of a frame, in bytes. */
export const MAX_LIVE_METADATA = 32;

/** `struct dispatcher`, in words. */
const WORD = {
  ticket: 0,
  xdp: 1,
  ingress: 2,
  egress: 3,
  not_run: 4,
  meta_length: 5,
  meta: 6,
  ran: 14,
  verdict: 15,
  length: 16,
  mark: 17,
  priority: 18,
  cb: 19,
} as const;
const FRAME = 96;
const FRAME_BYTES = 4096;
/** Whole pages. */
const MAPPED = 8192;

/** No program returns it: the tail call has failed. */
const NOT_RUN = -0x6e6f_6e65;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

const FUNCTIONS = {
  xdp: 'dispatcher_xdp',
  ingress: 'dispatcher_ingress',
  egress: 'dispatcher_egress',
} as const;

/** How the dispatcher's TC halves are attached: by tcx where the kernel has it, else by clsact. */
export type TcAttachment = 'tcx' | 'clsact';

/** Whose turn it is at each hook: numbers that `put` has given programs, or `NOBODY`. */
export interface Turn {
  readonly xdp: number;
  readonly ingress: number;
  readonly egress: number;
}

export class Dispatcher {
  readonly #object: BpfObject;
  readonly #tc: TcAttachment;
  readonly #address: bigint;
  readonly #words: Int32Array;
  /** The frame as the function left it, `length` bytes of it. */
  readonly frame: Buffer;
  #open = true;

  /** @throws {EngineError} `environment`, where the kernel cannot come back from tail calls */
  constructor(tc: TcAttachment = 'tcx') {
    this.#tc = tc;
    try {
      this.#object = new BpfObject(readFileSync(packageFile('bpf/built/live/dispatcher.o')), {
        name: 'dispatcher',
        file: 'dispatcher.o',
        entries: [
          { function: FUNCTIONS.xdp, hook: 'xdp' },
          { function: FUNCTIONS.ingress, hook: 'tc-ingress' },
          { function: FUNCTIONS.egress, hook: 'tc-egress' },
        ],
      });
    } catch (cause) {
      if (!(cause instanceof EngineError) || cause.kind !== 'input') throw cause;
      throw new EngineError('environment', `the dispatcher cannot be loaded: ${cause.message}`, {
        remedy: 'use Linux 5.10 (arm64: 6.0) or later',
        ...(cause.log === undefined ? {} : { log: cause.log }),
        cause,
      });
    }
    const { fd } = this.#object.map('dispatcher')!;
    const address = BigInt(libc().mmap(null, MAPPED, PROT_READ_WRITE, MAP_SHARED, fd, 0));
    if (address === MAP_FAILED) {
      this.#object.close();
      throw new EngineError('environment', `a map cannot be mapped: ${lastErrorName()}`);
    }
    this.#address = address;
    const memory = requireLibbpf().koffi.view(address, MAPPED);
    this.#words = new Int32Array(memory, 0, FRAME / 4);
    this.frame = Buffer.from(memory, FRAME, FRAME_BYTES);
    this.#words[WORD.not_run] = NOT_RUN;
    this.#take({ xdp: NOBODY, ingress: NOBODY, egress: NOBODY });
  }

  /**
   * Puts the dispatcher on a device. What stands behind it at TC has to be attached by clsact with priority 2: it
   * runs where the dispatcher returns `TC_ACT_UNSPEC`.
   */
  attach(netns: Netns, ifindex: number): void {
    const [xdp, ingress, egress] = this.#object.programs;
    attachXdp(netns, ifindex, xdp!.fd);
    for (const [point, { fd }] of [
      ['ingress', ingress!],
      ['egress', egress!],
    ] as const) {
      if (this.#tc === 'clsact' || !attachTcx(netns, ifindex, point, fd)) attachTc(netns, ifindex, point, fd);
    }
  }

  /** @throws {EngineError} where the kernel does not let the dispatcher call this program */
  put(number: number, kind: 'xdp' | 'tc', fd: number): void {
    const map = this.#object.map(kind === 'xdp' ? 'xdp_entries' : 'tc_entries')!;
    map.update(u32(number), u32(fd));
  }

  /** Prepares the next frame. @param metadata does the dispatcher put the packet's metadata in front of it? */
  begin(turn: Turn, input: PacketBatch, packet: number, metadata: boolean): void {
    const words = this.#words;
    this.#take(turn);
    const length = metadata ? input.metaLength[packet]! : 0;
    words[WORD.meta_length] = length;
    let at = input.offset[packet]! - length;
    for (let word = 0; word < length / 4; word++, at += 4) {
      const { bytes } = input;
      words[WORD.meta + word] =
        bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    }
    Atomics.store(words, WORD.ticket, words[WORD.ran]! + 1);
  }

  #take({ xdp, ingress, egress }: Turn): void {
    const words = this.#words;
    words[WORD.xdp] = xdp;
    words[WORD.ingress] = ingress;
    words[WORD.egress] = egress;
  }

  /** Has a TC function had its turn? Only then does the rest say anything. */
  get hasRun(): boolean {
    return Atomics.load(this.#words, WORD.ran) === this.#words[WORD.ticket]!;
  }

  /**
   * What the function returned.
   * @throws {EngineError} when it could not be called
   */
  get verdict(): number {
    const verdict = this.#words[WORD.verdict]!;
    if (verdict !== NOT_RUN) return verdict;
    throw new EngineError('environment', 'the dispatcher could not call the program', {
      remedy: 'use Linux 5.10 (arm64: 6.0) or later',
    });
  }

  /** Bytes of the frame as it was left. `frame` holds it, unless it is longer than that. */
  get length(): number {
    return this.#words[WORD.length]! >>> 0;
  }

  get mark(): number {
    return this.#words[WORD.mark]!;
  }

  get priority(): number {
    return this.#words[WORD.priority]!;
  }

  cb(word: number): number {
    return this.#words[WORD.cb + word]!;
  }

  /** May be called more than once; nothing else may be called afterwards. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    libc().munmap(this.#address, MAPPED);
    this.#object.close();
  }
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
