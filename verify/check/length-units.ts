/**
 * Does a program take the length that a header states for a number of something else than words of four bytes: `ip + ip->ihl`,
 * `ip + (ip->ihl << 1)`, `tcp + tcp->doff`? Then it reads inside the header, of packets without options, too. Runs on one packet
 * with three lengths in its header show it: what is read at one place in the program's text moves, by other than four bytes.
 */

import { BPF_LDX, CLASS_MASK } from '../../sim/ebpf/instruction.ts';
import type { RunTrace, TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { Outcome } from '../outcome.ts';
import { lineOf } from './call-remark.ts';
import { asPlain } from './displaced.ts';
import { ofOtherWays } from './other-ways.ts';
import { CaseRunner, hasContents, type Seen, type Sighting, simplestWorld } from './probe.ts';
import { TracedInstructions } from './traced-instructions.ts';
import { transportOf } from './variants.ts';

/** Packets that are tried. */
const MAX_TRIED = 48;
/** So much room is behind a packet that headers with options end in it. */
const ROOM = 256;
/** Shifts that somebody may take for the right one, and structures that a pointer may point to: UDP has 8 bytes, IPv4 and TCP 20. */
const WRONG_UNITS: ReadonlySet<number> = new Set([1, 2, 8, 16, 20]);
const RIGHT_UNIT = 4;
const TCP = 6;
/** Helpers whose second argument is a place in the frame. */
const AT_OFFSET: ReadonlySet<string> = new Set([
  'bpf_skb_load_bytes',
  'bpf_xdp_load_bytes',
  'bpf_skb_store_bytes',
  'bpf_xdp_store_bytes',
]);
const WRITES: ReadonlySet<string> = new Set(['bpf_skb_store_bytes', 'bpf_xdp_store_bytes']);
const PLACE = /^data\+(\d+)$/;

/** A field that states the length of its header. */
interface LengthField {
  readonly name: string;
  readonly header: string;
  /** Where the header lies, and in it the byte whose upper or lower half it is. */
  readonly at: number;
  readonly byte: number;
  readonly shift: 0 | 4;
  /** As far behind what is taken for the header's end, something is sought that belongs there. */
  readonly reach: number;
}

/** Where a step reaches into the frame. */
interface Reach {
  readonly at: number;
  readonly writes: boolean;
}

interface Shown {
  readonly got: Outcome;
  readonly step: TraceStep;
  readonly unit: number;
  readonly reach: Reach;
}

export class LengthUnits {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #traces: RunTrace[] = [];
  #instructions: TracedInstructions | undefined;
  readonly #engine = createVmEngine({ onTrace: (trace) => void this.#traces.push(trace) });

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
  }

  /**
   * One for each field and entry, in an empty world where that shows it.
   * @param known packets that were looked for, one for each way: what is read behind lookups, few others come to
   */
  async find(sightings: readonly Sighting[], known: readonly Sighting[] = []): Promise<Seen[]> {
    if (this.#program.object === undefined) return [];
    const runner = new CaseRunner(this.#program, this.#engine);
    const found = new Map<string, Seen>();
    const plain = known.map(asPlain).filter(({ stimulus }) => hasLengths(stimulus.packet));
    const tried = [...emptyFirst(sightings), ...emptyFirst(ofOtherWays(this.#program, sightings, plain))];
    try {
      for (const sighting of tried) {
        for (const field of fieldsOf(sighting.stimulus.packet)) {
          const known = `${sighting.stimulus.entry ?? 0} ${field.name}`;
          if (found.has(known)) continue;
          const seen = await this.#show(runner, sighting, field);
          if (seen !== undefined) found.set(known, seen);
        }
      }
    } finally {
      await runner.close();
    }
    return [...found.values()];
  }

  async #show(runner: CaseRunner, sighting: Sighting, field: LengthField): Promise<Seen | undefined> {
    const stimulus = withRoom(sighting.stimulus);
    const holds = async (world: World): Promise<boolean> =>
      (await this.#look(runner, world, stimulus, field)) !== undefined;
    if (!(await holds(sighting.world))) return undefined;
    const world = await simplestWorld({ world: sighting.world, stimulus }, this.#isGiven, holds);
    const shown = await this.#look(runner, world, stimulus, field);
    if (shown === undefined) return undefined;
    const { got, step, unit, reach } = shown;
    const words = lengthIn(stimulus.packet, field);
    const end = field.at + RIGHT_UNIT * words;
    const taken = `${field.name} (${words}) ${unit === 1 ? 'is taken for a number of bytes' : `is multiplied by ${unit}`}, and counts words of ${RIGHT_UNIT}`;
    return {
      ...{ world, stimuli: [stimulus], engine: runner.engine, got },
      ...lineOf(step),
      severity: 'error',
      breach: {
        invariant: 'lengths/misplaced',
        at: reach.at,
        size: 0,
        expected: `what lies behind ${field.header}, from byte ${end} on`,
        got: `bytes at ${reach.at}`,
        sentence: `${taken}: behind ${field.header}, which ends before byte ${end}, the program ${reach.writes ? 'writes' : 'reads'} at byte ${reach.at}`,
      },
    };
  }

  /** The first step that reaches into the frame at a place that moves with the field, in a wrong unit. */
  async #look(
    runner: CaseRunner,
    world: World,
    stimulus: Stimulus,
    field: LengthField,
  ): Promise<Shown | undefined> {
    const words = lengthIn(stimulus.packet, field);
    const runs: { readonly got: Outcome; readonly steps: readonly TraceStep[]; readonly at: Reaches }[] = [];
    for (const more of [0, 1, 2]) {
      this.#traces.length = 0;
      const got = await runner.outcome(world, withLength(stimulus, field, words + more));
      const trace = this.#traces.at(-1);
      if (got?.status !== 'ran' || trace === undefined || trace.truncated) return undefined;
      runs.push({ got, steps: trace.steps, at: this.#reachesOf(trace) });
    }
    const [first, second, third] = runs as [(typeof runs)[0], (typeof runs)[0], (typeof runs)[0]];
    for (const [index, step] of first.steps.entries()) {
      if (!isSameStep(step, second.steps[index]) || !isSameStep(step, third.steps[index])) return undefined;
      const [a, b, c] = [first, second, third].map(({ at }) => at.get(index));
      if (a === undefined || b === undefined || c === undefined) continue;
      const unit = b.at - a.at;
      const distance = a.at - field.at - unit * words;
      const isTaken = WRONG_UNITS.has(unit) && c.at - b.at === unit;
      if (isTaken && distance >= 0 && distance < field.reach) return { got: first.got, step, unit, reach: a };
    }
    return undefined;
  }

  #reachesOf({ steps }: RunTrace): Reaches {
    this.#instructions ??= new TracedInstructions(this.#program);
    const places = new Map<number, string | undefined>();
    const reaches = new Map<number, Reach>();
    for (const [index, step] of steps.entries()) {
      const reach = reachOf(step, this.#instructions, places);
      if (reach !== undefined) reaches.set(index, reach);
      for (const { register, place } of step.registers) places.set(register, place);
    }
    return reaches;
  }
}

/** Those in empty worlds first; where there are many, the others are not left out for them. */
function emptyFirst(sightings: readonly Sighting[]): Sighting[] {
  const [empty, filled] = [false, true].map((is) =>
    sightings.filter(({ world }) => hasContents(world) === is),
  );
  const few = Math.max(MAX_TRIED / 2, MAX_TRIED - filled!.length);
  return [...empty!.slice(0, few), ...filled!].slice(0, MAX_TRIED);
}

function isSameStep(one: TraceStep, other: TraceStep | undefined): boolean {
  return other?.instruction === one.instruction && other.program === one.program;
}

/** By the step's number. */
type Reaches = ReadonlyMap<number, Reach>;

function reachOf(
  step: TraceStep,
  instructions: TracedInstructions,
  places: ReadonlyMap<number, string | undefined>,
): Reach | undefined {
  const { call, memory } = step;
  if (call !== undefined)
    return AT_OFFSET.has(call.name)
      ? { at: Number(BigInt.asUintN(32, call.arguments[1] ?? 0n)), writes: WRITES.has(call.name) }
      : undefined;
  if (memory !== undefined) return placed(memory.place, 0, true);
  const { code, src, offset } = instructions.at(step);
  return (code & CLASS_MASK) === BPF_LDX ? placed(places.get(src), offset, false) : undefined;
}

function placed(place: string | undefined, offset: number, writes: boolean): Reach | undefined {
  const found = place === undefined ? null : PLACE.exec(place);
  return found === null ? undefined : { at: Number(found[1]) + offset, writes };
}

/** Does a packet state a length that is looked at here? */
export function hasLengths(packet: Uint8Array): boolean {
  return fieldsOf(packet).length > 0;
}

function fieldsOf(packet: Uint8Array): LengthField[] {
  const transport = transportOf(packet);
  if (transport === undefined) return [];
  const { version, protocol, at } = transport;
  const fields: LengthField[] = [];
  // Options would have to be told from what is behind a shorter header.
  const network = at - 20;
  if (version === 4 && packet[network] === 0x45)
    fields.push({ name: 'IHL', header: 'the IPv4 header', at: network, byte: network, shift: 0, reach: 20 });
  if (protocol === TCP && at + 20 <= packet.length && packet[at + 12]! >> 4 === 5)
    fields.push({
      ...{ name: 'the data offset', header: 'the TCP header' },
      ...{ at, byte: at + 12, shift: 4, reach: 64 },
    });
  return fields;
}

function lengthIn(packet: Uint8Array, { byte, shift }: LengthField): number {
  return (packet[byte]! >> shift) & 0x0f;
}

function withLength(stimulus: Stimulus, { byte, shift }: LengthField, words: number): Stimulus {
  const packet = stimulus.packet.slice();
  packet[byte] = (packet[byte]! & (0xf0 >> shift)) | (words << shift);
  return { ...stimulus, packet };
}

/** The same frame, padded. */
function withRoom(stimulus: Stimulus): Stimulus {
  if (stimulus.packet.length >= ROOM) return stimulus;
  const packet = new Uint8Array(ROOM);
  packet.set(stimulus.packet);
  return { ...stimulus, packet };
}
