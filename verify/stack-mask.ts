/**
 * Masks what depends on bytes of the stack that the program never wrote, or on an address: the kernel lets privileged
 * programs use both, and what they hold there differs from run to run.
 *
 * The interpreter says which packets read such bytes. The machine runs the case again with other bytes in their place
 * (`World.stackFill`), and the kernel runs it again: what moves is taken over from the machine, and warned of.
 */
import type { Engine } from '../sim/engines/engine.ts';
import { OutcomeBatch, type OutcomeNote, STATUS } from '../sim/engines/outcome-batch.ts';
import { type EngineName, isKernel, isMachine } from '../sim/engines/register.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import { sameContents } from '../sim/runtime/map-snapshot.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { mask } from './clock-mask.ts';
import { comparedParts, firstDifference } from './compare.ts';
import { EngineSide } from './engine-side.ts';
import { reasonOf } from './explain/note-text.ts';
import type { Finding } from './finding.ts';
import { MovedParts, type RunOutcome } from './moved.ts';
import type { NotCompared } from './not-compared.ts';
import type { Warning } from './warning.ts';

/** Far apart in every bit: the machine's own runs have zeros. */
const FILLS = [0xff, 0x5a, 0xa5, 0x01, 0x80];

/** How often the kernel runs the case again. */
const KERNEL_RUNS = 2;

export interface StackJudgement {
  readonly left: NotCompared[];
  readonly warnings: Warning[];
}

/** Is this a difference between the machine and the kernel? */
export function isBetweenMachineAndKernel({ engines }: Pick<Finding, 'engines'>): boolean {
  return engines.some(isMachine) && engines.some(isKernel);
}

type Notes = ReadonlyMap<number, OutcomeNote>;

export class StackMask {
  readonly #program: Program;
  readonly #witness: EngineSide;
  readonly #again = new Map<EngineName, EngineSide>();

  /** @param witness says what packets do: the interpreter */
  constructor(program: Program, witness: Engine = createVmEngine()) {
    this.#program = program;
    this.#witness = new EngineSide(witness, program, 1);
  }

  /**
   * Changes the outcomes of the kernel among these sides, which have run the case, where they depend on such bytes.
   * @returns undefined where no packet of the case reads any
   */
  async apply(
    world: World,
    input: PacketBatch,
    sides: readonly EngineSide[],
  ): Promise<StackJudgement | undefined> {
    const machine = sides.find(({ engine }) => isMachine(engine.name));
    const kernels = sides.filter(({ engine }) => isKernel(engine.name));
    if (machine === undefined || kernels.length === 0) return undefined;
    const notes = await this.#notes(world, input, sides);
    if (notes.size === 0) return undefined;
    const base: RunOutcome = { output: machine.output, maps: machine.maps };
    const moved = new MovedParts(input.count, input.entry);
    for (const stackFill of FILLS) {
      const outcome = await this.#run(machine.engine, { ...world, stackFill }, input);
      if (outcome !== undefined) moved.enter(base, outcome);
    }
    const warnings = moved.isEmpty ? [] : [reachingWarning(notes, moved)];
    const left: NotCompared[] = [];
    for (const side of kernels) {
      for (let run = 0; run < KERNEL_RUNS; run++) {
        const again = await this.#run(side.engine, world, input);
        if (again !== undefined) moved.enter({ output: side.output, maps: side.maps }, again);
      }
      left.push(...mask(side, base, moved, WHY, (packet) => notes.has(packet)));
      const unexplained = this.#leave(side, machine, input, notes);
      if (unexplained.length > 0) {
        left.push({ what: `outcomes: ${WHY}`, engine: side.engine.name, packets: unexplained.length });
        if (warnings.length === 0) warnings.push(warningOf(notes.get(unexplained[0]!)!));
      }
      // What such a packet left in maps may have led others astray, with no trace in what they came to.
      const isOpen =
        unexplained.length > 0 ||
        moved.whole.includes(1) ||
        [...moved.maps.values()].some(({ keys }) => keys);
      if (!isOpen && !hasLeak(notes)) continue;
      const maps = leaveMaps(side, base);
      left.push(...maps);
      if (maps.length > 0 && warnings.length === 0) warnings.push(warningOf([...notes.values()][0]!));
    }
    return { left, warnings };
  }

  async close(): Promise<void> {
    await this.#witness.close();
    for (const side of this.#again.values()) await side.close();
  }

  /** By packet: what the interpreter warns of. */
  async #notes(world: World, input: PacketBatch, sides: readonly EngineSide[]): Promise<Notes> {
    let output = sides.find(({ engine }) => engine.name === 'vm')?.output;
    if (output === undefined) {
      const witness = this.#witness;
      if (!witness.engine.availability(this.#program).available || !witness.takes(input)) return new Map();
      if (!(await witness.run(world, input))) {
        witness.failure = undefined;
        return new Map();
      }
      output = witness.output;
    }
    return new Map([...output.notes].filter(([, note]) => note.warning !== undefined));
  }

  /** Takes packets out of the comparison that read such bytes and still differ. @returns which */
  #leave(side: EngineSide, machine: EngineSide, input: PacketBatch, notes: Notes): number[] {
    const { output } = side;
    const observed = comparedParts(this.#program, machine.engine.observes, side.engine.observes);
    const hooks = this.#program.entries.map(({ hook }) => hook);
    const left: number[] = [];
    for (let from = 0; from < output.count; ) {
      const found = firstDifference(machine.output, output, observed, hooks, input.entry, from);
      if (found === undefined) break;
      from = found.packet + 1;
      if (!notes.has(found.packet)) continue;
      output.status[found.packet] = STATUS.unseen;
      output.notes.set(found.packet, { message: `the outcome ${WHY}` });
      left.push(found.packet);
    }
    return left;
  }

  /** Undefined where the engine cannot run the case. */
  async #run(engine: Engine, world: World, input: PacketBatch): Promise<RunOutcome | undefined> {
    let side = this.#again.get(engine.name);
    if (side === undefined) {
      // Sessions of the engine's own, since those of the run go on.
      side = new EngineSide(engine, this.#program, 1);
      this.#again.set(engine.name, side);
    }
    if (!side.takes(input)) return undefined;
    // Outcomes of several runs are held side by side.
    side.output = new OutcomeBatch(input.count);
    if (await side.run(world, input)) return { output: side.output, maps: side.maps };
    side.failure = undefined;
    return undefined;
  }
}

const WHY = 'depends on stack bytes that the program never wrote, or on an address';

function hasLeak(notes: Notes): boolean {
  return [...notes.values()].some((note) => noteOf(note, 'leaked-address') !== undefined);
}

/** Takes maps that still differ out of the comparison. */
function leaveMaps(side: EngineSide, base: RunOutcome): NotCompared[] {
  const left: NotCompared[] = [];
  side.maps = side.maps?.filter((map) => {
    const machine = base.maps?.find(({ definition }) => definition.name === map.definition.name);
    if (machine === undefined || sameContents(map, machine)) return true;
    left.push({ what: `map ${map.definition.name}: ${WHY}`, engine: side.engine.name });
    return false;
  });
  return left;
}

/** The first packet that comes to something else with other bytes speaks; of maps, the first that reads any. */
function reachingWarning(notes: Notes, moved: MovedParts): Warning {
  const readers = [...notes].filter(([, note]) => noteOf(note, 'unwritten-stack') !== undefined);
  const [, note] = readers.find(([packet]) => moved.has(packet)) ?? readers[0] ?? [...notes][0]!;
  return warningOf(noteOf(note, 'unwritten-stack') ?? note, true);
}

/** A run has one note of each kind. */
function noteOf(note: OutcomeNote, kind: OutcomeNote['warning']): OutcomeNote | undefined {
  if (note.warning === kind) return note;
  return note.further?.warning === kind ? note.further : undefined;
}

function warningOf(note: OutcomeNote, reaches: boolean = false): Warning {
  const { warning, source } = note;
  const what = reaches
    ? 'stack bytes that the program never wrote reach its output, which differs from run to run in the kernel'
    : 'the output differs from run to run in the kernel';
  return {
    severity: 'warning',
    kind: warning ?? 'unreliable',
    summary: `${what}: ${reasonOf(note)}`,
    ...(source === undefined ? {} : { source: { file: source.file, line: source.line } }),
  };
}
