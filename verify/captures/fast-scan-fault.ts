/** Wrong checksums that the fast scan found: as it writes them down, and as the scanner would report them. */
import {
  and,
  choose,
  difference,
  exclusiveOr,
  halfAt,
  isZero,
  less,
  networkHalf,
  or,
  product,
  type Routine,
  shiftLeft,
  shiftRight,
  sum,
  type Value,
  type Variable,
  wordAt,
} from '../../sim/ebpf/wasm/routine.ts';
import { CHECKSUM, type FoundChecksum } from '../oracle/found.ts';
import { FLOW_HASH } from './conversation.ts';
import { FAULT_SIZE, MAX_FAULTS, PLACE } from './fast-scan-layout.ts';
import { differenceOf, type FlowFaults } from './flow-faults.ts';

/** Words of a record: first what further faults of a conversation are counted by. Places are addresses; -1 where there is none. */
const WORD = {
  packet: 0,
  layer: 1,
  /** Is it what the network card finds where it is to fill the checksum in? */
  isUnfinished: 2,
  /** The conversation's key (`ConversationReader`). */
  low: 3,
  high: 4,
  got: 5,
  expected: 6,
  depth: 7,
  field: 8,
  start: 9,
  end: 10,
  addressLength: 11,
  source: 12,
  destination: 13,
  protocol: 14,
  length: 15,
  /** The packet itself, and the last IPv4 header so far. */
  packetAt: 16,
  ipv4: 17,
} as const;

const WORDS: number = FAULT_SIZE / 4;

type WordName = keyof typeof WORD;

/** What is written by `writeFault` itself. */
type Computed = 'got' | 'expected' | 'low' | 'high';

export interface FaultParts {
  /** The words of the record; places are addresses. */
  readonly words: Readonly<Record<Exclude<WordName, Computed>, Value>>;
  /** The sum of all that is covered, not folded, in the machine's order. */
  readonly total: Value;
  /** Does a computed 0 stand there as 0xFFFF (RFC 768)? */
  readonly isUdp: Value;
  /** What tells conversations apart: two addresses of so many bytes, and where two ports stand, if they do. */
  readonly source: Value;
  readonly destination: Value;
  readonly addressSize: Value;
  readonly portsEnd: Value;
}

/** Writes a record. */
export function writeFault(routine: Routine, record: Variable, parts: FaultParts): void {
  const { words, total, isUdp } = parts;
  const rest = routine.variable();
  const store = (name: WordName, value: Value): void => {
    routine.store(record, PLACE.faults + WORD[name] * 4, value);
  };
  for (const [name, value] of Object.entries(words) as [keyof typeof words, Value][]) store(name, value);
  routine.set(rest, difference(total, halfAt(words.field)));
  for (let round = 0; round < 2; round++) {
    routine.set(rest, sum(and(rest, 0xffff), shiftRight(rest, 16)));
  }
  // From the machine's order to the network's.
  routine.set(rest, or(shiftRight(rest, 8), shiftLeft(and(rest, 0xff), 8)));
  routine.set(rest, difference(0xffff, rest));
  store('got', networkHalf(words.field));
  store('expected', choose(and(isZero(rest), isUdp), 0xffff, rest));
  writeKey(routine, parts, store);
}

/** The hash of `ConversationReader.readKey`. */
function writeKey(
  routine: Routine,
  { words, source, destination, addressSize, portsEnd }: FaultParts,
  store: (name: WordName, value: Value) => void,
): void {
  const low = routine.variable();
  const high = routine.variable();
  const word = routine.variable();
  const at = routine.variable();
  const end = routine.variable();
  routine.set(low, exclusiveOr(words.layer, FLOW_HASH.start));
  routine.set(high, exclusiveOr(words.depth, FLOW_HASH.start));
  const mix = (): void => {
    routine.while(less(at, end), () => {
      routine.set(word, wordAt(at));
      routine.set(low, product(exclusiveOr(low, word), FLOW_HASH.low));
      routine.set(low, exclusiveOr(low, shiftRight(low, 15)));
      const mixed = exclusiveOr(exclusiveOr(high, low), shiftRight(word, 7));
      routine.set(high, product(mixed, FLOW_HASH.high));
      routine.increase(at, 4);
    });
  };
  for (const address of [source, destination]) {
    routine.set(at, address);
    routine.set(end, sum(at, addressSize));
    mix();
  }
  routine.set(at, words.start);
  routine.set(end, portsEnd);
  mix();
  store('low', low);
  store('high', high);
}

type MutableChecksum = { -readonly [Key in keyof FoundChecksum]: FoundChecksum[Key] };

/** The records, as the scanner's sink takes them. */
export class FastFaults {
  private readonly words: Int32Array;

  constructor(memory: ArrayBuffer) {
    this.words = new Int32Array(memory, PLACE.faults, (MAX_FAULTS * FAULT_SIZE) / 4);
  }

  /** The packet that a record belongs to: its index in the batch. */
  packetOf(index: number): number {
    return this.words[index * WORDS + WORD.packet]!;
  }

  layerOf(index: number): number {
    return this.words[index * WORDS + WORD.layer]!;
  }

  isUnfinished(index: number): boolean {
    return this.words[index * WORDS + WORD.isUnfinished] !== 0;
  }

  /** Counts the fault, if one of its conversation was met before. */
  countKnown(index: number, flows: FlowFaults): boolean {
    const { words } = this;
    const at = index * WORDS;
    // None of the layers here has a CRC.
    const difference = differenceOf('', words[at + WORD.got]!, words[at + WORD.expected]!);
    return flows.countKnown(words[at + WORD.low]!, words[at + WORD.high]!, difference);
  }

  /** Where the last IPv4 header before the fault starts in its packet; -1 where there is none. */
  ipv4Of(index: number): number {
    const at = index * WORDS;
    return Math.max(-1, this.words[at + WORD.ipv4]! - this.words[at + WORD.packetAt]!);
  }

  /** Everything but the sum, for which nobody asks here. */
  read(index: number, found: MutableChecksum): void {
    const { words } = this;
    const at = index * WORDS;
    const packetAt = words[at + WORD.packetAt]!;
    found.status = CHECKSUM.bad;
    found.layer = words[at + WORD.layer]!;
    found.depth = words[at + WORD.depth]!;
    found.at = words[at + WORD.field]! - packetAt;
    found.got = words[at + WORD.got]!;
    found.expected = words[at + WORD.expected]!;
    found.start = words[at + WORD.start]! - packetAt;
    found.end = words[at + WORD.end]! - packetAt;
    found.addressLength = words[at + WORD.addressLength]!;
    found.source = words[at + WORD.source]! - packetAt;
    found.destination = words[at + WORD.destination]! - packetAt;
    found.protocol = words[at + WORD.protocol]!;
    found.length = words[at + WORD.length]!;
  }
}
