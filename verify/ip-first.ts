/**
 * Which runs take the first byte of a frame for that of an IP header, as on devices without a link header. The program's text shows that
 * of some programs only: others copy the header (`bpf_skb_load_bytes`), or a map or constant says where it begins. Runs that
 * are followed show it of all.
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

/** What runs took the frame for. */
export interface FrameUses {
  /** Did one of them take its first byte for that of an IP header? */
  readonly ipFirst: boolean;
  /** Did one of them look for an IP header behind an Ethernet header? */
  readonly ethernet: boolean;
}

/** What a program takes the frames of these cases for. An XDP program gets them with their link header on all devices that are common. */
export function frameUses(program: Program, cases: readonly Sequence[]): FrameUses {
  if (program.object === undefined || program.entries.some(({ hook }) => hook === 'xdp'))
    return { ipFirst: false, ethernet: true };
  const runs = new TracedRuns(program);
  let ipFirst = false;
  let ethernet = false;
  for (const one of cases.slice(0, MOST_RUNS)) {
    const trace = runs.run(one)?.trace;
    if (trace === undefined) continue;
    if (takesIpFirst(trace)) ipFirst = true;
    else ethernet ||= looksBehindEthernet(trace);
  }
  return { ipFirst, ethernet };
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
