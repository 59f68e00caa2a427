/**
 * The fast scan's short way for what most packets are: TCP, UDP or ICMP right behind IPv4 or IPv6, whole, without options, with right
 * checksums and nothing behind them that has any. All of that is asked, and both sums are made, before anything is counted; whatever
 * is otherwise goes the long way from its start. Sums are 64 bits wide: of the same words they leave the same remainder modulo
 * 0xFFFF (RFC 1071 §2).
 */
import {
  and,
  anyOf,
  byteAt,
  choose,
  difference,
  equal,
  exclusiveOr,
  foldedWide,
  greater,
  halfAt,
  isZero,
  type Label,
  less,
  notEqual,
  or,
  Routine,
  shiftLeft,
  shiftRight,
  sum,
  type Value,
  type Variable,
  VectorSum,
  widened,
  wideSum,
  wideWordAt,
  wordAt,
} from '../../sim/ebpf/wasm/routine.ts';
import { CHECKSUM, LAYER } from '../oracle/found.ts';
import { countAt, PLACE, PORT_KIND } from './fast-scan-layout.ts';
import { TYPE } from './fast-scan-link.ts';
import { FRAGMENT_BITS } from './fast-scan-network.ts';
import { PROTOCOL, quotes, swapped } from './fast-scan-transport.ts';

/** How many bytes are added up without a question in between. */
const STRIDE = 64;

/** Of the function. */
export const PLAIN_PARAMETERS = 7;

/** What all steps need, as in `FastScanState`. */
interface Plain {
  readonly routine: Routine;
  /** IP packets above it are not plain. */
  readonly mtu: Variable;
}

interface PlainPacket extends Plain {
  /** Where the packet starts and ends. */
  readonly cursor: Variable;
  readonly limit: Variable;
  readonly headerSize: Variable;
  readonly typeAt: Variable;
}

/**
 * Judges packet after packet up to the first one that is not plain, and returns that one's index. It is a function of its own so that
 * V8 optimizes it alone where a capture has nothing else: the rest of the module takes as long to optimize as a capture of 30 MB to read.
 */
export function plainRoutine(): Routine {
  const routine = new Routine(PLAIN_PARAMETERS);
  // The first packet and the one behind the last; the others as of `FastScanState`.
  const [packet, packets, base, headerSize, typeAt, mtu, arrays] = routine.parameters as [
    Variable,
    Variable,
    Variable,
    Variable,
    Variable,
    Variable,
    Variable,
  ];
  const offset = routine.variable();
  const cursor = routine.variable();
  const limit = routine.variable();
  routine.block((otherwise) => {
    routine.while(less(packet, packets), () => {
      findPacket({ routine, packet, base, arrays, offset, cursor, limit });
      writePacketPlain({ routine, cursor, limit, headerSize, typeAt, mtu }, otherwise);
      routine.increase(packet);
    });
  });
  routine.result(packet);
  return routine;
}

/** Sets where the packet starts and ends. */
export function findPacket(of: {
  readonly routine: Routine;
  readonly packet: Variable;
  readonly base: Variable;
  readonly arrays: Variable;
  readonly offset: Variable;
  readonly cursor: Variable;
  readonly limit: Variable;
}): void {
  const { routine, packet, base, arrays, offset, cursor, limit } = of;
  routine.set(offset, sum(arrays, shiftLeft(packet, 2)));
  routine.set(cursor, sum(wordAt(offset, PLACE.offsets), base));
  routine.set(limit, sum(cursor, wordAt(offset, PLACE.lengths)));
}

/** Branches to `otherwise` where the packet is not plain; nothing is counted then, and nothing that it was given has changed. */
export function writePacketPlain(plain: PlainPacket, otherwise: Label): void {
  const { routine, cursor, limit, headerSize, typeAt } = plain;
  const network = routine.variable();
  const type = routine.variable();
  const isIpv4 = routine.variable();
  const segment: Segment = {
    at: routine.variable(),
    length: routine.variable(),
    protocol: routine.variable(),
    pseudo: routine.wideVariable(),
    vector: new VectorSum(routine),
    total: routine.wideVariable(),
    scratch: routine.variable(),
  };
  // Where packets begin with IP, the version has to be asked for.
  routine.branchIf(less(typeAt, 0), otherwise);
  routine.set(network, sum(cursor, headerSize));
  routine.set(type, halfAt(sum(cursor, typeAt)));
  routine.set(isIpv4, equal(type, TYPE.ipv4));
  const available = difference(limit, network);
  routine.if(
    isIpv4,
    () => writeIpv4Plain(plain, segment, network, available, otherwise),
    () => {
      routine.branchIf(notEqual(type, TYPE.ipv6), otherwise);
      writeIpv6Plain(plain, segment, network, available, otherwise);
    },
  );
  writeSegmentPlain(plain, segment, isIpv4, otherwise);
}

interface Segment {
  readonly at: Variable;
  readonly length: Variable;
  readonly protocol: Variable;
  /** 64 bits: the sum of the addresses. */
  readonly pseudo: Variable;
  readonly vector: VectorSum;
  /** 64 bits. */
  readonly total: Variable;
  readonly scratch: Variable;
}

function writeIpv4Plain(
  { routine, mtu }: Plain,
  { at, length, protocol, pseudo, vector, total, scratch }: Segment,
  network: Variable,
  available: Value,
  otherwise: Label,
): void {
  const size = routine.variable();
  routine.branchIf(less(available, 28), otherwise);
  // Version, header length, fragment: one question for all three.
  const version = exclusiveOr(byteAt(network), 0x45);
  routine.branchIf(or(version, and(halfAt(network, 6), FRAGMENT_BITS)), otherwise);
  routine.set(size, halfAt(network, 2));
  routine.set(size, swapped(size));
  routine.branchIf(anyOf(greater(size, available), greater(size, mtu), less(size, 28)), otherwise);
  routine.set(pseudo, wideSum(wideWordAt(network, 12), wideWordAt(network, 16)));
  routine.set(total, wideSum(pseudo, wideWordAt(network), wideWordAt(network, 4), wideWordAt(network, 8)));
  routine.branchIf(notEqual(foldedWide(total, scratch), 0xffff), otherwise);
  routine.set(protocol, byteAt(network, 9));
  routine.set(at, sum(network, 20));
  routine.set(length, difference(size, 20));
  vector.clear();
}

function writeIpv6Plain(
  { routine, mtu }: Plain,
  { at, length, protocol, vector }: Segment,
  network: Variable,
  available: Value,
  otherwise: Label,
): void {
  routine.branchIf(less(available, 48), otherwise);
  routine.branchIf(notEqual(shiftRight(byteAt(network), 4), 6), otherwise);
  routine.set(length, halfAt(network, 4));
  routine.set(length, swapped(length));
  const size = sum(length, 40);
  routine.branchIf(anyOf(greater(size, available), greater(size, mtu), less(length, 8)), otherwise);
  routine.set(protocol, byteAt(network, 6));
  routine.set(at, sum(network, 40));
  vector.clear();
  vector.add(network, 8);
  vector.add(network, 24);
}

function writeSegmentPlain(plain: Plain, segment: Segment, isIpv4: Variable, otherwise: Label): void {
  const { routine } = plain;
  const { at, length, protocol, pseudo, vector, total, scratch } = segment;
  const count = routine.variable();
  const constant = routine.variable();
  routine.set(constant, sum(shiftLeft(protocol, 8), swapped(length)));
  const is = (number: number) => equal(protocol, number);
  routine.if(
    is(PROTOCOL.tcp),
    () => {
      routine.branchIf(less(length, 20), otherwise);
      routine.set(count, countAt(LAYER.tcp, CHECKSUM.good));
    },
    () =>
      routine.if(
        is(PROTOCOL.udp),
        () => {
          writeUdpPlain(plain, segment, otherwise);
          routine.set(count, countAt(LAYER.udp, CHECKSUM.good));
        },
        () => {
          routine.branchIf(notEqual(protocol, choose(isIpv4, PROTOCOL.icmp, PROTOCOL.icmpv6)), otherwise);
          routine.branchIf(quotes(byteAt(at), isIpv4), otherwise);
          // Extended echo requests have a second checksum (RFC 8335 §2).
          routine.branchIf(equal(byteAt(at), choose(isIpv4, 42, 160)), otherwise);
          routine.if(isIpv4, () => {
            // Without a pseudo-header.
            routine.set(constant, 0);
            routine.set(pseudo, widened(0));
          });
          const { icmp, icmpv6 } = LAYER;
          routine.set(count, choose(isIpv4, countAt(icmp, CHECKSUM.good), countAt(icmpv6, CHECKSUM.good)));
        },
      ),
  );
  routine.if(isZero(isIpv4), () => routine.set(pseudo, widened(0)));
  writeStretch(plain, segment);
  routine.set(total, wideSum(vector.wideTotal, pseudo, widened(constant)));
  routine.branchIf(notEqual(foldedWide(total, scratch), 0xffff), otherwise);
  const header = PLACE.counts + countAt(LAYER.ipv4, CHECKSUM.good);
  routine.store(0, header, sum(wordAt(0, header), isIpv4));
  routine.store(count, PLACE.counts, sum(wordAt(count, PLACE.counts), 1));
}

/** A datagram that fills its packet, with a checksum, and with data that can be no packet. */
function writeUdpPlain({ routine }: Plain, { at, length, scratch }: Segment, otherwise: Label): void {
  routine.set(scratch, halfAt(at, 4));
  routine.branchIf(or(notEqual(swapped(scratch), length), isZero(halfAt(at, 6))), otherwise);
  routine.set(scratch, or(byteAt(halfAt(at, 2), PLACE.ports), shiftLeft(byteAt(halfAt(at), PLACE.ports), 2)));
  routine.if(notEqual(and(scratch, 3), PORT_KIND.nothing), () => {
    // Neither port says that there is nothing, or that there is a tunnel: the first byte says which is possible.
    routine.branchIf(scratch, otherwise);
    const first = byteAt(at, 8);
    const looksLikePacket = or(equal(and(first, 0xd0), 0x40), equal(and(first, 0xfb), 0x08));
    routine.branchIf(and(greater(length, 8), looksLikePacket), otherwise);
  });
}

/** Adds `length` bytes up in the vector: the last of them under a mask, so that no length asks more than another. */
function writeStretch({ routine }: Plain, { at, length, vector }: Segment): void {
  const end = routine.variable();
  const mask = routine.variable();
  const steps = [0, 16, 32, 48];
  routine.set(end, sum(at, length));
  routine.while(isZero(less(difference(end, at), STRIDE)), () => {
    for (const step of steps) vector.add(at, step);
    routine.increase(at, STRIDE);
  });
  routine.set(mask, sum(difference(at, end), PLACE.zeros));
  for (const step of steps) vector.addMasked(at, mask, step);
}
