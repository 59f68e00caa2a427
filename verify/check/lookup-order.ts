/**
 * The byte order of what helpers are told of a packet (include/uapi/linux/bpf.h): of `struct bpf_fib_lookup`, ports and addresses are as
 * packets have them, `tot_len` is a number of the machine; so are ports and addresses of `struct bpf_sock_tuple`; an IPv4 address of
 * `struct bpf_tunnel_key` is a number of the machine. One packet may have such a value by chance: several have to show it, and none
 * may come with a value that is right.
 */
import type { TracedCall } from '../../sim/ebpf/interpreter/trace.ts';
import { AF_INET, FIB_PARAMETER } from '../../sim/runtime/fib.ts';
import { read16 } from '../oracle/announcement.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { HEADER, isIp, PART } from '../oracle/found.ts';
import { HeaderList } from '../oracle/header-list.ts';
import { type CallRemark, type CallStep, callsOf, lineOf, placeOf, type TracedRun } from './call-remark.ts';
import { FIB_LOOKUP } from './looked-up.ts';

const ETHERNET_HEADER = 14;
const IPV6_HEADER = 40;
const WITH_PORTS: ReadonlySet<number> = new Set([
  HEADER.tcp,
  HEADER.udp,
  HEADER.udplite,
  HEADER.dccp,
  HEADER.sctp,
]);

/** What a packet has of a kind, as the bytes of a right parameter in hex. */
interface Said {
  readonly lengths: Set<string>;
  readonly ports: Set<string>;
  readonly addresses: Set<string>;
}

interface Parameter {
  readonly name: string;
  readonly at: number;
  readonly size: 2 | 4;
  readonly of: keyof Said;
  readonly order: 'host' | 'network';
  /** So many different values have to be wrong. */
  readonly needed: number;
}

/** What a helper is passed. */
interface Structure {
  readonly parameters: readonly Parameter[];
  readonly effect: string;
}

const LENGTH = { size: 2, of: 'lengths', order: 'host', needed: 3 } as const;
const PORT = { size: 2, of: 'ports', order: 'network', needed: 3 } as const;
const ADDRESS = { size: 4, of: 'addresses', order: 'network', needed: 2 } as const;

const OTHER_ROUTE = 'the route of something else is looked up';
const FIB_V6: readonly Parameter[] = [
  { name: 'tot_len', at: FIB_PARAMETER.totalLength, ...LENGTH },
  { name: 'sport', at: FIB_PARAMETER.sport, ...PORT },
  { name: 'dport', at: FIB_PARAMETER.dport, ...PORT },
];
const FIB_V4: readonly Parameter[] = [
  ...FIB_V6,
  { name: 'ipv4_src', at: FIB_PARAMETER.source, ...ADDRESS },
  { name: 'ipv4_dst', at: FIB_PARAMETER.destination, ...ADDRESS },
];

const OTHER_SOCKET = 'the socket, or connection, of something else is looked up';
const TUPLE_V4: Structure = {
  effect: OTHER_SOCKET,
  parameters: [
    { name: 'ipv4.saddr', at: 0, ...ADDRESS },
    { name: 'ipv4.daddr', at: 4, ...ADDRESS },
    { name: 'ipv4.sport', at: 8, ...PORT },
    { name: 'ipv4.dport', at: 10, ...PORT },
  ],
};
const TUPLE_V6: Structure = {
  effect: OTHER_SOCKET,
  parameters: [
    { name: 'ipv6.sport', at: 32, ...PORT },
    { name: 'ipv6.dport', at: 34, ...PORT },
  ],
};
const IPV4_TUPLE = 12;
const IPV6_TUPLE = 36;

const TUNNEL: Structure = {
  effect: 'the tunnel leads to, or from, another host',
  parameters: [
    { name: 'remote_ipv4', at: 4, ...ADDRESS, order: 'host' },
    { name: 'local_ipv4', at: 28, ...ADDRESS, order: 'host' },
  ],
};
const BPF_F_TUNINFO_IPV6 = 1n;

const SET_TUNNEL_KEY = 'bpf_skb_set_tunnel_key';
const TUPLE_LOOKUPS = [
  'bpf_sk_lookup_tcp',
  'bpf_sk_lookup_udp',
  'bpf_skc_lookup_tcp',
  'bpf_xdp_ct_lookup',
  'bpf_skb_ct_lookup',
];

/** Calls whose parameters are looked at. */
export const ORDERED_CALLS: readonly string[] = [FIB_LOOKUP, ...TUPLE_LOOKUPS, SET_TUNNEL_KEY];

function structureOf({ name, arguments: values }: TracedCall, given: Uint8Array): Structure | undefined {
  if (name === FIB_LOOKUP) {
    const isV4 = given[FIB_PARAMETER.family] === AF_INET;
    return { effect: OTHER_ROUTE, parameters: isV4 ? FIB_V4 : FIB_V6 };
  }
  if (name === SET_TUNNEL_KEY) return ((values[3] ?? 0n) & BPF_F_TUNINFO_IPV6) === 0n ? TUNNEL : undefined;
  return given.length === IPV4_TUPLE ? TUPLE_V4 : given.length === IPV6_TUPLE ? TUPLE_V6 : undefined;
}

/** What is right and wrong about the order of each parameter that the packet's own headers tell something of. */
export function lookupOrders(run: TracedRun): CallRemark[] {
  const calls = ORDERED_CALLS.flatMap((name) => callsOf(run, name));
  if (calls.length === 0) return [];
  const said: Said = { lengths: new Set(), ports: new Set(), addresses: new Set() };
  for (const frame of [run.came, run.left]) collect(frame, said);
  return calls.flatMap((step) => {
    const { given } = step.call;
    const structure = given === undefined ? undefined : structureOf(step.call, given);
    if (given === undefined || structure === undefined) return [];
    return structure.parameters.flatMap((one) => remarkOn(step, given, one, structure, said[one.of]));
  });
}

function remarkOn(
  step: CallStep,
  given: Uint8Array,
  parameter: Parameter,
  structure: Structure,
  said: ReadonlySet<string>,
): CallRemark[] {
  const { name, at, size, needed, of, order } = parameter;
  if (given.length < at + size) return [];
  const bytes = given.subarray(at, at + size);
  const [value, turned] = [hexOf(bytes), hexOf(bytes.toReversed())];
  const place = `${placeOf(step)} ${name}`;
  // What reads the same both ways says nothing.
  if (value === turned)
    return of === 'addresses' && said.has(value) ? [{ place, unsure: bytes.slice() }] : [];
  // Addresses are known as packets have them; a number of the machine has their bytes turned.
  const isTurned = of === 'addresses' && order === 'host';
  const [right, wrong] = isTurned ? [turned, value] : [value, turned];
  if (said.has(right)) return [{ place }];
  if (!said.has(wrong)) return [];
  const [expected, got] = [shown(parameter, bytes.toReversed()), shown(parameter, bytes)];
  const address = of === 'addresses' ? { address: isTurned ? bytes.slice() : bytes.toReversed() } : {};
  const effect = of === 'lengths' ? 'the MTU is compared with that' : structure.effect;
  return [
    {
      place,
      fault: {
        evidence: { value, needed, ...address },
        breach: {
          invariant: 'lookup/byte-order',
          at: 0,
          size: 0,
          expected: `${name} ${expected}`,
          got: `${name} ${got}`,
          sentence: `${step.call.name} got ${expected} in the wrong byte order as ${name}, which is in ${order} order: it reads ${got}, and ${effect}`,
        },
        ...lineOf(step),
      },
    },
  ];
}

/** Adds lengths, ports and IPv4 addresses of all headers of a frame, tunnelled ones included. */
function collect(frame: Uint8Array, { lengths, ports, addresses }: Said): void {
  const headers = new HeaderList();
  verifyChecksums(frame, 0, frame.length, headers);
  const addLength = (length: number): void => void lengths.add(hexOf([length & 0xff, (length >> 8) & 0xff]));
  addLength(frame.length);
  addLength(frame.length - ETHERNET_HEADER);
  for (let row = 0; row < headers.count; row++) {
    const kind = headers.kind[row]!;
    const start = headers.start[row]!;
    const field = (at: number, size: number): Uint8Array => frame.subarray(start + at, start + at + size);
    if (kind === HEADER.ipv4) {
      for (const at of [12, 16]) addresses.add(hexOf(field(at, 4)));
      addLength(read16(frame, start + 2));
    } else if (isIp(kind)) {
      const payload = read16(frame, start + 4);
      for (const length of [payload, payload + IPV6_HEADER]) addLength(length);
    } else if (WITH_PORTS.has(kind) && headers.part[row] !== PART.laterFragment)
      for (const at of [0, 2]) ports.add(hexOf(field(at, 2)));
  }
}

/** A parameter as the kernel reads it. */
function shown({ size, order }: Parameter, bytes: Uint8Array): string {
  const read = order === 'host' ? bytes.toReversed() : bytes;
  return size === 4 ? read.join('.') : `${(read[0]! << 8) | read[1]!}`;
}

function hexOf(bytes: Iterable<number>): string {
  return Buffer.from([...bytes]).toString('hex');
}
