/** The engine `veth`: real frames through native XDP and TC on real (virtual) devices. */

import { MAX_XDP_MTU } from '../../corpus/generate/packet-limits.ts';
import { calledHelpers } from '../../sim/ebpf/called-helpers.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import {
  type Availability,
  type Engine,
  EngineError,
  type Observables,
  type Refusal,
  type Session,
} from '../../sim/engines/engine.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Device, World } from '../../sim/runtime/world.ts';
import { framesAvailability } from '../frames/frames.ts';
import { loadAvailability } from '../libbpf/load-probe.ts';
import { programAvailability } from '../libbpf/program-availability.ts';
import { netnsAvailability } from '../network/netns.ts';
import { createWorldNetwork } from '../network/world-network.ts';
import { LIVE, lackOf } from '../process/capabilities.ts';
import { Dispatcher, type TcAttachment } from './dispatcher.ts';
import { needsDispatcher } from './frame-path.ts';
import { firstLiveRefusal } from './limits.ts';
import { VethSession } from './session.ts';

/** Dropped and aborted frames look alike from outside, and what they held is gone with them. */
const OBSERVES: Observables = {
  action: 'delivery',
  packet: 'delivered',
  metadata: false,
  redirect: true,
  maps: true,
  trace: false,
  // XDP has none; what TC functions leave in theirs, the dispatcher writes down.
  skb: true,
  tstamp: false,
};

export interface VethOptions {
  /** Default `tcx`, which falls back to `clsact` where the kernel has no tcx. */
  readonly tc?: TcAttachment;
}

/** Cheap: nothing is made before `open`. */
export function createVethEngine(options: VethOptions = {}): Engine {
  return {
    name: 'veth',
    observes: OBSERVES,
    availability,
    refuses,
    open: (program: Program, world: World): Promise<Session> => open(program, world, options),
  };
}

function availability(program?: Program): Availability {
  const answer = programAvailability(program);
  if (!answer.available) return answer;
  const lack = lackOf(LIVE);
  if (lack !== undefined) return lack;
  const hooks = new Set<Hook>(['xdp', ...(program?.entries ?? []).map((entry) => entry.hook)]);
  for (const hook of hooks) {
    const kernel = loadAvailability(hook);
    if (!kernel.available) return kernel;
  }
  const netns = netnsAvailability();
  return netns.available ? framesAvailability() : netns;
}

function refuses(program: Program, batch: PacketBatch): Refusal | undefined {
  return firstLiveRefusal(program, batch);
}

/**
 * Packets that come in by the loopback device (the default) come in by a device that stands in for it: it has
 * no addresses and does not forward, but another ifindex, which a program that reads `ingress_ifindex` sees.
 */
async function open(program: Program, world: World, options: VethOptions): Promise<Session> {
  const available = availability(program);
  if (!available.available) {
    throw new EngineError('environment', `veth cannot run here: ${available.reason}`, {
      remedy: available.remedy,
    });
  }
  const stated = withDevicesToSendTo(program, world);
  const standIn = standInFor(stated);
  const network = await createWorldNetwork({ ...stated, devices: [...(stated.devices ?? []), standIn] });
  let dispatcher: Dispatcher | undefined;
  try {
    if (needsDispatcher(program)) dispatcher = new Dispatcher(options.tc);
    return new VethSession(program, world, network, standIn.ifindex, dispatcher);
  } catch (error) {
    dispatcher?.close();
    network.close();
    throw error;
  }
}

/** The default devices cost each session some milliseconds: only programs that can send to one get them. */
function withDevicesToSendTo(program: Program, world: World): World {
  try {
    const object = linkedObject(program.object!);
    const sends = [...calledHelpers(object)].some(({ effects }) => effects.redirects);
    return sends ? withDefaultDevices(world, object.maps) : world;
  } catch {
    // What the loader here does not read, libbpf may: it has the last word, when the object is loaded.
    return withDefaultDevices(world, []);
  }
}

function standInFor(world: World): Device {
  const taken = (world.devices ?? []).map((device) => device.ifindex);
  return {
    ifindex: Math.max(1, ...taken) + 1,
    name: 'xdpsim-wire',
    mac: Uint8Array.of(0x02, 0, 0, 0, 0, 0x01),
    mtu: MAX_XDP_MTU,
  };
}
