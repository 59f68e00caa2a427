/**
 * Redirects that lead nowhere. What a program returns does not say whether a helper stored a target, or why it did not:
 * the interpreter runs such packets once more, and its trace does.
 */

import type { RunTrace, TracedCall } from '../../sim/ebpf/interpreter/trace.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { PacketBatch, Stimulus } from '../../sim/packet/packet-batch.ts';
import {
  type Hook,
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  XDP_ABORTED,
  XDP_REDIRECT,
} from '../../sim/runtime/actions.ts';
import { DELIVERY, deliveryOf } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { SHORTEST_FRAME } from '../judging.ts';
import type { SourcePlaceWithText } from '../outcome.ts';
import type { Severity } from '../severity.ts';
import { worldKey } from '../world-key.ts';
import { ConstantValues } from './constant-values.ts';
import { callsRedirect } from './judging.ts';
import { CaseRunner, type Seen, type Sighting, simplest, simplestWorld, sourceOf } from './probe.ts';

/** Helpers that are given a device by its index. */
const TO_DEVICE: ReadonlySet<string> = new Set(['bpf_redirect', 'bpf_redirect_peer', 'bpf_redirect_neigh']);
/** Packets of each kind that are looked at. */
const KEPT = 8;
/** `bpf_redirect_map`: an action for a miss (`__bpf_xdp_redirect_map`). */
const MISS_ACTION = 3n;
/** Broadcast, and not to where it came from: `dev_map_redirect` and `dev_hash_map_redirect` know them, and no other map's. */
const BROADCASTS = 0x18n;
const DEVICE_MAPS: ReadonlySet<string> = new Set(['DEVMAP', 'DEVMAP_HASH']);
const TARGET_MAPS: ReadonlySet<string> = new Set(['DEVMAP', 'DEVMAP_HASH', 'CPUMAP', 'XSKMAP']);

export class Redirects {
  readonly #program: Program;
  readonly #calls: boolean;
  readonly #isGiven: boolean;
  readonly #kept = new Map<string, Sighting[]>();

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
    this.#calls = callsRedirect(program);
  }

  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    if (!this.#calls) return;
    for (let packet = 0; packet < output.count; packet++) {
      if (output.status[packet] !== STATUS.ran || input.length[packet]! < SHORTEST_FRAME) continue;
      const action = output.action[packet]!;
      const hook = this.#hook(input.entry[packet]!);
      const isDropped = action === (hook === 'xdp' ? XDP_ABORTED : TC_ACT_SHOT);
      const isRedirected = deliveryOf(hook, action) === DELIVERY.redirected;
      if (!isDropped && !isRedirected) continue;
      const target = output.redirect[packet]!;
      const kind = isDropped ? 'dropped' : target === 0 ? 'nowhere' : `to ${target}`;
      const key = `${hook} ${kind} ${worldKey(world)}`;
      const kept = this.#kept.get(key);
      if (kept === undefined) this.#kept.set(key, [{ world, stimulus: input.stimulus(packet) }]);
      else if (kept.length < KEPT) kept.push({ world, stimulus: input.stimulus(packet) });
    }
  }

  #hook(entry: number): Hook {
    return this.#program.entries[entry]!.hook;
  }

  /** One of each kind. */
  async find(): Promise<Seen[]> {
    const traces: RunTrace[] = [];
    const engine = createVmEngine({ onTrace: (trace) => void traces.push(trace) });
    const runner = new CaseRunner(this.#program, engine);
    const found = new Map<string, Seen>();
    const look = async (world: World, stimulus: Stimulus): Promise<Judged | undefined> => {
      traces.length = 0;
      const got = await runner.outcome(world, stimulus);
      const trace = traces.at(-1);
      if (got?.status !== 'ran' || trace === undefined || trace.truncated) return undefined;
      const hook = this.#hook(stimulus.entry ?? 0);
      const judged = this.#judge(world, hook, got.action, got.redirect, trace);
      return judged === undefined ? undefined : { ...judged, got };
    };
    try {
      for (const sighting of [...this.#kept.values()].flat()) {
        const { stimulus } = sighting;
        const first = await look(sighting.world, stimulus);
        if (first === undefined || found.has(first.id)) continue;
        const world = await simplestWorld(
          sighting,
          this.#isGiven,
          async (candidate) => (await look(candidate, stimulus))?.id === first.id,
        );
        const small = await simplest(
          stimulus,
          async (simpler) => (await look(world, simpler))?.id === first.id,
        );
        const { id, got, text, sentence, source, severity } = (await look(world, small)) ?? first;
        found.set(id, {
          world,
          stimuli: [small],
          engine,
          got,
          breach: { invariant: id, at: 0, size: 0, expected: 'a target', got: text, sentence },
          ...(source === undefined ? {} : { source }),
          ...(severity === undefined ? {} : { severity }),
        });
      }
      return [...found.values()];
    } finally {
      await runner.close();
    }
  }

  #judge(
    world: World,
    hook: Hook,
    action: number,
    redirect: number,
    trace: RunTrace,
  ): Omit<Judged, 'got'> | undefined {
    const { steps } = trace;
    const isRedirected = deliveryOf(hook, action) === DELIVERY.redirected;
    const step = steps.findLast(({ call }) => call?.name.startsWith('bpf_redirect') === true);
    const call = step?.call;
    const source = step?.source ?? steps.findLast(({ source: line }) => line !== undefined)?.source;
    const place = source === undefined ? {} : { source: sourceOf(source) };
    const name = hook === 'xdp' ? 'XDP_REDIRECT' : 'TC_ACT_REDIRECT';
    const wanted = hook === 'xdp' ? XDP_REDIRECT : TC_ACT_REDIRECT;
    if (isRedirected && (call === undefined || Number(call.result) !== wanted)) {
      const why = call === undefined ? 'no helper was called' : `${call.name} had returned ${call.result}`;
      return {
        id: 'redirect/no-target',
        text: 'none',
        sentence: `the program returned ${name}, but ${why}`,
        ...place,
      };
    }
    if (call === undefined) return undefined;
    if (isRedirected && redirect === 0 && TO_DEVICE.has(call.name))
      return { ...nowhere(call, name, this.#originOfZero(trace, steps.indexOf(step!))), ...place };
    if (isRedirected) return this.#isGiven ? absentDevice(world, redirect, call, place) : undefined;
    // Dropped by what the helper returned, not by what the program chose.
    if (Number(call.result) !== action) return undefined;
    const refused = refusedFlags(call);
    if (refused !== undefined) return { ...refused, ...place };
    if (call.name !== 'bpf_redirect_map' || !this.#mapsAreFilled(world)) return undefined;
    return {
      id: 'redirect/empty-slot',
      text: `key ${call.arguments[1]}, which has no entry`,
      sentence: `the map has entries, but none under key ${call.arguments[1]}, so the packet was dropped`,
      ...place,
    };
  }

  /** An index of 0 that the program took from elsewhere is what somebody said, or what nobody has said yet. */
  #originOfZero(trace: RunTrace, call: number): Severity {
    if (new ConstantValues(this.#program, trace).isHeld(1, call)) return 'error';
    return this.#isGiven ? 'warning' : 'info';
  }

  /** Has somebody said what is in every map of targets? */
  #mapsAreFilled({ maps }: World): boolean {
    const { object } = this.#program;
    if (!this.#isGiven || object === undefined || maps === undefined) return false;
    const targets = linkedObject(object).maps.filter(({ type }) => TARGET_MAPS.has(type));
    return targets.length > 0 && targets.every(({ name }) => (maps[name]?.length ?? 0) > 0);
  }
}

interface Judged {
  readonly id: string;
  readonly got: NonNullable<Awaited<ReturnType<CaseRunner['outcome']>>>;
  readonly text: string;
  readonly sentence: string;
  readonly source?: SourcePlaceWithText;
  /** Default: the rule's. */
  readonly severity?: Severity;
}

/** What a helper says of flags that it does not know. */
function refusedFlags(call: TracedCall): Pick<Judged, 'id' | 'text' | 'sentence'> | undefined {
  const isOfMap = call.name === 'bpf_redirect_map';
  if (!isOfMap && call.name !== 'bpf_redirect') return undefined;
  const flags = call.arguments[isOfMap ? 2 : 1]!;
  const unknown = isOfMap ? flags & ~MISS_ACTION : flags;
  const isOfDevices = call.map === undefined || DEVICE_MAPS.has(call.map.type);
  const isBroadcast = isOfMap && unknown !== 0n && (unknown & ~BROADCASTS) === 0n;
  if (unknown === 0n || (isBroadcast && isOfDevices)) return undefined;
  const number = `0x${flags.toString(16)}`;
  const why = isBroadcast
    ? `, which only maps of devices know: ${call.map?.name} is of type ${call.map?.type}`
    : '';
  return {
    id: 'redirect/refused',
    text: `${call.name} with flags ${number}`,
    sentence: `${call.name} refused the flags ${number}${why}`,
  };
}

/** A redirect to interface index 0: `dev_get_by_index_rcu` finds nothing, and the frame is dropped (net/core/filter.c). */
function nowhere(
  { name }: TracedCall,
  action: string,
  severity: Severity,
): Pick<Judged, 'id' | 'text' | 'sentence' | 'severity'> {
  const from = severity === 'error' ? '' : ' from a map, a variable or the context';
  return {
    id: 'redirect/no-target',
    text: `interface index 0${from}`,
    sentence: `${name} got interface index 0${from}, which no device has: the kernel drops what is returned with ${action}`,
    severity,
  };
}

/** The device that a redirect names, where the world says which there are. */
function absentDevice(
  { devices }: World,
  redirect: number,
  { name }: TracedCall,
  place: Pick<Judged, 'source'>,
): Omit<Judged, 'got'> | undefined {
  // The loopback device is always there.
  if (devices === undefined || devices.length === 0 || name !== 'bpf_redirect' || redirect === 1)
    return undefined;
  if (devices.some(({ ifindex }) => ifindex === redirect)) return undefined;
  return {
    id: 'redirect/absent-device',
    text: `ifindex ${redirect}`,
    sentence: `the world has no device with ifindex ${redirect}`,
    ...place,
  };
}
