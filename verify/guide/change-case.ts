/** Applies what was solved to a sequence: packets, their context, and the world get the values that were asked for. */
import { repair } from '../../corpus/simplify/packet-layout.ts';
import { isFillable, isSettable } from '../../sim/ebpf/analysis/settable-data.ts';
import { variableAt } from '../../sim/ebpf/analysis/variable-at.ts';
import type { Assignment } from '../../sim/ebpf/dataflow/expression.ts';
import type {
  CallResult,
  InputField,
  MapByte,
  PacketByte,
  PacketContext,
} from '../../sim/ebpf/dataflow/inputs.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { isTag } from '../../sim/packet/numbers.ts';
import type { SkbInput, SkbVlan, Stimulus } from '../../sim/packet/packet-batch.ts';
import { randomSeedFor } from '../../sim/runtime/chance.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { Background } from './background.ts';
import { type ValueNow, withMovedEntries } from './moved-entries.ts';
import type { Sequence } from './traced-runs.ts';
import { withTunnelByte } from './tunnel-edits.ts';
import { answerCall } from './world-answers.ts';
import { resized, withMapByte, withMetadata } from './world-edits.ts';

/** The last CPU that a world can have. */
const LAST_CPU = 4095n;
/** Of a device, which the kernel has as an `int`. */
const LAST_IFINDEX = 0x7fff_ffffn;

const NO_BYTES = new Uint8Array(0);

/** Which inputs a case can state; the others are not worth solving for. */
export function isChoosable(background: Background): (field: InputField) => boolean {
  const { machine, calls } = background;
  return (field) => {
    if (field.kind === 'map') {
      if (machine.object.maps[field.map]!.global !== undefined) return isGiven(field, background);
      return isFree(field.map, field.key, background);
    }
    if (field.kind === 'call') {
      const call = calls[field.call];
      return call !== undefined && (call.map < 0 || isFree(call.map, call.key, background));
    }
    return field.kind !== 'stack';
  };
}

/** May the entry be there or not, and hold what leads on? */
export function isFree(map: number, key: Uint8Array, { mayPreset, isStatedEntry }: Background): boolean {
  return mayPreset(map) && !isStatedEntry(map, key);
}

/** May whoever loads the object give the global variable, of which this is a byte, another value? */
function isGiven({ map: index, offset }: MapByte, { machine, isStated, mayFill }: Background): boolean {
  const { object } = machine;
  const map = object.maps[index]!;
  const name = variableAt(map, offset)?.name;
  if (name === undefined || isStated(name)) return false;
  return isSettable(object, map, offset) || (mayFill(name) && isFillable(object, map, offset));
}

/** @returns undefined where no case is like that */
export function changeSequence(
  sequence: Sequence,
  assignment: Assignment,
  background: Background,
): Sequence | undefined {
  const draft: Draft = {
    background,
    stimuli: sequence.stimuli.slice(),
    copied: new Set(),
    world: sequence.world,
  };
  // Lengths first: bytes may lie in what is gained.
  const entries = [...assignment].sort(([a], [b]) => Number(isLength(b)) - Number(isLength(a)));
  if (!entries.every(([field, value]) => change(draft, field, value))) return undefined;
  const { stimuli, world } = draft;
  return { world: withMovedEntries(world, valuesAfter(stimuli, assignment), background), stimuli };
}

/** A sequence some of whose inputs have been given their values. */
interface Draft {
  readonly background: Background;
  readonly stimuli: Stimulus[];
  /** Packets whose bytes are the draft's own, by index. */
  readonly copied: Set<number>;
  world: World;
}

type Kind = InputField['kind'];
type FieldOf<K extends Kind> = InputField & { readonly kind: K };
/** Gives an input its value. @returns whether a case can be like that */
type Change<K extends Kind> = (draft: Draft, field: FieldOf<K>, value: bigint) => boolean;

function change<K extends Kind>(draft: Draft, field: FieldOf<K>, value: bigint): boolean {
  const changeOfKind: Change<K> = CHANGES[field.kind];
  return changeOfKind(draft, field, value);
}

const CHANGES: { readonly [K in Kind]: Change<K> } = {
  length({ stimuli }, { packet: index }, value) {
    const stimulus = stimuli[index]!;
    const packet = resized(stimulus.packet, Number(value));
    return replaced(stimuli, index, packet && { ...stimulus, packet });
  },
  metadata: ({ stimuli }, { packet }, value) =>
    replaced(stimuli, packet, withMetadata(stimuli[packet]!, Number(value))),
  packet: changeByte,
  context: changeContext,
  tunnel: ({ stimuli }, field, value) =>
    replaced(stimuli, field.packet, withTunnelByte(stimuli[field.packet]!, field, Number(value))),
  map: (draft, field, value) =>
    moved(draft, withMapByte(draft.world, field, Number(value), draft.background.machine.object.maps)),
  call: changeAnswer,
  time(draft, { packet }, value) {
    const { time = 0n } = draft.world;
    const isLater = packet > 0 && value > time;
    return moved(draft, {
      ...draft.world,
      ...(isLater ? { tick: (value - time) / BigInt(packet) } : { time: value }),
    });
  },
  cpu: (draft, _, value) =>
    moved(draft, value > LAST_CPU ? undefined : { ...draft.world, cpu: Number(value) }),
  egress: (draft, _, value) =>
    moved(
      draft,
      value < 1n || value > LAST_IFINDEX ? undefined : { ...draft.world, egressIfindex: Number(value) },
    ),
  chance: (draft, { draws }, value) =>
    moved(draft, { ...draft.world, randomSeed: randomSeedFor(Number(value), draws) }),
  stack: () => false,
};

function replaced(stimuli: Stimulus[], index: number, stimulus: Stimulus | undefined): boolean {
  if (stimulus === undefined) return false;
  stimuli[index] = stimulus;
  return true;
}

function moved(draft: Draft, world: World | undefined): boolean {
  if (world === undefined) return false;
  draft.world = world;
  return true;
}

function changeByte({ stimuli, copied }: Draft, field: PacketByte, value: bigint): boolean {
  if (!copied.has(field.packet)) {
    copied.add(field.packet);
    stimuli[field.packet] = copyOf(stimuli[field.packet]!);
  }
  const { packet, metadata = NO_BYTES } = stimuli[field.packet]!;
  // In front of the frame lies the metadata.
  const [bytes, at] = field.offset >= 0 ? [packet, field.offset] : [metadata, metadata.length + field.offset];
  if (at < 0 || at >= bytes.length) return false;
  bytes[at] = Number(value);
  return true;
}

function copyOf(stimulus: Stimulus): Stimulus {
  const { packet, metadata } = stimulus;
  return {
    ...stimulus,
    packet: packet.slice(),
    ...(metadata === undefined ? {} : { metadata: metadata.slice() }),
  };
}

function changeContext(draft: Draft, field: PacketContext, value: bigint): boolean {
  const { stimuli, world, background } = draft;
  if (!replaced(stimuli, field.packet, withContext(stimuli[field.packet]!, field, value))) return false;
  return (
    field.name !== 'ingressIfindex' || moved(draft, withDevice(world, Number(value), background.machine))
  );
}

function changeAnswer(draft: Draft, { call: index }: CallResult, value: bigint): boolean {
  const { world, stimuli, background } = draft;
  const call = background.calls[index];
  if (call === undefined) return false;
  const answered = answerCall(world, stimuli, call, value, background.machine, isChoosable(background));
  if (answered?.stimuli !== undefined) stimuli.splice(0, stimuli.length, ...answered.stimuli);
  return moved(draft, answered?.world);
}

/** Is it how many bytes there are, of the frame or in front of it? */
export function isLength({ kind }: InputField): boolean {
  return kind === 'length' || kind === 'metadata';
}

/** What inputs are now: of packets all that was changed, as another answer of a call may have done, too. */
function valuesAfter(stimuli: readonly Stimulus[], assignment: Assignment): ValueNow {
  return (field) => {
    if (field.kind !== 'packet' || field.offset < 0) return assignment.get(field);
    const byte = stimuli[field.packet]?.packet[field.offset];
    return byte === undefined ? undefined : BigInt(byte);
  };
}

/** The same sequence with lengths and checksums of its changed packets made right. */
export function repaired(sequence: Sequence, before: Sequence): Sequence | undefined {
  let isOther = false;
  const stimuli = sequence.stimuli.map((stimulus, index) => {
    if (stimulus.packet === before.stimuli[index]?.packet) return stimulus;
    const packet = stimulus.packet.slice();
    repair(packet, 'checksum');
    if (packet.every((byte, at) => byte === stimulus.packet[at])) return stimulus;
    isOther = true;
    return { ...stimulus, packet };
  });
  return isOther ? { ...sequence, stimuli } : undefined;
}

/** The packet with another value of what it comes with; undefined: no frame comes with such a one. */
function withContext(stimulus: Stimulus, { name }: PacketContext, value: bigint): Stimulus | undefined {
  const number = Number(value);
  if (name === 'ingressIfindex' || name === 'rxQueueIndex') return { ...stimulus, [name]: number };
  const before: SkbInput = stimulus.skb ?? {};
  if (name === 'tstamp') return { ...stimulus, skb: { ...before, tstamp: value } };
  switch (name) {
    case 'cameBy':
      return value > LAST_IFINDEX ? undefined : { ...stimulus, skb: { ...before, ingressIfindex: number } };
    case 'mark':
    case 'priority':
    case 'hash':
    case 'gsoSize':
      return { ...stimulus, skb: { ...before, [name]: number } };
    case 'gsoSegs':
    case 'queueMapping':
    case 'tcIndex':
    case 'tcClassid':
      return number > 0xffff ? undefined : { ...stimulus, skb: { ...before, [name]: number } };
    case 'vlanPresent':
    case 'vlanTci':
    case 'vlanProto':
      return withTag(stimulus, name, number);
    default:
  }
  const cb = [0, 0, 0, 0, 0].map((_, index) => before.cb?.[index] ?? 0);
  cb[Number(name.slice(2))] = number;
  return { ...stimulus, skb: { ...before, cb } };
}

/** With another tag beside the frame, or without one. */
function withTag(
  stimulus: Stimulus,
  name: 'vlanPresent' | 'vlanTci' | 'vlanProto',
  value: number,
): Stimulus | undefined {
  const { vlan: before = { tci: 0 }, ...others } = stimulus.skb ?? {};
  const having = (vlan: SkbVlan): Stimulus => ({ ...stimulus, skb: { ...others, vlan } });
  switch (name) {
    case 'vlanPresent': {
      const { skb: _, ...bare } = stimulus;
      return value !== 0
        ? having(before)
        : Object.keys(others).length === 0
          ? bare
          : { ...bare, skb: others };
    }
    case 'vlanTci':
      return value > 0xffff ? undefined : having({ ...before, tci: value });
    case 'vlanProto': {
      const proto = ((value & 0xff) << 8) | (value >>> 8);
      return isTag(proto) ? having({ ...before, proto }) : undefined;
    }
  }
}

/** A world in which the device is there. */
function withDevice(world: World, ifindex: number, machine: Machine): World | undefined {
  if (ifindex === 1) return world;
  if (ifindex < 1 || ifindex > 0xffff) return undefined;
  const { devices = [] } = withDefaultDevices(world, machine.object.maps);
  if (devices.some((device) => device.ifindex === ifindex)) return world;
  const mac = Uint8Array.from([2, 0, 0, 0, ifindex >> 8, ifindex & 0xff]);
  return { ...world, devices: [...devices, { ifindex, name: `dev${ifindex}`, mac, mtu: 1500 }] };
}
