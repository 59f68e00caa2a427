/**
 * fast-check arbitraries over generated packets: fast-check draws a few integers, the generator writes the bytes,
 * and shrinking goes by `simplerPackets`.
 */
import fc from 'fast-check';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { GeneratorHints, NamedWorld } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { simplerPackets } from '../simplify/shrink.ts';
import { PacketGenerator } from './generator.ts';
import { type LimitsByHook, TEST_RUN_LIMITS, withinLimits } from './packet-limits.ts';
import type { Seed } from './random.ts';

export interface PacketArbitraryOptions {
  /** The hooks of the program's entries; default: one XDP entry. */
  readonly hooks?: readonly Hook[];
  /** Generated and shrunk packets keep within these; default: those of `BPF_PROG_TEST_RUN`. */
  readonly limits?: LimitsByHook;
  /** As for `PacketGenerator.single`; default 0: everything. */
  readonly simplicity?: number;
}

/** One input of a program. */
export function stimulusArbitrary(
  hints: GeneratorHints = {},
  options: PacketArbitraryOptions = {},
): fc.Arbitrary<Stimulus> {
  return new StimulusArbitrary(hints, options);
}

/** The bytes of one packet. */
export function packetArbitrary(
  hints: GeneratorHints = {},
  options: PacketArbitraryOptions = {},
): fc.Arbitrary<Uint8Array> {
  return stimulusArbitrary(hints, options).map(
    ({ packet }) => packet,
    (packet) => ({ packet: packet as Uint8Array }),
  );
}

/** The packets of one case, in order; some repeat earlier ones, so that a program's state comes into play. */
export function sequenceArbitrary(
  hints: GeneratorHints = {},
  options: PacketArbitraryOptions & { readonly maxPackets?: number } = {},
): fc.Arbitrary<Stimulus[]> {
  const one = stimulusArbitrary(hints, options);
  const repeats = fc.array(fc.nat({ max: 7 }), { maxLength: 4 });
  return fc
    .tuple(fc.array(one, { minLength: 1, maxLength: options.maxPackets ?? 16 }), repeats)
    .map(([stimuli, places]) => [...stimuli, ...places.map((place) => stimuli[place % stimuli.length]!)]);
}

/** A world and a sequence, as `verify` runs them. */
export function caseArbitrary(
  hints: GeneratorHints,
  worlds: readonly NamedWorld[],
  options: PacketArbitraryOptions & { readonly maxPackets?: number } = {},
): fc.Arbitrary<{ world: World; stimuli: Stimulus[] }> {
  return fc.record({
    world: fc.constantFrom(...worlds.map(({ world }) => world)),
    stimuli: sequenceArbitrary(hints, options),
  });
}

class StimulusArbitrary extends fc.Arbitrary<Stimulus> {
  readonly #generator: PacketGenerator;
  readonly #hooks: readonly Hook[];
  readonly #limits: LimitsByHook;
  readonly #simplicity: number;

  constructor(hints: GeneratorHints, options: PacketArbitraryOptions) {
    super();
    this.#hooks = options.hooks ?? ['xdp'];
    this.#limits = options.limits ?? TEST_RUN_LIMITS;
    this.#simplicity = options.simplicity ?? 0;
    this.#generator = new PacketGenerator(hints, this.#hooks);
  }

  override generate(random: fc.Random): fc.Value<Stimulus> {
    const seed: Seed = {
      a: random.nextInt(),
      b: random.nextInt(),
      c: random.nextInt(),
      d: random.nextInt(),
    };
    // Index 0 has no earlier packet to repeat.
    return new fc.Value(this.#generator.single(seed, 0, this.#simplicity, this.#limits), undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is Stimulus {
    return (
      typeof value === 'object' && value !== null && 'packet' in value && value.packet instanceof Uint8Array
    );
  }

  override shrink(value: Stimulus): fc.Stream<fc.Value<Stimulus>> {
    return fc
      .stream(simplerPackets(value)[Symbol.iterator]() as IterableIterator<Stimulus>)
      .filter((simpler) => this.#within(simpler))
      .map((simpler) => new fc.Value(simpler, undefined));
  }

  #within(stimulus: Stimulus): boolean {
    const hook = this.#hooks[stimulus.entry ?? 0];
    return hook !== undefined && withinLimits(this.#limits[hook], stimulus);
  }
}
