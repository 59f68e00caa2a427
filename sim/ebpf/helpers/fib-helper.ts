/** `bpf_fib_lookup` and `bpf_check_mtu` (net/core/filter.c) over the world's devices and routes. */
import { EAFNOSUPPORT, EINVAL, ENODEV } from '../../runtime/errno.ts';
import {
  AF_INET,
  AF_INET6,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LOOKUP_DIRECT,
  BPF_FIB_LOOKUP_MARK,
  BPF_FIB_LOOKUP_OUTPUT,
  BPF_FIB_LOOKUP_SKIP_NEIGH,
  BPF_FIB_LOOKUP_SRC,
  BPF_FIB_LOOKUP_TBID,
  BPF_MTU_CHK_RET_FRAG_NEEDED,
  BPF_MTU_CHK_RET_SEGS_TOOBIG,
  FIB_PARAMETER,
  type FibLookup,
} from '../../runtime/fib.ts';
import { mtuOf } from '../../runtime/route-entry.ts';
import { isGso, SK_BUFF } from '../context/sk-buff.ts';
import { type Machine, Unsupported } from '../machine.ts';
import { CONTEXT_BASE } from '../memory.ts';
import { ETHERNET_HEADER } from '../packet-area.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

const PARAMETERS_SIZE = 64;

/** What a world's routing tables can answer. */
const MODELLED =
  BPF_FIB_LOOKUP_DIRECT | BPF_FIB_LOOKUP_OUTPUT | BPF_FIB_LOOKUP_SKIP_NEIGH | BPF_FIB_LOOKUP_MARK;

function knownFlags({ kernel }: Machine): number {
  return (
    BPF_FIB_LOOKUP_DIRECT |
    BPF_FIB_LOOKUP_OUTPUT |
    (kernel.fibLookupSkipsNeighbours ? BPF_FIB_LOOKUP_SKIP_NEIGH : 0) |
    (kernel.fibLookupTakesTable ? BPF_FIB_LOOKUP_TBID : 0) |
    (kernel.fibLookupTellsSource ? BPF_FIB_LOOKUP_SRC : 0) |
    (kernel.fibLookupTakesMark ? BPF_FIB_LOOKUP_MARK : 0)
  );
}

const LOOPBACK_IFINDEX = 1;
const LOOPBACK_MTU = 65_536;

function emptyLookup(family: typeof AF_INET | typeof AF_INET6, addressBytes: number): FibLookup {
  return {
    family,
    l4Protocol: 0,
    sport: 0,
    dport: 0,
    totalLength: 0,
    ifindex: 0,
    tos: 0,
    source: new Uint8Array(addressBytes),
    destination: new Uint8Array(addressBytes),
    sourceMac: new Uint8Array(6),
    destinationMac: new Uint8Array(6),
    mtu: 0,
    metric: 0,
  };
}

const lookup4 = emptyLookup(AF_INET, 4);
const lookup6 = emptyLookup(AF_INET6, 16);

function readParameters(machine: Machine, at: number, lookup: FibLookup): void {
  const { u8, view } = machine.memory;
  lookup.l4Protocol = u8[at + FIB_PARAMETER.l4Protocol]!;
  lookup.sport = view.getUint16(at + FIB_PARAMETER.sport);
  lookup.dport = view.getUint16(at + FIB_PARAMETER.dport);
  lookup.totalLength = view.getUint16(at + FIB_PARAMETER.totalLength, true);
  lookup.ifindex = view.getUint32(at + FIB_PARAMETER.ifindex, true);
  lookup.tos =
    lookup.family === AF_INET ? u8[at + FIB_PARAMETER.tos]! : view.getUint32(at + FIB_PARAMETER.tos);
  lookup.mtu = 0;
  lookup.sourceMac.fill(0);
  lookup.destinationMac.fill(0);
  const { length } = lookup.source;
  for (let index = 0; index < length; index++) {
    lookup.source[index] = u8[at + FIB_PARAMETER.source + index]!;
    lookup.destination[index] = u8[at + FIB_PARAMETER.destination + index]!;
  }
}

function fibLookup(machine: Machine, at: number, size: number, flags: number): number {
  if (size < PARAMETERS_SIZE || (flags & ~knownFlags(machine)) !== 0) return -EINVAL;
  const { u8, view } = machine.memory;
  const family = u8[at + FIB_PARAMETER.family];
  if (family !== AF_INET && family !== AF_INET6) return -EAFNOSUPPORT;
  const lookup = family === AF_INET ? lookup4 : lookup6;
  readParameters(machine, at, lookup);
  if ((flags & ~MODELLED) !== 0) {
    throw new Unsupported(`bpf_fib_lookup with flags 0x${flags.toString(16)} is not modelled`);
  }
  lookup.direct = (flags & BPF_FIB_LOOKUP_DIRECT) !== 0;
  lookup.output = (flags & BPF_FIB_LOOKUP_OUTPUT) !== 0;
  lookup.skipsNeighbour = (flags & BPF_FIB_LOOKUP_SKIP_NEIGH) !== 0;
  const result =
    machine.hook === 'xdp'
      ? machine.fib.lookup(lookup)
      : machine.fib.lookupOfSkb(lookup, isGso(machine.memory) ? 0 : machine.packet.length);
  if (result < 0) return result;
  if (lookup.mtu !== 0) view.setUint16(at + FIB_PARAMETER.totalLength, lookup.mtu, true);
  if (lookup.metric < 0) return result;
  view.setUint32(at + FIB_PARAMETER.ifindex, lookup.ifindex, true);
  view.setUint32(at + FIB_PARAMETER.tos, lookup.metric, true);
  u8.set(lookup.destination, at + FIB_PARAMETER.destination);
  if (result === BPF_FIB_LKUP_RET_NO_NEIGH) return result;
  view.setUint16(at + FIB_PARAMETER.vlanProto, 0, true);
  view.setUint16(at + FIB_PARAMETER.vlanTci, 0, true);
  if (lookup.skipsNeighbour) return result;
  for (let index = 0; index < 6; index++) {
    u8[at + FIB_PARAMETER.sourceMac + index] = lookup.sourceMac[index]!;
    u8[at + FIB_PARAMETER.destinationMac + index] = lookup.destinationMac[index]!;
  }
  return result;
}

/** BPF_MTU_CHK_SEGS. */
const CHECK_SEGMENTS = 1;
/**
 * How long the headers of a segment are in a test run, which sets no transport header (`skb_gso_network_seglen`): from the
 * network header, 78 bytes into the buffer, to offset 0xffff.
 */
const UNSET_TRANSPORT_HEADER = 0xffff - 78;

function deviceMtu(machine: Machine, ifindex: number): number | undefined {
  if (ifindex === LOOPBACK_IFINDEX) return LOOPBACK_MTU;
  const device = machine.world.devices?.find((one) => one.ifindex === ifindex);
  return device === undefined ? undefined : mtuOf(device);
}

function checkMtu(
  machine: Machine,
  ifindex: number,
  lengthAt: number,
  difference: number,
  flags: number,
): number {
  const isXdp = machine.hook === 'xdp';
  if ((flags & ~(isXdp ? 0 : CHECK_SEGMENTS)) !== 0 || machine.high(4) !== 0) return -EINVAL;
  if (flags !== 0 && (difference !== 0 || machine.memory.u32(lengthAt) !== 0)) return -EINVAL;
  // 0 stands for the device that the packet is on.
  const own = machine.memory.u32(CONTEXT_BASE + (isXdp ? 12 : SK_BUFF.ifindex));
  const mtu = deviceMtu(machine, ifindex === 0 ? own : ifindex);
  if (mtu === undefined) return -ENODEV;
  const asked = machine.memory.u32(lengthAt);
  // Of an XDP frame the linear part counts, whatever lies behind it.
  const { data, dataEnd, length: whole } = machine.packet;
  const present = isXdp ? dataEnd - data : whole;
  // The kernel counts in an `int`, which wraps: a length from 2 GiB on is a negative one, and fits.
  const length = ((asked === 0 ? present : asked + ETHERNET_HEADER) + difference) | 0;
  machine.memory.setU32(lengthAt, mtu);
  if (length <= mtu + ETHERNET_HEADER) return 0;
  if (isXdp || !isGso(machine.memory)) return BPF_MTU_CHK_RET_FRAG_NEEDED;
  if (flags === 0) return 0;
  const segment = UNSET_TRANSPORT_HEADER + machine.memory.u32(CONTEXT_BASE + SK_BUFF.gsoSize);
  return segment > mtu ? BPF_MTU_CHK_RET_SEGS_TOOBIG : 0;
}

export const FIB_HELPERS: readonly Helper[] = [
  {
    number: 69,
    name: 'bpf_fib_lookup',
    note: 'as in the kernel; the flags BPF_FIB_LOOKUP_TBID and BPF_FIB_LOOKUP_SRC are not modelled',
    arguments: ['context', 'memory_inout', 'size', 'anything'],
    returns: 'int',
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read', dependsOn: ['network'] },
    symbolic: 'any value',
    run: (machine, _context, parameters, size, flags) => fibLookup(machine, parameters, size, flags),
  },
  {
    number: 163,
    name: 'bpf_check_mtu',
    arguments: ['context', 'anything', 'u32_inout', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read', dependsOn: ['network'] },
    symbolic: 'any value',
    run: (machine, _context, ifindex, length, difference, flags) =>
      checkMtu(machine, ifindex, length, difference, flags),
  },
];
