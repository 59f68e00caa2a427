/**
 * The recorder (bpf/live/recorder.bpf.c), loaded once for each device: user space's end of the memory in which all
 * devices of a scenario write down their frames, in one order.
 */
import { readFileSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import type { XdpMode } from '../../sim/network/scenario.ts';
import { writeU16 } from '../../sim/packet/bytes.ts';
import { attachTc, attachXdp } from '../libbpf/attach.ts';
import { requireLibbpf } from '../libbpf/libbpf.ts';
import type { BpfMap } from '../libbpf/map.ts';
import { BpfObject } from '../libbpf/object.ts';
import { lastErrorName, libc } from '../libc.ts';
import type { Netns } from '../network/netns.ts';
import { packageFile } from '../package-file.ts';

/** `enum kind`, in its order. */
const KINDS = ['arrival', 'up', 'sent', 'xdp-verdict', 'ingress-verdict', 'egress-verdict'] as const;

export interface FrameRecord {
  /** The number that the device's recorder was made with. */
  readonly device: number;
  readonly kind: (typeof KINDS)[number];
  /** What the program returned; verdicts only. */
  readonly verdict: number;
  readonly bytes: Uint8Array;
  /** `skb->mark`; 0 in XDP. */
  readonly mark: number;
}

/** `struct recorder` and `struct record`: offsets and sizes in bytes. */
const RECORDER = { count: 0, not_run: 4, records: 4096 } as const;
/** How many frames may move in one step. */
export const RECORDS = 512;
const RECORD = {
  device: 0,
  kind: 4,
  verdict: 8,
  length: 12,
  mark: 16,
  vlan_present: 20,
  vlan_tci: 24,
  vlan_proto: 28,
  frame: 32,
  size: 4096,
} as const;
const FRAME_BYTES: number = RECORD.size - RECORD.frame;
const MAPPED: number = RECORDER.records + RECORDS * RECORD.size;

/** No program returns it: the tail call has failed. */
const NOT_RUN = -0x6e6f_6e65;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

const VLAN_AT = 12;

/** Programs that a device has of its own. */
export interface OwnPrograms<Program> {
  readonly xdp?: Program;
  readonly ingress?: Program;
  readonly egress?: Program;
}

export class Recorder {
  /** By the devices' numbers. */
  readonly #objects: BpfObject[] = [];
  #memory: Memory | undefined;
  #read = 0;

  /**
   * Puts the TC halves on a device that is not up yet: nothing that the kernel says by itself gets past them.
   * @param programs which hooks will have a program of the device's own
   * @returns the number that the device's records have
   * @throws {EngineError} where the kernel refuses
   */
  place(netns: Netns, ifindex: number, programs: OwnPrograms<unknown>): number {
    const flag = (value: unknown): Uint8Array => u32(value === undefined ? 0 : 1);
    const number = this.#objects.length;
    const shared = this.#objects[0]?.map('recorder');
    const object = new BpfObject(readFileSync(packageFile('bpf/built/live/recorder.o')), {
      name: 'recorder',
      file: 'recorder.o',
      entries: [
        { function: 'recorder_xdp', hook: 'xdp' },
        { function: 'recorder_ingress', hook: 'tc-ingress' },
        { function: 'recorder_egress', hook: 'tc-egress' },
      ],
      globals: {
        device: u32(number),
        has_xdp: flag(programs.xdp),
        has_ingress: flag(programs.ingress),
        has_egress: flag(programs.egress),
      },
      ...(shared === undefined ? {} : { sharedMaps: { recorder: shared } }),
    });
    this.#objects.push(object);
    this.#memory ??= new Memory(object.map('recorder')!);
    const [, ingress, egress] = object.programs;
    attachTc(netns, ifindex, 'ingress', ingress!.fd);
    attachTc(netns, ifindex, 'egress', egress!.fd);
    return number;
  }

  /**
   * Puts the device's own programs behind the recorder.
   * @param programs file descriptors
   * @param mode how XDP is attached
   * @throws {EngineError} where the kernel refuses
   */
  connect(number: number, netns: Netns, ifindex: number, programs: OwnPrograms<number>, mode: XdpMode): void {
    const object = this.#objects[number]!;
    const put = (map: string, fd: number): void => object.map(map)!.update(u32(0), u32(fd));
    if (programs.ingress !== undefined) put('ingress_program', programs.ingress);
    if (programs.egress !== undefined) put('egress_program', programs.egress);
    if (programs.xdp === undefined) return;
    put('xdp_program', programs.xdp);
    attachXdp(netns, ifindex, object.programs[0]!.fd, mode);
  }

  /** How many frames have been written down since the recorder was made. */
  get count(): number {
    return this.#memory?.count ?? 0;
  }

  /** Leaves out all records that there are by now. */
  skip(): void {
    this.#read = this.count;
  }

  /** Has a device written down, since the last `take` or `skip`, that a frame has come in? */
  hasArrival(device: number): boolean {
    for (let index = this.#read; index < this.count; index++) {
      const record = this.#memory!.record(index % RECORDS);
      if (record.device === device && (record.kind === 'arrival' || record.kind === 'up')) return true;
    }
    return false;
  }

  /**
   * The records since the last call, oldest first.
   * @throws {EngineError} when they are more than there is room for, or a program could not be called
   */
  take(): FrameRecord[] {
    const { count } = this;
    const first = this.#read;
    this.#read = count;
    if (count - first > RECORDS) {
      throw new EngineError(
        'input',
        `more than ${RECORDS} frames moved in one step: there may be a forwarding loop`,
      );
    }
    return Array.from({ length: count - first }, (_, index) =>
      this.#memory!.record((first + index) % RECORDS),
    );
  }

  /** May be called more than once. The devices should be gone by then. */
  close(): void {
    this.#memory?.close();
    this.#memory = undefined;
    for (const object of this.#objects.splice(0)) object.close();
  }
}

class Memory {
  readonly #address: bigint;
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor({ fd }: BpfMap) {
    this.#address = BigInt(libc().mmap(null, MAPPED, PROT_READ_WRITE, MAP_SHARED, fd, 0));
    if (this.#address === MAP_FAILED) {
      throw new EngineError('environment', `a map cannot be mapped: ${lastErrorName()}`);
    }
    const memory = requireLibbpf().koffi.view(this.#address, MAPPED);
    this.#view = new DataView(memory);
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#view.setInt32(RECORDER.not_run, NOT_RUN, true);
  }

  get count(): number {
    // Atomics, so that the compiler does not take the read out of a waiting loop.
    return Atomics.load(this.#words, RECORDER.count / 4) >>> 0;
  }

  record(slot: number): FrameRecord {
    const at = RECORDER.records + slot * RECORD.size;
    const word = (offset: number): number => this.#view.getInt32(at + offset, true);
    const length = Math.min(word(RECORD.length), FRAME_BYTES);
    const frame = this.#bytes.slice(at + RECORD.frame, at + RECORD.frame + length);
    return {
      device: word(RECORD.device),
      kind: KINDS[word(RECORD.kind)]!,
      verdict: word(RECORD.verdict),
      bytes:
        word(RECORD.vlan_present) === 0
          ? frame
          : withTag(frame, word(RECORD.vlan_proto), word(RECORD.vlan_tci)),
      mark: word(RECORD.mark) >>> 0,
    };
  }

  close(): void {
    libc().munmap(this.#address, MAPPED);
  }
}

/** The frame as it was on the wire: the kernel keeps the outer tag beside the bytes. @param proto in network order */
function withTag(frame: Uint8Array, proto: number, tci: number): Uint8Array {
  const tagged = new Uint8Array(frame.length + 4);
  tagged.set(frame.subarray(0, VLAN_AT), 0);
  writeU16(tagged, VLAN_AT, ((proto & 0xff) << 8) | ((proto >> 8) & 0xff));
  writeU16(tagged, VLAN_AT + 2, tci);
  tagged.set(frame.subarray(VLAN_AT), VLAN_AT + 4);
  return tagged;
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
