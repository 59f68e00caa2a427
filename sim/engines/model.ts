/**
 * The engine `model`: runs the TypeScript model of a program. No object, no kernel; what it says is what the
 * program should do.
 */
import { behaviourOf, type KernelVersion } from '../ebpf/kernel-versions.ts';
import type { PacketBatch } from '../packet/packet-batch.ts';
import { TC_ACT_REDIRECT, XDP_REDIRECT } from '../runtime/actions.ts';
import { createModelMap } from '../runtime/create-model-map.ts';
import { withDefaultDevices } from '../runtime/default-world.ts';
import type { MapSnapshot } from '../runtime/map-snapshot.ts';
import { isMapOfMaps } from '../runtime/maps.ts';
import type { ModelMap } from '../runtime/model-map.ts';
import { LruHashModelMap } from '../runtime/model-map-lru-hash.ts';
import type { ModelEntry, Program, ProgramDefinition, ProgramEntry } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { openChained } from './chained-session.ts';
import {
  type Availability,
  type Engine,
  EngineError,
  type Observables,
  type Refusal,
  type Session,
} from './engine.ts';
import { ModelRun } from './model-run.ts';
import { type OutcomeBatch, STATUS } from './outcome-batch.ts';
import { noSuchEntry, oddMetadata, taggedAtIngress } from './refusal-rules.ts';

const OBSERVES: Observables = {
  action: 'exact',
  packet: 'always',
  metadata: true,
  redirect: true,
  maps: true,
  trace: true,
  skb: true,
  tstamp: true,
};

export interface ModelOptions {
  /** The kernel whose helpers models call, as far as `kernel-versions.ts` knows how it differs. Default: the newest. */
  readonly asKernel?: KernelVersion;
}

export function createModelEngine({ asKernel }: ModelOptions = {}): Engine {
  return {
    name: 'model',
    observes: OBSERVES,
    availability,
    refuses,
    open: (program: Program, world: World): Promise<Session> =>
      openChained(
        program,
        world,
        async (single) =>
          new ModelSession(single, withDefaultDevices(world, single.definition?.maps ?? []), asKernel),
      ),
  };
}

function availability(program?: Program): Availability {
  if (program === undefined || program.definition !== undefined) return { available: true };
  const module = `${program.entries[0]?.function ?? program.name}.model.ts`;
  return {
    available: false,
    reason: `no model for ${program.name}`,
    remedy: `write ${module}, then run: npx xdpsim verify ./${module}`,
  };
}

/** Any frame will do, even an empty one; metadata is what the kernel allows (net/core/xdp.c, `xdp_metalen_invalid`). */
function refuses(program: Program, batch: PacketBatch): Refusal | undefined {
  for (let packet = 0; packet < batch.count; packet++) {
    const entry = batch.entry[packet]!;
    if (entry >= program.entries.length) return { packet, ...noSuchEntry(entry) };
    const metaLength = batch.metaLength[packet]!;
    if (metaLength % 4 !== 0) return { packet, ...oddMetadata(metaLength) };
    const tagged = taggedAtIngress(program.entries[entry]!.hook, batch, packet);
    if (tagged !== undefined) return { packet, ...tagged };
  }
  return undefined;
}

class ModelSession implements Session {
  readonly #definition: ProgramDefinition;
  /** By the program's entries, whose order may differ from the definition's. */
  readonly #entries: readonly ModelEntry[];
  readonly #world: World;
  readonly #run: ModelRun;
  #maps: ReadonlyMap<string, ModelMap>;

  constructor(program: Program, world: World, asKernel: KernelVersion | undefined) {
    const { definition } = program;
    if (definition === undefined) throw new EngineError('input', `there is no model of ${program.name}`);
    this.#definition = definition;
    this.#entries = program.entries.map((entry) => modelOf(definition, entry));
    this.#world = world;
    this.#maps = createMaps(definition, world);
    try {
      this.#run = new ModelRun(world, this.#maps, behaviourOf(asKernel));
    } catch (error) {
      throw new EngineError('input', error instanceof Error ? error.message : String(error), {
        cause: error,
      });
    }
  }

  async run(input: PacketBatch, output: OutcomeBatch): Promise<void> {
    if (input.count > output.capacity) {
      throw new RangeError(`${input.count} packets do not fit into a batch of ${output.capacity} outcomes`);
    }
    output.clear();
    const lru = [...this.#maps.values()].filter((map) => map instanceof LruHashModelMap);
    if (lru.some((map) => map.crowded)) output.uncertainFrom = 0;
    const run = this.#run;
    for (let index = 0; index < input.count; index++) {
      const entry = this.#entries[input.entry[index]!];
      if (entry === undefined) {
        commitFault(output, `the program has no entry ${input.entry[index]}`);
        continue;
      }
      run.begin(entry.hook, input, index);
      let returned: number;
      try {
        returned = entry.model(run);
      } catch (error) {
        // A model that throws is a fault of the model; the run goes on, and the report tells.
        commitFault(output, `the model failed: ${error instanceof Error ? error.message : String(error)}`);
        continue;
      }
      const action = returned | 0;
      // As in C, -1 may also be written 0xffffffff.
      if (action !== returned && returned >>> 0 !== returned) {
        commitFault(output, `the model returned ${describe(returned)} where an action is expected`);
        continue;
      }
      if (output.uncertainFrom > index && lru.some((map) => map.crowded)) output.uncertainFrom = index;
      commit(run, output, action);
    }
  }

  maps(): MapSnapshot[] {
    return [...this.#maps.values()]
      .flatMap((map) => map.snapshot() ?? [])
      .sort((a, b) => (a.definition.name < b.definition.name ? -1 : 1));
  }

  async reset(): Promise<void> {
    this.#maps = createMaps(this.#definition, this.#world);
    this.#run.restart(this.#maps);
  }

  async close(): Promise<void> {}
}

/** What a module in JavaScript may return, whatever the types say: nothing, a promise, half a number. */
function describe(returned: unknown): string {
  if (returned instanceof Promise) return 'a promise';
  return typeof returned === 'object' && returned !== null ? 'an object' : String(returned);
}

function modelOf(definition: ProgramDefinition, { function: name, hook }: ProgramEntry): ModelEntry {
  const entry = definition.entries.find((candidate) => candidate.function === name);
  if (entry !== undefined) return entry;
  // One function stands for one model, whatever the object under test calls it.
  const [only, ...others] = definition.entries;
  if (only?.hook === hook && others.length === 0) return only;
  throw new EngineError('input', `the model of ${definition.name} has no function ${name}`);
}

function createMaps(definition: ProgramDefinition, world: World): ReadonlyMap<string, ModelMap> {
  const maps = new Map<string, ModelMap>();
  // Maps of maps last: they hold the others.
  const holders = definition.maps.filter(({ type }) => isMapOfMaps(type));
  try {
    for (const map of [...definition.maps.filter(({ type }) => !isMapOfMaps(type)), ...holders]) {
      maps.set(
        map.name,
        createModelMap(map, (name) => maps.get(name)),
      );
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError('input', `the model of ${definition.name}: ${error.message}`, { cause: error });
  }
  for (const [name, entries] of Object.entries(world.maps ?? {})) {
    const map = maps.get(name);
    if (map === undefined)
      throw new EngineError('input', `the world fills a map ${name} that ${definition.name} lacks`);
    const { keySize, valueSize } = map.definition;
    for (const { key, value } of entries) {
      if (key.length !== keySize || value.length !== valueSize) {
        const got = `${key.length} and ${value.length}`;
        throw new EngineError(
          'input',
          `map ${name}: key and value have ${keySize} and ${valueSize} bytes, not ${got}`,
        );
      }
      const error = map.update(key, value);
      if (error !== 0)
        throw new EngineError('input', `map ${name} refuses an entry of the world (errno ${-error})`);
    }
  }
  return maps;
}

function commit(run: ModelRun, output: OutcomeBatch, action: number): void {
  const metaLength = run.frame.data - run.frame.dataMeta;
  const at = output.reserve(metaLength + run.length);
  run.copyOut(output.bytes, at);
  const index = output.commit(action, run.length, metaLength);
  if (run.hook === 'xdp') {
    if (action === XDP_REDIRECT) output.redirect[index] = run.redirectTarget;
  } else {
    if (action === TC_ACT_REDIRECT) output.redirect[index] = run.redirectTarget;
    output.mark[index] = run.skb.mark;
    output.priority[index] = run.skb.priority;
    for (let word = 0; word < 5; word++) output.cb[index * 5 + word] = run.skb.cb[word]!;
    if (run.skb.tstamp !== 0n) {
      output.tstamp[2 * index] = Number(run.skb.tstamp & 0xffff_ffffn);
      output.tstamp[2 * index + 1] = Number((run.skb.tstamp >> 32n) & 0xffff_ffffn);
    }
  }
  if (run.lines !== undefined) output.trace.set(index, run.lines);
}

function commitFault(output: OutcomeBatch, message: string): void {
  const index = output.commit(0, 0);
  output.status[index] = STATUS.fault;
  output.notes.set(index, { message });
}
