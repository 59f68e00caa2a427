/**
 * Do bytes that the program never wrote leave it? Of its stack, the machine runs the same packets with other garbage and
 * compares: bytes of which every bit differs, and those for which the program's own conditions go the other way. Of the room
 * that `bpf_xdp_adjust_head` makes in front of a packet, the interpreter says who wrote each byte.
 */

import type { PacketWrites } from '../../sim/ebpf/interpreter/packet-writes.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { mayReadUnwritten } from '../../sim/engines/unwritten-stack.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { equal } from '../../sim/packet/bytes.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import { actionName, type Hook } from '../../sim/runtime/actions.ts';
import { leaves } from '../../sim/runtime/delivery.ts';
import { differingEntries, type MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { StackFill, World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { guessedSlots, withoutGuesses } from '../guessed-slots.ts';
import { SHORTEST_FRAME } from '../judging.ts';
import { isOnlyChoice } from '../only-choice.ts';
import { type Outcome, outcomeAt } from '../outcome.ts';
import type { Severity } from '../severity.ts';
import { byItself } from '../slot-owner.ts';
import { callsAny } from './judging.ts';
import { ofOtherWays } from './other-ways.ts';
import { PassedOn, reservesSamples } from './passed-on.ts';
import { CaseRunner, hasContents, type Seen, type Sighting, simplest } from './probe.ts';
import { StackFills } from './stack-fills.ts';

/** What the stack held in two runs. */
type Fills = readonly [StackFill, StackFill];

/** Every bit differs between the two. */
const EVERY_BIT: Fills = [0x00, 0xff];
/** To a checksum, these two are the same number (RFC 1071: 0x0000 and 0xffff are both zero), and these are not. */
const OTHER_SUM: Fills = [0x00, 0x5a];
/**
 * Packets that are kept: some of each action, change of length and kind; those that leave as they came, and those that meet
 * filled maps, apart from others.
 */
const KEPT_OF_A_KIND = 4;
const MAX_KEPT = 160;
const MAX_GROWN = 24;
/** Of longer packets a few are kept, of all lengths: to make them small takes longest. */
const MAX_LENGTH = 512;
const LONG_OF_A_KIND = 1;
const MAX_LONG = 32;
const MAX_LONG_GROWN = 12;
/** Lengths that count as one. */
const LENGTH_STEP = 256;
const ADJUST_HEAD = 'bpf_xdp_adjust_head';

/** Packets that are kept of those that are short, or long. */
class Kept {
  readonly packets: Sighting[] = [];
  /** Of these, the ones in front of which there may be room that nobody wrote. */
  readonly grown: Sighting[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #limits: readonly [ofAKind: number, packets: number, grown: number];

  constructor(...limits: readonly [ofAKind: number, packets: number, grown: number]) {
    this.#limits = limits;
  }

  enter(kind: string, isGrown: boolean, sighting: () => Sighting): void {
    const [ofAKind, packets, grown] = this.#limits;
    const seen = this.#kinds.get(kind) ?? 0;
    if (seen >= ofAKind) return;
    this.#kinds.set(kind, seen + 1);
    const one = sighting();
    if (this.packets.length < packets) this.packets.push(one);
    if (isGrown && this.grown.length < grown) this.grown.push(one);
  }
}

export class Uninitialized {
  readonly #program: Program;
  readonly #readsStack: boolean;
  readonly #reserves: boolean;
  readonly #movesHead: boolean;
  readonly #short = new Kept(KEPT_OF_A_KIND, MAX_KEPT, MAX_GROWN);
  readonly #long = new Kept(LONG_OF_A_KIND, MAX_LONG, MAX_LONG_GROWN);

  constructor(program: Program) {
    this.#program = program;
    this.#readsStack = mayReadUnwritten(program);
    this.#reserves = reservesSamples(program);
    this.#movesHead = callsAny(program, ({ name }) => name === ADJUST_HEAD);
  }

  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    // Where a lookup finds something, packets of the same kind go other ways.
    const inFilled = hasContents(world) ? 'filled ' : '';
    for (let packet = 0; packet < output.count; packet++) {
      if (output.status[packet] !== STATUS.ran || input.length[packet]! < SHORTEST_FRAME) continue;
      const action = output.action[packet]!;
      const length = input.length[packet]!;
      const growth = output.length[packet]! - length;
      // Who cuts the tail off makes room in front all the same.
      const isGrown = growth !== 0 && this.#movesHead && this.#hook(input.entry[packet]!) === 'xdp';
      if (!this.#mayRead && !isGrown) continue;
      const offset = input.offset[packet]!;
      const type = (input.bytes[offset + 12]! << 8) | input.bytes[offset + 13]!;
      const isWritten =
        growth === 0 && !equal(input.bytes, offset, output.bytes, output.offset[packet]!, length);
      const change = growth < 0 ? 'shorter' : isWritten ? 'written' : growth;
      const kind = `${inFilled}${input.entry[packet]} ${action} ${change} ${type} ${input.bytes[offset + 23]}`;
      const sighting = (): Sighting => ({ world, stimulus: input.stimulus(packet) });
      if (length <= MAX_LENGTH) this.#short.enter(kind, isGrown, sighting);
      else this.#long.enter(`${kind} ${Math.floor(length / LENGTH_STEP)}`, isGrown, sighting);
    }
  }

  #hook(entry: number): Hook {
    return this.#program.entries[entry]!.hook;
  }

  /** May the program read what it never wrote, of its stack or of the samples that it reserves? */
  get #mayRead(): boolean {
    return this.#readsStack || this.#reserves;
  }

  /**
   * One of each kind, and of each call that is handed such bytes.
   * @param known packets that were looked for, one for each way: they go where few others do
   */
  async find(machine: Engine, known: readonly Sighting[] = []): Promise<Seen[]> {
    const found = new Map<string, Seen>();
    const kept = [...this.#short.packets, ...this.#long.packets];
    const rare = this.#mayRead || this.#movesHead ? ofOtherWays(this.#program, kept, known) : [];
    const all = [...kept, ...rare];
    if (this.#mayRead) await this.#stack(machine, all, found);
    const passed = this.#mayRead ? await new PassedOn(this.#program).find(all, found.size > 0) : [];
    if (!found.has('uninitialized/frame')) await this.#headroom(this.#movesHead ? rare : [], found);
    return [...found.values(), ...passed];
  }

  async #stack(machine: Engine, sightings: readonly Sighting[], found: Map<string, Seen>): Promise<void> {
    const runner = new CaseRunner(this.#program, machine);
    const others = new StackFills(this.#program);
    try {
      for (const sighting of sightings) {
        for (const fills of pairsOf(others, sighting)) {
          const first = await this.#differing(runner, sighting, fills);
          if (first === undefined || found.has(first.id)) continue;
          found.set(first.id, await this.#show(runner, sighting, fills, first));
        }
      }
    } finally {
      await runner.close();
    }
  }

  /** The same difference on the simplest packet. */
  async #show(runner: CaseRunner, sighting: Sighting, fills: Fills, first: Difference): Promise<Seen> {
    const { stimulus } = sighting;
    const { world, ...guess } = await this.#withoutGuesses(runner, sighting, fills, first.id);
    const differing = (simpler: Stimulus): Promise<Difference | undefined> =>
      this.#differing(runner, { world, stimulus: simpler }, fills);
    const small = await simplest(stimulus, async (simpler) => (await differing(simpler))?.id === first.id);
    const shown = (await differing(small)) ?? first;
    return {
      world: { ...world, stackFill: fills[1] },
      stimuli: [small],
      engine: runner.engine,
      got: shown.got,
      ...guess,
      ...(shown.severity === undefined ? {} : { severity: shown.severity }),
      breach: {
        invariant: first.id,
        at: shown.at,
        size: shown.size,
        expected: 'the same whatever the stack held before',
        got: shown.text,
        sentence: shown.sentence,
      },
    };
  }

  /**
   * Whose fault it is where the test has put programs into slots: the caller's, if it shows without them; what a program does by
   * itself, or what nothing else can be there for, is no guess either.
   */
  async #withoutGuesses(
    runner: CaseRunner,
    { world, stimulus }: Sighting,
    fills: Fills,
    id: string,
  ): Promise<Pick<Seen, 'world' | 'isByGuess'>> {
    const guesses = guessedSlots(world);
    if (guesses.length === 0) return { world };
    const plain = { world: withoutGuesses(world), stimulus };
    if ((await this.#differing(runner, plain, fills))?.id === id) return { world: plain.world };
    if (isOnlyChoice(this.#program, guesses)) return { world };
    const hook = this.#hook(stimulus.entry ?? 0);
    const sighting = { world: plain.world, stimulus: { ...stimulus, entry: 0 } };
    for (const { program: name } of guesses) {
      const alone = new CaseRunner(byItself(this.#program, name, hook), runner.engine);
      try {
        if ((await this.#differing(alone, sighting, fills))?.id === id) return { world };
      } finally {
        await alone.close();
      }
    }
    return { world, isByGuess: true };
  }

  /** What two runs on one packet differ in, when the stack held something else before. */
  async #differing(
    runner: CaseRunner,
    { world, stimulus }: Sighting,
    fills: Fills,
  ): Promise<Difference | undefined> {
    const runs: { readonly got: Outcome; readonly maps: Maps }[] = [];
    for (const stackFill of fills) {
      const ran = await runner.run({ ...world, stackFill }, [stimulus]);
      if (ran === undefined || ran.output.status[0] !== STATUS.ran) return undefined;
      const { output, maps } = ran;
      runs.push({ got: outcomeAt(output, 0), maps });
    }
    const [a, b] = runs as [(typeof runs)[0], (typeof runs)[0]];
    return (
      differenceOf(a.got, b.got, this.#hook(stimulus.entry ?? 0), fills) ??
      mapDifference(a.maps, b.maps, b.got)
    );
  }

  async #headroom(rare: readonly Sighting[], found: Map<string, Seen>): Promise<void> {
    const watched: PacketWrites[] = [];
    const watching = createVmEngine({
      onWrites: (writes) => void watched.push(writes),
    });
    const runner = new CaseRunner(this.#program, watching);
    const leaking = async (
      world: World,
      stimulus: Stimulus,
    ): Promise<{ at: number; got: Outcome } | undefined> => {
      watched.length = 0;
      const got = await runner.outcome(world, stimulus);
      const writes = watched.at(-1);
      if (got?.status !== 'ran' || writes === undefined) return undefined;
      if (!leaves('xdp', got.action) || this.#hook(stimulus.entry ?? 0) !== 'xdp') return undefined;
      const at = writes.firstUnwritten(got.packet.length);
      return at === undefined ? undefined : { at, got };
    };
    try {
      for (const { world, stimulus } of [...this.#short.grown, ...this.#long.grown, ...rare]) {
        if ((await leaking(world, stimulus)) === undefined) continue;
        const small = await simplest(
          stimulus,
          async (simpler) => (await leaking(world, simpler)) !== undefined,
        );
        const shown = await leaking(world, small);
        if (shown === undefined) continue;
        found.set('uninitialized/frame', {
          world,
          stimuli: [small],
          engine: watching,
          got: shown.got,
          breach: {
            invariant: 'uninitialized/frame',
            at: shown.at,
            size: 1,
            expected: 'bytes that the program wrote',
            got: `whatever lay in byte ${shown.at}`,
            sentence: `byte ${shown.at} of the frame lies in the room that bpf_xdp_adjust_head made, and was never written`,
          },
        });
        return;
      }
    } finally {
      await runner.close();
    }
  }
}

/** What the stack may hold on a packet: anything else, and what the program's own conditions ask for. */
function* pairsOf(others: StackFills, sighting: Sighting): Generator<Fills, void, void> {
  yield EVERY_BIT;
  yield OTHER_SUM;
  for (const fill of others.of(sighting)) yield [EVERY_BIT[0], fill];
}

type Maps = readonly MapSnapshot[] | undefined;

interface Difference {
  readonly id: string;
  readonly got: Outcome;
  readonly at: number;
  readonly size: number;
  readonly text: string;
  readonly sentence: string;
  /** Default: the rule's. */
  readonly severity?: Severity;
}

function differenceOf(a: Outcome, b: Outcome, hook: Hook, fills: Fills): Difference | undefined {
  if (a.action !== b.action || a.redirect !== b.redirect) {
    const either = [a, b].map(({ action }) => actionName(hook, action)).join(' or ');
    return {
      id: 'uninitialized/decision',
      got: b,
      at: 0,
      size: 0,
      text: either,
      sentence: `the program returns ${either}, as bytes of the stack have it that it never wrote`,
    };
  }
  if (!leaves(hook, a.action)) return undefined;
  if (a.packet.length !== b.packet.length) {
    return {
      id: 'uninitialized/frame',
      got: b,
      at: 0,
      size: 0,
      text: `${a.packet.length} or ${b.packet.length} bytes`,
      sentence: 'the length of the frame depends on bytes of the stack that the program never wrote',
    };
  }
  let at = 0;
  while (at < a.packet.length && a.packet[at] === b.packet[at]) at++;
  if (at === a.packet.length) return undefined;
  let end = at;
  while (end < a.packet.length && a.packet[end] !== b.packet[end]) end++;
  return {
    id: 'uninitialized/frame',
    got: b,
    at,
    size: end - at,
    text: 'whatever the stack held',
    sentence: `${end - at} bytes of the frame, from byte ${at} on, ${areCopied(b.packet.subarray(at, end), fills[1]) ? 'are' : 'depend on'} what the stack held before`,
  };
}

/** A sum over what the stack held is something else. */
function areCopied(bytes: Uint8Array, fill: StackFill): boolean {
  return typeof fill === 'bigint' || bytes.every((byte) => byte === fill);
}

function mapDifference(a: Maps, b: Maps, got: Outcome): Difference | undefined {
  for (const [index, map] of (a ?? []).entries()) {
    const [first] = differingEntries(map, b![index]!);
    if (first === undefined) continue;
    const isKey = first.expected === undefined || first.got === undefined;
    const { name } = map.definition;
    return {
      ...(isKey ? {} : { severity: 'warning' as const }),
      id: 'uninitialized/map',
      got,
      at: 0,
      size: 0,
      text: `bytes of the stack in ${isKey ? 'a key' : 'a value'} of map ${name}`,
      sentence: `${isKey ? 'a key' : 'a value'} of map ${name} holds bytes of the stack that the program never wrote`,
    };
  }
  return undefined;
}
