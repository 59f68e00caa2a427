/**
 * By how much TTLs of routed packets were lowered: one packet does not tell an intended value from a wrong step. Each family
 * is asked about by itself, and each entry: a router that is right for IPv4 may forget IPv6.
 */

import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { equal } from '../../sim/packet/bytes.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import { type Hook, TC_ACT_REDIRECT } from '../../sim/runtime/actions.ts';
import { DELIVERY, type Delivery, deliveryOf } from '../../sim/runtime/delivery.ts';
import { BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_SUCCESS } from '../../sim/runtime/fib.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { ttlPlace } from '../invariants/ttl.ts';
import { HEADER, HEADER_FLAG, isIp } from '../oracle/found.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { callsAny } from './judging.ts';
import { CaseRunner, type Seen, type Sighting, simplest, simplestWorld, traceOf } from './probe.ts';
import { ChecksumRepair } from './sweep-packets.ts';
import { withTtl } from './ttl-wraps.ts';

/** Who lowers each of these by the same number, lowers all by it. */
const TTLS = [64, 63, 200, 17];
const FIB_LOOKUP = 'bpf_fib_lookup';
/**
 * The kernel asks its own routing table, or takes the next hop that it is told, and writes its MAC addresses. It lowers no TTL:
 * that is done where packets are forwarded, and this one is on its way out (net/core/filter.c, `__bpf_redirect_neigh`).
 * `bpf_redirect_peer` asks for no next hop: the frame comes to the peer as it is, as it does over a bridge.
 */
const REDIRECT_NEIGH = 'bpf_redirect_neigh';
const REDIRECTS = /^bpf_redirect/;
/** Packets that left as they came are looked at up to this number. */
const MAX_UNCHANGED = 20_000;
/** Packets of a step that are tried: not all may have gone the way of routed ones. */
const KEPT = 4;

interface Example extends Sighting {
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
  /** Is it for the kernel to write the address of a next hop? */
  readonly isForKernel: boolean;
  /** By how much they were lowered. */
  readonly steps: Map<number, Example[]>;
}

/** A step that all packets have in common. */
interface Rule {
  readonly examples: readonly Example[];
  /** The IP header's, of the packet that shows it. */
  readonly kind: number;
  readonly size: number;
  /** Whose packets: "packets", or one family's where others are treated otherwise. */
  readonly of: string;
  /** Do other families, or entries, lower TTLs as they should, or at least otherwise? */
  readonly isMixed: boolean;
  readonly isRewritten: boolean;
  readonly isSentBack: boolean;
  readonly isForKernel: boolean;
}

/** How a packet came to where it was sent. */
interface Way {
  /** Did the kernel give a route for this very packet? */
  readonly isRouted: boolean;
  /** Is the next hop one that the kernel resolves? */
  readonly isResolved: boolean;
}

export class TtlSteps {
  readonly #program: Program;
  readonly #isGiven: boolean;
  /** Does the program ask the kernel for routes? */
  readonly #routes: boolean;
  /** Does it leave it to the kernel to find next hops? */
  readonly #resolves: boolean;
  readonly #pair = new FramePair();
  #unchanged = 0;
  readonly #repair = new ChecksumRepair();
  readonly #groups = new Map<string, Group>();

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
    const calls = (helper: string): boolean =>
      program.object !== undefined && callsAny(program, ({ name }) => name === helper);
    this.#routes = calls(FIB_LOOKUP);
    this.#resolves = calls(REDIRECT_NEIGH);
  }

  /** Looks for packets that left as they came, to a next hop whose addresses the kernel writes. */
  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    if (!this.#resolves) return;
    for (let packet = 0; packet < output.count && this.#unchanged < MAX_UNCHANGED; packet++) {
      const hook = this.#hookOf(input.entry[packet]!);
      if (output.status[packet] !== STATUS.ran || !isForwarded(hook)) continue;
      const delivery = deliveryOf(hook, output.action[packet]!);
      if (delivery !== DELIVERY.redirected) continue;
      const from = input.offset[packet]!;
      const to = output.offset[packet]!;
      const length = input.length[packet]!;
      const isSame = output.length[packet] === length && equal(input.bytes, from, output.bytes, to, length);
      if (!isSame) continue;
      this.#unchanged++;
      this.#pair.setAny(input.bytes, from, length, output.bytes, to, length);
      if (!this.#pair.cameBroken) this.enter(this.#pair, world, input, packet, delivery);
    }
  }

  #hookOf(entry: number): Hook {
    return this.#program.entries[entry]!.hook;
  }

  /** A packet that was redirected, or sent back. */
  enter(pair: FramePair, world: World, input: PacketBatch, packet: number, delivery: Delivery): void {
    const isSentBack = delivery === DELIVERY.sentBack;
    if (delivery !== DELIVERY.redirected && !(isSentBack && this.#routes)) return;
    const found = ttlInPlace(pair);
    if (found === undefined || found.isReply) return;
    const { came, left, at, isRewritten } = found;
    const isForKernel = !found.isReaddressed;
    const comesIn = isForwarded(this.#hookOf(input.entry[packet]!));
    const resolves = this.#resolves && !found.isAnswer && comesIn;
    if (left > came || (isForKernel && !resolves) || (left === came && !comesIn)) return;
    if ((isRewritten && !this.#routes && !resolves) || (isSentBack && found.isAnswer)) return;
    const kind = pair.is.kind[0]!;
    const key = `${kind} ${input.entry[packet]} ${isRewritten} ${isSentBack} ${isForKernel}`;
    const steps = this.#groups.get(key)?.steps ?? new Map<number, Example[]>();
    this.#groups.set(key, { kind, isRewritten, isSentBack, isForKernel, steps });
    const examples = steps.get(came - left) ?? [];
    steps.set(came - left, examples);
    if (examples.length < KEPT) examples.push({ world, stimulus: input.stimulus(packet), at });
  }

  /** One for each family and entry, or one for all where they have it in common. */
  async find(machine: Engine): Promise<Seen[]> {
    const found: Seen[] = [];
    for (const rule of this.#rules()) {
      if (rule.size === 1 || (rule.size === 0 && !this.#routes && !this.#resolves)) continue;
      const seen = await this.#show(rule, machine);
      if (seen === undefined) continue;
      found.push(seen);
      if (!rule.isMixed) break;
    }
    return found;
  }

  /** What is known to hold for all packets, of the program or else of a family at an entry. */
  #rules(): Rule[] {
    // What kept its addresses, and was redirected, is the better example.
    const groups = [...this.#groups.values()].sort((a, b) => oddness(a) - oddness(b));
    const sizes = new Set(groups.flatMap(({ steps }) => [...steps.keys()]));
    const isMixed = sizes.size > 1;
    return groups.flatMap((group) => {
      const [only, ...others] = group.steps;
      if (only === undefined || others.length > 0) return [];
      const [size, examples] = only;
      const { steps: _, ...what } = group;
      const family = `${familyOf(group.kind)} packets${group.isRewritten ? ' with other addresses' : ''}`;
      return [{ ...what, size, examples, isMixed, of: isMixed ? family : 'packets' }];
    });
  }

  async #show(rule: Rule, machine: Engine): Promise<Seen | undefined> {
    const runner = new CaseRunner(this.#program, machine);
    try {
      for (const example of rule.examples) {
        const seen = await this.#showOne(rule, example, runner);
        if (seen !== undefined) return seen;
      }
      return undefined;
    } finally {
      await runner.close();
    }
  }

  async #showOne(rule: Rule, example: Example, runner: CaseRunner): Promise<Seen | undefined> {
    const { size } = rule;
    if (!this.#isOfRouter(rule, await this.#wayOf(example))) return undefined;
    const action = (await runner.outcome(example.world, example.stimulus))?.action;
    const holds = async (candidate: World, simpler: Stimulus): Promise<boolean> => {
      const outcome = await runner.outcome(candidate, simpler);
      const then = simpler.packet[example.at];
      const now = outcome?.packet[example.at];
      return (
        outcome?.action === action &&
        then !== undefined &&
        now !== undefined &&
        then - now === size &&
        then > 1
      );
    };
    if (!(await this.#isSame(example, rule.kind, holds))) return undefined;
    const { world, stimulus } = await this.#simplest(rule, example, holds);
    const got = await runner.outcome(world, stimulus);
    if (got?.status !== 'ran') return undefined;
    const { isRouted } = await this.#wayOf({ world, stimulus });
    return {
      world,
      stimuli: [stimulus],
      engine: runner.engine,
      got,
      ...(isRouted || rule.size > 0 ? {} : { severity: 'warning' as const }),
      breach: breachOf(rule, example.at),
    };
  }

  /** The simplest packet that goes the same way, in the simplest world. */
  async #simplest(
    rule: Rule,
    example: Example,
    holds: (world: World, stimulus: Stimulus) => Promise<boolean>,
  ): Promise<Sighting> {
    const world = await simplestWorld(example, this.#isGiven, holds);
    const stimulus = await simplest(example.stimulus, (simpler) => holds(world, simpler));
    const small = { world, stimulus };
    return this.#isOfRouter(rule, await this.#wayOf(small)) ? small : example;
  }

  /** Is a packet that came this way a router's? A program that routes one family may well bridge the other. */
  #isOfRouter(
    { size, isMixed, isRewritten, isSentBack, isForKernel }: Rule,
    { isRouted, isResolved }: Way,
  ): boolean {
    if (isRouted || isResolved) return true;
    if (isRewritten || isSentBack || isForKernel) return false;
    return size > 0 || (!isMixed && this.#routes);
  }

  /** One TTL does not tell a number that is taken off from one that is set: do others lose the same? */
  async #isSame(
    { world, stimulus, at }: Example,
    kind: number,
    holds: (world: World, stimulus: Stimulus) => Promise<boolean>,
  ): Promise<boolean> {
    const start = at - ttlPlace(kind);
    for (const ttl of TTLS) {
      if (!(await holds(world, withTtl(this.#repair, stimulus, { start, kind, ttl })))) return false;
    }
    return true;
  }

  async #wayOf({ world, stimulus }: Sighting): Promise<Way> {
    const trace = await traceOf(this.#program, { world, stimuli: [stimulus] });
    const calls = trace?.steps.flatMap(({ call }) => (call === undefined ? [] : [call])) ?? [];
    const last = calls.findLast(({ name }) => REDIRECTS.test(name));
    const isResolved =
      isForwarded(this.#hookOf(stimulus.entry ?? 0)) &&
      last?.name === REDIRECT_NEIGH &&
      last.result === BigInt(TC_ACT_REDIRECT);
    const isRouted = calls.some(
      ({ name, result }) =>
        name === FIB_LOOKUP &&
        (result === BigInt(BPF_FIB_LKUP_RET_SUCCESS) ||
          // The route is there, and the kernel finds the neighbour.
          (isResolved && result === BigInt(BPF_FIB_LKUP_RET_NO_NEIGH))),
    );
    return { isRouted, isResolved };
  }
}

/** Do its packets come from outside? One that leaves has been through the stack, which has lowered its TTL, or chosen it. */
export function isForwarded(hook: Hook): boolean {
  return hook !== 'tc-egress';
}

function breachOf({ size, of, isSentBack, isForKernel }: Rule, at: number): Seen['breach'] {
  const text = size === 0 ? 'the TTL as it came' : `a TTL lowered by ${size}`;
  const redirected = isForKernel ? 'redirected with bpf_redirect_neigh' : 'redirected';
  return {
    invariant: size === 0 ? 'ttl/not-lowered' : 'ttl/step',
    at,
    size: 1,
    expected: 'a TTL lowered by one',
    got: text,
    sentence: `all ${of} that were ${isSentBack ? 'routed, and sent back,' : redirected} left with ${text}`,
  };
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
  /** Has the frame got another destination MAC address? */
  readonly isReaddressed: boolean;
  /** Has the packet got another address? */
  readonly isRewritten: boolean;
  /** Does it come from where it was to go? */
  readonly isAnswer: boolean;
  /** Does it go to who sent what came? Then the program is the host that answers, and lowers nothing (RFC 1812 §5.3.1). */
  readonly isReply: boolean;
}

/**
 * How the TTL of a packet changed that kept its place and its addresses, and was given another destination MAC.
 * @param isForKernel is it the kernel that writes that?
 */
export function ttlOf(pair: FramePair, isForKernel: boolean = false): TtlStep | undefined {
  const found = ttlInPlace(pair);
  return found === undefined || found.isRewritten || !(found.isReaddressed || isForKernel)
    ? undefined
    : found;
}

/** The same, with other addresses, too, and whatever the MAC addresses are. */
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
  const [from, to] = kind === HEADER.ipv4 ? [12, 20] : [8, 40];
  const half = (to - from) / 2;
  const source = afterOffset + start + from;
  const at = start + ttlPlace(kind);
  return {
    came: before[beforeOffset + at]!,
    left: after[afterOffset + at]!,
    at,
    isReaddressed: differs(0, 6),
    isRewritten: differs(start + from, start + to),
    isAnswer: equal(after, source, before, beforeOffset + start + from + half, half),
    isReply: equal(after, source + half, before, beforeOffset + start + from, half),
  };
}

function oddness({ isRewritten, isSentBack, isForKernel }: Group): number {
  return Number(isRewritten) + 2 * Number(isSentBack) + 4 * Number(isForKernel);
}
