/** What cases reach of a program, in the compiled machine: instructions, branches in each direction, actions. */
import type { Case } from '../../corpus/cases/case.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { sourceAt } from '../../sim/ebpf/object.ts';
import type { Session } from '../../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { actionName } from '../../sim/runtime/actions.ts';
import type { Coverage } from '../../sim/runtime/coverage.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';

/**
 * Runs cases one by one, each from the start of its world. Most packets go a way that another has gone: what that reaches
 * is looked up, and is the same set.
 */
export class ReachReader {
  readonly #program: Program;
  /** By the way of execution. */
  readonly #known = new Map<string, ReadonlySet<string>>();
  readonly #input = new Map<number, PacketBatch>();
  #output = new OutcomeBatch(1);
  #session: Session | undefined;
  #world: World | undefined;

  constructor(program: Program) {
    this.#program = program;
  }

  /** @throws {EngineError} where the program cannot run in the world of the case */
  async reachedBy({ world, stimuli }: Case): Promise<ReadonlySet<string>> {
    const session = await this.#sessionIn(world);
    const input = this.#batchFor(stimuli.length);
    for (const stimulus of stimuli) input.push(stimulus);
    if (this.#output.capacity < input.count) this.#output = new OutcomeBatch(input.count);
    const output = this.#output;
    await session.run(input, output);
    const actions = new Set<string>();
    for (let packet = 0; packet < output.count; packet++) {
      // What the machine stops reaches the instruction that it is stopped at.
      if (output.status[packet] !== STATUS.ran) continue;
      const { hook } = this.#program.entries[input.entry[packet]!]!;
      actions.add(`action ${actionName(hook, output.action[packet]!)}`);
    }
    const key = [session.path!(), ...actions].join(' ');
    let reached = this.#known.get(key);
    if (reached === undefined) {
      reached = new Set([...pointsOf(session.coverage!()), ...actions]);
      this.#known.set(key, reached);
    }
    return reached;
  }

  /**
   * The way that each packet of a case goes and what becomes of it, one after the other from the start of its world.
   * @throws {EngineError} where the program cannot run in the world of the case
   */
  async waysOf({ world, stimuli }: Case): Promise<string[]> {
    const session = await this.#sessionIn(world);
    const ways: string[] = [];
    for (const stimulus of stimuli) {
      session.clearCoverage!();
      const input = this.#batchFor(1);
      input.push(stimulus);
      const output = this.#output;
      await session.run(input, output);
      ways.push(`${session.path!()} ${output.status[0]} ${output.action[0]}`);
    }
    return ways;
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = undefined;
  }

  /** Packets of a plain capture share their world, and its session. */
  async #sessionIn(world: World): Promise<Session> {
    if (this.#session !== undefined && this.#world === world) {
      this.#session.clearCoverage!();
      await this.#session.reset();
      return this.#session;
    }
    await this.close();
    this.#session = await createWasmEngine().open(this.#program, world);
    this.#world = world;
    return this.#session;
  }

  #batchFor(count: number): PacketBatch {
    let batch = this.#input.get(count);
    if (batch === undefined) {
      batch = new PacketBatch(Math.max(1, count));
      if (this.#input.size < 8) this.#input.set(count, batch);
    }
    batch.clear();
    return batch;
  }
}

function* pointsOf({ functions }: Coverage): Generator<string, void, undefined> {
  for (const { function: name, instructions, branches } of functions) {
    for (let index = 0; index < instructions.length; index++) {
      if (instructions[index]! > 0) yield `${name} ${index}`;
    }
    for (const { instruction, taken, notTaken } of branches) {
      if (taken > 0) yield `${name} ${instruction} taken`;
      if (notTaken > 0) yield `${name} ${instruction} not taken`;
    }
  }
}

/** More say no more. */
const MAX_REASONS = 4;

/**
 * What a case was kept for, for people: lines of C, with the way that a branch goes there; without debug information,
 * instructions.
 * @param alone points that no other case reaches
 */
export function reasonsOf(program: Program, alone: readonly string[]): string[] {
  const object = program.object === undefined ? undefined : linkedObject(program.object);
  const places = new Map<string, string>();
  // Branches say more than the instructions behind them.
  const branches = alone.filter((point) => point.endsWith('taken'));
  const actions = alone.filter((point) => point.startsWith('action '));
  const sorted = [
    ...actions,
    ...(branches.length > 0 ? branches : alone.filter((one) => !actions.includes(one))),
  ];
  for (const point of sorted) {
    const [name = '', number = '', ...way] = point.split(' ');
    if (name === 'action') {
      places.set(point, `returns ${number}`);
      continue;
    }
    const source = placeOf(object, name, Number(number));
    const direction = way.length === 0 ? '' : `: ${way.join(' ')}`;
    const place = source?.place ?? `${name}+${number}`;
    if (!places.has(place))
      places.set(place, `${place}${direction}${source === undefined ? '' : `  ${source.text}`}`.trimEnd());
  }
  const all = [...places.values()];
  return all.length <= MAX_REASONS
    ? all
    : [...all.slice(0, MAX_REASONS), `and ${all.length - MAX_REASONS} more`];
}

function placeOf(
  object: ReturnType<typeof linkedObject> | undefined,
  name: string,
  instruction: number,
): { readonly place: string; readonly text: string } | undefined {
  for (const program of object?.programs ?? []) {
    const found = program.subprograms.find((one) => one.name === name);
    const source = found === undefined ? undefined : sourceAt(program, found.start + instruction);
    if (source === undefined) continue;
    return { place: `${source.file.replace(/^.*\//, '')}:${source.line}`, text: source.text };
  }
  return undefined;
}
