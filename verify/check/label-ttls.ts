/**
 * Are the TTLs of labels lowered as they should be? Asked of packets whose topmost label the program was seen to change: with TTL 1
 * they must not leave with 0, with 0 not with 255, and where the label is another one, not with the TTL that they came with.
 * A program that gives every label the same TTL lowers none.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import { DELIVERY, type Delivery, deliveryOf } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { LABEL_SIZE, LABEL_TTL_AT, labelStacks, labelsOf, swappedInPlace } from '../oracle/label-stacks.ts';
import type { Outcome } from '../outcome.ts';
import { CaseRunner, type Seen, type Sighting, simplest, simplestWorld } from './probe.ts';
import { isForwarded } from './ttl-steps.ts';

/** Who keeps each of these keeps all. */
const TTLS = [64, 63, 200, 17];
/** A TTL that nobody takes for the end of one, to see it lowered. */
const USUAL_TTL = 64;

/** What became of the label that was on top. */
interface TopLabel {
  /** Where its TTL lies in the frame that left. */
  readonly at: number;
  readonly came: number;
  readonly left: number;
  readonly label: number;
  readonly isSwapped: boolean;
}

/** What is wrong: which TTL shows it, and what is said of it. */
interface Fault {
  readonly invariant: string;
  readonly expected: string;
  /** TTLs to try, each with what it leaves with where the program is wrong; the first is shown. */
  readonly tried: readonly (readonly [came: number, left: number])[];
  readonly says: (top: TopLabel) => string;
}

const EXPIRED: Fault = {
  invariant: 'mpls/expired',
  expected: 'no packet, or one with a TTL',
  tried: [
    [1, 0],
    [USUAL_TTL, USUAL_TTL - 1],
  ],
  says: ({ label }) => `the TTL of label ${label} went from 1 to 0 in a packet that goes on`,
};
const WRAPPED: Fault = {
  invariant: 'mpls/wrapped',
  expected: 'no packet, or one with the TTL as it came',
  tried: [
    [0, 255],
    [USUAL_TTL, USUAL_TTL - 1],
  ],
  says: ({ label }) => `the TTL of label ${label} went from 0 to 255 in a packet that goes on`,
};
const NOT_LOWERED: Fault = {
  invariant: 'mpls/not-lowered',
  expected: 'a TTL lowered by one',
  tried: TTLS.map((ttl) => [ttl, ttl] as const),
  says: ({ label, came }) =>
    `the packet was sent on with label ${label} in the place of another, and with the TTL ${came} that the other came with`,
};

/** A packet that shows a fault, and what became of it. */
interface Broken {
  readonly stimulus: Stimulus;
  readonly got: Outcome;
  readonly top: TopLabel;
}

export class LabelTtls {
  readonly #program: Program;
  readonly #isGiven: boolean;
  /** The first of each entry and delivery. */
  readonly #lowered = new Map<string, Sighting>();
  readonly #kept = new Map<string, Sighting>();
  readonly #pair = new FramePair();

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
  }

  /** Looks at packets with labels that were changed and go on. What lies behind the labels need not be right, nor known. */
  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    for (let packet = 0; packet < output.count; packet++) {
      if (output.status[packet] !== STATUS.ran) continue;
      const from = input.offset[packet]!;
      const length = input.length[packet]!;
      if (labelsOf(input.bytes, from, length) === undefined) continue;
      const { hook } = this.#program.entries[input.entry[packet]!]!;
      const delivery = deliveryOf(hook, output.action[packet]!);
      if (delivery === DELIVERY.dropped) continue;
      const to = output.offset[packet]!;
      this.#pair.setAny(input.bytes, from, length, output.bytes, to, output.length[packet]!);
      this.#enter(world, input, packet, delivery);
    }
  }

  #enter(world: World, input: PacketBatch, packet: number, delivery: Delivery): void {
    const top = topLabel(this.#pair);
    if (top === undefined) return;
    const key = `${input.entry[packet]} ${delivery}`;
    const isSentOn = delivery === DELIVERY.redirected || delivery === DELIVERY.sentBack;
    const { hook } = this.#program.entries[input.entry[packet]!]!;
    // From 0 it goes to 255.
    if (((top.came - top.left) & 0xff) === 1) keepFirst(this.#lowered, key, world, input, packet);
    else if (top.came === top.left && top.came > 1 && top.isSwapped && isSentOn && isForwarded(hook))
      keepFirst(this.#kept, key, world, input, packet);
  }

  async find(machine: Engine): Promise<Seen[]> {
    const runner = new CaseRunner(this.#program, machine);
    const found = new Map<string, Seen>();
    const look = async (fault: Fault, sightings: Iterable<Sighting>): Promise<void> => {
      for (const sighting of sightings) {
        if (found.has(fault.invariant)) return;
        const seen = await this.#show(runner, fault, sighting);
        if (seen !== undefined) found.set(fault.invariant, seen);
      }
    };
    try {
      await look(EXPIRED, this.#lowered.values());
      await look(WRAPPED, this.#lowered.values());
      // One that lowers some leaves others alone on purpose: those that it only carries through, say.
      if (this.#lowered.size === 0) await look(NOT_LOWERED, this.#kept.values());
      return [...found.values()];
    } finally {
      await runner.close();
    }
  }

  async #show(
    runner: CaseRunner,
    fault: Fault,
    { world: around, stimulus }: Sighting,
  ): Promise<Seen | undefined> {
    const action = (await runner.outcome(around, stimulus))?.action;
    if (action === undefined) return undefined;
    const broken = (world: World, one: Stimulus): Promise<Broken | undefined> =>
      this.#broken(runner, fault, action, world, one);
    const holds = async (world: World, one: Stimulus): Promise<boolean> =>
      (await broken(world, one)) !== undefined;
    const first = await broken(around, stimulus);
    if (first === undefined) return undefined;
    const world = await simplestWorld({ world: around, stimulus }, this.#isGiven, holds);
    const small = await simplest(first.stimulus, (simpler) => holds(world, simpler));
    const { stimulus: shown, got, top } = (await broken(world, small)) ?? first;
    return {
      world,
      stimuli: [shown],
      engine: runner.engine,
      got,
      breach: {
        ...{ invariant: fault.invariant, at: top.at, size: 1, expected: fault.expected },
        ...{ got: String(top.left), sentence: fault.says(top) },
      },
    };
  }

  /** The packet with the TTL that shows the fault, where all that were tried leave as they do then. */
  async #broken(
    runner: CaseRunner,
    { tried, invariant }: Fault,
    action: number,
    world: World,
    stimulus: Stimulus,
  ): Promise<Broken | undefined> {
    let shown: Broken | undefined;
    for (const [came, left] of tried) {
      const one = withLabelTtl(stimulus, came);
      const got = one === undefined ? undefined : await runner.outcome(world, one);
      const top = one === undefined || got === undefined ? undefined : this.#topOf(one, got);
      if (top?.came !== came || top.left !== left || got?.action !== action) return undefined;
      // Packets that are tried may go another way, on which nothing is swapped.
      if (invariant === NOT_LOWERED.invariant && !top.isSwapped) return undefined;
      shown ??= { stimulus: one!, got: got!, top };
    }
    return shown;
  }

  /** Of a packet that goes on. */
  #topOf({ packet, entry = 0 }: Stimulus, got: Outcome): TopLabel | undefined {
    const { hook } = this.#program.entries[entry]!;
    if (got.status !== 'ran' || deliveryOf(hook, got.action) === DELIVERY.dropped) return undefined;
    this.#pair.setAny(packet, 0, packet.length, got.packet, 0, got.packet.length);
    return topLabel(this.#pair);
  }
}

function keepFirst(
  kept: Map<string, Sighting>,
  key: string,
  world: World,
  input: PacketBatch,
  packet: number,
): void {
  if (!kept.has(key)) kept.set(key, { world, stimulus: input.stimulus(packet) });
}

/** The label that was on top when the packet came, if it is still there: others may have been put on it. */
function topLabel(pair: FramePair): TopLabel | undefined {
  const stacks = labelStacks(pair) ?? swappedInPlace(pair);
  if (stacks === undefined || stacks.was.count === 0 || stacks.is.count < stacks.was.count) return undefined;
  const { before, beforeOffset, after, afterOffset } = pair;
  const { was, is } = stacks;
  const start = is.start + (is.count - was.count) * LABEL_SIZE;
  const label = labelAt(after, afterOffset + start);
  return {
    at: start + LABEL_TTL_AT,
    came: before[beforeOffset + was.start + LABEL_TTL_AT]!,
    left: after[afterOffset + start + LABEL_TTL_AT]!,
    label,
    isSwapped: label !== labelAt(before, beforeOffset + was.start),
  };
}

function labelAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 12) | (bytes[at + 1]! << 4) | (bytes[at + 2]! >> 4);
}

/** The packet with another TTL in its first label; no checksum covers it. */
function withLabelTtl(stimulus: Stimulus, ttl: number): Stimulus | undefined {
  const packet = stimulus.packet.slice();
  const start = labelsOf(packet);
  if (start === undefined) return undefined;
  packet[start + LABEL_TTL_AT] = ttl;
  return { ...stimulus, packet };
}
