/**
 * Does metadata leave with a packet that the program never wrote? The room that `bpf_xdp_adjust_meta` makes holds what lay in
 * front of the frame: whoever reads it at TC goes by an earlier packet's.
 */
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import { XDP_PASS } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { SHORTEST_FRAME } from '../judging.ts';
import type { Outcome, SourcePlaceWithText } from '../outcome.ts';
import type { Severity } from '../severity.ts';
import { callsAny } from './judging.ts';
import { ofOtherWays } from './other-ways.ts';
import { CaseRunner, hasContents, type Seen, type Sighting, simplest, sourceOf, traceOf } from './probe.ts';

const ADJUST_META = 'bpf_xdp_adjust_meta';
/** Packets that are kept of each kind, and of all. */
const KEPT_OF_A_KIND = 3;
const MAX_KEPT = 96;
const MAX_LENGTH = 512;

/** What a run left: for each byte of metadata, whether it is room that nothing wrote. */
interface Left {
  readonly unwritten: readonly boolean[];
  readonly got: Outcome;
}

export class UnwrittenMetadata {
  readonly #program: Program;
  readonly #makesRoom: boolean;
  readonly #kept: Sighting[] = [];
  readonly #kinds = new Map<string, number>();

  constructor(program: Program) {
    this.#program = program;
    // What a device map's program passes goes to the wire, without metadata.
    const isSent = program.entries.some(({ behindRedirect }) => behindRedirect === 'devmap');
    this.#makesRoom = !isSent && callsAny(program, ({ name }) => name === ADJUST_META);
  }

  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    if (!this.#makesRoom) return;
    for (let packet = 0; packet < output.count && this.#kept.length < MAX_KEPT; packet++) {
      if (input.length[packet]! < SHORTEST_FRAME) continue;
      if (output.status[packet] !== STATUS.ran || output.action[packet] !== XDP_PASS) continue;
      if (this.#program.entries[input.entry[packet]!]!.hook !== 'xdp' || input.length[packet]! > MAX_LENGTH)
        continue;
      const room = output.metaLength[packet]! - input.metaLength[packet]!;
      if (room <= 0) continue;
      const at = input.offset[packet]!;
      const type = (input.bytes[at + 12]! << 8) | input.bytes[at + 13]!;
      const kind = `${hasContents(world)} ${input.entry[packet]} ${room} ${type} ${input.bytes[at + 23]} ${input.length[packet]! < 34}`;
      const seen = this.#kinds.get(kind) ?? 0;
      if (seen >= KEPT_OF_A_KIND) continue;
      this.#kinds.set(kind, seen + 1);
      this.#kept.push({ world, stimulus: input.stimulus(packet) });
    }
  }

  /**
   * The packet that takes most of it along; undefined where none takes any.
   * @param known packets that were looked for, one for each way: they go where few others do
   */
  async find(known: readonly Sighting[] = []): Promise<Seen | undefined> {
    if (!this.#makesRoom) return undefined;
    const ofXdp = known.filter(({ stimulus }) => this.#program.entries[stimulus.entry ?? 0]!.hook === 'xdp');
    const sightings = [...this.#kept, ...ofOtherWays(this.#program, this.#kept, ofXdp)];
    if (sightings.length === 0) return undefined;
    let last: readonly boolean[] | undefined;
    const watching = createVmEngine({ onWrites: (writes) => (last = writes.unwrittenMetadata()) });
    const runner = new CaseRunner(this.#program, watching);
    const left = async (world: World, stimulus: Stimulus): Promise<Left | undefined> => {
      last = undefined;
      const got = await runner.outcome(world, stimulus);
      if (got?.status !== 'ran' || got.action !== XDP_PASS || last === undefined) return undefined;
      return { unwritten: last, got };
    };
    try {
      return await this.#show(runner, sightings, left);
    } finally {
      await runner.close();
    }
  }

  async #show(
    runner: CaseRunner,
    sightings: readonly Sighting[],
    left: (world: World, stimulus: Stimulus) => Promise<Left | undefined>,
  ): Promise<Seen | undefined> {
    const meant = new Set<number>();
    const all: (Sighting & Left)[] = [];
    for (const sighting of sightings) {
      const one = await left(sighting.world, sighting.stimulus);
      if (one === undefined) continue;
      for (const distance of written(one)) meant.add(distance);
      all.push({ ...sighting, ...one });
    }
    const worst = all
      .filter((one) => severityOf(one, meant) !== undefined)
      .sort((a, b) => forgotten(b, meant) - forgotten(a, meant))[0];
    if (worst === undefined) return undefined;
    const severity = severityOf(worst, meant);
    const { world } = worst;
    const isSame = async (simpler: Stimulus): Promise<boolean> => {
      const one = await left(world, simpler);
      return one !== undefined && String(one.unwritten) === String(worst.unwritten);
    };
    const small = await simplest(worst.stimulus, isSame);
    const shown = await left(world, small);
    if (shown === undefined) return undefined;
    const source = await callIn(this.#program, world, small);
    return {
      ...{ world, stimuli: [small], engine: runner.engine, got: shown.got },
      ...(severity === undefined ? {} : { severity }),
      ...(source === undefined ? {} : { source }),
      breach: {
        ...{ invariant: 'uninitialized/metadata', at: 0, size: 0 },
        expected: 'metadata that the program wrote',
        got: 'whatever lay in front of the frame',
        sentence: sentenceOf(shown.unwritten, severity),
      },
    };
  }
}

/** How far in front of the frame bytes lie that the run wrote, or that came with the packet. */
function written({ unwritten }: Left): number[] {
  return unwritten.flatMap((isUnwritten, at) => (isUnwritten ? [] : [unwritten.length - at]));
}

/** Unwritten bytes that other packets have written: those are not padding. */
function forgotten({ unwritten }: Left, meant: ReadonlySet<number>): number {
  return unwritten.filter((isUnwritten, at) => isUnwritten && meant.has(unwritten.length - at)).length;
}

/** Room that no packet ever fills is padding, or more than it takes, where the rest is filled: a note. */
function severityOf(left: Left, meant: ReadonlySet<number>): Severity | undefined {
  if (!left.unwritten.includes(true)) return undefined;
  return meant.size === 0 || forgotten(left, meant) > 0 ? 'warning' : 'info';
}

function sentenceOf(unwritten: readonly boolean[], severity: Severity | undefined): string {
  const count = unwritten.filter((one) => one).length;
  const where = `byte ${unwritten.indexOf(true)} of the metadata`;
  const what =
    count === 1
      ? `${where} lies`
      : `${count} bytes of the metadata, from byte ${unwritten.indexOf(true)} on, lie`;
  const ever = severity === 'info' ? 'no packet has seen them written' : 'the program did not write them';
  const end = count === 1 ? ever.replace('them', 'it') : ever;
  return `${what} in the room that ${ADJUST_META} made, which the kernel does not clear, and ${end}`;
}

/** The line that made room last. */
async function callIn(
  program: Program,
  world: World,
  stimulus: Stimulus,
): Promise<SourcePlaceWithText | undefined> {
  const trace = await traceOf(program, { world, stimuli: [stimulus] });
  const source = trace?.steps.findLast(({ call }) => call?.name === ADJUST_META)?.source;
  return source === undefined || source.line === 0 ? undefined : sourceOf(source);
}
