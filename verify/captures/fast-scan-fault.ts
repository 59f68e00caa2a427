/** Wrong checksums that the fast scan found: as it writes them down, and as the scanner would report them. */
import {
  and,
  choose,
  difference,
  halfAt,
  isZero,
  networkHalf,
  or,
  type Routine,
  shiftLeft,
  shiftRight,
  sum,
  type Value,
  type Variable,
} from '../../sim/ebpf/wasm/routine.ts';
import { CHECKSUM, type FoundChecksum } from '../oracle/found.ts';
import { FAULT_SIZE, MAX_FAULTS, PLACE } from './fast-scan-layout.ts';

/** Words of a record. Places are addresses; -1 where there is none. */
const WORD = {
  packet: 0,
  layer: 1,
  depth: 2,
  field: 3,
  got: 4,
  expected: 5,
  sum: 6,
  start: 7,
  end: 8,
  addressLength: 9,
  source: 10,
  destination: 11,
  protocol: 12,
  length: 13,
  /** The packet itself, and the last IPv4 header so far. */
  packetAt: 14,
  ipv4: 15,
} as const;

type WordName = keyof typeof WORD;

/** What is written by `writeFault` itself. */
type Computed = 'got' | 'expected' | 'sum';

/**
 * Writes a record.
 * @param total the sum of all that is covered, not folded, in the machine's order
 * @param isUdp does a computed 0 stand there as 0xFFFF (RFC 768)?
 */
export function writeFault(
  routine: Routine,
  record: Variable,
  words: Readonly<Record<Exclude<WordName, Computed>, Value>>,
  total: Value,
  isUdp: Value,
): void {
  const rest = routine.variable();
  const whole = routine.variable();
  const store = (name: WordName, value: Value): void => {
    routine.store(record, PLACE.faults + WORD[name] * 4, value);
  };
  for (const [name, value] of Object.entries(words) as [keyof typeof words, Value][]) store(name, value);
  const fold = (variable: Variable): void => {
    for (let round = 0; round < 2; round++) {
      routine.set(variable, sum(and(variable, 0xffff), shiftRight(variable, 16)));
    }
    // From the machine's order to the network's.
    routine.set(variable, or(shiftRight(variable, 8), shiftLeft(and(variable, 0xff), 8)));
  };
  routine.set(whole, total);
  routine.set(rest, difference(whole, halfAt(words.field)));
  fold(whole);
  fold(rest);
  routine.set(rest, difference(0xffff, rest));
  store('got', networkHalf(words.field));
  store('expected', choose(and(isZero(rest), isUdp), 0xffff, rest));
  store('sum', whole);
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
    return this.words[index * (FAULT_SIZE / 4) + WORD.packet]!;
  }

  /** Where the last IPv4 header before the fault starts in its packet; -1 where there is none. */
  ipv4Of(index: number): number {
    const at = index * (FAULT_SIZE / 4);
    return Math.max(-1, this.words[at + WORD.ipv4]! - this.words[at + WORD.packetAt]!);
  }

  read(index: number, found: MutableChecksum): void {
    const { words } = this;
    const at = index * (FAULT_SIZE / 4);
    const packetAt = words[at + WORD.packetAt]!;
    found.status = CHECKSUM.bad;
    found.layer = words[at + WORD.layer]!;
    found.depth = words[at + WORD.depth]!;
    found.at = words[at + WORD.field]! - packetAt;
    found.got = words[at + WORD.got]!;
    found.expected = words[at + WORD.expected]!;
    found.sum = words[at + WORD.sum]!;
    found.start = words[at + WORD.start]! - packetAt;
    found.end = words[at + WORD.end]! - packetAt;
    found.addressLength = words[at + WORD.addressLength]!;
    found.source = words[at + WORD.source]! - packetAt;
    found.destination = words[at + WORD.destination]! - packetAt;
    found.protocol = words[at + WORD.protocol]!;
    found.length = words[at + WORD.length]!;
  }
}
