/**
 * By how much TTLs of routed packets were lowered: one packet does not tell an intended value from a wrong step. Each family
 * is asked about by itself, and each entry: a router that is right for IPv4 may forget IPv6.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import { equal } from '../../sim/packet/bytes.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import { DELIVERY, type Delivery } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { ttlPlace } from '../invariants/ttl.ts';
import { HEADER, HEADER_FLAG, isIp } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { callsAny } from './judging.ts';
import { CaseRunner, type Seen, type Sighting, simplest, simplestWorld, traceOf } from './probe.ts';
import { ChecksumRepair } from './sweep-packets.ts';
import { withTtl } from './ttl-wraps.ts';

/** Who lowers each of these by the same number, lowers all by it. */
const TTLS = [64, 63, 200, 17];
const FIB_LOOKUP = 'bpf_fib_lookup';

interface Step {
  readonly sighting: Sighting;
  /** Offset of the field in the frame that left. */
  readonly at: number;
}

/** What became of the TTLs of one family, at one entry. */
interface Group {
  readonly kind: number;
  /** Did packets get other addresses? A gateway that routes lowers their TTLs, too; who answers makes others. */
  readonly isRewritten: boolean;
  /** Did they go back where they came from (XDP_TX)? A router with one arm does that, and whoever answers. */
  readonly isSentBack: boolean;
  /** By how much they were lowered. */
  readonly steps: Map<number, Step>;
}

/** A step that all packets have in common. */
interface Rule extends Step {
  /** The IP header's, of the packet that shows it. */
  readonly kind: number;
  readonly size: number;
  /** Whose packets: "packets", or one family's where others are treated otherwise. */
  readonly of: string;
  /** Do other families, or entries, lower TTLs as they should, or at least otherwise? */
  readonly isMixed: boolean;
  readonly isRewritten: boolean;
  readonly isSentBack: boolean;
}

export class TtlSteps {
  readonly #program: Program;
  readonly #isGiven: boolean;
  /** Does the program ask the kernel for routes? */
  readonly #routes: boolean;
  readonly #repair = new ChecksumRepair();
  readonly #groups = new Map<string, Group>();

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
    this.#routes = program.object !== undefined && callsAny(program, ({ name }) => name === FIB_LOOKUP);
  }

  /** A packet that was redirected, or sent back. */
  enter(pair: FramePair, world: World, input: PacketBatch, packet: number, delivery: Delivery): void {
    const isSentBack = delivery === DELIVERY.sentBack;
    if (delivery !== DELIVERY.redirected && !(isSentBack && this.#routes)) return;
    const found = ttlInPlace(pair);
    if (found === undefined) return;
    const { came, left, at, isRewritten } = found;
    if (left > came || (isRewritten && !this.#routes) || (isSentBack && found.isAnswer)) return;
    const kind = pair.is.kind[0]!;
    const key = `${kind} ${input.entry[packet]} ${isRewritten} ${isSentBack}`;
    const group = this.#groups.get(key) ?? { kind, isRewritten, isSentBack, steps: new Map<number, Step>() };
    this.#groups.set(key, group);
    if (!group.steps.has(came - left))
      group.steps.set(came - left, { sighting: { world, stimulus: input.stimulus(packet) }, at });
  }

  /** One for each family and entry, or one for all where they have it in common. */
  async find(machine: Engine): Promise<Seen[]> {
    const found: Seen[] = [];
    for (const rule of this.#rules()) {
      if (rule.size === 1 || (rule.size === 0 && !this.#routes)) continue;
      const seen = await this.#show(rule, machine);
      if (seen !== undefined) found.push(seen);
    }
    return found;
  }

  /** What is known to hold for all packets, of the program or else of a family at an entry. */
  #rules(): Rule[] {
    // What kept its addresses, and was redirected, is the better example.
    const groups = [...this.#groups.values()].sort((a, b) => oddness(a) - oddness(b));
    const all = groups.flatMap(({ steps }) => [...steps]);
    const [first] = all;
    if (first === undefined) return [];
    if (all.every(([size]) => size === first[0]))
      return [{ ...first[1], ...ofGroup(groups[0]!), size: first[0], of: 'packets', isMixed: false }];
    return groups.flatMap((group) => {
      const [only, ...others] = group.steps;
      if (only === undefined || others.length > 0) return [];
      const of = `${familyOf(group.kind)} packets${group.isRewritten ? ' with other addresses' : ''}`;
      return [{ ...only[1], ...ofGroup(group), size: only[0], of, isMixed: true }];
    });
  }

  async #show(rule: Rule, machine: Engine): Promise<Seen | undefined> {
    const { size, sighting, at, of, isMixed, isRewritten, isSentBack } = rule;
    const runner = new CaseRunner(this.#program, machine);
    try {
      const action = (await runner.outcome(sighting.world, sighting.stimulus))?.action;
      const holds = async (candidate: World, simpler: Stimulus): Promise<boolean> => {
        const outcome = await runner.outcome(candidate, simpler);
        const then = simpler.packet[at];
        const now = outcome?.packet[at];
        return (
          outcome?.action === action &&
          then !== undefined &&
          now !== undefined &&
          then - now === size &&
          then > 1
        );
      };
      if (!(await this.#isSame(rule, holds))) return undefined;
      const world = await simplestWorld(sighting, this.#isGiven, holds);
      const small = await simplest(sighting.stimulus, (simpler) => holds(world, simpler));
      const got = await runner.outcome(world, small);
      if (got?.status !== 'ran') return undefined;
      const isRouted = (size > 0 && !isRewritten && !isSentBack) || (await this.#isRouted(world, small));
      // A program that routes one family may well bridge the other.
      if ((isMixed || isRewritten || isSentBack) && !isRouted) return undefined;
      const text = size === 0 ? 'the TTL as it came' : `a TTL lowered by ${size}`;
      return {
        world,
        stimuli: [small],
        engine: machine,
        got,
        ...(isRouted ? {} : { severity: 'warning' as const }),
        breach: {
          invariant: size === 0 ? 'ttl/not-lowered' : 'ttl/step',
          at,
          size: 1,
          expected: 'a TTL lowered by one',
          got: text,
          sentence: `all ${of} that were ${isSentBack ? 'routed, and sent back,' : 'redirected'} left with ${text}`,
        },
      };
    } finally {
      await runner.close();
    }
  }

  /** One TTL does not tell a number that is taken off from one that is set: do others lose the same? */
  async #isSame(
    { sighting: { world, stimulus }, at, kind }: Rule,
    holds: (world: World, stimulus: Stimulus) => Promise<boolean>,
  ): Promise<boolean> {
    const start = at - ttlPlace(kind);
    for (const ttl of TTLS) {
      if (!(await holds(world, withTtl(this.#repair, stimulus, { start, kind, ttl })))) return false;
    }
    return true;
  }

  /** Did the kernel give a route for this very packet? */
  async #isRouted(world: World, stimulus: Stimulus): Promise<boolean> {
    const trace = await traceOf(this.#program, { world, stimuli: [stimulus] });
    return trace?.steps.some(({ call }) => call?.name === FIB_LOOKUP && call.result === 0n) === true;
  }
}

/** @param kind `HEADER.ipv4` or `HEADER.ipv6` */
export function familyOf(kind: number): string {
  return kind === HEADER.ipv4 ? 'IPv4' : 'IPv6';
}

/** How the TTL of a packet's outermost IP header came and left. */
export interface TtlStep {
  readonly came: number;
  readonly left: number;
  /** Offset of the field, in both frames. */
  readonly at: number;
  /** Has the packet got another address? */
  readonly isRewritten: boolean;
  /** Does it come from where it was to go? */
  readonly isAnswer: boolean;
}

/** How the TTL of a packet changed that kept its place and its addresses, and was given another destination MAC. */
export function ttlOf(pair: FramePair): TtlStep | undefined {
  const found = ttlInPlace(pair);
  return found?.isRewritten === true ? undefined : found;
}

/** The same, with other addresses, too. */
function ttlInPlace(pair: FramePair): TtlStep | undefined {
  const { is, was, before, beforeOffset, after, afterOffset, shift } = pair;
  if (is.count === 0 || shift !== 0) return undefined;
  const kind = is.kind[0]!;
  const match = is.match[0]!;
  if (!isIp(kind) || match !== 0 || was.kind[0] !== kind) return undefined;
  if (((is.flags[0]! | was.flags[0]!) & (HEADER_FLAG.cut | HEADER_FLAG.impossible)) !== 0) return undefined;
  const start = is.start[0]!;
  if (was.start[0] !== start) return undefined;
  const differs = (from: number, to: number): boolean => {
    for (let at = from; at < to; at++) if (before[beforeOffset + at] !== after[afterOffset + at]) return true;
    return false;
  };
  if (!differs(0, 6)) return undefined;
  const [from, to] = kind === HEADER.ipv4 ? [12, 20] : [8, 40];
  const half = (to - from) / 2;
  const source = afterOffset + start + from;
  const at = start + ttlPlace(kind);
  return {
    came: before[beforeOffset + at]!,
    left: after[afterOffset + at]!,
    at,
    isRewritten: differs(start + from, start + to),
    isAnswer: equal(after, source, before, beforeOffset + start + from + half, half),
  };
}

function ofGroup({
  kind,
  isRewritten,
  isSentBack,
}: Group): Pick<Rule, 'kind' | 'isRewritten' | 'isSentBack'> {
  return { kind, isRewritten, isSentBack };
}

function oddness({ isRewritten, isSentBack }: Group): number {
  return Number(isRewritten) + 2 * Number(isSentBack);
}
