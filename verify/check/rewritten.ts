/** Which 16-bit words of packets a program was seen to rewrite, each with a packet that shows it: what is swept. */
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { DELIVERY, type Delivery, deliveryOf } from '../../sim/runtime/delivery.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { CHECKSUM, HEADER, HEADER_FLAG, HEADER_NAMES, isIp, PART } from '../oracle/found.ts';
import { FramePair, protocolPlace } from '../oracle/frame-pair.ts';
import { type HeaderList, NO_CHECKSUM } from '../oracle/header-list.ts';
import { drivingWords, withHighSource } from './driving-words.ts';

/** A word that a program rewrites, or that moves a checksum of its own, and a packet in which it does. */
export interface Rewritten {
  readonly world: World;
  readonly stimulus: Stimulus;
  /** What the word is, in the packet as it came: "ipv4+12 of tcp", "udp+2 over ipv6". */
  readonly name: string;
  /** Offset of the word in the packet as it came. */
  readonly at: number;
  /** Where the word is a checksum: offset of a word that it covers and that may take its place in the sum; else -1. */
  readonly balance: number;
}

/** A packet that a program makes longer or shorter. */
export type Moved = Pick<Rewritten, 'world' | 'stimulus'>;

/** Several packets for each checksum: what is added to it differs from packet to packet. */
const PACKETS_OF_A_CHECKSUM = 3;
/** Words of the payload are swept as far as programs commonly reach. */
const PAYLOAD_WORDS = 8;
/** Sweeps, each of 65,536 packets. */
export const MAX_SWEEPS = 160;
/** A packet that is longer takes longer, and shows no more than a shorter one in which the same word is rewritten. */
const MAX_LENGTH = 256;
/** Protocols, and places to go, of which packets are kept that became longer or shorter. */
const MAX_MOVED = 8;

export type OnChanged = (
  pair: FramePair,
  world: World,
  input: PacketBatch,
  packet: number,
  delivery: Delivery,
) => void;

export class RewrittenWords {
  readonly #hooks: readonly Hook[];
  readonly #onChanged: OnChanged;
  readonly #pair = new FramePair();
  readonly #found = new Map<string, Rewritten>();
  readonly #driving: Rewritten[] = [];
  readonly #left = new Set<string>();
  /** Packets that were made longer or shorter, by what they are and where they go. */
  readonly #moved = new Map<string, Moved>();

  /** @param onChanged is shown every sound packet that was changed and goes on */
  constructor(hooks: readonly Hook[], onChanged: OnChanged = () => {}) {
    this.#hooks = hooks;
    this.#onChanged = onChanged;
  }

  /** In the order in which they were met; only ever more. */
  get words(): readonly Rewritten[] {
    return [...this.#found.values()];
  }

  /** Of the words those that are not rewritten, and move a checksum that is. */
  get driving(): readonly Rewritten[] {
    return this.#driving;
  }

  /** A packet of each protocol that was made longer or shorter, whether or not words of it were rewritten, and one of ARP. Only ever more. */
  get moved(): readonly Moved[] {
    return [...this.#moved.values()];
  }

  /** How many words were seen beyond what is swept. */
  get left(): number {
    return this.#left.size;
  }

  /** Looks at what became of a case. */
  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    const pair = this.#pair;
    for (let packet = 0; packet < output.count; packet++) {
      if (output.status[packet] !== STATUS.ran) continue;
      const action = output.action[packet]!;
      const delivery = deliveryOf(this.#hooks[input.entry[packet]!]!, action);
      if (delivery === DELIVERY.dropped) continue;
      const length = input.length[packet]!;
      const isChanged = pair.set(
        input.bytes,
        input.offset[packet]!,
        length,
        output.bytes,
        output.offset[packet]!,
        output.length[packet]!,
      );
      if (pair.isHeaderless) this.#enterArp(world, input, packet);
      if (!isChanged) continue;
      if (pair.beforeLength !== pair.afterLength) this.#enterMoved(world, input, packet, delivery);
      if (pair.cameBroken || !isSound(pair.was)) continue;
      this.#onChanged(pair, world, input, packet, delivery);
      this.#enter(world, input, packet, delivery);
    }
  }

  #enterMoved(world: World, input: PacketBatch, packet: number, delivery: Delivery): void {
    const { was, before, beforeOffset } = this.#pair;
    // What lies inside need not be right: neighbours have something else there.
    if (was.count === 0 || was.status[0] === CHECKSUM.bad || was.part[0] !== PART.whole) return;
    if ((was.flags[0]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible)) !== 0) return;
    const kind = was.kind[0]!;
    const protocol = isIp(kind) ? before[beforeOffset + was.start[0]! + protocolPlace(kind)]! : -1;
    const key = `${kind} ${protocol} ${delivery}`;
    if (this.#moved.size >= MAX_MOVED || this.#moved.has(key)) return;
    this.#moved.set(key, { world, stimulus: input.stimulus(packet) });
  }

  /** ARP, as a packet of another protocol, wherever it goes. */
  #enterArp(world: World, input: PacketBatch, packet: number): void {
    const type = input.offset[packet]! + 12;
    if (input.length[packet]! < 14 || input.bytes[type] !== 0x08 || input.bytes[type + 1] !== 0x06) return;
    if (!this.#moved.has('ARP')) this.#moved.set('ARP', { world, stimulus: input.stimulus(packet) });
  }

  /** Words that are not rewritten, and move a checksum that is. */
  #enterDriving(world: World, input: PacketBatch, packet: number, delivery: Delivery): void {
    const { was, is, beforeLength } = this.#pair;
    if (beforeLength > MAX_LENGTH) return;
    for (const { row, at } of drivingWords(this.#pair)) {
      const name = `what drives ${fieldName(is, row, is.at[row]! - is.start[row]!)}`;
      const key = `${name} ${delivery}`;
      if (this.#found.has(key) || this.#found.size >= MAX_SWEEPS) continue;
      const stimulus = input.stimulus(packet);
      const word = { world, name, at, balance: -1 };
      this.#found.set(key, { ...word, stimulus });
      this.#driving.push({ ...word, stimulus });
      const high = withHighSource(stimulus.packet, was);
      if (high !== undefined)
        this.#found.set(`${key} high`, { ...word, stimulus: { ...stimulus, packet: high } });
    }
  }

  #enter(world: World, input: PacketBatch, packet: number, delivery: Delivery): void {
    // Where nothing is left that is known, nobody can say which byte went where.
    if (this.#pair.is.count === 0 && this.#pair.beforeLength !== this.#pair.afterLength) return;
    const { was, beforeLength, afterLength, shift } = this.#pair;
    const changed: number[] = [];
    for (let at = shift & 1; at + 1 < beforeLength; at += 2) {
      const to = at - shift;
      if (to < 0 || to + 1 >= afterLength || isWordAt(this.#pair, at, to)) continue;
      if (beforeLength === afterLength || !hasOnlyMoved(this.#pair, at)) changed.push(at);
    }
    this.#enterDriving(world, input, packet, delivery);
    let stimulus: Stimulus | undefined;
    for (const at of changed) {
      const row = rowAt(was, at);
      const offset = row < 0 ? at : at - was.start[row]!;
      if (row >= 0 && at >= was.headerEnd[row]! + 2 * PAYLOAD_WORDS) continue;
      const isSum = row >= 0 && was.kind[row] !== HEADER.sctp;
      const isChecksum = isSum && was.at[row] === at && was.status[row] === CHECKSUM.good;
      const name = row < 0 ? `ethernet+${offset}` : fieldName(was, row, offset);
      const balance = isChecksum ? balanceOf(was, row, changed) : -1;
      // Without a word to take its place the sum cannot be kept.
      if (isChecksum && balance === -1) continue;
      const wanted = isChecksum ? PACKETS_OF_A_CHECKSUM : 1;
      for (let number = 0; number < wanted; number++) {
        // Where it goes, not the action: a program may return any number, a map's say.
        const key = `${name} ${delivery} ${number}`;
        const known = this.#found.get(key);
        const isShorter =
          known !== undefined && known.stimulus.packet.length > MAX_LENGTH && beforeLength <= MAX_LENGTH;
        if (known !== undefined && !isShorter) continue;
        if (known === undefined && this.#found.size >= MAX_SWEEPS) {
          if (this.#left.size < MAX_SWEEPS) this.#left.add(name);
          break;
        }
        stimulus ??= input.stimulus(packet);
        this.#found.set(key, { world, stimulus, name, at, balance });
        break;
      }
    }
  }
}

/** Did the word stay what it was? @param to where it is in the frame that left */
function isWordAt({ before, beforeOffset, after, afterOffset }: FramePair, at: number, to: number): boolean {
  return (
    before[beforeOffset + at] === after[afterOffset + to] &&
    before[beforeOffset + at + 1] === after[afterOffset + to + 1]
  );
}

/** Where something was put in or taken out in the middle, what lies before it stays, and what lies behind it moves with the end. */
function hasOnlyMoved(pair: FramePair, at: number): boolean {
  const { beforeLength, afterLength } = pair;
  return [at, at + afterLength - beforeLength].some(
    (to) => to >= 0 && to + 1 < afterLength && isWordAt(pair, at, to),
  );
}

/** No checksum of it is wrong, and it is no fragment: what a sweep changes can be judged. */
function isSound(was: HeaderList): boolean {
  for (let row = 0; row < was.count; row++) {
    // What an ICMP error quotes is seldom all there, and nobody looks at its checksums.
    if ((was.flags[row]! & HEADER_FLAG.quoted) !== 0) continue;
    if ((was.flags[row]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible)) !== 0) return false;
    const status = was.status[row]!;
    if (status !== CHECKSUM.good && status !== CHECKSUM.absent && status !== NO_CHECKSUM) return false;
  }
  return was.count > 0;
}

/**
 * A field by its header and what has a part in checksums with it: of addresses the header behind them, whose pseudo-header
 * they are in; of a transport header the IP around it. In how many tunnels that lies makes no difference, and addresses of
 * the link are the same whatever follows them.
 */
function fieldName(was: HeaderList, row: number, offset: number): string {
  const kind = was.kind[row]!;
  const own = `${headerName(was, row)}+${offset}`;
  const isAddress = kind === HEADER.ipv4 ? offset >= 12 && offset < 20 : kind === HEADER.ipv6 && offset >= 8;
  if (isAddress) return row + 1 < was.count ? `${own} of ${HEADER_NAMES[was.kind[row + 1]!]}` : own;
  if (isIp(kind) || row === 0) return own;
  return `${own} over ${HEADER_NAMES[was.kind[row - 1]!]}`;
}

function headerName(was: HeaderList, row: number): string {
  return `${was.depth[row] === 0 ? '' : 'inner '}${HEADER_NAMES[was.kind[row]!]}`;
}

/** The header that the byte at this place belongs to, or whose payload it is; -1 before the first. */
function rowAt(was: HeaderList, at: number): number {
  for (let row = was.count - 1; row >= 0; row--) if (was.start[row]! <= at) return row;
  return -1;
}

/** Where the words of a header lie that hosts choose freely, by kind: identification, sequence numbers, ports. */
const FREE: Readonly<Record<number, readonly number[]>> = {
  [HEADER.ipv4]: [4],
  [HEADER.icmp]: [6, 4],
  [HEADER.icmpv6]: [6, 4],
  [HEADER.tcp]: [6, 10, 4, 8],
  [HEADER.udp]: [0],
  [HEADER.udplite]: [0],
};

function balanceOf(was: HeaderList, row: number, changed: readonly number[]): number {
  const start = was.start[row]!;
  const isFree = (at: number): boolean => !changed.includes(at) && at + 1 < was.end[row]!;
  const headerEnd = was.headerEnd[row]!;
  const last = start + ((was.end[row]! - start - 2) & ~1);
  const isOutermostPayload = row === was.count - 1 && was.kind[row] !== HEADER.ipv4;
  if (isOutermostPayload && last >= headerEnd && isFree(last)) return last;
  for (const offset of FREE[was.kind[row]!] ?? []) if (isFree(start + offset)) return start + offset;
  return -1;
}
