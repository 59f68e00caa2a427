/**
 * What looks on while the packets of a check run, each for a fault that no packet shows by itself: what it keeps of them says
 * afterwards, in cases of its own, whether it is there. A new one takes a line in `watchersOf`.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import type { CheckOptions } from './check-options.ts';
import { FragmentKeys } from './fragment-keys.ts';
import { FragmentReads } from './fragment-reads.ts';
import { HeaderLengths } from './header-lengths.ts';
import { HelperCalls } from './helper-calls.ts';
import { LabelTtls } from './label-ttls.ts';
import { LeftOvers } from './left-overs.ts';
import { hasLengths, LengthUnits } from './length-units.ts';
import { MalformedOnly } from './malformed-only.ts';
import { OrderComparisons } from './order-comparisons.ts';
import { OtherTypes } from './other-types.ts';
import { PagedPayload } from './paged-payload.ts';
import { PayloadPlaces } from './payload-places.ts';
import { hasContents, type Seen, type Sighting } from './probe.ts';
import { Redirects } from './redirects.ts';
import { RewrittenWords } from './rewritten.ts';
import { SwappedAddresses } from './swapped-addresses.ts';
import { SwappedMasks } from './swapped-masks.ts';
import { SwappedNumbers } from './swapped-numbers.ts';
import { TransportSightings } from './transport-sightings.ts';
import { TtlSteps } from './ttl-steps.ts';
import { TtlWraps } from './ttl-wraps.ts';
import { Uninitialized } from './uninitialized.ts';
import { UnwrittenMetadata } from './unwritten-metadata.ts';
import { zeroSums } from './zero-sums.ts';

/** Packets of each kind and action in which lengths of headers are changed. */
const LENGTHS_OF_EACH = 3;

/** Packets of each kind and action that may leave something in scratch memory. */
const LEFT_BY_EACH = 2;

interface Watcher {
  /** Is shown each batch, and what the machine made of it. */
  observe?(world: World, input: PacketBatch, report: Pick<BatchReport, 'output'>): void;
  /** What it has found, each shown by a packet. */
  find(): Promise<readonly Seen[]>;
}

export class Watchers {
  readonly transports = new TransportSightings();
  readonly rewritten: RewrittenWords;
  readonly #all: readonly Watcher[];

  /** @param known packets that were looked for, asked when all have run */
  constructor(options: CheckOptions, known: () => Sighting[]) {
    const { program, worlds } = options;
    const ttl = new TtlSteps(program, worlds !== undefined);
    const wraps = new TtlWraps(program, worlds !== undefined);
    this.rewritten = new RewrittenWords(
      program.entries.map(({ hook }) => hook),
      (...changed) => {
        ttl.enter(...changed);
        wraps.enter(...changed);
      },
    );
    this.#all = this.#watchersOf(options, ttl, wraps, known);
  }

  /** In the order in which they look. */
  #watchersOf(options: CheckOptions, ttl: TtlSteps, wraps: TtlWraps, known: () => Sighting[]): Watcher[] {
    const { program, machine, witness, kernel, worlds } = options;
    const { transports, rewritten } = this;
    const isGiven = worlds !== undefined;
    const inMachine = (watcher: InMachine): Watcher => ({
      observe: (...batch) => watcher.observe?.(...batch),
      find: () => watcher.find(machine),
    });
    const lengths = new HeaderLengths(isGiven, transports);
    const garbage = new Uninitialized(program);
    const metadata = new UnwrittenMetadata(program);
    const calls = new HelperCalls(program, isGiven);
    return [
      inMachine(ttl),
      { find: async () => present(await wraps.find(machine, [witness, ...present(kernel)])) },
      inMachine(new LabelTtls(program, isGiven)),
      { find: () => portsRead(options, transports) },
      { find: () => lengths.find(program, machine) },
      {
        find: () =>
          new LengthUnits(program, isGiven).find(transports.fewOfEach(LENGTHS_OF_EACH, hasLengths), known()),
      },
      {
        // Where options are overlooked for ports as well, one report is enough.
        find: () =>
          new PayloadPlaces(program, isGiven).find(machine, [...known(), ...transports.all], lengths.taken),
      },
      inMachine(new OrderComparisons(program, isGiven)),
      inMachine(new SwappedNumbers(program, isGiven)),
      inMachine(new SwappedMasks(program, isGiven)),
      inMachine(new SwappedAddresses(program, isGiven)),
      inMachine(new PagedPayload(program, isGiven, transports)),
      inMachine(new MalformedOnly(program)),
      { find: () => new OtherTypes(program, isGiven, transports).find(machine, known()) },
      { observe: (...batch) => garbage.observe(...batch), find: () => garbage.find(machine, known()) },
      {
        find: () =>
          new LeftOvers(program, isGiven).find(machine, [
            ...transports.fewOfEach(LEFT_BY_EACH, () => true),
            ...known(),
          ]),
      },
      {
        observe: (...batch) => metadata.observe(...batch),
        find: async () => present(await metadata.find(known())),
      },
      inMachine(new Redirects(program, isGiven)),
      { observe: (...batch) => calls.observe(...batch), find: () => calls.find(known()) },
      { find: () => zeroSums(program, machine, rewritten.driving) },
    ];
  }

  /** What the machine made of a batch. */
  observe(world: World, input: PacketBatch, report: Pick<BatchReport, 'output'>): void {
    this.rewritten.observe(world, input, report);
    this.transports.observe(world, input, report);
    for (const watcher of this.#all) watcher.observe?.(world, input, report);
  }

  /** Each by itself, to be called one after the other. */
  get probes(): readonly (() => Promise<readonly Seen[]>)[] {
    return this.#all.map((watcher) => () => watcher.find());
  }
}

interface InMachine extends Pick<Watcher, 'observe'> {
  find(machine: Engine): Promise<readonly Seen[]>;
}

function present<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

/** By an action, or else by the keys of entries: what decides there is made up where a map had contents. */
async function portsRead(
  { program, machine, worlds }: CheckOptions,
  transports: TransportSightings,
): Promise<Seen[]> {
  const isGiven = worlds !== undefined;
  const byAction = await new FragmentReads(isGiven, transports).find(program, machine);
  if (byAction !== undefined && !hasContents(byAction.world)) return [byAction];
  const byKey = await new FragmentKeys(isGiven, transports).find(program, machine);
  // First what weighs more where both are of one line: contents decide on actions, seldom on keys.
  return [byKey, byAction].filter((seen) => seen !== undefined);
}
