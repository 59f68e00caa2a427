/** The variables of the fast scan, and what all of its steps do with them. */
import {
  and,
  byteAt,
  difference,
  type Expression,
  equal,
  greater,
  isZero,
  type Label,
  notEqual,
  or,
  product,
  type Routine,
  shiftLeft,
  shiftRight,
  sum,
  type Value,
  type Variable,
  VectorSum,
  wordAt,
} from '../../sim/ebpf/wasm/routine.ts';
import { writeFault } from './fast-scan-fault.ts';
import { FAULT_SIZE, MAX_CHECKSUMS, MAX_FAULTS, PLACE } from './fast-scan-layout.ts';

/** Of the exported function. */
export const PARAMETERS = 8;

/** Where a step ends that does not go on to the next one. */
export interface Ends {
  /** Nothing more in this packet has a checksum. */
  readonly done: Label;
  /** The packet is left to the scanner. */
  readonly leave: Label;
}

/** Places are addresses. */
interface WrongChecksum {
  readonly layer: Value;
  /** See `depthShift`. */
  readonly shift: Value;
  readonly field: Value;
  readonly start: Value;
  readonly end: Value;
  readonly addressLength: Value;
  readonly protocol: Value;
  readonly length: Value;
  readonly total: Value;
  readonly isUdp: Value;
  /** Is it exactly what the network card finds where it is to fill the checksum in (`offload.ts`)? */
  readonly isUnfinished: Value;
  /** Of the conversation, see `FaultParts`. */
  readonly from: Value;
  readonly to: Value;
  readonly addressSize: Value;
  readonly portsEnd: Value;
}

export class FastScanState {
  readonly routine: Routine;

  // Parameters: the first packet and the one behind the last; what is added to every offset; the link-layer header's size, and where its EtherType
  // lies (-1 where packets begin with IP); above which length an IP packet is counted as large; are fragments left? and where offsets and
  // lengths are, from `PLACE.offsets`.
  readonly packet: Variable;
  readonly packets: Variable;
  readonly base: Variable;
  readonly headerSize: Variable;
  readonly typeAt: Variable;
  readonly mtu: Variable;
  readonly leavesFragments: Variable;
  readonly arrays: Variable;

  readonly left: Variable;
  readonly offset: Variable;
  /** Where the next header starts, and where the bytes end that it may use. */
  readonly cursor: Variable;
  readonly limit: Variable;
  /** The EtherType as a little-endian number. */
  readonly type: Variable;
  readonly isIpv4: Variable;
  /** 0: a whole packet; 1: a first fragment; 2: a later one. */
  readonly part: Variable;
  readonly protocol: Variable;
  /** The IP payload's length by its own account. */
  readonly length: Variable;
  /** The sum of the pseudo-header's addresses, not folded. */
  readonly addresses: Variable;
  /** Where they lie, and the last IPv4 header: -1 where there is none. */
  readonly source: Variable;
  readonly destination: Variable;
  readonly ipv4: Variable;
  readonly isQuoted: Variable;
  readonly scratch: Variable;
  readonly vector: VectorSum;
  readonly #isLarge: Variable;
  readonly #journaled: Variable;
  /** How many checksums of each layer the packet has had, by `depthShift`. */
  readonly #depths: Variable;
  readonly #packetAt: Variable;
  readonly #faults: Variable;
  readonly #faultsBefore: Variable;

  constructor(routine: Routine) {
    this.routine = routine;
    const [packet, packets, base, headerSize, typeAt, mtu, leavesFragments, arrays] = routine.parameters;
    this.packet = packet!;
    this.packets = packets!;
    this.base = base!;
    this.headerSize = headerSize!;
    this.typeAt = typeAt!;
    this.mtu = mtu!;
    this.leavesFragments = leavesFragments!;
    this.arrays = arrays!;
    this.left = routine.variable();
    this.offset = routine.variable();
    this.cursor = routine.variable();
    this.limit = routine.variable();
    this.type = routine.variable();
    this.isIpv4 = routine.variable();
    this.part = routine.variable();
    this.protocol = routine.variable();
    this.length = routine.variable();
    this.addresses = routine.variable();
    this.source = routine.variable();
    this.destination = routine.variable();
    this.ipv4 = routine.variable();
    this.isQuoted = routine.variable();
    this.scratch = routine.variable();
    this.#isLarge = routine.variable();
    this.#journaled = routine.variable();
    this.#depths = routine.variable();
    this.#packetAt = routine.variable();
    this.#faults = routine.variable();
    this.#faultsBefore = routine.variable();
    this.vector = new VectorSum(routine);
  }

  startPacket(): void {
    const { routine } = this;
    routine.set(this.isQuoted, 0);
    routine.set(this.#isLarge, 0);
    routine.set(this.#journaled, 0);
    routine.set(this.#depths, 0);
    routine.set(this.#packetAt, this.cursor);
    routine.set(this.#faultsBefore, this.#faults);
    routine.set(this.ipv4, -1);
  }

  /** Bytes from the cursor to the limit. */
  get available(): Expression {
    return difference(this.limit, this.cursor);
  }

  /**
   * Counts a checksum of the packet.
   * @param count its place, see `countAt`
   * @param shift see `depthShift`
   */
  count(count: Value, shift: Value, { leave }: Ends): void {
    const { routine } = this;
    routine.set(this.scratch, count);
    routine.store(this.scratch, PLACE.counts, sum(wordAt(this.scratch, PLACE.counts), 1));
    routine.storeByte(this.#journaled, PLACE.journal, shiftRight(this.scratch, 2));
    routine.increase(this.#journaled);
    routine.increase(this.#depths, shiftLeft(1, shift));
    routine.branchIf(greater(this.#journaled, MAX_CHECKSUMS - 1), leave);
  }

  /** Writes a wrong checksum down: `total` is the sum of all that is covered, not folded. */
  fault(checksum: WrongChecksum, { leave }: Ends): void {
    const { routine, scratch } = this;
    const { shift, total, isUdp, from, to, addressSize, portsEnd, ...words } = checksum;
    const foundBefore = difference(this.#faults, this.#faultsBefore);
    routine.branchIf(
      or(greater(foundBefore, MAX_CHECKSUMS - 2), greater(this.#faults, MAX_FAULTS - 1)),
      leave,
    );
    routine.set(scratch, product(this.#faults, FAULT_SIZE));
    writeFault(routine, scratch, {
      words: {
        ...words,
        packet: this.packet,
        packetAt: this.#packetAt,
        depth: and(shiftRight(this.#depths, shift), 63),
        source: this.source,
        destination: this.destination,
        ipv4: this.ipv4,
      },
      total,
      isUdp,
      source: from,
      destination: to,
      addressSize,
      portsEnd,
    });
    routine.increase(this.#faults);
    routine.increase(this.#depths, shiftLeft(1, shift));
  }

  /** What earlier calls for the same batch have found. */
  loadTotals(): void {
    this.routine.set(this.left, wordAt(0, PLACE.leftCount));
    this.routine.set(this.#faults, wordAt(0, PLACE.faultCount));
  }

  storeTotals(): void {
    this.routine.store(0, PLACE.leftCount, this.left);
    this.routine.store(0, PLACE.faultCount, this.#faults);
  }

  /** Takes back what was counted of the packet. */
  takeBack(): void {
    const { routine, scratch } = this;
    routine.set(this.#faults, this.#faultsBefore);
    routine.while(this.#journaled, () => {
      routine.increase(this.#journaled, -1);
      routine.set(scratch, shiftLeft(byteAt(this.#journaled, PLACE.journal), 2));
      routine.store(scratch, PLACE.counts, sum(wordAt(scratch, PLACE.counts), -1));
    });
  }

  /** Notes an IP packet of this length, header included. */
  noteLength(length: Value): void {
    const { routine } = this;
    routine.if(greater(length, this.mtu), () => this.noteLarge());
  }

  noteLarge(): void {
    const { routine } = this;
    routine.set(this.#isLarge, or(this.#isLarge, isZero(this.isQuoted)));
  }

  countLarge(): void {
    this.routine.store(0, PLACE.large, sum(wordAt(0, PLACE.large), this.#isLarge));
  }

  /** Leaves fragments that may become whole. */
  leaveFragment({ leave }: Ends): void {
    const { routine } = this;
    routine.branchIf(and(and(notEqual(this.part, 0), this.leavesFragments), isZero(this.isQuoted)), leave);
  }

  /** Folds a sum twice: is it all ones (RFC 1071 §1)? */
  isAllOnes(value: Value): Expression {
    const fold = (one: Value): Expression => {
      this.routine.set(this.scratch, one);
      return sum(and(this.scratch, 0xffff), shiftRight(this.scratch, 16));
    };
    return equal(fold(fold(value)), 0xffff);
  }
}
