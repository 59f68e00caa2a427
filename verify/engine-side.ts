/** One engine in a run: its sessions, its outcomes, and the account of what it did. */

import { systemProblem } from '../corpus/files/system-error.ts';
import { WorldError } from '../sim/ebpf/object-error.ts';
import { type Coverage, type Engine, EngineError, type Session } from '../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { isKernel } from '../sim/engines/register.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import { InputError } from '../sim/runtime/input-error.ts';
import type { MapSnapshot } from '../sim/runtime/map-snapshot.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { mergeCoverage, subtractCoverage } from './coverage-summary.ts';
import { unorderedHelpers } from './unordered-helpers.ts';
import { worldKey } from './world-key.ts';

/** How many sessions an engine keeps open: worlds beyond are opened again when their turn comes. */
const MAX_SESSIONS = 8;

export interface EngineFailure {
  /** `input`: the object or the world is bad; `environment`: the machine lacks something; `internal`: a bug. */
  readonly kind: 'input' | 'environment' | 'internal';
  readonly message: string;
  readonly remedy?: string;
  readonly log?: string;
  /** Is it the engine that lacks something which the object may rightly ask for? */
  readonly lacking?: true;
  /** Is it the world that cannot be made, whatever the program? */
  readonly ofWorld?: true;
}

/** By which packets are left out whose world an engine cannot make. */
const NO_WORLD = 'worlds made up for the test that it cannot make';

export class EngineSide {
  readonly engine: Engine;
  output: OutcomeBatch;
  packets = 0;
  /** Time spent running, opening and closing not included. */
  seconds = 0;
  failure: EngineFailure | undefined;
  /** Packets that the engine did not get or whose outcome it could not see, by rule. */
  readonly refused: Map<string, number> = new Map();
  /** Helpers whose answers the engine's sessions took from the world, and those whose answers are the kernel's own. */
  readonly pinned: Set<string> = new Set();
  live: readonly string[] = [];
  readonly #program: Program;
  /** The helper that goes through hash maps, where the program calls it: each kernel has an order of its own. */
  readonly #unordered: readonly string[];
  /** In order of use, the latest last. */
  readonly #sessions = new Map<string, Session>();
  /** The session that ran the last case, until its maps are read. */
  #unread: Session | undefined;
  #maps: readonly MapSnapshot[] | undefined;
  /** Of the sessions that are closed. */
  #closedCoverage: Coverage | undefined;
  /** What `takeCoverage` has handed out. */
  #takenCoverage: Coverage | undefined;
  /** Of the sessions that have run nothing since they were asked. */
  readonly #knownCoverage = new Map<Session, Coverage | undefined>();
  readonly #isMadeUp: (world: World) => boolean;
  /** Worlds made up for the test that the engine cannot make. */
  readonly #impossible = new Set<string>();

  /** @param isMadeUp has nobody stated this world? One that cannot be made is left out then, and the engine goes on */
  constructor(
    engine: Engine,
    program: Program,
    batchSize: number,
    isMadeUp: (world: World) => boolean = () => false,
  ) {
    this.engine = engine;
    this.#program = program;
    this.#unordered = isKernel(engine.name) ? unorderedHelpers(program) : [];
    this.#isMadeUp = isMadeUp;
    this.output = new OutcomeBatch(batchSize);
  }

  /**
   * The maps after the last case; undefined where the engine cannot show them. They are read when they are first asked
   * for, and belong to the case until the next one runs.
   */
  get maps(): readonly MapSnapshot[] | undefined {
    const session = this.#unread;
    this.#unread = undefined;
    if (session === undefined) return this.#maps;
    try {
      this.#maps = session.maps();
    } catch (error) {
      this.failure = failureOf(error);
    }
    return this.#maps;
  }

  /** Shows other maps for the last case. */
  set maps(maps: readonly MapSnapshot[] | undefined) {
    this.#unread = undefined;
    this.#maps = maps;
  }

  /** Does the engine take every packet of the batch? */
  takes(input: PacketBatch): boolean {
    return this.failure === undefined && this.engine.refuses(this.#program, input) === undefined;
  }

  /** The rule by which the engine refuses the one packet of this batch; undefined where it takes it. Refusals are counted. */
  refusal(single: PacketBatch): string | undefined {
    const rule = this.engine.refuses(this.#program, single)?.rule;
    if (rule !== undefined) this.#refuse(rule);
    return rule;
  }

  /**
   * Runs one case, all of whose packets the engine takes, from the world's state. Fills `output`.
   * @param again the account has these packets already
   * @returns false where the engine fails, or cannot make a world that nobody stated; the account says why
   */
  async run(world: World, input: PacketBatch, again: boolean = false): Promise<boolean> {
    if (this.failure !== undefined) return false;
    this.maps = undefined;
    try {
      if (input.count > this.output.capacity) this.output = new OutcomeBatch(input.count);
      const session = await this.#possibleSession(world);
      if (session === undefined) {
        if (!again) for (let packet = 0; packet < input.count; packet++) this.#refuse(NO_WORLD);
        return false;
      }
      this.live = [...(session.pinning?.live ?? []), ...this.#unordered];
      for (const helper of session.pinning?.pinned ?? []) this.pinned.add(helper);
      this.#knownCoverage.delete(session);
      const start = performance.now();
      await session.run(input, this.output);
      if (!again) this.seconds += (performance.now() - start) / 1000;
      if (this.output.count !== input.count) {
        throw new Error(
          `engine ${this.engine.name} returned ${this.output.count} outcomes of ${input.count} packets`,
        );
      }
      if (this.engine.observes.maps) this.#unread = session;
      if (!again) this.packets += input.count;
      if (!again) this.#countUnseen();
      return true;
    } catch (error) {
      this.failure = failureOf(error);
      return false;
    }
  }

  /** Packets that ran but whose outcome the engine could not see are accounted for like refused ones. */
  #countUnseen(): void {
    for (const [packet, { message }] of this.output.notes) {
      if (this.output.status[packet] !== STATUS.unseen) continue;
      this.#refuse(message);
    }
  }

  /** Packets that did not run to their end take no part in comparisons. */
  countStopped(): void {
    const { status, notes, count } = this.output;
    for (let packet = 0; packet < count; packet++) {
      if (status[packet] !== STATUS.violation && status[packet] !== STATUS.fault) continue;
      const rule = status[packet] === STATUS.fault ? notes.get(packet)?.message : undefined;
      this.#refuse(rule ?? 'packets on which the machine stopped the program');
    }
  }

  #refuse(rule: string): void {
    this.refused.set(rule, (this.refused.get(rule) ?? 0) + 1);
  }

  /** @returns undefined where the engine cannot make the world, which nobody stated */
  async #possibleSession(world: World): Promise<Session | undefined> {
    const key = worldKey(world);
    if (this.#impossible.has(key)) return undefined;
    try {
      return await this.#session(world);
    } catch (error) {
      if (failureOf(error).ofWorld !== true || !this.#isMadeUp(world)) throw error;
      this.#impossible.add(key);
      return undefined;
    }
  }

  /** A session with the world's state, fresh or brought back. */
  async #session(world: World): Promise<Session> {
    const key = worldKey(world);
    const open = this.#sessions.get(key);
    if (open !== undefined) {
      this.#sessions.delete(key);
      this.#sessions.set(key, open);
      await open.reset();
      return open;
    }
    if (this.#sessions.size >= MAX_SESSIONS) {
      const [oldest, session] = this.#sessions.entries().next().value!;
      this.#sessions.delete(oldest);
      await this.#end(session);
    }
    const session = await this.engine.open(this.#program, world);
    this.#sessions.set(key, session);
    return session;
  }

  async #end(session: Session): Promise<void> {
    const coverage = this.#coverageOf(session);
    this.#knownCoverage.delete(session);
    if (coverage !== undefined) this.#closedCoverage = addCoverage(this.#closedCoverage, [coverage]);
    await session.close();
  }

  #coverageOf(session: Session): Coverage | undefined {
    if (!this.#knownCoverage.has(session)) this.#knownCoverage.set(session, session.coverage?.());
    return this.#knownCoverage.get(session);
  }

  /** What the sessions have reached since the last call. */
  takeCoverage(): Coverage | undefined {
    const open = [...this.#sessions.values()].flatMap((session) => this.#coverageOf(session) ?? []);
    const total = addCoverage(this.#closedCoverage, open);
    if (total === undefined) return undefined;
    const since = this.#takenCoverage === undefined ? total : subtractCoverage(total, this.#takenCoverage);
    this.#takenCoverage = total;
    return since;
  }

  /** Starts a new account; sessions and a failure stay. */
  clearAccount(): void {
    this.packets = 0;
    this.seconds = 0;
    this.refused.clear();
  }

  /** Ends all sessions, whatever one of them says. */
  async close(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    this.#unread = undefined;
    for (const session of sessions) {
      try {
        await this.#end(session);
      } catch (error) {
        this.failure ??= failureOf(error);
      }
    }
  }
}

function addCoverage(sum: Coverage | undefined, more: readonly Coverage[]): Coverage | undefined {
  return mergeCoverage(sum === undefined ? more : [sum, ...more]);
}

export function failureOf(error: unknown): EngineFailure {
  if (error instanceof EngineError) {
    return {
      kind: error.kind,
      message: error.message,
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      ...(error.log === undefined ? {} : { log: error.log }),
      ...(error.lacking ? { lacking: true } : {}),
      ...(error.ofWorld ? { ofWorld: true } : {}),
    };
  }
  if (error instanceof WorldError) return { kind: 'input', message: error.message, ofWorld: true };
  if (error instanceof InputError) return { kind: 'input', message: error.message };
  // Memory and open files run out in the middle of a run, too.
  const problem = systemProblem(error);
  if (problem !== undefined) return problem;
  return {
    kind: 'internal',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
