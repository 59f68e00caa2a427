/**
 * Does a TC program decide by payload only where that lies between `data` and `data_end`? Of TCP from a local socket nothing but
 * headers does, and of what comes in as much as the driver copied (`eth_get_headlen`): the rest is in pages, for helpers alone.
 * And does one that asks for slices of the frame write what it changes back, where such a slice is a copy? The same frame must
 * come to the same, however it lies in memory. No single packet shows it.
 */

import { layout } from '../../corpus/simplify/packet-layout.ts';
import { SK_BUFF } from '../../sim/ebpf/context/sk-buff.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ETHERNET_HEADER } from '../../sim/ebpf/packet-area.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { equalWhole } from '../../sim/packet/bytes.ts';
import { IPPROTO } from '../../sim/packet/numbers.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { actionName } from '../../sim/runtime/actions.ts';
import { type MapSnapshot, sameContents } from '../../sim/runtime/map-snapshot.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { type Outcome, outcomeAt } from '../outcome.ts';
import type { Severity } from '../severity.ts';
import { CaseRunner, partingLine, type Seen, type Sighting, simplest, simplestWorld } from './probe.ts';
import type { TransportSightings } from './transport-sightings.ts';
import { transportOf } from './variants.ts';

/** In what a frame with pages comes to something else. */
type Difference = 'action' | 'bytes' | 'fields' | 'maps';

interface Ran {
  readonly outcome: Outcome;
  readonly maps: readonly MapSnapshot[] | undefined;
}

/** How much of a whole frame is linear when it is tried in pieces. */
interface Pieces {
  /** Undefined: nothing is to be tried of this frame. */
  readonly linear: (stimulus: Stimulus) => number | undefined;
  readonly invariant: string;
  readonly lies: (linear: number) => string;
}

const PAYLOAD_IN_PAGES: Pieces = {
  linear: headersOf,
  invariant: 'payload/not-linear',
  lies: (linear) => `with its payload in pages (the first ${linear} bytes are between data and data_end)`,
};

const ALL_IN_PAGES: Pieces = {
  linear: ({ packet }) => (packet.length > ETHERNET_HEADER ? ETHERNET_HEADER : undefined),
  invariant: 'payload/slice-copied',
  lies: () => 'with all behind its Ethernet header in pages, where slices are copies,',
};

const SLICES: ReadonlySet<string> = new Set(['bpf_dynptr_slice', 'bpf_dynptr_slice_rdwr']);
const LOAD_WORD = 0x61;

/** Do programs of the object ask for slices of frames, which are copies where a frame lies in pieces? */
export function slicesFrames({ object }: Pick<Program, 'object'>): boolean {
  return object !== undefined && linkedObject(object).kfuncs.some((name) => SLICES.has(name));
}

/** Does an entry get at frames by slices alone? Who looks at `data_end` finds less of a frame in pieces. */
function onlySlices(program: Program, entry: number): boolean {
  if (!slicesFrames(program)) return false;
  const name = program.entries[entry]!.function;
  const own = linkedObject(program.object!).programs.find((one) => one.function === name);
  if (own === undefined) return false;
  const { opcode, offset } = own.instructions;
  return opcode.every((code, slot) => code !== LOAD_WORD || offset[slot] !== SK_BUFF.dataEnd);
}

export class PagedPayload {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #sightings: TransportSightings;

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean, sightings: TransportSightings) {
    this.#program = program;
    this.#isGiven = isGiven;
    this.#sightings = sightings;
  }

  /** One for each entry of which it holds, of the kind that weighs most. */
  async find(machine: Engine): Promise<Seen[]> {
    const runner = new CaseRunner(this.#program, machine);
    const found: Seen[] = [];
    try {
      for (const [entry, { hook }] of this.#program.entries.entries()) {
        if (hook === 'xdp') continue;
        const seen = await this.#ofEntry(runner, entry);
        if (seen !== undefined) found.push(seen);
      }
    } finally {
      await runner.close();
    }
    return found;
  }

  async #ofEntry(runner: CaseRunner, entry: number): Promise<Seen | undefined> {
    const pieces = onlySlices(this.#program, entry) ? ALL_IN_PAGES : PAYLOAD_IN_PAGES;
    const ranked = RANKS.map((): Sighting[] => []);
    for (const sighting of this.#candidates(entry, pieces)) {
      const difference = await differenceOf(runner, pieces, sighting.world, sighting.stimulus);
      if (difference === undefined) continue;
      const rank = rankOf(pieces, sighting.stimulus, difference);
      ranked[rank]!.push(sighting);
      if (rank === 0) break;
    }
    const rank = ranked.findIndex((list) => list.length > 0);
    return rank < 0 ? undefined : this.#show(runner, pieces, ranked[rank]![0]!, rank);
  }

  /** Sound packets of TCP first, then of UDP, with payload. */
  #candidates(entry: number, pieces: Pieces): Sighting[] {
    const own = [...new Set(this.#sightings.all)].filter(
      ({ stimulus }) => (stimulus.entry ?? 0) === entry && pieces.linear(stimulus) !== undefined,
    );
    return [
      ...own.filter(({ stimulus }) => isTcp(stimulus)),
      ...own.filter(({ stimulus }) => !isTcp(stimulus)),
    ];
  }

  async #show(
    runner: CaseRunner,
    pieces: Pieces,
    sighting: Sighting,
    rank: number,
  ): Promise<Seen | undefined> {
    const differs = async (world: World, stimulus: Stimulus): Promise<boolean> => {
      const difference = await differenceOf(runner, pieces, world, stimulus);
      return difference !== undefined && rankOf(pieces, stimulus, difference) === rank;
    };
    const world = await simplestWorld(sighting, this.#isGiven, differs);
    const whole = await simplest(sighting.stimulus, (simpler) => differs(world, simpler));
    const paged = inPages(pieces, whole)!;
    const difference = await differenceOf(runner, pieces, world, whole);
    const before = await runner.outcome(world, whole);
    const got = await runner.outcome(world, paged);
    if (before === undefined || got === undefined || difference === undefined) return undefined;
    const source = await partingLine(this.#program, world, whole, paged);
    const { hook } = this.#program.entries[whole.entry ?? 0]!;
    const linear = paged.skb!.linear!;
    const isAction = difference === 'action';
    const expected = isAction ? actionName(hook, before.action) : 'the same as in one piece';
    const found = isAction ? actionName(hook, got.action) : DIFFERENT[difference];
    return {
      world,
      stimuli: [paged],
      engine: runner.engine,
      got,
      ...(source === undefined ? {} : { source }),
      severity: RANKS[rank]!,
      breach: {
        invariant: pieces.invariant,
        at: linear,
        size: 0,
        expected,
        got: found,
        sentence: isAction
          ? `${pieces.lies(linear)} the frame comes to ${found}, in one piece to ${expected}`
          : `${pieces.lies(linear)} the frame leaves ${DIFFERENT[difference]} than in one piece does`,
      },
    };
  }
}

const DIFFERENT: Readonly<Record<Difference, string>> = {
  action: 'another action',
  bytes: 'other bytes',
  fields: 'other fields of __sk_buff',
  maps: 'other contents of maps',
};

/** TCP lies so from every local socket; of UDP short datagrams seldom do, and maps may count just that. */
const RANKS: readonly Severity[] = ['warning', 'info', 'info'];

function rankOf({ invariant }: Pieces, stimulus: Stimulus, difference: Difference): number {
  if (difference === 'maps') return 2;
  return isTcp(stimulus) || invariant === ALL_IN_PAGES.invariant ? 0 : 1;
}

function isTcp({ packet }: Stimulus): boolean {
  return layout(packet).protocol === IPPROTO.TCP;
}

/** How long the headers are of a sound packet of TCP or UDP that has payload behind them. */
function headersOf({ packet }: Stimulus): number | undefined {
  if (transportOf(packet) === undefined) return undefined;
  const { protocol, upperAt, payloadAt, incomplete } = layout(packet);
  if (upperAt < 0 || incomplete) return undefined;
  if (protocol === IPPROTO.UDP) return payloadAt < packet.length ? payloadAt : undefined;
  if (protocol !== IPPROTO.TCP || upperAt + TCP_HEADER > packet.length) return undefined;
  const end = upperAt + 4 * (packet[upperAt + 12]! >> 4);
  return end >= upperAt + TCP_HEADER && end < packet.length ? end : undefined;
}

const TCP_HEADER = 20;

/** The same frame in pieces. */
function inPages(pieces: Pieces, stimulus: Stimulus): Stimulus | undefined {
  const linear = pieces.linear(stimulus);
  return linear === undefined ? undefined : { ...stimulus, skb: { ...stimulus.skb, linear } };
}

async function differenceOf(
  runner: CaseRunner,
  pieces: Pieces,
  world: World,
  stimulus: Stimulus,
): Promise<Difference | undefined> {
  const paged = inPages(pieces, stimulus);
  if (paged === undefined) return undefined;
  const one = await ranOf(runner, world, stimulus);
  const other = one === undefined ? undefined : await ranOf(runner, world, paged);
  if (one === undefined || other === undefined) return undefined;
  if (one.outcome.action !== other.outcome.action) return 'action';
  if (!equalWhole(one.outcome.packet, other.outcome.packet)) return 'bytes';
  if (fieldsOf(one.outcome) !== fieldsOf(other.outcome)) return 'fields';
  return sameMaps(one.maps, other.maps) ? undefined : 'maps';
}

async function ranOf(runner: CaseRunner, world: World, stimulus: Stimulus): Promise<Ran | undefined> {
  const ran = await runner.run(world, [stimulus]);
  if (ran === undefined) return undefined;
  const outcome = outcomeAt(ran.output, 0);
  return outcome.status === 'ran' ? { outcome, maps: ran.maps } : undefined;
}

function fieldsOf({ mark, priority, cb, tstamp, redirect }: Outcome): string {
  return [mark, priority, ...cb, tstamp, redirect].join();
}

function sameMaps(one: Ran['maps'], other: Ran['maps']): boolean {
  if (one === undefined || other === undefined) return true;
  return one.every((map, at) => other[at] === undefined || sameContents(map, other[at]!));
}
