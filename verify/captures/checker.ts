/**
 * Checks every checksum of a capture, batch by batch: counts, faults, what was unfinished, fragmented, skipped and not
 * looked into. Memory is bounded by what is listed, not by the capture.
 */
import type { CapturedFilter } from '../../corpus/filter/captured.ts';
import type { CaptureBatch } from '../../corpus/formats/capture-batch.ts';
import { asEthernet } from '../../corpus/formats/ethernet-frame.ts';
import { isReadable } from '../../corpus/formats/link-layer.ts';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { ChecksumScanner } from '../oracle/checksums.ts';
import {
  CHECKSUM,
  CHECKSUM_LAYERS,
  type ChecksumSink,
  type FoundChecksum,
  type FoundHeader,
  HEADER,
  HEADER_FLAG,
  isRightKnown,
  PART,
} from '../oracle/found.ts';
import { ConversationReader, conversationText } from './conversation.ts';
import { type Datagram, Datagrams, type FragmentPlace } from './datagrams.ts';
import type { FastScan, FastScanOptions } from './fast-scan.ts';
import type { FastFaults } from './fast-scan-fault.ts';
import { type CaptureFault, OFFLOAD, REPORTED_STATUSES, type ReportedStatus } from './fault.ts';
import { FlowFaults, type FlowKey } from './flow-faults.ts';
import { type LoneCause, loneCause } from './lone-cause.ts';
import { isUnfinished, LocalOffload } from './offload.ts';
import { PacketSet } from './packet-set.ts';
import { unexaminedName } from './unexamined.ts';

const STATUSES = REPORTED_STATUSES.length;

export interface CheckOptions {
  /** Are unfinished checksums faults? */
  readonly strict?: boolean;
  /** Are fragments put together? Default true. */
  readonly reassemble?: boolean;
  /** Faults of these layers only; default all. */
  readonly layers?: ReadonlySet<string> | undefined;
  /** Which packets are looked at; default all. They keep the numbers that they have in the capture. */
  readonly filter?: CapturedFilter | undefined;
  /** How many faults are kept. */
  readonly maxFaults?: number;
  /** IP packets that are longer were not on the wire like this; default 1500. */
  readonly mtu?: number;
  /** Are the numbers of faulty packets kept? `and unfinished`: by themselves, also those whose checksums the network card fills in. */
  readonly keepFaulty?: boolean | 'and unfinished';
  /** Judges most packets before the scanner has to look at them. */
  readonly fast?: FastScan;
  /** Called with each fragmented datagram in which something is wrong. */
  readonly onFaultyDatagram?: (datagram: Datagram<unknown>) => void;
}

/** What was found in a fragment, until it is known whether its datagram becomes whole. */
interface Deferred {
  /** Index of layer × statuses + status, for each checksum found. */
  readonly counts: number[];
  readonly faults: { readonly key: FlowKey; readonly fault: CaptureFault }[];
  readonly unknown: string[];
}

/** What is private is so for the compiler only: the check that `#names` ask for at every access is felt with every packet. */
export class CaptureChecker implements ChecksumSink {
  packets = 0;
  /** Packets that the filter left out. */
  filteredOut = 0;
  readonly faults: CaptureFault[] = [];
  /** Faults found, listed or not. */
  faultCount = 0;
  /** Packets of link types that cannot be looked into, by link type. */
  readonly skipped: Map<number, number> = new Map();
  /** Packets with something that has a checksum and is not looked into, by name. */
  readonly unexamined: Map<string, number> = new Map();
  /** IP packets that are longer than the MTU, or state a length of 0. */
  largePackets = 0;
  /** Datagrams that were put together, and fragments of those that could not be. */
  reassembled = 0;
  incompleteFragments = 0;
  readonly flows: FlowFaults = new FlowFaults();
  /** Faults of which nobody knows what should stand there. */
  unknownRight = 0;
  /** Filled with `keepFaulty`: packets with faults, and those whose checksums the network card fills in. */
  readonly faulty: PacketSet = new PacketSet();
  readonly unfinished: PacketSet = new PacketSet();

  private readonly options: CheckOptions;
  private readonly maxFaults: number;
  private readonly mtu: number;
  private readonly fastOptions: FastScanOptions;
  private readonly keepsFaulty: boolean;
  private readonly counts = new Float64Array(CHECKSUM_LAYERS.length * STATUSES);
  private readonly scanner = new ChecksumScanner();
  private readonly inner = new ChecksumScanner();
  private readonly local = new LocalOffload();
  private readonly conversation = new ConversationReader();
  private readonly datagrams: Datagrams<Deferred> | undefined;

  // The packet that is being scanned.
  private bytes: Uint8Array = new Uint8Array(0);
  private view: DataView = new DataView(this.bytes.buffer);
  private at = 0;
  private length = 0;
  private linkType: number = LINKTYPE.ETHERNET;
  /** The innermost IP header that is a fragment's; `version` is 0 where there is none. */
  private readonly fragment: FragmentPlace = { version: 0, start: 0, end: 0, offset: 0, more: false };
  private deferred: Deferred | undefined;
  /** While a datagram that was put together is scanned: what its packet held in front of it. */
  private datagram: { readonly depths: Int32Array; isFaulty: boolean } | undefined;
  /** Was this packet counted as large already? */
  private isLarge = false;

  constructor(options: CheckOptions = {}) {
    this.options = options;
    this.keepsFaulty = options.keepFaulty !== undefined && options.keepFaulty !== false;
    this.maxFaults = options.maxFaults ?? 1000;
    this.mtu = options.mtu ?? 1500;
    this.fastOptions = { mtu: this.mtu, leavesFragments: options.reassemble !== false };
    this.scanner.bigTcp = true;
    this.inner.bigTcp = true;
    if (options.reassemble !== false) this.datagrams = new Datagrams((deferred) => this.giveUp(deferred));
  }

  count(layer: string, status: ReportedStatus): number {
    const row = CHECKSUM_LAYERS.indexOf(layer as (typeof CHECKSUM_LAYERS)[number]);
    return this.counts[row * STATUSES + REPORTED_STATUSES.indexOf(status)]!;
  }

  /** Checks the packets of a batch up to `end`. */
  check(batch: CaptureBatch, end: number = batch.count): void {
    this.setBytes(batch.bytes);
    // What counts plain packets does not ask the filter.
    const isFast = end === batch.count && this.options.filter === undefined;
    const { fast } = this.options;
    if (isFast && fast?.scan(batch, this.fastOptions) === true) {
      this.takeOver(batch, fast);
      return;
    }
    for (let index = 0; index < end; index++) {
      this.packets++;
      this.checkOne(batch, index);
    }
  }

  /** Most packets are judged already: their faults are taken over, and the scanner looks at the others, in order. */
  private takeOver(batch: CaptureBatch, fast: FastScan): void {
    const { counts, left, leftCount } = fast;
    const first = this.packets + 1;
    for (let index = 0; index < counts.length; index++) this.counts[index]! += counts[index]!;
    this.largePackets += fast.large;
    let taken = 0;
    for (let index = 0; index < leftCount; index++) {
      const packet = left[index]!;
      taken = this.takeFaults(batch, fast, first, taken, packet);
      this.packets = first + packet;
      this.checkOne(batch, packet);
    }
    this.takeFaults(batch, fast, first, taken, batch.count);
    this.packets = first + batch.count - 1;
  }

  /** Takes faults of packets before `end` over, from the fault `next` on. @returns the one behind the last */
  private takeFaults(
    batch: CaptureBatch,
    { faults, faultCount }: FastScan,
    first: number,
    next: number,
    end: number,
  ): number {
    // Not one of its own: V8 makes faster code for a sink that sees one kind of object only.
    const found = this.scanner;
    for (; next < faultCount; next++) {
      const index = faults.packetOf(next);
      if (index >= end) break;
      if (this.countBriefly(faults, next)) continue;
      this.packets = first + index;
      this.at = batch.offset[index]!;
      this.length = batch.frameLength(index);
      this.linkType = batch.section.interfaces[batch.interface[index]!]!.linkType;
      faults.read(next, found);
      this.conversation.noteIpv4(faults.ipv4Of(next));
      this.checksum(found);
    }
    return next;
  }

  /** Counts a fault of which nothing but its number is wanted: most of those of a capture with many. @returns false for others */
  private countBriefly(faults: FastFaults, index: number): boolean {
    const { options } = this;
    const isListed = this.faults.length < this.maxFaults;
    if (isListed || this.keepsFaulty || options.layers !== undefined) return false;
    const isUnready = faults.isUnfinished(index);
    const row = faults.layerOf(index) * STATUSES;
    if (isUnready && options.strict !== true) {
      this.counts[row + OFFLOAD]! += 1;
      return true;
    }
    if (!faults.countKnown(index, this.flows)) return false;
    this.counts[row + CHECKSUM.bad]! += 1;
    this.faultCount++;
    return true;
  }

  private checkOne(batch: CaptureBatch, index: number): void {
    const { linkType } = batch.section.interfaces[batch.interface[index]!]!;
    if (!isReadable(linkType)) this.skipped.set(linkType, (this.skipped.get(linkType) ?? 0) + 1);
    else this.scan(batch.offset[index]!, batch.frameLength(index), linkType);
  }

  /** Checks one packet that comes from anywhere. */
  checkPacket(bytes: Uint8Array, offset: number, length: number, linkType: number): void {
    this.packets++;
    this.setBytes(bytes);
    this.scan(offset, length, linkType);
  }

  /** To be called at the end of the capture: fragments that are left over will not become whole. */
  end(): void {
    this.datagrams?.end();
  }

  checksum(found: FoundChecksum): void {
    this.conversation.note(found);
    const unready = found.status === CHECKSUM.bad ? this.whyUnready(found) : undefined;
    const isUnready = unready !== undefined;
    const status = isUnready && this.options.strict !== true ? OFFLOAD : found.status;
    const datagram = this.datagram;
    if (datagram !== undefined) {
      // The header is the first fragment's, and was judged there.
      if (found.start === 0 && found.layer === HEADER.ipv4) return;
    }
    const index = found.layer * STATUSES + status;
    const isDeferred = this.deferred !== undefined && found.start > this.fragment.start;
    if (isDeferred) this.deferred!.counts.push(index);
    else this.counts[index]! += 1;
    if (isUnready && this.options.keepFaulty === 'and unfinished') this.unfinished.add(this.packets);
    if (status !== CHECKSUM.bad && status !== CHECKSUM.illegal) return;
    const { layers } = this.options;
    if (layers !== undefined && !layers.has(CHECKSUM_LAYERS[found.layer]!)) return;
    if (datagram !== undefined) datagram.isFaulty = true;
    const { conversation } = this;
    conversation.readKey(this.bytes, this.at, found);
    if (isDeferred) {
      const { low, high } = conversation;
      this.deferred!.faults.push({ key: { low, high }, fault: this.fault(found, unready) });
      return;
    }
    const { got, expected } = found;
    if (!isRightKnown(found)) this.unknownRight++;
    const layer = CHECKSUM_LAYERS[found.layer]!;
    // Objects and texts are made for what is listed only.
    if (this.faults.length < this.maxFaults) this.faults.push(this.fault(found, unready));
    this.faultCount++;
    if (this.keepsFaulty) this.faulty.add(this.packets);
    if (this.flows.count(conversation, layer, got, expected)) return;
    const flow = conversationText(conversation.read(this.bytes, this.at, found));
    this.flows.open(conversation, flow, layer, this.packets, got, expected);
  }

  /** Why a wrong checksum is one that the network card has yet to make right; undefined where it is not. */
  private whyUnready(found: FoundChecksum): LoneCause | undefined {
    if (isUnfinished(this.view, this.at, found))
      return found.addressLength === 0 ? EMPTY_CAUSE : OFFLOAD_CAUSE;
    const { bytes, view, at, length, linkType } = this;
    return this.local.explains({ bytes, view, at, length, linkType }, found)
      ? LOCAL_OFFLOAD_CAUSE
      : undefined;
  }

  header(found: FoundHeader): void {
    const { headerKind, headerStart, claimedEnd, part, headerFlags } = found;
    if (headerKind !== HEADER.ipv4 && headerKind !== HEADER.ipv6) return;
    if ((headerFlags & HEADER_FLAG.quoted) !== 0) return;
    if (this.datagram !== undefined) return;
    if (!this.isLarge && (headerFlags & (HEADER_FLAG.cut | HEADER_FLAG.impossible)) === 0) {
      const isStatedEmpty =
        headerKind === HEADER.ipv4 && this.view.getUint16(this.at + headerStart + 2) === 0;
      if (isStatedEmpty || claimedEnd - headerStart > this.mtu) {
        this.isLarge = true;
        this.largePackets++;
      }
    }
    if (part === PART.whole || this.datagrams === undefined || this.fragment.version !== 0) return;
    if (claimedEnd > found.room || (headerFlags & HEADER_FLAG.cut) !== 0) return;
    this.fragment.version = headerKind === HEADER.ipv4 ? 4 : 6;
    this.fragment.start = headerStart;
    this.fragment.end = claimedEnd;
    this.fragment.offset = found.fragment & 0xfff8;
    this.fragment.more = (found.fragment & 1) !== 0;
    this.deferred = { counts: [], faults: [], unknown: [] };
  }

  unknown(space: number, number: number): void {
    const name = unexaminedName(space, number);
    if (name !== undefined) this.unreadable(name);
  }

  unreadable(reason: string): void {
    if (this.deferred !== undefined) this.deferred.unknown.push(reason);
    else this.unexamined.set(reason, (this.unexamined.get(reason) ?? 0) + 1);
  }

  private setBytes(bytes: Uint8Array): void {
    if (this.bytes === bytes) return;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private scan(at: number, length: number, linkType: number): void {
    const { filter } = this.options;
    if (filter !== undefined && !filter(this.bytes, at, at + length, linkType)) {
      this.filteredOut++;
      return;
    }
    this.at = at;
    this.length = length;
    this.linkType = linkType;
    this.conversation.clear();
    this.fragment.version = 0;
    this.isLarge = false;
    this.scanner.scan(this.bytes, at, length, this, linkType);
    if (this.fragment.version !== 0) this.defer(this.deferred!);
  }

  /** The packet is a fragment: what was found behind its header waits for the others. */
  private defer(deferred: Deferred): void {
    this.deferred = undefined;
    const datagram = this.datagrams!.add(this.bytes, this.at, this.fragment, this.packets, deferred);
    if (datagram !== undefined) this.scanDatagram(datagram, this.fragment.version);
  }

  private scanDatagram(datagram: Datagram<Deferred>, version: number): void {
    const { bytes } = datagram;
    const outer = this.bytes;
    const before = { at: this.at, length: this.length, linkType: this.linkType };
    const context = { depths: this.depthsOutside(), isFaulty: false };
    this.reassembled++;
    this.datagram = context;
    this.conversation.clear();
    this.setBytes(bytes);
    this.at = 0;
    this.length = bytes.length;
    this.linkType = version === 4 ? LINKTYPE.IPV4 : LINKTYPE.IPV6;
    this.inner.scan(bytes, 0, bytes.length, this, this.linkType);
    this.datagram = undefined;
    this.setBytes(outer);
    this.at = before.at;
    this.length = before.length;
    this.linkType = before.linkType;
    if (!context.isFaulty) return;
    if (this.keepsFaulty) for (const { packet } of datagram.origins) this.faulty.add(packet);
    this.options.onFaultyDatagram?.(datagram);
  }

  /** How many checksums of each layer lie around the fragment that made the datagram whole. */
  private depthsOutside(): Int32Array {
    const depths = new Int32Array(CHECKSUM_LAYERS.length);
    const { start } = this.fragment;
    const sink: ChecksumSink = {
      checksum(found) {
        if (found.start < start) depths[found.layer]! += 1;
      },
    };
    this.inner.scan(this.bytes, this.at, this.length, sink, this.linkType);
    return depths;
  }

  private giveUp({ counts, faults, unknown }: Deferred): void {
    this.incompleteFragments++;
    for (const index of counts) this.counts[index]! += 1;
    for (const { key, fault } of faults) this.take(key, fault);
    for (const name of unknown) this.unexamined.set(name, (this.unexamined.get(name) ?? 0) + 1);
  }

  private fault(found: FoundChecksum, unready: LoneCause | undefined): CaptureFault {
    const layer = CHECKSUM_LAYERS[found.layer]!;
    const isListed = this.faultCount < this.maxFaults;
    const cause = isListed ? (unready ?? this.cause(layer, found.depth)) : undefined;
    return {
      packet: this.packets,
      layer,
      depth: found.depth + (this.datagram?.depths[found.layer] ?? 0),
      status: REPORTED_STATUSES[found.status]!,
      got: found.got,
      expected: found.expected,
      ...this.conversation.read(this.bytes, this.at, found),
      ...(cause === undefined ? {} : { cause }),
      ...(this.datagram === undefined ? {} : { reassembled: true }),
    };
  }

  private cause(layer: string, depth: number): LoneCause | undefined {
    const frame = asEthernet(this.bytes, this.at, this.at + this.length, this.linkType);
    return frame === undefined ? undefined : loneCause(frame, layer, depth);
  }

  /** A fault in a fragment whose datagram did not become whole. */
  private take(key: FlowKey, fault: CaptureFault): void {
    const { layer, packet, got, expected } = fault;
    if (!isRightKnown(fault)) this.unknownRight++;
    this.faultCount++;
    if (!this.flows.count(key, layer, got, expected)) {
      this.flows.open(key, conversationText(fault), layer, packet, got, expected);
    }
    if (this.keepsFaulty) this.faulty.add(packet);
    if (this.faults.length < this.maxFaults) this.faults.push(fault);
  }
}

const OFFLOAD_CAUSE: LoneCause = {
  id: 'offload',
  sentence: 'it is the pseudo-header’s sum: captured before the network card finished it (offload)',
};

/** Of SCTP and GRE, which have no pseudo-header. */
const EMPTY_CAUSE: LoneCause = {
  id: 'offload',
  sentence: 'it is 0: captured before the network card filled it in (offload)',
};

const LOCAL_OFFLOAD_CAUSE: LoneCause = {
  id: 'offload',
  sentence:
    'it is right once the network card has filled in the checksum inside (local checksum offload): captured before',
};
