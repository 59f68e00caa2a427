/**
 * The WebAssembly module behind `fast-scan.ts`: the plain packets of a batch, whose checksums are all right, are counted
 * without leaving it. Whatever is not plain, or not right, is left to the scanner in `oracle/checksums.ts`: so a packet is
 * called right here only if the words of the RFCs say so, and never wrong.
 *
 * Sums are those of `oracle/sum.ts` by other means: 16 bytes at a time, in the machine's byte order, which a ones'
 * complement sum does not mind (RFC 1071 §2 B). It shares nothing with what programs and models compute.
 */
import { CodeWriter } from '../../sim/ebpf/wasm/code-writer.ts';
import { ModuleEncoder } from '../../sim/ebpf/wasm/encoder.ts';
import { I32, SIMD, V128, WASM } from '../../sim/ebpf/wasm/opcodes.ts';

/** Packets that one call can take. */
export const FAST_CAPACITY = 4096;

/** Where things lie in the module's memory. */
export const PLACE = {
  /** A byte for each UDP port, by its two bytes as they stand in the packet, read in the machine's order: one of `PORT_KIND`. */
  ports: 0,
  /** 16 bytes of ones, then 16 of zeros: the last bytes of a packet are cut out with them. */
  masks: 0x1_0000,
  /** Words, by `COUNT`. */
  counts: 0x1_0040,
  offsets: 0x1_0080,
  lengths: 0x1_0080 + FAST_CAPACITY * 4,
  /** Indices of the packets that are left to the scanner. */
  left: 0x1_0080 + FAST_CAPACITY * 8,
  /** Bytes of captures. */
  data: 0x2_0000,
} as const;

export const PORT_KIND = { unknown: 0, nothing: 1, tunnel: 2 } as const;

/** Offsets from `PLACE.counts`. */
export const COUNT = { ipv4: 0, icmp: 4, icmpv6: 8, tcp: 12, udp: 16, large: 20 } as const;
export const COUNTS_SIZE = 24;

// The parameters of the exported function.
const PACKETS = 0;
/** Added to every offset. */
const BASE = 1;
const HEADER_SIZE = 2;
/** Where the EtherType lies in the link-layer header; -1 where packets begin with IP. */
const TYPE_AT = 3;
const MTU = 4;
const PARAMETERS = [I32, I32, I32, I32, I32] as const;

/** EtherTypes as little-endian words. */
const TYPE = { ipv4: 0x0008, ipv6: 0xdd86, arp: 0x0608, tags: [0x0081, 0xa888, 0x0091, 0x0092] } as const;
/** Fragment offset and "more fragments", as a little-endian word. */
const FRAGMENT_MASK = 0xff3f;

export function fastScanModule(): Uint8Array {
  const encoder = new ModuleEncoder();
  const index = encoder.declare(encoder.type(PARAMETERS, [I32]));
  encoder.define(index, new ScanWriter().code);
  encoder.exportFunction('scan', index);
  return encoder.encode();
}

class ScanWriter {
  readonly code: CodeWriter = new CodeWriter(PARAMETERS.length);
  readonly #packet = this.#word();
  readonly #left = this.#word();
  /** Where the next header starts, and where the packet's bytes end. */
  readonly #cursor = this.#word();
  readonly #limit = this.#word();
  readonly #type = this.#word();
  /** The IP packet's length, header included. */
  readonly #total = this.#word();
  readonly #isIpv4 = this.#word();
  readonly #protocol = this.#word();
  /** The transport's header, and how many bytes of it are summed. */
  readonly #transport = this.#word();
  readonly #length = this.#word();
  /** The sum of what stands before the transport, not folded. */
  readonly #pseudo = this.#word();
  readonly #end = this.#word();
  readonly #count = this.#word();
  readonly #scratch = this.#word();
  readonly #vector = this.code.local(V128);
  /** Never written. */
  readonly #zero = this.code.local(V128);

  constructor() {
    const { code } = this;
    code.block();
    code.get(PACKETS).op(WASM.i32_eqz).branchIf(code.depth);
    code.loop();
    const next = code.depth;
    code.block();
    const counted = code.depth;
    code.block();
    const leave = code.depth;
    this.#start();
    this.#linkLayer(leave, counted);
    this.#network(leave);
    this.#transportLayer(leave);
    this.#sumTransport(leave);
    this.#tally();
    code.branch(counted).end();
    // Left to the scanner.
    code.get(this.#left).i32(2).op(WASM.i32_shl).get(this.#packet).memory(WASM.i32_store, PLACE.left);
    code.get(this.#left).i32(1).op(WASM.i32_add).set(this.#left);
    code.end();
    code.get(this.#packet).i32(1).op(WASM.i32_add).tee(this.#packet);
    code.get(PACKETS).op(WASM.i32_lt_u).branchIf(next);
    code.end().end();
    code.get(this.#left);
  }

  #word(): number {
    return this.code.local(I32);
  }

  #start(): void {
    const { code } = this;
    code.get(this.#packet).i32(2).op(WASM.i32_shl).tee(this.#scratch);
    code.memory(WASM.i32_load, PLACE.offsets).get(BASE).op(WASM.i32_add).tee(this.#cursor);
    code.get(this.#scratch).memory(WASM.i32_load, PLACE.lengths).op(WASM.i32_add).set(this.#limit);
  }

  /** Leaves where fewer than so many bytes are left. */
  #require(size: number, leave: number): void {
    const { code } = this;
    code.get(this.#limit).get(this.#cursor).op(WASM.i32_sub).i32(size).op(WASM.i32_lt_s).branchIf(leave);
  }

  #advance(size: number): void {
    this.code.get(this.#cursor).i32(size).op(WASM.i32_add).set(this.#cursor);
  }

  /** @param done is branched to where there is nothing that has a checksum: half a header, ARP */
  #linkLayer(leave: number, done: number): void {
    const { code } = this;
    code.get(TYPE_AT).i32(0).op(WASM.i32_lt_s).if();
    this.#require(1, done);
    // The first four bits are the version: all but 6 is read as IPv4.
    code.i32(TYPE.ipv6).i32(TYPE.ipv4);
    code.get(this.#cursor).memory(WASM.i32_load8_u, 0).i32(4).op(WASM.i32_shr_u).i32(6).op(WASM.i32_eq);
    code.op(WASM.select).set(this.#type);
    code.else();
    code
      .get(this.#limit)
      .get(this.#cursor)
      .op(WASM.i32_sub)
      .get(HEADER_SIZE)
      .op(WASM.i32_lt_s)
      .branchIf(done);
    code.get(this.#cursor).get(TYPE_AT).op(WASM.i32_add).memory(WASM.i32_load16_u, 0).set(this.#type);
    code.get(this.#cursor).get(HEADER_SIZE).op(WASM.i32_add).set(this.#cursor);
    code.block();
    const untagged = code.depth;
    code.loop();
    const again = code.depth;
    for (const [index, tag] of TYPE.tags.entries()) {
      code.get(this.#type).i32(tag).op(WASM.i32_eq);
      if (index > 0) code.op(WASM.i32_or);
    }
    code.op(WASM.i32_eqz).branchIf(untagged);
    this.#require(4, leave);
    code.get(this.#cursor).memory(WASM.i32_load16_u, 2).set(this.#type);
    this.#advance(4);
    code.branch(again).end().end();
    code.end();
    code.get(this.#type).i32(TYPE.arp).op(WASM.i32_eq).branchIf(done);
  }

  #network(leave: number): void {
    const { code } = this;
    code.get(this.#type).i32(TYPE.ipv4).op(WASM.i32_eq).tee(this.#isIpv4).if();
    this.#ipv4(leave);
    code.else();
    code.get(this.#type).i32(TYPE.ipv6).op(WASM.i32_ne).branchIf(leave);
    this.#ipv6(leave);
    code.end();
  }

  /** RFC 791 §3.1: whole, without options, and its header's checksum right. */
  #ipv4(leave: number): void {
    const { code } = this;
    this.#require(20, leave);
    code.get(this.#cursor).memory(WASM.i32_load8_u, 0).i32(0x45).op(WASM.i32_ne).branchIf(leave);
    code.get(this.#cursor).memory(WASM.i32_load16_u, 6).i32(FRAGMENT_MASK).op(WASM.i32_and).branchIf(leave);
    this.#bigEndian(2, this.#cursor);
    code.tee(this.#total).i32(20).op(WASM.i32_lt_u).branchIf(leave);
    code
      .get(this.#total)
      .get(this.#limit)
      .get(this.#cursor)
      .op(WASM.i32_sub)
      .op(WASM.i32_gt_s)
      .branchIf(leave);
    code.get(this.#cursor).vector(0).simd(SIMD.i32x4_extadd_pairwise_i16x8_u).set(this.#vector);
    this.#lanes();
    this.#halves(16, this.#cursor);
    code.op(WASM.i32_add);
    this.#requireOnes(leave);
    code.get(this.#cursor).memory(WASM.i32_load8_u, 9).set(this.#protocol);
    this.#halves(12, this.#cursor);
    this.#halves(16, this.#cursor);
    code.op(WASM.i32_add).get(this.#protocol).i32(8).op(WASM.i32_shl).op(WASM.i32_add).set(this.#pseudo);
    code.get(this.#cursor).i32(20).op(WASM.i32_add).set(this.#transport);
    code.get(this.#total).i32(20).op(WASM.i32_sub).set(this.#length);
  }

  /** RFC 8200 §3: without extension headers, which are left to the scanner by their numbers. */
  #ipv6(leave: number): void {
    const { code } = this;
    this.#require(40, leave);
    code.get(this.#cursor).memory(WASM.i32_load8_u, 0).i32(4).op(WASM.i32_shr_u).i32(6).op(WASM.i32_ne);
    code.branchIf(leave);
    this.#bigEndian(4, this.#cursor);
    code.tee(this.#length).op(WASM.i32_eqz).branchIf(leave);
    code.get(this.#length).i32(40).op(WASM.i32_add).tee(this.#total);
    code.get(this.#limit).get(this.#cursor).op(WASM.i32_sub).op(WASM.i32_gt_s).branchIf(leave);
    code.get(this.#cursor).memory(WASM.i32_load8_u, 6).set(this.#protocol);
    code.get(this.#cursor).vector(8).simd(SIMD.i32x4_extadd_pairwise_i16x8_u);
    code.get(this.#cursor).vector(24).simd(SIMD.i32x4_extadd_pairwise_i16x8_u);
    code.simd(SIMD.i32x4_add).set(this.#vector);
    this.#lanes();
    code.get(this.#protocol).i32(8).op(WASM.i32_shl).op(WASM.i32_add).set(this.#pseudo);
    code.get(this.#cursor).i32(40).op(WASM.i32_add).set(this.#transport);
  }

  /** Leaves for every protocol but TCP, UDP and the ICMP of the version, and where there is more to look into. */
  #transportLayer(leave: number): void {
    const { code } = this;
    const isProtocol = (protocol: number): void => {
      code.get(this.#protocol).i32(protocol).op(WASM.i32_eq).if();
    };
    const requireLength = (size: number): void => {
      code.get(this.#length).i32(size).op(WASM.i32_lt_s).branchIf(leave);
    };
    isProtocol(6);
    requireLength(20);
    code.i32(COUNT.tcp).set(this.#count);
    code.else();
    isProtocol(17);
    requireLength(8);
    this.#udp(leave);
    code.else();
    requireLength(8);
    isProtocol(1);
    code.get(this.#isIpv4).op(WASM.i32_eqz).branchIf(leave);
    this.#leaveForTypes([3, 4, 5, 11, 12], leave);
    code.i32(COUNT.icmp).set(this.#count);
    code.else();
    code.get(this.#protocol).i32(58).op(WASM.i32_ne).get(this.#isIpv4).op(WASM.i32_or).branchIf(leave);
    this.#leaveForTypes([1, 2, 3, 4], leave);
    code.i32(COUNT.icmpv6).set(this.#count);
    code.end().end().end();
  }

  /** Errors quote a packet. */
  #leaveForTypes(types: readonly number[], leave: number): void {
    const { code } = this;
    const mask = types.reduce((bits, type) => bits | (1 << type), 0);
    code.get(this.#transport).memory(WASM.i32_load8_u, 0).tee(this.#scratch).i32(32).op(WASM.i32_lt_u);
    code
      .i32(mask)
      .get(this.#scratch)
      .op(WASM.i32_shr_u)
      .op(WASM.i32_and)
      .i32(1)
      .op(WASM.i32_and)
      .branchIf(leave);
  }

  /** With a checksum, and nothing in it that is, or looks like, a packet. */
  #udp(leave: number): void {
    const { code } = this;
    this.#bigEndian(4, this.#transport);
    code.tee(this.#scratch).i32(8).op(WASM.i32_lt_u).branchIf(leave);
    code.get(this.#scratch).get(this.#length).op(WASM.i32_gt_u).branchIf(leave);
    code.get(this.#scratch).set(this.#length);
    code.get(this.#transport).memory(WASM.i32_load16_u, 6).op(WASM.i32_eqz).branchIf(leave);
    // The destination's kind counts, then the source's.
    code.get(this.#transport).memory(WASM.i32_load16_u, 2).memory(WASM.i32_load8_u, PLACE.ports);
    code.tee(this.#scratch).op(WASM.i32_eqz).if();
    code.get(this.#transport).memory(WASM.i32_load16_u, 0).memory(WASM.i32_load8_u, PLACE.ports);
    code.set(this.#scratch).end();
    code.get(this.#scratch).i32(PORT_KIND.tunnel).op(WASM.i32_eq).branchIf(leave);
    code.get(this.#scratch).op(WASM.i32_eqz).get(this.#length).i32(8).op(WASM.i32_ne).op(WASM.i32_and).if();
    // IP begins with 4 or 6, VXLAN with 0x08, its extension with 0x0c.
    code.get(this.#transport).memory(WASM.i32_load8_u, 8).tee(this.#scratch);
    code.i32(0xd0).op(WASM.i32_and).i32(0x40).op(WASM.i32_eq);
    code.get(this.#scratch).i32(0xfb).op(WASM.i32_and).i32(0x08).op(WASM.i32_eq);
    code.op(WASM.i32_or).branchIf(leave);
    code.end();
    code.i32(COUNT.udp).set(this.#count);
  }

  #sumTransport(leave: number): void {
    const { code } = this;
    code.get(this.#transport).get(this.#length).op(WASM.i32_add).set(this.#end);
    code.get(this.#transport).set(this.#cursor);
    code.get(this.#zero).set(this.#vector);
    code.block();
    const done = code.depth;
    code.loop();
    const again = code.depth;
    code.get(this.#end).get(this.#cursor).op(WASM.i32_sub).i32(16).op(WASM.i32_lt_s).branchIf(done);
    this.#addVector(() => code.get(this.#cursor).vector(0));
    this.#advance(16);
    code.branch(again).end().end();
    // The last 0 to 15 bytes, and zeros: an odd one is the first half of a word (RFC 1071 §4.1).
    this.#addVector(() => {
      code.get(this.#cursor).vector(0);
      code
        .get(this.#cursor)
        .get(this.#end)
        .op(WASM.i32_sub)
        .i32(PLACE.masks + 16)
        .op(WASM.i32_add);
      code.vector(0).simd(SIMD.v128_and);
    });
    this.#lanes();
    // ICMP over IPv4 alone has no pseudo-header.
    code.get(this.#pseudo).get(this.#length).i32(8).op(WASM.i32_shr_u);
    code
      .get(this.#length)
      .i32(0xff)
      .op(WASM.i32_and)
      .i32(8)
      .op(WASM.i32_shl)
      .op(WASM.i32_or)
      .op(WASM.i32_add);
    code.i32(0).get(this.#count).i32(COUNT.icmp).op(WASM.i32_ne).op(WASM.select).op(WASM.i32_add);
    this.#requireOnes(leave);
  }

  #addVector(push: () => void): void {
    const { code } = this;
    push();
    code.simd(SIMD.i32x4_extadd_pairwise_i16x8_u).get(this.#vector).simd(SIMD.i32x4_add).set(this.#vector);
  }

  #tally(): void {
    const { code } = this;
    const increase = (push: () => void, by: () => void): void => {
      push();
      push();
      code.memory(WASM.i32_load, PLACE.counts);
      by();
      code.op(WASM.i32_add).memory(WASM.i32_store, PLACE.counts);
    };
    increase(
      () => code.get(this.#count),
      () => code.i32(1),
    );
    increase(
      () => code.i32(COUNT.ipv4),
      () => code.get(this.#isIpv4),
    );
    increase(
      () => code.i32(COUNT.large),
      () => code.get(this.#total).get(MTU).op(WASM.i32_gt_u),
    );
  }

  /** Pushes the sum of the four numbers in the vector: of at most 64 KiB, so it stays below 2³². */
  #lanes(): void {
    const { code } = this;
    for (const lane of [0, 1, 2, 3]) {
      code.get(this.#vector).lane(lane);
      if (lane > 0) code.op(WASM.i32_add);
    }
  }

  /** Pushes the sum of two 16-bit words. */
  #halves(offset: number, base: number): void {
    const { code } = this;
    code
      .get(base)
      .memory(WASM.i32_load16_u, offset)
      .get(base)
      .memory(WASM.i32_load16_u, offset + 2);
    code.op(WASM.i32_add);
  }

  /** Pushes a big-endian 16-bit number. */
  #bigEndian(offset: number, base: number): void {
    const { code } = this;
    code.get(base).memory(WASM.i32_load8_u, offset).i32(8).op(WASM.i32_shl);
    code
      .get(base)
      .memory(WASM.i32_load8_u, offset + 1)
      .op(WASM.i32_or);
  }

  /** Folds the sum on the stack twice, and leaves where it is not all ones (RFC 1071 §1). */
  #requireOnes(leave: number): void {
    const { code } = this;
    for (let fold = 0; fold < 2; fold++) {
      code.tee(this.#scratch).i32(0xffff).op(WASM.i32_and);
      code.get(this.#scratch).i32(16).op(WASM.i32_shr_u).op(WASM.i32_add);
    }
    code.i32(0xffff).op(WASM.i32_ne).branchIf(leave);
  }
}
