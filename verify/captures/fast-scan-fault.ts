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

/** One record at a time, as the scanner's sink gets it. */
export class FastFault implements FoundChecksum {
  layer = 0;
  depth = 0;
  readonly status: number = CHECKSUM.bad;
  at = 0;
  got = 0;
  expected = 0;
  sum = 0;
  start = 0;
  end = 0;
  addressLength = 0;
  source = 0;
  destination = 0;
  protocol = 0;
  length = 0;
  /** Where the last IPv4 header before it starts in the packet; -1 where there is none. */
  ipv4 = -1;
  readonly #words: Int32Array;

  constructor(memory: ArrayBuffer) {
    this.#words = new Int32Array(memory, PLACE.faults, (MAX_FAULTS * FAULT_SIZE) / 4);
  }

  /** The packet that a record belongs to: its index in the batch. */
  packetOf(index: number): number {
    return this.#words[(index * FAULT_SIZE) / 4 + WORD.packet]!;
  }

  read(index: number): void {
    const words = this.#words;
    const at = (index * FAULT_SIZE) / 4;
    const packet = words[at + WORD.packetAt]!;
    this.layer = words[at + WORD.layer]!;
    this.depth = words[at + WORD.depth]!;
    this.at = words[at + WORD.field]! - packet;
    this.got = words[at + WORD.got]!;
    this.expected = words[at + WORD.expected]!;
    this.sum = words[at + WORD.sum]!;
    this.start = words[at + WORD.start]! - packet;
    this.end = words[at + WORD.end]! - packet;
    this.addressLength = words[at + WORD.addressLength]!;
    this.source = words[at + WORD.source]! - packet;
    this.destination = words[at + WORD.destination]! - packet;
    this.protocol = words[at + WORD.protocol]!;
    this.length = words[at + WORD.length]!;
    const ipv4 = words[at + WORD.ipv4]!;
    this.ipv4 = ipv4 < 0 ? -1 : ipv4 - packet;
  }
}
