/**
 * Mistakes in calls of helpers that no outcome shows: the machine and test runs do what the kernel does of frames without
 * offload, in a world without routes. Some packets run once more in the interpreter, whose trace shows what was passed.
 */

import type { RunTrace } from '../../sim/ebpf/interpreter/trace.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { read16 } from '../oracle/announcement.ts';
import { cameAs, leftAs } from '../rows.ts';
import type { CallFault, CallRemark, TracedRun } from './call-remark.ts';
import { callsAny, hasMap } from './judging.ts';
import { lookupFamilies } from './lookup-family.ts';
import { lookupGarbage } from './lookup-garbage.ts';
import { lookupMacs } from './lookup-macs.ts';
import { lookupOrders, ORDERED_CALLS } from './lookup-order.ts';
import { CaseRunner, type Seen, type Sighting, simplest, simplestWorld } from './probe.ts';
import { pseudoHeaderFlags } from './pseudo-header-flag.ts';
import { readdressed } from './readdressed.ts';
import { ignoredCalls, refusedCalls } from './refused-calls.ts';
import { relativesOf } from './relatives.ts';
import { roomFlags } from './room-flags.ts';
import { isRetyped, staleProtocol, vlanProtocols } from './skb-protocol.ts';
import { trieKeys } from './trie-keys.ts';
import { REDIRECTS, unusedRedirects } from './unused-redirects.ts';

/** Helpers whose arguments are looked at. */
const JUDGED: ReadonlySet<string> = new Set([
  'bpf_l4_csum_replace',
  ...ORDERED_CALLS,
  'bpf_skb_vlan_push',
  'bpf_skb_adjust_room',
  ...REDIRECTS,
]);
const JUDGES = [
  pseudoHeaderFlags,
  lookupOrders,
  lookupFamilies,
  lookupMacs,
  lookupGarbage,
  staleProtocol,
  vlanProtocols,
  roomFlags,
  trieKeys,
] as const;
/** Packets of each kind that are looked at, and how many of them may have the same length. */
const KEPT = 12;
const KEPT_OF_LENGTH = 3;
/** Packets that were looked for. */
const MAX_KNOWN = 200;
/** Beyond these: packets in which other words were rewritten than in those that are kept, as many of each. */
const KEPT_OF_PLACES = 2;
/** Of a frame, what may be headers: more need not be compared. */
const MAX_HEADERS = 96;
/** Of packets that left changed, and of those that left as they came. */
const MAX_KEPT = 240;
const TYPE_AT = 12;
/** Where an IP header without anything in front of it names its protocol. */
const PROTOCOL_AT: ReadonlyMap<number, number> = new Map([
  [ETHERTYPE.IPV4, 14 + 9],
  [ETHERTYPE.IPV6, 14 + 6],
]);

export class HelperCalls {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #calls: boolean;
  /** Calls whose result nobody looks at. */
  readonly #ignored: ReadonlySet<string>;
  readonly #kept = new Map<string, Sighting[]>();
  /** How many were kept for the words that were rewritten in them. */
  readonly #places = new Map<string, number>();
  readonly #counts = { changed: 0, same: 0 };

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
    this.#ignored = ignoredCalls(program);
    this.#calls =
      this.#ignored.size > 0 || callsAny(program, ({ name }) => JUDGED.has(name)) || hasTrie(program);
  }

  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    for (let packet = 0; packet < output.count; packet++) {
      if (output.status[packet] !== STATUS.ran) continue;
      const entry = input.entry[packet]!;
      const { hook } = this.#program.entries[entry]!;
      // Nothing else is asked of programs that call none of these.
      if (!this.#calls && hook !== 'tc-ingress') continue;
      const came = cameAs(input, packet);
      const left = leftAs(output, packet);
      if (came.length < 14 || left.length < 14) continue;
      const action = output.action[packet]!;
      const isRetyping = isRetyped({ hook, action }, read16(came, TYPE_AT), read16(left, TYPE_AT));
      if (!this.#calls && !isRetyping) continue;
      const isChanged = Buffer.compare(came, left) !== 0;
      const key = `${entry} ${action} ${isChanged} ${isRetyping} ${protocolOf(came)}`;
      const sighting = (): Sighting => ({ world, stimulus: input.stimulus(packet) });
      if (this.#keep(key, isChanged ? 'changed' : 'same', came.length, sighting) || !isChanged) continue;
      this.#keepOfPlaces(`${key} ${placesChanged(came, left)}`, key, sighting);
    }
  }

  /** @returns whether it is one of those that are kept */
  #keep(key: string, kind: 'changed' | 'same', length: number, sighting: () => Sighting): boolean {
    const kept = this.#kept.get(key) ?? [];
    if (kept.length >= KEPT || this.#counts[kind] >= MAX_KEPT) return false;
    if (kept.filter(({ stimulus }) => stimulus.packet.length === length).length >= KEPT_OF_LENGTH)
      return false;
    kept.push(sighting());
    this.#kept.set(key, kept);
    this.#counts[kind]++;
    return true;
  }

  /**
   * A call that changes nothing shows nothing: a port that a map holds is 0 until contents are tried that come late, when enough
   * packets are kept in which only an address changed.
   */
  #keepOfPlaces(places: string, key: string, sighting: () => Sighting): void {
    const count = this.#places.get(places) ?? 0;
    if (count >= KEPT_OF_PLACES || this.#counts.changed >= MAX_KEPT) return;
    this.#places.set(places, count + 1);
    this.#kept.set(key, [...(this.#kept.get(key) ?? []), sighting()]);
    this.#counts.changed++;
  }

  /**
   * One for each call, and each rule.
   * @param known packets that were looked for, one for each way: they come to calls that few others do
   */
  async find(known: readonly Sighting[] = []): Promise<Seen[]> {
    const traces: RunTrace[] = [];
    const engine = createVmEngine({ onTrace: (trace) => void traces.push(trace) });
    const runner = new CaseRunner(this.#program, engine);
    const look = async (world: World, stimulus: Stimulus): Promise<Looked | undefined> => {
      traces.length = 0;
      const got = await runner.outcome(world, stimulus);
      const trace = traces.at(-1);
      if (got?.status !== 'ran' || trace === undefined || trace.truncated) return undefined;
      const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
      const run: TracedRun = { hook, action: got.action, came: stimulus.packet, left: got.packet, trace };
      const inVain = [...refusedCalls(run, this.#ignored), ...unusedRedirects(run)];
      return { got, remarks: [...JUDGES.flatMap((judge) => judge(run)), ...inVain], inVain };
    };
    try {
      const suspects = new Suspects();
      for (const sighting of [...this.#kept.values()].flat()) {
        const { remarks = [] } = (await look(sighting.world, sighting.stimulus)) ?? {};
        for (const remark of remarks) suspects.enter(remark, sighting);
      }
      for (const [sighting, address] of this.#isGiven ? [] : suspects.open()) {
        for (const other of readdressed(sighting, address)) {
          const { remarks = [] } = (await look(other.world, other.stimulus)) ?? {};
          for (const remark of remarks) suspects.enter(remark, other);
        }
      }
      // What was called in vain each time: of these calls nothing else is known, and few packets may come to them.
      for (const sighting of this.#calls ? known.slice(0, MAX_KNOWN) : []) {
        const { inVain = [] } = (await look(sighting.world, sighting.stimulus)) ?? {};
        for (const remark of inVain) suspects.enter(remark, sighting);
      }
      for (const { world, stimulus } of suspects.wanting()) {
        for (const { packet } of relativesOf(stimulus.packet, { at: 0, size: 0 })) {
          const other = { world, stimulus: { ...stimulus, packet } };
          const { inVain = [] } = (await look(other.world, other.stimulus)) ?? {};
          for (const remark of inVain) suspects.enter(remark, other);
        }
      }
      const found: Seen[] = [];
      for (const [place, sighting] of suspects.proven()) {
        const seen = await this.#show(place, sighting, look);
        if (seen !== undefined) found.push({ ...seen, engine });
      }
      return found;
    } finally {
      await runner.close();
    }
  }

  /** The simplest packet that shows a fault, in the simplest world. */
  async #show(
    place: string,
    sighting: Sighting,
    look: (world: World, stimulus: Stimulus) => Promise<Looked | undefined>,
  ): Promise<Omit<Seen, 'engine'> | undefined> {
    const faultOf = (looked: Looked | undefined): CallFault | undefined =>
      looked?.remarks.find((one) => one.place === place)?.fault;
    const holds = async (world: World, stimulus: Stimulus): Promise<boolean> =>
      faultOf(await look(world, stimulus)) !== undefined;
    const world = await simplestWorld(sighting, this.#isGiven, holds);
    const small = await simplest(sighting.stimulus, (simpler) => holds(world, simpler));
    const looked = await look(world, small);
    const fault = faultOf(looked);
    if (looked === undefined || fault === undefined) return undefined;
    const { evidence: _, ...shown } = fault;
    return { world, stimuli: [small], got: looked.got, ...shown };
  }
}

/** Has the object a trie of prefixes, which the program may ask? */
function hasTrie(program: Program): boolean {
  return hasMap(program, ({ type, inner }) => type === 'LPM_TRIE' || inner?.type === 'LPM_TRIE');
}

/** What is in a frame, as far as kinds of packets are told apart by it. */
function protocolOf(frame: Uint8Array): string {
  const type = read16(frame, TYPE_AT);
  const at = PROTOCOL_AT.get(type);
  return at === undefined ? 'other' : `${type} ${frame[at]}`;
}

/** Which words of the headers left as others than they came. */
function placesChanged(came: Uint8Array, left: Uint8Array): string {
  const size = Math.min(came.length, left.length, MAX_HEADERS);
  const places: number[] = [];
  for (let at = 0; at < size; at += 2) {
    if (came[at] !== left[at] || came[at + 1] !== left[at + 1]) places.push(at);
  }
  return `${left.length - came.length} ${places.join()}`;
}

interface Looked {
  readonly got: Seen['got'];
  readonly remarks: readonly CallRemark[];
  /** Of these, what says that a call does nothing. */
  readonly inVain: readonly CallRemark[];
}

interface Suspect {
  readonly first: Sighting;
  readonly values: Set<string>;
  readonly needed: number;
  readonly address: Uint8Array | undefined;
  readonly isOfRelatives: boolean;
}

/** Places that something is held against, until a packet clears them. */
class Suspects {
  readonly #byPlace = new Map<string, Suspect>();
  readonly #unsure = new Map<string, readonly [sighting: Sighting, address: Uint8Array]>();
  readonly #cleared = new Set<string>();

  enter({ place, fault, unsure }: CallRemark, sighting: Sighting): void {
    if (unsure !== undefined) {
      if (!this.#unsure.has(place)) this.#unsure.set(place, [sighting, unsure]);
      return;
    }
    if (fault === undefined) {
      this.#cleared.add(place);
      return;
    }
    const { value = '', needed = 1, address, isOfRelatives = false } = fault.evidence ?? {};
    const known = this.#byPlace.get(place);
    if (known === undefined)
      this.#byPlace.set(place, {
        first: sighting,
        values: new Set([value]),
        needed,
        address,
        isOfRelatives,
      });
    else known.values.add(value);
  }

  /** Packets with an address of which others may tell more. */
  open(): (readonly [sighting: Sighting, address: Uint8Array])[] {
    const suspected = [...this.#byPlace].flatMap(([place, { first, values, needed, address }]) =>
      address === undefined || values.size >= needed ? [] : [[place, [first, address] as const] as const],
    );
    const open = [...suspected, ...[...this.#unsure].filter(([place]) => !this.#byPlace.has(place))];
    return open.filter(([place]) => !this.#cleared.has(place)).map(([, shown]) => shown);
  }

  /** Packets of which too few like them are known. */
  wanting(): Sighting[] {
    return [...this.#byPlace].flatMap(([place, { first, values, needed, isOfRelatives }]) =>
      !isOfRelatives || values.size >= needed || this.#cleared.has(place) ? [] : [first],
    );
  }

  /** Those that enough packets speak against, and none for, each with the first of these packets. */
  proven(): (readonly [place: string, sighting: Sighting])[] {
    return [...this.#byPlace].flatMap(([place, { first, values, needed }]) =>
      values.size < needed || this.#cleared.has(place) ? [] : [[place, first] as const],
    );
  }
}
