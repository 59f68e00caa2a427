/**
 * The byte order of what `bpf_fib_lookup` is asked (`struct bpf_fib_lookup`, include/uapi/linux/bpf.h): ports and addresses
 * are as packets have them, `tot_len` is a number of the machine. One packet may have such a value by chance: several have to
 * show it, and none may come with a value that is right.
 */
import { AF_INET, FIB_PARAMETER } from '../../sim/runtime/fib.ts';
import { read16 } from '../oracle/announcement.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { HEADER, isIp, PART } from '../oracle/found.ts';
import { HeaderList } from '../oracle/header-list.ts';
import { type CallRemark, type CallStep, callsOf, lineOf, placeOf, type TracedRun } from './call-remark.ts';

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
  /** So many different values have to be wrong. */
  readonly needed: number;
}

const PARAMETERS: readonly Parameter[] = [
  { name: 'tot_len', at: FIB_PARAMETER.totalLength, size: 2, of: 'lengths', needed: 3 },
  { name: 'sport', at: FIB_PARAMETER.sport, size: 2, of: 'ports', needed: 3 },
  { name: 'dport', at: FIB_PARAMETER.dport, size: 2, of: 'ports', needed: 3 },
  { name: 'ipv4_src', at: FIB_PARAMETER.source, size: 4, of: 'addresses', needed: 2 },
  { name: 'ipv4_dst', at: FIB_PARAMETER.destination, size: 4, of: 'addresses', needed: 2 },
];

/** What is right and wrong about the order of each parameter that the packet's own headers tell something of. */
export function lookupOrders(run: TracedRun): CallRemark[] {
  const calls = callsOf(run, 'bpf_fib_lookup');
  if (calls.length === 0) return [];
  const said: Said = { lengths: new Set(), ports: new Set(), addresses: new Set() };
  for (const frame of [run.came, run.left]) collect(frame, said);
  return calls.flatMap((step) => PARAMETERS.flatMap((one) => remarkOn(step, one, said[one.of])));
}

function remarkOn(step: CallStep, parameter: Parameter, right: ReadonlySet<string>): CallRemark[] {
  const { name, at, size, needed } = parameter;
  const { given } = step.call;
  if (given === undefined || given.length < at + size) return [];
  if (size === 4 && given[FIB_PARAMETER.family] !== AF_INET) return [];
  const bytes = given.subarray(at, at + size);
  const [value, turned] = [hexOf(bytes), hexOf(bytes.toReversed())];
  // What reads the same both ways says nothing.
  if (value === turned) return [];
  const place = `${placeOf(step)} ${name}`;
  if (right.has(value)) return [{ place }];
  if (!right.has(turned)) return [];
  const isLength = name === 'tot_len';
  const [expected, got] = [shown(parameter, bytes.toReversed()), shown(parameter, bytes)];
  const effect = isLength ? 'the MTU is compared with that' : 'the route of something else is looked up';
  return [
    {
      place,
      fault: {
        evidence: { value, needed },
        breach: {
          invariant: 'lookup/byte-order',
          at: 0,
          size: 0,
          expected: `${name} ${expected}`,
          got: `${name} ${got}`,
          sentence: `bpf_fib_lookup got ${expected} in the wrong byte order as ${name}, which is in ${isLength ? 'host' : 'network'} order: it reads ${got}, and ${effect}`,
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

/** A parameter as the lookup reads it. */
function shown({ name, size }: Parameter, bytes: Uint8Array): string {
  if (size === 4) return bytes.join('.');
  const first = name === 'tot_len' ? 1 : 0;
  return `${(bytes[first]! << 8) | bytes[1 - first]!}`;
}

function hexOf(bytes: Iterable<number>): string {
  return Buffer.from([...bytes]).toString('hex');
}
