/**
 * The loop over a batch, as WebAssembly: a packet put in place with its context, its program run, the outcome
 * written down. Nothing in it leaves WebAssembly but what programs call.
 *
 * Packets come in stretches of the batch's arena. Where no program moves packets, they are run where they lie, and are outcomes
 * then. Otherwise each is copied to the packet area, and what has become of it appended to another arena.
 */

import { type Hook, TC_ACT_REDIRECT, XDP_REDIRECT } from '../../runtime/actions.ts';
import {
  PACKET_BROADCAST,
  PACKET_HOST,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
  SK_BUFF,
  SK_BUFF_LAYOUT,
  SKB_INPUT_PARTS,
} from '../context/sk-buff.ts';
import { SOCKET, SOCKET_FAMILIES } from '../context/socket.ts';
import { XDP_MD } from '../context/xdp-md.ts';
import { NEW_FRONT } from '../helpers/buffer-front.ts';
import {
  CONTEXT_BASE,
  MACHINE_WORD,
  MAX_FRAME,
  PACKET_BASE,
  PACKET_LIMIT,
  SKB_DATA,
  SOCKET_BASE,
  XDP_DATA,
  XDP_LINEAR_LIMIT,
} from '../memory.ts';
import { ETHERNET_HEADER } from '../packet-area.ts';
import type { CodeWriter } from './code-writer.ts';
import { BATCH_WORD, WASM_WORD } from './layout.ts';
import { I32, WASM } from './opcodes.ts';

/** What programs need around them; what none of them looks at need not be written for each packet. */
export interface BatchNeeds {
  /** The packet's bounds in the machine block: for checks at run time and for helpers. */
  readonly bounds: boolean;
  /** `data_meta`, and the device and queue of XDP's context. */
  readonly metadata: boolean;
  readonly device: boolean;
  readonly redirects: boolean;
  /** TC: the socket behind the frame. */
  readonly socket: boolean;
  readonly tailCalls: boolean;
  /** Does the clock move on from packet to packet? */
  readonly ticks: boolean;
  /** Could something use up the instructions that a run may execute? */
  readonly budget: boolean;
  readonly mayGoto: number | undefined;
  /** Are packets run where they lie? */
  readonly inPlace: boolean;
}

export interface BatchEntry {
  readonly hook: Hook;
  /** Does it take frames in several buffers? */
  readonly frags: boolean;
  /** Runs the program, which finds its context in place: leaves what it returns on the stack, an i64. */
  readonly run: (code: CodeWriter) => void;
}

export interface BatchContext {
  readonly entries: readonly BatchEntry[];
  readonly needs: BatchNeeds;
  /** Globals. */
  readonly budget: number;
  readonly mayGoto: number;
}

/** Locals of one packet. */
interface PacketLocals {
  readonly data: number;
  readonly length: number;
  readonly metaLength: number;
  readonly ifindex: number;
  readonly queue: number;
}

const WORDS_OF_CB = 5;
/** Bytes that a packet may grow by, at the most: more than its whole area. */
export const LARGEST_OUTCOME: number = PACKET_LIMIT - PACKET_BASE;

/**
 * (first, end, distance, from, to) → `end`, or the packet before which the loop stopped: one that no hook is given, one that lies
 * before `from`, behind `to`, or not behind the packet before it, or one whose outcome may not fit any more. The distance is added to
 * packets' offsets, as are `from` and `to`, and gives their addresses.
 */
export function compileRunBatch(context: BatchContext, code: CodeWriter): CodeWriter {
  return new BatchCompiler(context, code).batch();
}

/** (entry, length, metadata's length, ifindex, queue) → action, of the packet that lies in the packet area. */
export function compileRunOne(context: BatchContext, code: CodeWriter): CodeWriter {
  return new BatchCompiler(context, code).one();
}

/** What `refusalReason` of the engines says. */
function longestFrame({ hook, frags }: BatchEntry): number {
  return hook === 'xdp' && !frags ? XDP_LINEAR_LIMIT : MAX_FRAME;
}

class BatchCompiler {
  readonly #context: BatchContext;
  readonly #code: CodeWriter;

  constructor(context: BatchContext, code: CodeWriter) {
    this.#context = context;
    this.#code = code;
  }

  batch(): CodeWriter {
    const code = this.#code;
    const { inPlace } = this.#context.needs;
    const [packet, end, distance, from, to] = [0, 1, 2, 3, 4];
    /** Bytes between packets, their bits joined. */
    const gaps = code.local(I32);
    const locals: PacketLocals = {
      data: code.local(I32),
      length: code.local(I32),
      metaLength: code.local(I32),
      ifindex: code.local(I32),
      queue: code.local(I32),
    };
    const offset = code.local(I32);
    const entry = code.local(I32);
    code.block();
    const out = code.depth;
    code.loop();
    const again = code.depth;
    code.get(packet).get(end).op(WASM.i32_ge_u).branchIf(out);
    this.#element(BATCH_WORD.offset, packet, 4, offset);
    this.#element(BATCH_WORD.length, packet, 4, locals.length);
    this.#element(BATCH_WORD.metaLength, packet, 1, locals.metaLength);
    this.#element(BATCH_WORD.entry, packet, 1, entry);
    if (this.#context.entries.some(({ hook }) => this.#needsDevice(hook))) {
      this.#element(BATCH_WORD.ingressIfindex, packet, 4, locals.ifindex);
      this.#element(BATCH_WORD.rxQueueIndex, packet, 4, locals.queue);
    }
    // What no hook is given (`refusalReason` of the engines says the same): XDP takes any length down to nothing, an
    // sk_buff has had its Ethernet header read.
    const { entries } = this.#context;
    code
      .get(locals.length)
      .i32(Math.min(...entries.map(longestFrame)))
      .op(WASM.i32_gt_u);
    if (new Set(entries.map(longestFrame)).size > 1) {
      // Longer than some entry takes: is it this one?
      code.i32(0);
      for (const [index, one] of entries.entries()) {
        code.get(locals.length).i32(longestFrame(one)).op(WASM.i32_gt_u);
        code.get(entry).i32(index).op(WASM.i32_eq).op(WASM.i32_and).op(WASM.i32_or);
      }
      code.op(WASM.i32_and);
    }
    for (const [index, { hook }] of entries.entries()) {
      if (hook === 'xdp') continue;
      code.get(locals.length).i32(ETHERNET_HEADER).op(WASM.i32_lt_u);
      code.get(entry).i32(index).op(WASM.i32_eq).op(WASM.i32_and).op(WASM.i32_or);
    }
    code.get(locals.metaLength).i32(3).op(WASM.i32_and).op(WASM.i32_or);
    code.get(entry).i32(this.#context.entries.length).op(WASM.i32_ge_u).op(WASM.i32_or);
    // Does it lie behind the one before, and before the end?
    code.get(offset).get(locals.metaLength).op(WASM.i32_sub).tee(locals.data).get(from).op(WASM.i32_lt_u);
    code.op(WASM.i32_or);
    code.get(offset).get(locals.length).op(WASM.i32_add).get(to).op(WASM.i32_gt_u);
    code.op(WASM.i32_or).branchIf(out);
    if (!inPlace) {
      code.word(BATCH_WORD.outUsed).i32(LARGEST_OUTCOME).op(WASM.i32_add).word(BATCH_WORD.outEnd);
      code.op(WASM.i32_gt_u).branchIf(out);
    }
    code.storeWord(WASM_WORD.packet, () => code.get(packet));
    if (inPlace) {
      code.get(gaps).get(locals.data).get(from).op(WASM.i32_sub).op(WASM.i32_or).set(gaps);
    }
    code.get(offset).get(locals.length).op(WASM.i32_add).set(from);
    code.get(offset).get(distance).op(WASM.i32_add).set(locals.data);
    this.#forEachEntry(entry, (one) => {
      if (!inPlace) this.#copyIn(one.hook, locals);
      this.#run(one, locals);
      // The action, with its place before it.
      code.set(offset);
      this.#elementAddress(BATCH_WORD.action, packet, 4);
      code.get(offset).memory(WASM.i32_store, 0);
      this.#outcome(one.hook, packet, offset);
    });
    code.get(packet).i32(1).op(WASM.i32_add).set(packet).branch(again);
    code.end().end();
    if (inPlace) code.storeWord(BATCH_WORD.gaps, () => code.word(BATCH_WORD.gaps).get(gaps).op(WASM.i32_or));
    return code.get(packet);
  }

  one(): CodeWriter {
    const code = this.#code;
    const locals: PacketLocals = { length: 1, metaLength: 2, ifindex: 3, queue: 4, data: code.local(I32) };
    const action = code.local(I32);
    this.#forEachEntry(0, (one) => {
      code.i32(one.hook === 'xdp' ? XDP_DATA : SKB_DATA).set(locals.data);
      this.#run(one, locals);
      code.set(action);
    });
    return code.get(action);
  }

  #forEachEntry(entry: number, compile: (one: BatchEntry) => void): void {
    const code = this.#code;
    const { entries } = this.#context;
    for (const [index, one] of entries.entries()) {
      if (index < entries.length - 1) code.get(entry).i32(index).op(WASM.i32_eq).if();
      compile(one);
      if (index < entries.length - 1) code.else();
    }
    for (let index = 1; index < entries.length; index++) code.end();
  }

  #needsDevice(hook: Hook): boolean {
    return hook !== 'xdp' || this.#context.needs.device;
  }

  /** Loads element `index` of an array whose address is in a word. */
  #element(word: number, index: number, size: 1 | 4, to: number): void {
    this.#elementAddress(word, index, size);
    this.#code.memory(size === 1 ? WASM.i32_load8_u : WASM.i32_load, 0).set(to);
  }

  #elementAddress(word: number, index: number, size: number): void {
    const code = this.#code;
    code.word(word).get(index);
    if (size !== 1) code.i32(size).op(WASM.i32_mul);
    code.op(WASM.i32_add);
  }

  /** Copies a packet with its metadata to the packet area; `data` then is its new place. */
  #copyIn(hook: Hook, locals: PacketLocals): void {
    const code = this.#code;
    const to = hook === 'xdp' ? XDP_DATA : SKB_DATA;
    code.i32(to).get(locals.metaLength).op(WASM.i32_sub);
    code.get(locals.data).get(locals.metaLength).op(WASM.i32_sub);
    code.get(locals.metaLength).get(locals.length).op(WASM.i32_add).memoryCopy();
    code.i32(to).set(locals.data);
  }

  /** Context and machine block, then the program: leaves its result on the stack. */
  #run(entry: BatchEntry, locals: PacketLocals): void {
    const code = this.#code;
    const { needs, budget, mayGoto } = this.#context;
    const store = (address: number, value: () => void): void => {
      code.storeWord(address, value);
    };
    const zero = (): void => {
      code.i32(0);
    };
    if (needs.redirects) {
      store(MACHINE_WORD.redirectTarget * 4, zero);
      store(MACHINE_WORD.redirectFlags * 4, zero);
    }
    if (needs.tailCalls) store(MACHINE_WORD.tailCalls * 4, zero);
    if (needs.ticks) {
      code.i32(0);
      code.i32(0).memory(WASM.i64_load, MACHINE_WORD.time * 4);
      code
        .i32(0)
        .memory(WASM.i64_load, MACHINE_WORD.tick * 4)
        .op(WASM.i64_add);
      code.memory(WASM.i64_store, MACHINE_WORD.time * 4);
    }
    if (needs.budget) code.word(BATCH_WORD.budget).setGlobal(budget);
    if (needs.mayGoto !== undefined) code.i32(needs.mayGoto).setGlobal(mayGoto);
    if (entry.hook === 'xdp') this.#xdpContext(locals);
    else this.#skbContext(entry.hook, locals);
    entry.run(code);
    code.op(WASM.i32_wrap_i64);
  }

  #xdpContext(locals: PacketLocals): void {
    const code = this.#code;
    const { needs } = this.#context;
    const { data, length, metaLength, ifindex, queue } = locals;
    if (needs.bounds) {
      if (!needs.inPlace) this.#freshHeadroom(locals);
      code.storeWord(MACHINE_WORD.frameEnd * 4, () => code.get(data).get(length).op(WASM.i32_add));
      // Where bounds move, what is linear may have grown out of the fragments.
      if (!needs.inPlace) code.storeWord(MACHINE_WORD.fragmentSkip * 4, () => code.i32(0));
      code.storeWord(MACHINE_WORD.data * 4, () => code.get(data));
      code.storeWord(MACHINE_WORD.dataMeta * 4, () => code.get(data).get(metaLength).op(WASM.i32_sub));
      code.storeWord(MACHINE_WORD.hardStart * 4, () => code.i32(PACKET_BASE));
      code.storeWord(MACHINE_WORD.hardEnd * 4, () => code.i32(XDP_DATA + XDP_LINEAR_LIMIT));
    }
    code.storeWord(CONTEXT_BASE + XDP_MD.data, () => code.get(data));
    if (needs.metadata) {
      code.storeWord(CONTEXT_BASE + XDP_MD.dataMeta, () => code.get(data).get(metaLength).op(WASM.i32_sub));
    }
    if (needs.device) {
      code.storeWord(CONTEXT_BASE + XDP_MD.ingressIfindex, () => code.get(ifindex));
      code.storeWord(CONTEXT_BASE + XDP_MD.rxQueueIndex, () => code.get(queue));
      code.storeWord(CONTEXT_BASE + XDP_MD.egressIfindex, () => code.word(MACHINE_WORD.egress * 4));
    }
    // Only the linear part is between data and data_end. `length` is not used any more.
    code.get(data).get(length).i32(XDP_LINEAR_LIMIT);
    code.get(length).i32(XDP_LINEAR_LIMIT).op(WASM.i32_lt_u).op(WASM.select);
    code.op(WASM.i32_add).set(length);
    code.storeWord(CONTEXT_BASE + XDP_MD.dataEnd, () => code.get(length));
    if (needs.bounds) code.storeWord(MACHINE_WORD.dataEnd * 4, () => code.get(length));
  }

  /** What `bpf_xdp_adjust_head` brings to light is zero: the last packet's growth is wiped out. */
  #freshHeadroom(locals: PacketLocals): void {
    const code = this.#code;
    const lowest = MACHINE_WORD.lowest * 4;
    const start = (): void => {
      code.get(locals.data).get(locals.metaLength).op(WASM.i32_sub);
    };
    code.word(lowest).i32(1).op(WASM.i32_sub);
    start();
    code.i32(1).op(WASM.i32_sub).op(WASM.i32_lt_u).if();
    code.word(lowest).i32(0);
    start();
    code.word(lowest).op(WASM.i32_sub).memoryFill();
    code.end();
    code.storeWord(lowest, start);
  }

  /** `writeSkBuff` and `PacketArea.placeSkb`. */
  #skbContext(hook: Hook, locals: PacketLocals): void {
    const code = this.#code;
    const { data, length, metaLength, ifindex } = locals;
    const store = (offset: number, value: () => void): void => {
      code.storeWord(CONTEXT_BASE + offset, value);
    };
    const meta = (): void => {
      code.get(data).get(metaLength).op(WASM.i32_sub);
    };
    const end = (): void => {
      code.get(data).get(length).op(WASM.i32_add);
    };
    const linear = code.local(I32);
    const linearEnd = (): void => {
      code.get(data).get(linear).op(WASM.i32_add);
    };
    code.get(length).set(linear);
    if (this.#context.needs.socket) this.#socket(data, length);
    code.i32(CONTEXT_BASE).i32(0).i32(SK_BUFF_LAYOUT.size).memoryFill();
    store(SK_BUFF.len, () => code.get(length));
    store(SK_BUFF.wireLen, () => code.get(length));
    store(SK_BUFF.protocol, () => this.#protocol(data, length));
    store(SK_BUFF.ifindex, () => code.get(ifindex));
    if (hook === 'tc-ingress') store(SK_BUFF.ingressIfindex, () => code.get(ifindex));
    store(SK_BUFF.sk, () => code.i32(SOCKET_BASE));
    code.storeWord(MACHINE_WORD.hashKnown * 4, () => code.i32(0));
    code.storeWord(MACHINE_WORD.tunnel * 4, () => code.i32(0));
    this.#skbInput(hook, linear);
    store(SK_BUFF.data, () => code.get(data));
    store(SK_BUFF.dataMeta, meta);
    store(SK_BUFF.dataEnd, linearEnd);
    this.#packetType(data, ifindex);
    code.storeWord(MACHINE_WORD.data * 4, () => code.get(data));
    code.storeWord(MACHINE_WORD.dataMeta * 4, meta);
    code.storeWord(MACHINE_WORD.dataEnd * 4, linearEnd);
    code.storeWord(MACHINE_WORD.frameEnd * 4, end);
    code.storeWord(MACHINE_WORD.hardStart * 4, () => code.i32(PACKET_BASE));
    code.storeWord(MACHINE_WORD.hardEnd * 4, () => code.i32(PACKET_LIMIT));
    code.storeWord(MACHINE_WORD.networkHeader * 4, () =>
      code.get(data).i32(ETHERNET_HEADER).op(WASM.i32_add),
    );
    // Whoever puts a tag beside the frame has measured the MAC header.
    code.storeWord(MACHINE_WORD.macLength * 4, () =>
      code
        .word(CONTEXT_BASE + SK_BUFF.vlanPresent)
        .i32(ETHERNET_HEADER)
        .op(WASM.i32_mul),
    );
    code.storeWord(MACHINE_WORD.frontRoom * 4, () => code.i32(NEW_FRONT.room));
    code.storeWord(MACHINE_WORD.transportHeader * 4, () => code.i32(NEW_FRONT.transport));
    code.storeWord(MACHINE_WORD.largerBuffer * 4, () => code.i32(0));
    code.storeWord(MACHINE_WORD.encapsulated * 4, () => code.i32(0));
    code.storeWord(MACHINE_WORD.checkedSums * 4, () => code.i32(0));
    code.storeWord(MACHINE_WORD.storageKept * 4, () => code.i32(0));
  }

  /**
   * What the packet comes with beside its bytes: seldom anything.
   * @param linear local, set where not all of the frame is linear
   */
  #skbInput(hook: Hook, linear: number): void {
    const code = this.#code;
    const image = code.local(I32);
    code.word(BATCH_WORD.skb).if();
    code.word(BATCH_WORD.skb).word(WASM_WORD.packet).i32(4).op(WASM.i32_mul).op(WASM.i32_add);
    code.memory(WASM.i32_load, 0).tee(image).if();
    for (const [offset, size] of SKB_INPUT_PARTS) {
      code
        .i32(CONTEXT_BASE + offset)
        .get(image)
        .i32(offset)
        .op(WASM.i32_add)
        .i32(size)
        .memoryCopy();
    }
    if (hook === 'tc-egress')
      code.storeWord(CONTEXT_BASE + SK_BUFF.ingressIfindex, () =>
        code.get(image).memory(WASM.i32_load, SK_BUFF.ingressIfindex),
      );
    // A hash that the device gave is kept.
    code.storeWord(MACHINE_WORD.hashKnown * 4, () =>
      code
        .word(CONTEXT_BASE + SK_BUFF.hash)
        .i32(0)
        .op(WASM.i32_ne),
    );
    code.storeWord(MACHINE_WORD.tunnel * 4, () => code.get(image).memory(WASM.i32_load, SK_BUFF.data));
    code.get(image).memory(WASM.i32_load, SK_BUFF.sk).if();
    code.storeWord(CONTEXT_BASE + SK_BUFF.sk, () => code.i32(0));
    code.end();
    code.get(image).memory(WASM.i32_load, SK_BUFF.dataEnd).if();
    code.get(image).memory(WASM.i32_load, SK_BUFF.dataEnd).set(linear);
    code.end();
    code.end().end();
  }

  /** `fillSocket`. */
  #socket(data: number, length: number): void {
    const code = this.#code;
    code.i32(SOCKET_BASE).i32(0).i32(SOCKET.state).memoryFill();
    for (const { type, header, family, size, source, to } of SOCKET_FAMILIES) {
      code.get(data).memory(WASM.i32_load16_u, 12).i32(type).op(WASM.i32_eq).if();
      code.storeWord(SOCKET_BASE + SOCKET.family, () => code.i32(family));
      code
        .get(length)
        .i32(14 + header)
        .op(WASM.i32_ge_u)
        .if();
      for (const [index, target] of to.entries()) {
        code.i32(SOCKET_BASE + target);
        code
          .get(data)
          .i32(14 + source + index * size)
          .op(WASM.i32_add);
        code.i32(size).memoryCopy();
      }
      code.end().end();
    }
  }

  /** `skb->protocol` as `eth_type_trans` finds it (net/ethernet/eth.c): in network order, so as it lies there. */
  #protocol(data: number, length: number): void {
    const code = this.#code;
    code.get(data).memory(WASM.i32_load16_u, 12);
    // Below 0x0600 it is a length: 802.3 where two bytes of ones follow, else 802.2.
    code.i32(0x0001 << 8).i32(0x0004 << 8);
    code.get(data).memory(WASM.i32_load16_u, 14).i32(0xffff).op(WASM.i32_eq);
    code.get(length).i32(16).op(WASM.i32_ge_u).op(WASM.i32_and).op(WASM.select);
    code.get(data).memory(WASM.i32_load8_u, 12).i32(0x06).op(WASM.i32_ge_u).op(WASM.select);
  }

  /** `skb->pkt_type`: by the destination, and the MAC of the device. */
  #packetType(data: number, ifindex: number): void {
    const code = this.#code;
    const row = code.local(I32);
    const end = code.local(I32);
    const mac = CONTEXT_BASE + SK_BUFF.pktType;
    // The row of the device, or the last one, which is all zero.
    code.word(BATCH_WORD.devices).tee(row);
    code.word(BATCH_WORD.deviceCount).i32(16).op(WASM.i32_mul).op(WASM.i32_add).set(end);
    code.block();
    const found = code.depth;
    code.loop();
    const again = code.depth;
    code.get(row).get(end).op(WASM.i32_eq).branchIf(found);
    code.get(row).memory(WASM.i32_load, 0).get(ifindex).op(WASM.i32_eq).branchIf(found);
    code.get(row).i32(16).op(WASM.i32_add).set(row).branch(again);
    code.end().end();
    code.get(data).memory(WASM.i32_load8_u, 0).i32(1).op(WASM.i32_and).if();
    code.storeWord(mac, () => {
      code.i32(PACKET_BROADCAST).i32(PACKET_MULTICAST);
      code.get(data).memory(WASM.i32_load, 0).i32(-1).op(WASM.i32_eq);
      code.get(data).memory(WASM.i32_load16_u, 4).i32(0xffff).op(WASM.i32_eq).op(WASM.i32_and);
      // The loopback device has no broadcast address.
      code.get(row).memory(WASM.i32_load, 0).i32(1).op(WASM.i32_gt_u);
      code.op(WASM.i32_and).op(WASM.select);
    });
    code.else();
    code.storeWord(mac, () => {
      code.i32(PACKET_HOST).i32(PACKET_OTHERHOST);
      code.get(data).memory(WASM.i32_load, 0).get(row).memory(WASM.i32_load, 4).op(WASM.i32_eq);
      code.get(data).memory(WASM.i32_load16_u, 4).get(row).memory(WASM.i32_load16_u, 8).op(WASM.i32_eq);
      code.op(WASM.i32_and).op(WASM.select);
    });
    code.end();
  }

  /** Writes down what came of a packet, but for its action. */
  #outcome(hook: Hook, packet: number, action: number): void {
    const code = this.#code;
    const { needs } = this.#context;
    if (needs.redirects) {
      this.#elementAddress(BATCH_WORD.redirect, packet, 4);
      code.word(MACHINE_WORD.redirectTarget * 4).i32(0);
      code
        .get(action)
        .i32(hook === 'xdp' ? XDP_REDIRECT : TC_ACT_REDIRECT)
        .op(WASM.i32_eq)
        .op(WASM.select);
      code.memory(WASM.i32_store, 0);
    }
    if (hook !== 'xdp') {
      for (const [word, offset] of [
        [BATCH_WORD.mark, SK_BUFF.mark],
        [BATCH_WORD.priority, SK_BUFF.priority],
      ] as const) {
        this.#elementAddress(word, packet, 4);
        code.word(CONTEXT_BASE + offset).memory(WASM.i32_store, 0);
      }
      this.#elementAddress(BATCH_WORD.cb, packet, 4 * WORDS_OF_CB);
      code
        .i32(CONTEXT_BASE + SK_BUFF.cb)
        .i32(4 * WORDS_OF_CB)
        .memoryCopy();
      this.#elementAddress(BATCH_WORD.tstamp, packet, 8);
      code
        .i32(CONTEXT_BASE + SK_BUFF.tstamp)
        .memory(WASM.i64_load, 0)
        .memory(WASM.i64_store, 0);
    }
    if (!needs.inPlace) this.#copyOut(packet);
  }

  #copyOut(packet: number): void {
    const code = this.#code;
    const meta = code.local(I32);
    const size = code.local(I32);
    const metaLength = (): void => {
      code
        .word(MACHINE_WORD.data * 4)
        .get(meta)
        .op(WASM.i32_sub);
    };
    code.word(MACHINE_WORD.dataMeta * 4).set(meta);
    code
      .word(MACHINE_WORD.frameEnd * 4)
      .get(meta)
      .op(WASM.i32_sub)
      .set(size);
    code.word(BATCH_WORD.outUsed).get(meta).get(size).memoryCopy();
    this.#elementAddress(BATCH_WORD.outMetaLength, packet, 1);
    metaLength();
    code.memory(WASM.i32_store8, 0);
    this.#elementAddress(BATCH_WORD.outLength, packet, 4);
    code
      .word(MACHINE_WORD.frameEnd * 4)
      .word(MACHINE_WORD.data * 4)
      .op(WASM.i32_sub);
    code.memory(WASM.i32_store, 0);
    this.#elementAddress(BATCH_WORD.outOffset, packet, 4);
    code.word(BATCH_WORD.outUsed);
    metaLength();
    code.op(WASM.i32_add).word(BATCH_WORD.outBase).op(WASM.i32_sub).memory(WASM.i32_store, 0);
    code.storeWord(BATCH_WORD.outUsed, () => code.word(BATCH_WORD.outUsed).get(size).op(WASM.i32_add));
  }
}
