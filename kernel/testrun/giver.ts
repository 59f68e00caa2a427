/**
 * What a test run cannot give a frame, and a program can: its queue, class, hash, the tag beside it, and the tunnel that it
 * came out of. `BPF_PROG_TEST_RUN`
 * takes nothing but zeros for these fields (net/bpf/test_run.c, `convert___skb_to_skb`), so a copy of the program under test
 * begins with instructions of ours that write them as the frame has them, and then sees what a device would have shown it:
 *
 * ```
 *   skb->queue_mapping = state->queueMapping; …
 *   if (state->hash) bpf_set_hash(skb, state->hash);
 *   if (state->vlanProto) bpf_skb_vlan_push(skb, state->vlanProto, state->vlanTci);      the first tag stays beside the frame
 *   if (state->hasTunnel) bpf_skb_set_tunnel_key(skb, &state->tunnelKey, 44, state->tunnelFlags);
 *   if (state->optionsSize) bpf_skb_set_tunnel_opt(skb, state->options, state->optionsSize);
 * ```
 *
 * What a frame is to take into a tunnel is shown the other way round, as if it had come out of one (net/core/filter.c,
 * `bpf_skb_get_tunnel_key`): so with its two addresses exchanged it is what a device would have left. Two things tell them apart: flags
 * that no program can set (and one that each sets), and that `bpf_skb_set_tunnel_opt` takes options for a key which a program
 * has stated. Frames with other flags, and such programs, get no tunnel here.
 *
 * No tail call and no function leads to the program: it has all of the calls and of the stack that it has otherwise.
 */
import { SK_BUFF } from '../../sim/ebpf/context/sk-buff.ts';
import { isSettableTunnel, settingFlags } from '../../sim/ebpf/helpers/tunnel-helpers.ts';
import { keyOfTunnel, optionsOfTunnel, TUNNEL_KEY, TUNNEL_KEY_SIZE } from '../../sim/ebpf/tunnel-info.ts';
import { protoOf, type SkbInput, type SkbTunnel } from '../../sim/packet/packet-batch.ts';
import { ArrayWindow, createMappableArray } from '../libbpf/array-window.ts';
import { type LoadedLibbpf, requireLibbpf } from '../libbpf/libbpf.ts';
import { type FunctionType, loadProgram, type ProgramToLoad } from '../libbpf/load-program.ts';
import type { BpfProgram } from '../libbpf/object.ts';
import {
  addImm,
  andImm,
  encode,
  helperCall,
  INSN_SIZE,
  type Insn,
  jumpIfEqual,
  load32,
  loadMapValue,
  mov,
  movImm,
  store32,
} from '../pin/encode.ts';
import type { ProgramTypes } from '../pin/pins.ts';
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
  hasTunnel: 24,
  tunnelFlags: 28,
  /** 0: none. */
  optionsSize: 32,
  tunnelKey: 36,
  options: 80,
  size: 80 + 256,
} as const;

/** What a frame has that only a program can give it; undefined: nothing. */
export function givenByProgram(skb: SkbInput | undefined): SkbInput | undefined {
  if (skb === undefined) return undefined;
  const { vlan, queueMapping, tcIndex, tcClassid, hash, tunnel, noSocket = false } = skb;
  const isBeside = vlan !== undefined || tunnel !== undefined || noSocket;
  return isBeside || queueMapping || tcIndex || tcClassid || hash ? skb : undefined;
}

const SET_TUNNEL_OPT = 30;

/** What has to be known of the program under test. */
export type GivenTo = Pick<BpfProgram, 'name' | 'type' | 'attachType' | 'instructions' | 'types' | 'helpers'>;

export class Giver {
  /** Of the copy that runs in the place of the program. */
  readonly fd: number;
  readonly #map: number;
  readonly #window: ArrayWindow;
  readonly #state: DataView;
  readonly #addsOptions: boolean;

  private constructor(fd: number, map: number, window: ArrayWindow, tested: GivenTo) {
    this.fd = fd;
    this.#addsOptions = tested.helpers.has(SET_TUNNEL_OPT);
    this.#map = map;
    this.#window = window;
    this.#state = new DataView(window.bytes.buffer, window.bytes.byteOffset, STATE.size);
  }

  /** @returns undefined where this kernel does not take the copy */
  static open(tested: GivenTo): Giver | undefined {
    const libbpf = requireLibbpf();
    const map = createMappableArray(libbpf, 'xdpsim_given', STATE.size);
    const window = map < 0 ? undefined : ArrayWindow.open(map, STATE.size);
    const fd = window === undefined ? -1 : loadCopy(libbpf, tested, map);
    if (window !== undefined && fd >= 0) return new Giver(fd, map, window, tested);
    window?.close();
    if (map >= 0) syscalls().close(map);
    return undefined;
  }

  /** Can it give the program such a frame? */
  canGive({ tunnel, noSocket = false }: SkbInput): boolean {
    if (noSocket) return false;
    return tunnel === undefined || (!this.#addsOptions && isSettableTunnel(tunnel));
  }

  /** For the next run: what its frame has. */
  give({ vlan, queueMapping, tcIndex, tcClassid, hash, tunnel }: SkbInput): void {
    const state = this.#state;
    state.setUint32(STATE.queueMapping, queueMapping ?? 0, true);
    state.setUint32(STATE.tcIndex, tcIndex ?? 0, true);
    state.setUint32(STATE.tcClassid, tcClassid ?? 0, true);
    state.setUint32(STATE.hash, hash ?? 0, true);
    state.setUint32(STATE.vlanProto, 0, true);
    if (vlan !== undefined) state.setUint16(STATE.vlanProto, protoOf(vlan));
    state.setUint32(STATE.vlanTci, vlan?.tci ?? 0, true);
    state.setUint32(STATE.hasTunnel, tunnel === undefined ? 0 : 1, true);
    if (tunnel !== undefined) this.#giveTunnel(tunnel);
  }

  #giveTunnel(tunnel: SkbTunnel): void {
    const { bytes } = this.#window;
    const { remote, local } = tunnel;
    const key = keyOfTunnel({ ...tunnel, remote: local, local: remote } as SkbTunnel);
    // The flags go beside it.
    key.fill(0, TUNNEL_KEY.flags, TUNNEL_KEY.label);
    bytes.set(key, STATE.tunnelKey);
    this.#state.setUint32(STATE.tunnelFlags, settingFlags(tunnel)!, true);
    const options = optionsOfTunnel(tunnel) ?? new Uint8Array(0);
    this.#state.setUint32(STATE.optionsSize, options.length, true);
    bytes.set(options, STATE.options);
  }

  close(): void {
    this.#window.close();
    for (const fd of [this.fd, this.#map]) syscalls().close(fd);
  }
}

/** @returns a file descriptor, or a negative errno */
function loadCopy(libbpf: LoadedLibbpf, tested: GivenTo, state: number): number {
  const first = encode(giving(state));
  const rest = tested.instructions();
  const instructions = new Uint8Array(first.length + rest.length);
  instructions.set(first);
  instructions.set(rest, first.length);
  const { type, name, attachType } = tested;
  // It was loaded under its own license: what that forbids is known by now.
  const copy = { type, name, license: 'GPL', instructions, attachType, hasFrags: false };
  const fd = loadProgram(libbpf, copy);
  const types = fd < 0 ? tested.types() : undefined;
  return types === undefined ? fd : loadWithTypes(libbpf, copy, first.length / INSN_SIZE, types);
}

/** Callbacks, global functions and tail calls from functions the kernel takes only with types. */
function loadWithTypes(
  libbpf: LoadedLibbpf,
  copy: ProgramToLoad,
  shift: number,
  { btf: bytes, functions }: ProgramTypes,
): number {
  const btf = libbpf.bpf.bpf_btf_load(bytes, bytes.length, null);
  if (btf < 0) return btf;
  try {
    const moved = functions.map(([slot, type]): FunctionType => [slot === 0 ? 0 : slot + shift, type]);
    return loadProgram(libbpf, { ...copy, types: { btf, functions: moved } });
  } finally {
    syscalls().close(btf);
  }
}

/** What the copy begins with. r6: the frame, which is in r1 again afterwards; r7: the state. */
function giving(state: number): Insn[] {
  const written: readonly (readonly [from: number, to: number])[] = [
    [STATE.queueMapping, SK_BUFF.queueMapping],
    [STATE.tcIndex, SK_BUFF.tcIndex],
    [STATE.tcClassid, SK_BUFF.tcClassid],
  ];
  const push = [load32(3, 7, STATE.vlanTci), mov(1, 6), helperCall('bpf_skb_vlan_push')];
  const options = [
    // From 4 to 256, which the verifier can see.
    addImm(3, -4),
    andImm(3, 0xfc),
    addImm(3, 4),
    mov(2, 7),
    addImm(2, STATE.options),
    mov(1, 6),
    helperCall('bpf_skb_set_tunnel_opt'),
  ];
  const tunnel = [
    mov(2, 7),
    addImm(2, STATE.tunnelKey),
    movImm(3, TUNNEL_KEY_SIZE),
    load32(4, 7, STATE.tunnelFlags),
    mov(1, 6),
    helperCall('bpf_skb_set_tunnel_key'),
    load32(3, 7, STATE.optionsSize),
    jumpIfEqual(3, 0, options.length),
    ...options,
  ];
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
    load32(2, 7, STATE.hasTunnel),
    jumpIfEqual(2, 0, tunnel.length),
    ...tunnel,
    mov(1, 6),
  ];
}
