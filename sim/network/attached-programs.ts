/** The loaded programs of one namespace, run frame by frame through an engine's sessions. */
import { type Engine, EngineError, type Session } from '../engines/engine.ts';
import { OutcomeBatch, STATUS } from '../engines/outcome-batch.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import { programByName } from '../programs/index.ts';
import type { Hook } from '../runtime/actions.ts';
import type { MapSnapshot } from '../runtime/map-snapshot.ts';
import type { Program } from '../runtime/program.ts';
import type { Neighbour } from '../runtime/world.ts';
import type { Attachment, LoadedProgram, ScenarioNamespace } from './scenario.ts';

/** A compiled object's bytes by the name that a scenario calls it. */
export type Objects = ReadonlyMap<string, Uint8Array>;

/** What a program made of one frame. */
export interface Verdict {
  readonly action: number;
  readonly bytes: Uint8Array;
  readonly metadata: Uint8Array;
  /** ifindex; 0 for none. */
  readonly redirect: number;
  /** As the program left it; TC only. */
  readonly mark: number;
  readonly trace: readonly string[];
  /** Why the machine stopped the program. */
  readonly fault?: string;
}

/** The maps of one loaded program, as they are now. */
export interface ProgramMaps {
  readonly namespace: string;
  readonly program: string;
  readonly maps: readonly MapSnapshot[];
}

export class AttachedPrograms {
  readonly #namespace: ScenarioNamespace;
  readonly #sessions = new Map<string, Session>();
  readonly #input = new PacketBatch(1, 8192);
  readonly #output = new OutcomeBatch(1, 8192);

  private constructor(namespace: ScenarioNamespace) {
    this.#namespace = namespace;
  }

  /**
   * @param neighbours the list that the namespace's stack writes what it learns to
   * @throws {EngineError} where an object is missing, or cannot be loaded
   */
  static async open(
    namespace: ScenarioNamespace,
    neighbours: readonly Neighbour[],
    engine: Engine,
    objects: Objects,
  ): Promise<AttachedPrograms> {
    const programs = new AttachedPrograms(namespace);
    try {
      for (const loaded of namespace.programs) {
        const { devices, routes } = namespace;
        const world = { devices, routes, neighbours, maps: loaded.maps, globals: loaded.globals };
        programs.#sessions.set(loaded.name, await engine.open(programOf(loaded, objects), world));
      }
    } catch (error) {
      await programs.close();
      throw error;
    }
    return programs;
  }

  /** Runs one function over one frame. */
  async run(
    attachment: Attachment,
    hook: Hook,
    ifindex: number,
    packet: Uint8Array,
    metadata: Uint8Array,
  ): Promise<Verdict> {
    const loaded = this.#namespace.programs.find((one) => one.name === attachment.program)!;
    const entry = loaded.entries.findIndex(
      (one) => one.function === attachment.function && one.hook === hook,
    );
    const input = this.#input;
    const output = this.#output;
    input.clear();
    input.push({ packet, metadata, ingressIfindex: ifindex, entry });
    await this.#sessions.get(loaded.name)!.run(input, output);
    const fault = output.status[0] === STATUS.ran ? undefined : output.notes.get(0)?.message;
    return {
      action: output.action[0]!,
      bytes: output.packet(0),
      metadata: output.metadata(0),
      redirect: output.redirect[0]!,
      mark: output.mark[0]!,
      trace: output.trace.get(0) ?? [],
      ...(fault === undefined ? {} : { fault }),
    };
  }

  maps(): ProgramMaps[] {
    return [...this.#sessions].map(([program, session]) => ({
      namespace: this.#namespace.name,
      program,
      maps: session.maps(),
    }));
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await session.close();
    this.#sessions.clear();
  }
}

/** A loaded program as engines open it. @throws {EngineError} where its object is not among those given */
export function programOf(loaded: LoadedProgram, objects: Objects): Program {
  const object = objects.get(loaded.object);
  const definition = programByName(loaded.object);
  if (object === undefined && definition === undefined) {
    throw new EngineError('input', `the object ${loaded.object} of program ${loaded.name} is not there`);
  }
  return {
    name: loaded.name,
    entries: loaded.entries,
    objectPath: loaded.object,
    ...(object === undefined ? {} : { object }),
    ...(definition === undefined ? {} : { definition }),
  };
}
