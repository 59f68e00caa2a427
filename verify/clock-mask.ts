/**
 * Masks what depends on clock or chance, where an engine of the kernel could not be given the machine's.
 *
 * The machine runs the case again under other clocks and other random numbers (`OTHER_WORLDS`), and the kernel's
 * engine runs it twice more. What moved between any two of these runs is nobody's promise: there, the engine's outcome
 * is taken to be the machine's, and it is counted and named as not compared.
 */
import type { Engine } from '../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { type EngineName, isMachine } from '../sim/engines/register.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import { MapSnapshot } from '../sim/runtime/map-snapshot.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { EngineSide } from './engine-side.ts';
import { MovedParts, type RunOutcome } from './moved.ts';
import type { NotCompared } from './not-compared.ts';
import { unorderedHelpers } from './unordered-helpers.ts';

/** Far apart in every byte: a clock that stands still, two that tick, two that jump. */
const OTHER_WORLDS: readonly World[] = [
  { time: 0x0123_4567_89ab_cdefn, randomSeed: 0x89ab_cdef, hashSeed: 1, cpu: 1, kernelFill: 0xff },
  { time: 2_586_781_561_235n, tick: 1_009n, randomSeed: 7, hashSeed: 2, cpu: 2, kernelFill: 0x5a },
  { time: 1n, tick: 1_000_003n, randomSeed: 0x5555_5555, hashSeed: 3, cpu: 3, kernelFill: 1 },
  {
    time: 0x3edc_ba98_7654_3210n,
    tick: 0x1_2345_6789n,
    randomSeed: 0xaaaa_aaaa,
    hashSeed: 4,
    cpu: 5,
    kernelFill: 0x80,
  },
  { time: 77n, tick: 0x1234_5678_9abcn, randomSeed: 12_345, hashSeed: 5, cpu: 6, kernelFill: 0xa5 },
];

/**
 * The same for a program in which nothing but the order of a hash map's elements is the kernel's own: its clock, chance and CPU are
 * the machine's, and what hangs on these is compared.
 */
const OTHER_ORDERS: readonly World[] = OTHER_WORLDS.map(({ hashSeed }) => ({ hashSeed: hashSeed! }));

/** How often the kernel runs the case again. */
const KERNEL_RUNS = 2;

export class ClockMask {
  readonly #machine: EngineSide;
  readonly #again = new Map<EngineName, EngineSide>();
  readonly #program: Program;

  /** @param engines those of the run: a machine among them is the one that is asked */
  constructor(program: Program, engines: readonly Engine[]) {
    this.#program = program;
    const machine = engines.find((engine) => isMachine(engine.name)) ?? createWasmEngine();
    this.#machine = new EngineSide(machine, program, 1);
  }

  /**
   * Changes the outcomes of these sides, which have run the case, where they depend on clock or chance.
   * @returns what is not compared therefore
   */
  async apply(world: World, input: PacketBatch, sides: readonly EngineSide[]): Promise<NotCompared[]> {
    const base = await this.#run(this.#machine, world, input);
    const moved = new MovedParts(input.count, input.entry);
    if (base !== undefined) {
      for (const other of this.#isOrderAlone(sides) ? OTHER_ORDERS : OTHER_WORLDS) {
        const outcome = await this.#run(this.#machine, { ...world, ...other }, input);
        if (outcome !== undefined) moved.enter(base, outcome);
      }
    }
    const left: NotCompared[] = [];
    for (const side of sides) {
      for (let run = 0; run < KERNEL_RUNS; run++) {
        const again = await this.#run(this.#second(side.engine), world, input);
        if (again !== undefined) moved.enter(side, again);
      }
      left.push(...mask(side, base, moved, `depends on ${side.live.join(', ')}`));
    }
    return left;
  }

  #isOrderAlone(sides: readonly EngineSide[]): boolean {
    const unordered = unorderedHelpers(this.#program);
    return sides.every(({ live }) => live.every((name) => unordered.includes(name)));
  }

  async close(): Promise<void> {
    await this.#machine.close();
    for (const side of this.#again.values()) await side.close();
  }

  /** Sessions of the engine's own, since those of the run go on. */
  #second(engine: Engine): EngineSide {
    let side = this.#again.get(engine.name);
    if (side === undefined) {
      side = new EngineSide(engine, this.#program, 1);
      this.#again.set(engine.name, side);
    }
    return side;
  }

  /** Undefined where the engine cannot run the case. */
  async #run(side: EngineSide, world: World, input: PacketBatch): Promise<RunOutcome | undefined> {
    if (!side.takes(input)) return undefined;
    // Outcomes of several runs are held side by side.
    side.output = new OutcomeBatch(input.count);
    if (await side.run(world, input)) return { output: side.output, maps: side.maps };
    side.failure = undefined;
    return undefined;
  }
}

/**
 * Takes over what the machine shows where it moved; without a machine's outcome, nothing of the packet is compared.
 * @param why "depends on …"
 * @param isOpen may what moved on other packets have moved on this one, too? Default: on all of them
 */
export function mask(
  side: EngineSide,
  base: RunOutcome | undefined,
  moved: MovedParts,
  why: string,
  isOpen: (packet: number) => boolean = () => true,
): NotCompared[] {
  if (moved.isEmpty) return [];
  const { output } = side;
  let outcomes = 0;
  let parts = 0;
  for (let packet = 0; packet < output.count; packet++) {
    if (output.status[packet] !== STATUS.ran) continue;
    const machine = base?.output.status[packet] === STATUS.ran ? base.output : undefined;
    if (moved.whole[packet] === 1 || machine === undefined || !hasSameEnd(output, machine, packet)) {
      const isMoved =
        moved.whole[packet] === 1 ||
        (machine !== undefined && isOpen(packet) && moved.isOfAKind(output, machine, packet));
      if (!isMoved) continue;
      output.status[packet] = STATUS.unseen;
      output.notes.set(packet, { message: `the outcome ${why}` });
      outcomes++;
    } else if (takeParts(output, machine, packet, moved, isOpen(packet))) parts++;
  }
  const { name: engine } = side.engine;
  const left: NotCompared[] = [];
  if (outcomes > 0) left.push({ what: `outcomes: what a packet comes to ${why}`, engine, packets: outcomes });
  if (parts > 0)
    left.push({ what: `bytes and fields of packets: their value ${why}`, engine, packets: parts });
  return [...left, ...maskMaps(side, base, moved, why)];
}

/** Can single bytes be taken over? */
function hasSameEnd(a: OutcomeBatch, b: OutcomeBatch, packet: number): boolean {
  return (
    a.action[packet] === b.action[packet] &&
    a.length[packet] === b.length[packet] &&
    a.metaLength[packet] === b.metaLength[packet]
  );
}

/** @param isOpen see `mask` */
function takeParts(
  to: OutcomeBatch,
  from: OutcomeBatch,
  packet: number,
  moved: MovedParts,
  isOpen: boolean,
): boolean {
  let taken = false;
  const all = isOpen && moved.isOfAKind(to, from, packet);
  const bytes = moved.bytes.get(packet);
  if (bytes !== undefined || all) {
    const size = to.metaLength[packet]! + to.length[packet]!;
    const at = to.offset[packet]! - to.metaLength[packet]!;
    const fromAt = from.offset[packet]! - from.metaLength[packet]!;
    for (let index = 0; index < size; index++) {
      if (to.bytes[at + index] === from.bytes[fromAt + index]) continue;
      if (!all && bytes?.[index] !== 1) continue;
      to.bytes[at + index] = from.bytes[fromAt + index]!;
      taken = true;
    }
  }
  if (moved.redirect[packet] === 1) {
    to.redirect[packet] = from.redirect[packet]!;
    taken = true;
  }
  if (moved.skb[packet] === 1) {
    to.mark[packet] = from.mark[packet]!;
    to.priority[packet] = from.priority[packet]!;
    to.cb.set(from.cb.subarray(packet * 5, packet * 5 + 5), packet * 5);
    to.tstamp.set(from.tstamp.subarray(packet * 2, packet * 2 + 2), packet * 2);
    taken = true;
  }
  if (moved.trace[packet] === 1) {
    const lines = from.trace.get(packet);
    if (lines === undefined) to.trace.delete(packet);
    else to.trace.set(packet, lines);
    taken = true;
  }
  return taken;
}

function maskMaps(
  side: EngineSide,
  base: RunOutcome | undefined,
  moved: MovedParts,
  why: string,
): NotCompared[] {
  const left: NotCompared[] = [];
  side.maps = side.maps?.flatMap((map) => {
    const { name } = map.definition;
    const parts = moved.maps.get(name);
    const machine = base?.maps?.find(({ definition }) => definition.name === name);
    if (parts === undefined) return [map];
    const masked = parts.keys || machine === undefined ? undefined : withValues(map, machine, parts.bytes);
    const what =
      masked === undefined ? `map ${name}` : `map ${name}: bytes ${ranges(parts.bytes)} of its values`;
    left.push({ what: `${what}: ${why}`, engine: side.engine.name });
    return masked === undefined ? [] : [masked];
  });
  return left;
}

/** The map with the machine's bytes where they moved; undefined where the two do not have the same keys. */
function withValues(map: MapSnapshot, machine: MapSnapshot, moved: Uint8Array): MapSnapshot | undefined {
  const sameKeys = Buffer.compare(Buffer.from(map.keys), Buffer.from(machine.keys)) === 0;
  if (map.count !== machine.count || !sameKeys) return undefined;
  const values = map.values.slice();
  const { valueSize } = map.definition;
  for (let at = 0; at < values.length; at++) {
    if (moved[at % valueSize] === 1) values[at] = machine.values[at]!;
  }
  return new MapSnapshot(map.definition, map.count, map.keys, values);
}

/** `0-7, 12-15` */
function ranges(flags: Uint8Array): string {
  const found: string[] = [];
  for (let at = 0; at < flags.length; at++) {
    if (flags[at] !== 1 || (at > 0 && flags[at - 1] === 1)) continue;
    let end = at;
    while (end + 1 < flags.length && flags[end + 1] === 1) end++;
    found.push(end === at ? `${at}` : `${at}-${end}`);
  }
  return found.join(', ');
}
