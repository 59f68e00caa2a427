/**
 * Which runs take the first byte of a frame for that of an IP header, as on devices without a link header. The program's text shows that
 * of some programs only: others copy the header (`bpf_skb_load_bytes`), a map or constant says where it begins, or they put an
 * Ethernet header in front of it (`bpf_skb_change_head`) and never read it. Runs that are followed show it of all.
 */
import { evaluate, fieldsOf, type Operand } from '../sim/ebpf/dataflow/expression.ts';
import type { FlowBranch, FlowTrace } from '../sim/ebpf/dataflow/flow-trace.ts';
import type { PacketByte } from '../sim/ebpf/dataflow/inputs.ts';
import type { Program } from '../sim/runtime/program.ts';
import { type Sequence, TracedRuns } from './guide/traced-runs.ts';

/** Runs that are followed for it: programs ask for the version before they ask for anything else. */
const MOST_RUNS = 256;
/** Behind an Ethernet header: where IPv4 and IPv6 say what they carry. */
const PROTOCOLS_AT: readonly number[] = [23, 20];
const IP_AT = 14;
const MAC_SIZE = 6;
const ETHERTYPE_AT = 12;
/** Bytes of the least IP header: what lies behind them no run asks for that takes the first of them for the frame's. */
const IP_SIZE = 20;

/** What runs took the frame for. */
export interface FrameUses {
  /** Did one of them take its first byte for that of an IP header, or put an Ethernet header in front of it? */
  readonly ipFirst: boolean;
  /** Did some put an Ethernet header in front, and did none take the first byte for that of an IP header? */
  readonly onlyPuts: boolean;
  /** Did one of them look for an IP header behind an Ethernet header? */
  readonly ethernet: boolean;
}

/** What a program takes the frames of these cases for. An XDP program gets them with their link header on all devices that are common. */
export function frameUses(program: Program, cases: readonly Sequence[]): FrameUses {
  if (program.object === undefined || program.entries.some(({ hook }) => hook === 'xdp'))
    return { ipFirst: false, onlyPuts: false, ethernet: true };
  const runs = new TracedRuns(program);
  let asks = false;
  let puts = false;
  let ethernet = false;
  for (const one of cases.slice(0, MOST_RUNS)) {
    const trace = runs.run(one)?.trace;
    if (trace === undefined) continue;
    if (takesIpFirst(trace)) asks = true;
    else if (putsEthernetInFront(trace, one, leftBy(runs, one))) puts = true;
    else ethernet ||= looksBehindEthernet(trace);
  }
  return { ipFirst: asks || puts, onlyPuts: puts && !asks, ethernet };
}

/**
 * A number that stands for version and length may begin a MAC address, too: what asks for more of that compares addresses. The
 * EtherType says nothing: `skb->protocol` has it on devices without a link header.
 */
function takesIpFirst({ branches }: FlowTrace): boolean {
  const asked = branches.map((branch) => asksFor(branch, 0));
  if (asked.includes('version')) return true;
  return (
    asked.includes('first byte') &&
    !branches.some((branch) => bytesOf(branch).some(({ offset }) => offset > 0 && offset < MAC_SIZE))
  );
}

/** The frame as the run left it that was the last one. */
function leftBy(runs: TracedRuns, { world }: Sequence): Uint8Array | undefined {
  const machine = runs.machineOf(world);
  return machine?.memory.u8.subarray(machine.packet.data, machine.packet.frameEnd);
}

/**
 * Does the frame have another Ethernet header in front of its own, which says that IP follows? The run did not look at its
 * own: what it asked for are fields of an IP header at the frame's first byte, if anything.
 */
function putsEthernetInFront(trace: FlowTrace, { stimuli }: Sequence, left: Uint8Array | undefined): boolean {
  const [only, ...others] = stimuli;
  if (only === undefined || others.length > 0 || left?.length !== only.packet.length + IP_AT) return false;
  if (!equal(left.subarray(IP_AT), only.packet) || looksBehindEthernet(trace)) return false;
  const type = left.subarray(ETHERTYPE_AT, IP_AT);
  if (!IP_TYPES.some((one) => equal(one, type)) || !equal(type, only.packet.subarray(ETHERTYPE_AT, IP_AT)))
    return false;
  return !trace.branches.some((branch) => {
    const asked = bytesOf(branch).map(({ offset }) => offset);
    return asked.some((offset) => offset >= IP_SIZE) || (isEtherType(asked) && trace.readsProtocol !== true);
  });
}

/** Nothing but its two bytes: a source address of IPv4, at the same place, has four. */
function isEtherType(asked: readonly number[]): boolean {
  return asked.length > 0 && asked.every((offset) => offset === ETHERTYPE_AT || offset === ETHERTYPE_AT + 1);
}

const IP_TYPES: readonly Uint8Array[] = [Uint8Array.of(0x08, 0), Uint8Array.of(0x86, 0xdd)];

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function looksBehindEthernet({ branches }: FlowTrace): boolean {
  return branches.some((branch) => {
    const [only, ...others] = bytesOf(branch);
    const isProtocol = only !== undefined && others.length === 0 && PROTOCOLS_AT.includes(only.offset);
    return isProtocol || asksFor(branch, IP_AT) !== undefined;
  });
}

function bytesOf({ a, b }: FlowBranch): PacketByte[] {
  return [...fieldsOf(b, fieldsOf(a))].flatMap((field) => (field.kind === 'packet' ? [field] : []));
}

/** Is the byte there asked for the version of an IP header, by itself or with a length of 20 bytes? */
function asksFor(branch: FlowBranch, at: number): 'version' | 'first byte' | undefined {
  const { comparison, a, b, bits } = branch;
  const field = bytesOf(branch).find(({ offset }) => offset === at);
  if (field === undefined || (comparison !== 'eq' && comparison !== 'ne')) return undefined;
  const equal: number[] = [];
  for (let value = 0; value < 0x100; value++) {
    const changed = new Map([[field, BigInt(value)]]);
    const of = (one: Operand): bigint => BigInt.asUintN(bits, evaluate(one, changed));
    if (of(a) === of(b)) equal.push(value);
  }
  const [first] = equal;
  if (equal.length === 1) return first === 0x45 ? 'first byte' : undefined;
  const isVersion = (first === 0x40 || first === 0x60) && equal.length === 16 && equal[15] === first + 15;
  return isVersion ? 'version' : undefined;
}
