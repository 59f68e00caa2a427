/** Numbers that are written as text: digits, names of constants and devices, and `htons(80)`. */
import { actionNames, TC_ACT_UNSPEC } from '../runtime/actions.ts';
import { BTF_KIND, type Btf } from './btf.ts';

/** What names stand for besides constants. */
export interface ValueNames {
  /** The ifindex of a device of the world; undefined: there is none of that name. */
  readonly ifindexOf?: (device: string) => number | undefined;
}

/** A number whose bytes lie in network order, whatever the type says. */
export interface NetworkNumber {
  readonly value: bigint;
  readonly bytes: number;
}

/** Constants that programs compare with and that seldom get into an object's BTF: macros have no type. */
const MACROS: ReadonlyMap<string, bigint> = new Map<string, bigint>([
  ...Object.entries({
    ETH_P_IP: 0x0800,
    ETH_P_ARP: 0x0806,
    ETH_P_8021Q: 0x8100,
    ETH_P_IPV6: 0x86dd,
    ETH_P_8021AD: 0x88a8,
    IPPROTO_ICMP: 1,
    IPPROTO_IPIP: 4,
    IPPROTO_TCP: 6,
    IPPROTO_UDP: 17,
    IPPROTO_IPV6: 41,
    IPPROTO_GRE: 47,
    IPPROTO_ICMPV6: 58,
    IPPROTO_SCTP: 132,
  }).map(([name, value]) => [name, BigInt(value)] as const),
  ...actionNames('xdp').map((name, value) => [name, BigInt(value)] as const),
  // The first of TC's is -1.
  ...actionNames('tc-ingress').map((name, index) => [name, BigInt(TC_ACT_UNSPEC + index)] as const),
]);

const WIDTHS: Readonly<Record<string, number>> = { htons: 2, htonl: 4, cpu_to_be64: 8 };

/**
 * Reads a number that is written as text; undefined where it is none.
 * @param bits width of what it is for: names of devices stand in 32 bits only
 */
export function numberFromText(
  text: string,
  btf: Btf | undefined,
  names: ValueNames,
  bits: number,
): bigint | NetworkNumber | undefined {
  const call = /^(?:bpf_)?(htons|htonl|cpu_to_be64)\(\s*([\w-]+)\s*\)$/.exec(text);
  if (call !== null) {
    const value = plainNumber(call[2]!, btf);
    return value === undefined ? undefined : { value, bytes: WIDTHS[call[1]!]! };
  }
  const number = plainNumber(text, btf);
  if (number !== undefined) return number;
  const ifindex = bits === 32 ? names.ifindexOf?.(text) : undefined;
  return ifindex === undefined ? undefined : BigInt(ifindex);
}

function plainNumber(text: string, btf: Btf | undefined): bigint | undefined {
  if (/^(-?\d+|0[xX][0-9a-fA-F]+|0[bB][01]+)$/.test(text) && text.length <= 80) return BigInt(text);
  if (!/^[A-Za-z_]\w*$/.test(text)) return undefined;
  return (btf === undefined ? undefined : enumeratorsOf(btf).get(text)) ?? MACROS.get(text);
}

const known = new WeakMap<Btf, ReadonlyMap<string, bigint>>();

/** All enumerators of an object, by name. */
function enumeratorsOf(btf: Btf): ReadonlyMap<string, bigint> {
  let all = known.get(btf);
  if (all === undefined) {
    const found = new Map<string, bigint>();
    for (let id = 1; id < btf.count; id++) {
      if (btf.kind(id) !== BTF_KIND.ENUM && btf.kind(id) !== BTF_KIND.ENUM64) continue;
      for (const { name, value } of btf.enumerators(id)) found.set(name, value);
    }
    all = found;
    known.set(btf, all);
  }
  return all;
}
