/** Worlds and packets for which `bpf_check_mtu` answers that a frame fits, that it does not, or that there is no such device. */
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { ETHERNET_HEADER } from '../../sim/ebpf/packet-area.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import { LOOPBACK } from '../../sim/runtime/route-entry.ts';
import type { World } from '../../sim/runtime/world.ts';
import {
  FITS,
  mtuBelow,
  mtuFor,
  NO_DEVICE,
  SHORTEST_TOO_LONG,
  TOO_LONG,
  withMtu,
  withoutDevice,
} from '../mtu-world.ts';
import { resized } from './world-edits.ts';

/** Where in the parameters the length is. */
const LENGTH_AT = 4;
/** Worth a case each, whether branches tell them apart or not. */
export const MTU_ANSWERS: readonly bigint[] = [FITS, TOO_LONG];

interface MtuCase {
  readonly world: World;
  readonly stimuli: readonly Stimulus[];
}

/** A case in which the call answers so; undefined: there is none, or it does so already. */
export function mtuAnswer(
  world: World,
  stimuli: readonly Stimulus[],
  call: FlowCall,
  value: bigint,
  machine: Machine,
): MtuCase | undefined {
  const { packet, parameters, result } = call;
  const { maps } = machine.object;
  if (BigInt.asIntN(32, value) === NO_DEVICE) return withoutNamed(world, stimuli, call, maps);
  if (value === result || !MTU_ANSWERS.includes(value)) return undefined;
  const view = new DataView(parameters.buffer, parameters.byteOffset, parameters.byteLength);
  const [named, asked, difference] = [
    view.getUint32(0, true),
    view.getUint32(LENGTH_AT, true),
    view.getInt32(8, true),
  ];
  let stimulus = stimuli[packet]!;
  const { ingressIfindex: own = LOOPBACK.ifindex } = stimulus;
  let device = named === 0 ? own : named;
  // The loopback device takes every frame: the packet has to come by another.
  if (device === LOOPBACK.ifindex && device === own) {
    const [other] = withDefaultDevices(world, maps).devices ?? [];
    if (other === undefined) return undefined;
    device = other.ifindex;
    stimulus = { ...stimulus, ingressIfindex: device };
  }
  let length = asked === 0 ? stimulus.packet.length + difference : asked + ETHERNET_HEADER + difference;
  if (value === TOO_LONG && asked === 0 && length < SHORTEST_TOO_LONG) {
    const longer = resized(stimulus.packet, SHORTEST_TOO_LONG - difference);
    if (longer === undefined) return undefined;
    stimulus = { ...stimulus, packet: longer };
    length = SHORTEST_TOO_LONG;
  }
  const mtu = value === FITS ? mtuFor(length) : mtuBelow(length);
  const answering = mtu === undefined ? undefined : withMtu(world, maps, device, mtu);
  if (answering === undefined) return undefined;
  return { world: answering, stimuli: stimuli.map((one, index) => (index === packet ? stimulus : one)) };
}

/** A length that is longer than devices mostly take. */
const LONG_LENGTH = 1501;

/**
 * The length that a call may ask about in place of its own, for the answer: a setting that nobody has given is 0, and no MTU is as
 * small. Undefined: it asks about the frame's own, or another one answers no more.
 */
export function lengthInstead({ parameters }: FlowCall, value: bigint): Uint8Array | undefined {
  const asked = new DataView(parameters.buffer, parameters.byteOffset).getUint32(LENGTH_AT, true);
  if (value !== TOO_LONG || asked === 0 || asked >= LONG_LENGTH) return undefined;
  return Uint8Array.of(LONG_LENGTH & 0xff, LONG_LENGTH >> 8, 0, 0);
}

/** The call as it asks about this length. */
export function askingAbout(call: FlowCall, length: Uint8Array): FlowCall {
  const parameters = call.parameters.slice();
  parameters.set(length, LENGTH_AT);
  return { ...call, parameters };
}

/** The device that a frame comes by is there: only one that is named can be missing. */
function withoutNamed(
  world: World,
  stimuli: readonly Stimulus[],
  { parameters }: FlowCall,
  maps: readonly MapDefinition[],
): MtuCase | undefined {
  const named = new DataView(parameters.buffer, parameters.byteOffset).getUint32(0, true);
  const answering = withoutDevice(world, maps, named);
  const [other] = answering?.devices ?? [];
  if (answering === undefined || other === undefined) return undefined;
  const rerouted = (one: Stimulus): Stimulus =>
    one.ingressIfindex === named ? { ...one, ingressIfindex: other.ifindex } : one;
  return { world: answering, stimuli: stimuli.map(rerouted) };
}
