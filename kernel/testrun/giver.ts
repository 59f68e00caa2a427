/**
 * What a test run cannot give a frame, and a program can: its queue, class, hash and the tag beside it. `BPF_PROG_TEST_RUN`
 * takes nothing but zeros for these fields (net/bpf/test_run.c, `convert___skb_to_skb`), so a program of ours runs first,
 * writes them as the frame has them, and tail-calls the one under test, which sees what a device would have shown it:
 *
 * ```
 *   skb->queue_mapping = state->queueMapping; …
 *   if (state->hash) bpf_set_hash(skb, state->hash);
 *   if (state->vlanProto) bpf_skb_vlan_push(skb, state->vlanProto, state->vlanTci);      the first tag stays beside the frame
 *   bpf_tail_call(skb, tested, 0);
 * ```
 */
import { SK_BUFF } from '../../sim/ebpf/context/sk-buff.ts';
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import type { SkbInput } from '../../sim/packet/packet-batch.ts';
import { ArrayWindow, createMappableArray } from '../libbpf/array-window.ts';
import { BPF_PROG_TYPE } from '../libbpf/layouts.ts';
import { type LoadedLibbpf, requireLibbpf } from '../libbpf/libbpf.ts';
import { loadProgram } from '../libbpf/load-program.ts';
import {
  encode,
  exit,
  helperCall,
  type Insn,
  jumpIfEqual,
  load32,
  loadMap,
  loadMapValue,
  mov,
  movImm,
  store32,
} from '../pin/encode.ts';
import { syscalls } from './syscalls.ts';

/** Offsets in bytes; all u32. */
const STATE = {
  queueMapping: 0,
  tcIndex: 4,
  tcClassid: 8,
  hash: 12,
  /** Network order; 0: no tag. */
  vlanProto: 16,
  vlanTci: 20,
  size: 24,
} as const;

const BPF_MAP_TYPE_PROG_ARRAY = 3;

/** What a frame has that only a program can give it; undefined: nothing. */
export function givenByProgram(skb: SkbInput | undefined): SkbInput | undefined {
  if (skb === undefined) return undefined;
  const { vlan, queueMapping, tcIndex, tcClassid, hash } = skb;
  return vlan !== undefined || queueMapping || tcIndex || tcClassid || hash ? skb : undefined;
}

export class Giver {
  /** Of the program that runs first. */
  readonly fd: number;
  readonly #opened: readonly number[];
  readonly #window: ArrayWindow;
  readonly #state: DataView;

  private constructor(fd: number, opened: readonly number[], window: ArrayWindow) {
    this.fd = fd;
    this.#opened = opened;
    this.#window = window;
    this.#state = new DataView(window.bytes.buffer, window.bytes.byteOffset, STATE.size);
  }

  /**
   * @param tested descriptor of the program under test
   * @param attachType its `enum bpf_attach_type`: tail calls go to programs that are alike in it
   * @returns undefined where this kernel does not take it
   */
  static open(tested: number, attachType: number): Giver | undefined {
    const libbpf = requireLibbpf();
    const opened: number[] = [];
    const keep = (fd: number): number => {
      if (fd >= 0) opened.push(fd);
      return fd;
    };
    const state = keep(createMappableArray(libbpf, 'xdpsim_given', STATE.size));
    const slots = keep(createSlot(libbpf));
    const window = state < 0 || slots < 0 ? undefined : ArrayWindow.open(state, STATE.size);
    const fd =
      window === undefined
        ? -1
        : keep(
            loadProgram(libbpf, {
              type: BPF_PROG_TYPE.SCHED_CLS,
              name: 'xdpsim_giver',
              license: 'GPL',
              instructions: encode(giving(state, slots)),
              attachType,
              hasFrags: false,
            }),
          );
    if (window !== undefined && fd >= 0 && fill(libbpf, slots, tested) >= 0)
      return new Giver(fd, opened, window);
    window?.close();
    for (const one of opened) syscalls().close(one);
    return undefined;
  }

  /** For the next run: what its frame has. */
  give({ vlan, queueMapping, tcIndex, tcClassid, hash }: SkbInput): void {
    const state = this.#state;
    state.setUint32(STATE.queueMapping, queueMapping ?? 0, true);
    state.setUint32(STATE.tcIndex, tcIndex ?? 0, true);
    state.setUint32(STATE.tcClassid, tcClassid ?? 0, true);
    state.setUint32(STATE.hash, hash ?? 0, true);
    state.setUint32(STATE.vlanProto, 0, true);
    if (vlan !== undefined) state.setUint16(STATE.vlanProto, vlan.proto ?? ETHERTYPE.VLAN);
    state.setUint32(STATE.vlanTci, vlan?.tci ?? 0, true);
  }

  close(): void {
    this.#window.close();
    for (const fd of this.#opened) syscalls().close(fd);
  }
}

function createSlot({ bpf }: LoadedLibbpf): number {
  return bpf.bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, 'xdpsim_tested', 4, 4, 1, null);
}

/** Once what runs first is loaded, since it says which kind of program the slot takes. @returns 0, or a negative errno */
function fill({ bpf }: LoadedLibbpf, slots: number, tested: number): number {
  return bpf.bpf_map_update_elem(slots, new Uint8Array(4), new Uint8Array(Uint32Array.of(tested).buffer), 0);
}

/** The program of the head of this file. r6: the frame, r7: the state. */
function giving(state: number, slots: number): Insn[] {
  const written: readonly (readonly [from: number, to: number])[] = [
    [STATE.queueMapping, SK_BUFF.queueMapping],
    [STATE.tcIndex, SK_BUFF.tcIndex],
    [STATE.tcClassid, SK_BUFF.tcClassid],
  ];
  const push = [load32(3, 7, STATE.vlanTci), mov(1, 6), helperCall('bpf_skb_vlan_push')];
  return [
    mov(6, 1),
    ...loadMapValue(7, state),
    ...written.flatMap(([from, to]) => [load32(1, 7, from), store32(6, to, 1)]),
    load32(2, 7, STATE.hash),
    jumpIfEqual(2, 0, 2),
    mov(1, 6),
    helperCall('bpf_set_hash'),
    load32(2, 7, STATE.vlanProto),
    jumpIfEqual(2, 0, push.length),
    ...push,
    mov(1, 6),
    ...loadMap(2, slots),
    movImm(3, 0),
    helperCall('bpf_tail_call'),
    // Never reached: the slot is filled, and this is the first tail call.
    movImm(0, 0),
    exit(),
  ];
}
