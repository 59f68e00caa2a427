/**
 * Entries with an `after`: XDP and TC of one device, one after the other on the same packet. Made of an engine's
 * session that knows its functions one by one, so that no engine has to know of chains.
 */
import { PacketBatch } from '../packet/packet-batch.ts';
import { TC_ACT_REDIRECT, TC_ACT_SHOT, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../runtime/actions.ts';
import type { Coverage } from '../runtime/coverage.ts';
import type { MapSnapshot } from '../runtime/map-snapshot.ts';
import type { Program, ProgramEntry } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import type { Session } from './engine.ts';
import { OutcomeBatch, STATUS } from './outcome-batch.ts';

/** Which of the single functions an entry runs. */
interface Links {
  /** Its own function. */
  readonly last: number;
  /** The XDP function before it; undefined for most entries. */
  readonly first: number | undefined;
}

/**
 * Opens a session for a program that may have chained entries.
 * @param open opens one whose entries are single functions
 */
export async function openChained(
  program: Program,
  world: World,
  open: (program: Program, world: World) => Promise<Session>,
): Promise<Session> {
  if (program.entries.every((entry) => entry.after === undefined)) return open(program, world);
  const functions = singleFunctions(program.entries);
  const numberOf = (name: string): number => functions.findIndex((one) => one.function === name);
  const links = program.entries.map(({ function: name, after }) => ({
    last: numberOf(name),
    first: after === undefined ? undefined : numberOf(after),
  }));
  return new ChainedSession(await open({ ...program, entries: functions }, world), links);
}

/** The functions that entries name, each once, the XDP function of a chain before it. */
export function singleFunctions(entries: readonly ProgramEntry[]): ProgramEntry[] {
  const functions = new Map<string, ProgramEntry>();
  for (const { function: name, hook, frags, after } of entries) {
    if (after !== undefined && !functions.has(after)) functions.set(after, { function: after, hook: 'xdp' });
    const asked = frags === undefined ? {} : { frags };
    if (!functions.has(name)) functions.set(name, { function: name, hook, ...asked });
  }
  return [...functions.values()];
}

class ChainedSession implements Session {
  readonly #session: Session;
  readonly #links: readonly Links[];
  readonly coverage?: () => Coverage;
  readonly path?: () => string;
  readonly clearCoverage?: () => void;
  /** What the session gets to run, and what comes of it. */
  #input = new PacketBatch(1);
  #output = new OutcomeBatch(1);

  constructor(session: Session, links: readonly Links[]) {
    this.#session = session;
    this.#links = links;
    if (session.coverage !== undefined) this.coverage = (): Coverage => session.coverage!();
    if (session.path !== undefined) this.path = (): string => session.path!();
    if (session.clearCoverage !== undefined) this.clearCoverage = (): void => session.clearCoverage!();
  }

  /** Packets run in order: those between two chained ones together, a chained one by itself. */
  async run(input: PacketBatch, output: OutcomeBatch): Promise<void> {
    if (input.count > output.capacity) {
      throw new RangeError(`${input.count} packets do not fit into a batch of ${output.capacity} outcomes`);
    }
    output.clear();
    if (this.#input.capacity < input.count) {
      this.#input = new PacketBatch(input.count);
      this.#output = new OutcomeBatch(input.count);
    }
    for (let packet = 0; packet < input.count; ) {
      this.#input.clear();
      const links = this.#links[input.entry[packet]!];
      if (links?.first !== undefined) {
        await this.#runChain(input, packet, links.first, links.last, output);
        packet += 1;
        continue;
      }
      for (; packet < input.count; packet++) {
        const next = this.#links[input.entry[packet]!];
        if (next?.first !== undefined) break;
        this.#push(input, packet, next?.last ?? this.#links.length);
      }
      await this.#session.run(this.#input, this.#output);
      for (let index = 0; index < this.#output.count; index++) append(this.#output, index, output);
    }
  }

  maps(): MapSnapshot[] {
    return this.#session.maps();
  }

  reset(): Promise<void> {
    return this.#session.reset();
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #runChain(
    input: PacketBatch,
    packet: number,
    first: number,
    last: number,
    output: OutcomeBatch,
  ): Promise<void> {
    const between = this.#output;
    this.#push(input, packet, first);
    await this.#session.run(this.#input, between);
    if (between.status[0] !== STATUS.ran || between.action[0] !== XDP_PASS) {
      const index = append(between, 0, output);
      if (between.status[0] === STATUS.ran) output.action[index] = actionOfDevice(between.action[0]!);
      return;
    }
    const lines = between.trace.get(0) ?? [];
    const note = between.notes.get(0);
    this.#input.clear();
    this.#input.pushFrom(between, 0);
    this.#take(input, packet, last);
    await this.#session.run(this.#input, between);
    const index = append(between, 0, output);
    if (lines.length > 0) output.trace.set(index, [...lines, ...(output.trace.get(index) ?? [])]);
    if (note !== undefined && !output.notes.has(index)) output.notes.set(index, note);
  }

  #push(input: PacketBatch, packet: number, entry: number): void {
    this.#input.pushFrom(input, packet);
    this.#take(input, packet, entry);
  }

  /** Says of the packet pushed last where it comes from and what it runs. */
  #take(input: PacketBatch, packet: number, entry: number): void {
    const index = this.#input.count - 1;
    this.#input.ingressIfindex[index] = input.ingressIfindex[packet]!;
    this.#input.rxQueueIndex[index] = input.rxQueueIndex[packet]!;
    this.#input.entry[index] = entry;
    const skb = input.skb.get(packet);
    // What a chain starts with is XDP, which has no `__sk_buff`.
    if (skb !== undefined && entry === this.#links[input.entry[packet]!]?.last)
      this.#input.skb.set(index, skb);
  }
}

/** What XDP has done to a frame that it did not pass, in the words of TC: see `ProgramEntry.after`. */
function actionOfDevice(action: number): number {
  return action === XDP_TX || action === XDP_REDIRECT ? TC_ACT_REDIRECT : TC_ACT_SHOT;
}

/** @returns the outcome's index */
function append(from: OutcomeBatch, packet: number, to: OutcomeBatch): number {
  const metaLength = from.metaLength[packet]!;
  const length = from.length[packet]!;
  const start = from.offset[packet]! - metaLength;
  const at = to.reserve(metaLength + length);
  to.bytes.set(from.bytes.subarray(start, start + metaLength + length), at);
  const index = to.commit(from.action[packet]!, length, metaLength);
  to.status[index] = from.status[packet]!;
  to.redirect[index] = from.redirect[packet]!;
  to.mark[index] = from.mark[packet]!;
  to.priority[index] = from.priority[packet]!;
  for (let word = 0; word < 5; word++) to.cb[index * 5 + word] = from.cb[packet * 5 + word]!;
  for (let word = 0; word < 2; word++) to.tstamp[index * 2 + word] = from.tstamp[packet * 2 + word]!;
  const lines = from.trace.get(packet);
  if (lines !== undefined) to.trace.set(index, lines);
  const note = from.notes.get(packet);
  if (note !== undefined) to.notes.set(index, note);
  if (from.uncertainFrom <= packet) to.uncertainFrom = Math.min(to.uncertainFrom, index);
  return index;
}
