/** Which parts of a case's outcomes move from run to run: the ground on which clock and chance are masked. */
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { differingEntries, type MapSnapshot } from '../sim/runtime/map-snapshot.ts';

/** Outcomes of one run of a case. */
export interface RunOutcome {
  readonly output: OutcomeBatch;
  readonly maps: readonly MapSnapshot[] | undefined;
}

/** What moved in the values of one map. */
export interface MovedMap {
  /** Which keys there are moved: nothing of the map can be compared. */
  keys: boolean;
  /** By byte of a value: 1 where it moved in any entry. */
  readonly bytes: Uint8Array;
}

/** A number in a map moves as a whole, also where two runs happened to agree on some of its bytes. */
const WORD = 4;

export class MovedParts {
  /** 1 for packets of which nothing stays: another action, another length, another end. */
  readonly whole: Uint8Array;
  readonly redirect: Uint8Array;
  readonly trace: Uint8Array;
  readonly skb: Uint8Array;
  /** By packet: 1 for bytes (metadata, then frame) that moved. */
  readonly bytes: Map<number, Uint8Array> = new Map();
  readonly maps: Map<string, MovedMap> = new Map();
  /**
   * By entry of the program: two actions that one packet led to, and bytes of frames that moved in any packet. What
   * chance does to one packet in a thousand, it does to another one in the next run.
   */
  readonly #actions = new Set<string>();
  readonly #lengths = new Set<number>();
  readonly #anyBytes = new Map<number, Set<number>>();
  readonly #entries: Uint8Array;

  /** @param entries which entry each packet runs */
  constructor(packets: number, entries: Uint8Array) {
    this.#entries = entries;
    this.whole = new Uint8Array(packets);
    this.redirect = new Uint8Array(packets);
    this.trace = new Uint8Array(packets);
    this.skb = new Uint8Array(packets);
  }

  get isEmpty(): boolean {
    const none = (flags: Uint8Array): boolean => !flags.includes(1);
    return (
      this.maps.size === 0 &&
      this.bytes.size === 0 &&
      [this.whole, this.redirect, this.trace, this.skb].every(none)
    );
  }

  /** Did anything of this packet's outcome move? */
  has(packet: number): boolean {
    const { whole, redirect, trace, skb } = this;
    return this.bytes.has(packet) || [whole, redirect, trace, skb].some((flags) => flags[packet] === 1);
  }

  /** Notes in what two runs of the same packets differ. */
  enter(a: RunOutcome, b: RunOutcome): void {
    for (let packet = 0; packet < this.whole.length; packet++) this.#enterPacket(a.output, b.output, packet);
    for (const map of a.maps ?? []) {
      const other = b.maps?.find(({ definition }) => definition.name === map.definition.name);
      if (other !== undefined) this.#enterMap(map, other);
    }
  }

  /** Do two outcomes of a packet differ in a way in which runs were seen to differ on any packet? */
  isOfAKind(a: OutcomeBatch, b: OutcomeBatch, packet: number): boolean {
    const entry = this.#entries[packet]!;
    const [one, other] = [a.action[packet]!, b.action[packet]!];
    if (one !== other) return this.#actions.has(pairOf(entry, one, other));
    if (!sameShape(a, b, packet)) return this.#lengths.has(entry);
    const known = this.#anyBytes.get(entry);
    return known !== undefined && movedBytes(a, b, packet).every((at) => known.has(at));
  }

  #enterPacket(a: OutcomeBatch, b: OutcomeBatch, packet: number): void {
    const entry = this.#entries[packet]!;
    const [one, other] = [a.action[packet]!, b.action[packet]!];
    const shapes = sameShape(a, b, packet);
    if (a.status[packet] !== b.status[packet] || one !== other || !shapes) {
      this.whole[packet] = 1;
      if (one !== other) this.#actions.add(pairOf(entry, one, other));
      if (!shapes) this.#lengths.add(entry);
      return;
    }
    if (a.status[packet] !== STATUS.ran) return;
    if (a.redirect[packet] !== b.redirect[packet]) this.redirect[packet] = 1;
    if (!sameLines(a.trace.get(packet), b.trace.get(packet))) this.trace[packet] = 1;
    if (!sameSkb(a, b, packet)) this.skb[packet] = 1;
    for (const at of movedBytes(a, b, packet)) {
      let moved = this.bytes.get(packet);
      if (moved === undefined) {
        moved = new Uint8Array(a.metaLength[packet]! + a.length[packet]!);
        this.bytes.set(packet, moved);
      }
      moved[at] = 1;
      const known = this.#anyBytes.get(entry) ?? new Set();
      this.#anyBytes.set(entry, known.add(at));
    }
  }

  #enterMap(a: MapSnapshot, b: MapSnapshot): void {
    for (const { expected, got } of differingEntries(a, b)) {
      const { name, valueSize } = a.definition;
      let moved = this.maps.get(name);
      if (moved === undefined) {
        moved = { keys: false, bytes: new Uint8Array(valueSize) };
        this.maps.set(name, moved);
      }
      if (expected === undefined || got === undefined) {
        moved.keys = true;
        continue;
      }
      for (let at = 0; at < valueSize; at++) {
        if (expected[at] === got[at]) continue;
        const word = at - (at % WORD);
        moved.bytes.fill(1, word, word + WORD);
      }
    }
  }
}

function pairOf(entry: number, one: number, other: number): string {
  return `${entry} ${Math.min(one, other)} ${Math.max(one, other)}`;
}

function sameShape(a: OutcomeBatch, b: OutcomeBatch, packet: number): boolean {
  return a.length[packet] === b.length[packet] && a.metaLength[packet] === b.metaLength[packet];
}

/** Offsets, from the metadata's first byte on, at which two outcomes of one shape differ. */
function movedBytes(a: OutcomeBatch, b: OutcomeBatch, packet: number): number[] {
  const size = a.metaLength[packet]! + a.length[packet]!;
  const from = a.offset[packet]! - a.metaLength[packet]!;
  const otherFrom = b.offset[packet]! - b.metaLength[packet]!;
  const moved: number[] = [];
  for (let at = 0; at < size; at++) if (a.bytes[from + at] !== b.bytes[otherFrom + at]) moved.push(at);
  return moved;
}

function sameLines(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return (a ?? []).join('\n') === (b ?? []).join('\n');
}

function sameSkb(a: OutcomeBatch, b: OutcomeBatch, packet: number): boolean {
  if (a.mark[packet] !== b.mark[packet] || a.priority[packet] !== b.priority[packet]) return false;
  for (let word = packet * 5; word < packet * 5 + 5; word++) if (a.cb[word] !== b.cb[word]) return false;
  for (let word = packet * 2; word < packet * 2 + 2; word++)
    if (a.tstamp[word] !== b.tstamp[word]) return false;
  return true;
}
