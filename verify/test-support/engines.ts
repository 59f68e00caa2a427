/** Engines for this folder's tests: a function in place of a program. */
import type { Availability, Coverage, Engine, Observables, Refusal } from '../../sim/engines/engine.ts';
import { type OutcomeNote, STATUS } from '../../sim/engines/outcome-batch.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import { snapshotOf } from '../../sim/runtime/map-snapshot.ts';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';

/** What a fake program may keep from packet to packet. */
export interface FakeState {
  readonly world: World;
  /** Values of the one map that fakes have, `counts`, by key. */
  readonly counts: Map<number, number>;
  packets: number;
}

export interface FakeOutcome {
  readonly action: number;
  readonly packet?: Uint8Array;
  readonly redirect?: number;
  readonly trace?: readonly string[];
  readonly violation?: string;
  /** Of a packet that ran: what the engine warns of. */
  readonly note?: OutcomeNote;
  /** Why the engine gives up on the packet. */
  readonly fault?: string;
  /** Why nothing can be seen of what came of the packet. */
  readonly unseen?: string;
}

export type Behaviour = (stimulus: Stimulus, state: FakeState) => FakeOutcome;

export const COUNTS: MapDefinition = {
  name: 'counts',
  type: 'HASH',
  keySize: 4,
  valueSize: 4,
  maxEntries: 16,
};

export const SEES_ALL: Observables = {
  action: 'exact',
  packet: 'always',
  metadata: true,
  redirect: true,
  maps: true,
  trace: true,
  skb: true,
  tstamp: true,
};

export interface FakeOptions {
  readonly observes?: Partial<Observables>;
  readonly availability?: Availability;
  readonly refuses?: (batch: PacketBatch) => Refusal | undefined;
  readonly coverage?: Coverage;
  /** Thrown by `open`. */
  readonly openError?: (world: World) => Error | undefined;
  /** Thrown by `maps`. */
  readonly mapsError?: Error;
}

/** An engine, and what happened to it. */
export interface FakeEngine extends Engine {
  readonly log: { opened: number; closed: number; resets: number; packets: number; snapshots: number };
}

export function fakeEngine(name: EngineName, behave: Behaviour, options: FakeOptions = {}): FakeEngine {
  const log = { opened: 0, closed: 0, resets: 0, packets: 0, snapshots: 0 };
  return {
    name,
    log,
    observes: { ...SEES_ALL, ...options.observes },
    availability: () => options.availability ?? { available: true },
    refuses: (_program, batch) => options.refuses?.(batch),
    open: async (_program, world) => {
      const error = options.openError?.(world);
      if (error !== undefined) throw error;
      log.opened++;
      let closed = false;
      const state: FakeState = { world, counts: new Map(), packets: 0 };
      return {
        run: async (input, output) => {
          output.clear();
          for (let index = 0; index < input.count; index++) {
            state.packets++;
            log.packets++;
            const stimulus = input.stimulus(index);
            const outcome = behave(stimulus, state);
            const packet = outcome.packet ?? stimulus.packet;
            const metadata = stimulus.metadata ?? new Uint8Array(0);
            const at = output.reserve(metadata.length + packet.length);
            output.bytes.set(metadata, at);
            output.bytes.set(packet, at + metadata.length);
            output.commit(outcome.action, packet.length, metadata.length);
            output.redirect[index] = outcome.redirect ?? 0;
            if (outcome.trace !== undefined) output.trace.set(index, [...outcome.trace]);
            if (outcome.violation !== undefined) {
              output.status[index] = STATUS.violation;
              output.notes.set(index, { message: outcome.violation });
            }
            if (outcome.note !== undefined) output.notes.set(index, outcome.note);
            if (outcome.fault !== undefined) {
              output.status[index] = STATUS.fault;
              output.notes.set(index, { message: outcome.fault });
            }
            if (outcome.unseen !== undefined) {
              output.status[index] = STATUS.unseen;
              output.notes.set(index, { message: outcome.unseen });
            }
          }
        },
        maps: () => {
          log.snapshots++;
          if (options.mapsError !== undefined) throw options.mapsError;
          const entries = [...state.counts].map(([key, value]) => ({
            key: little(key),
            value: little(value),
          }));
          return [snapshotOf(COUNTS, entries)];
        },
        reset: async () => {
          log.resets++;
          state.counts.clear();
          state.packets = 0;
        },
        ...(options.coverage === undefined ? {} : { coverage: () => options.coverage! }),
        close: async () => {
          if (!closed) log.closed++;
          closed = true;
        },
      };
    },
  };
}

function little(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

export const FAKE_PROGRAM: Program = { name: 'fake', entries: [{ function: 'fake', hook: 'xdp' }] };
