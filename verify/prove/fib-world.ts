/** Devices, routes and neighbours under which `bpf_fib_lookup` answers as a path wants it. */

import type { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Answer, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term } from '../../sim/ebpf/symbolic/term.ts';
import { ipv4ToText, ipv6ToText } from '../../sim/packet/addresses.ts';
import {
  AF_INET,
  BPF_FIB_LKUP_RET_BLACKHOLE,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_PROHIBIT,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_UNREACHABLE,
  BPF_FIB_LOOKUP_OUTPUT,
  FIB_PARAMETER,
  rejectingType,
} from '../../sim/runtime/fib.ts';
import type { Device, Route, World } from '../../sim/runtime/world.ts';

const INGRESS = 2;
const EGRESS = 3;
const INGRESS_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);

/** Answers that a world can be made for, the likeliest first. */
const RESULTS = [
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_BLACKHOLE,
  BPF_FIB_LKUP_RET_UNREACHABLE,
  BPF_FIB_LKUP_RET_PROHIBIT,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
] as const;

/** Conditions that a witness should have, each list with the best one first. */
export function fibPreferences(
  inputs: Inputs,
  state: PathState,
  { result, read, written, arguments: [, , , flags] }: Answer,
): Term[][] {
  const { pool } = state;
  const given = read[0];
  const told = written[0];
  if (result === undefined || given === undefined || told === undefined) return [];
  const equals = (term: Term, value: number | bigint): Term =>
    pool.equal(term, pool.constant(term.width, value));
  const word = (bytes: readonly Term[], at: number): Term =>
    pool.concat([3, 2, 1, 0].map((index) => bytes[at + index]!));
  // The device that is asked about is the one that the route leads out by.
  const isOutput =
    flags !== undefined && isConst(flags) && (Number(flags.value) & BPF_FIB_LOOKUP_OUTPUT) !== 0;
  const macs = [
    [FIB_PARAMETER.sourceMac, 0x02_00_00_00_00_03n],
    [FIB_PARAMETER.destinationMac, 0x02_00_00_00_00_99n],
  ] as const;
  return [
    [equals(inputs.ingressIfindex, INGRESS)],
    RESULTS.map((one) => equals(result, one)),
    isOutput
      ? [
          pool.equal(word(told, FIB_PARAMETER.ifindex), word(given, FIB_PARAMETER.ifindex)),
          equals(word(told, FIB_PARAMETER.ifindex), INGRESS),
        ]
      : [equals(word(told, FIB_PARAMETER.ifindex), EGRESS)],
    ...macs.map(([at, mac]) => [equals(pool.concat(told.slice(at, at + 6)), mac)]),
    // Addresses that are forwarded: neither multicast nor of a link or a host.
    [
      equals(
        pool.concat(given.slice(FIB_PARAMETER.destination, FIB_PARAMETER.destination + 4)),
        0x0a_01_02_03,
      ),
      pool.all([
        equals(given[FIB_PARAMETER.destination]!, 0x20),
        equals(given[FIB_PARAMETER.destination + 1]!, 0x01),
      ]),
    ],
    [
      equals(pool.concat(given.slice(FIB_PARAMETER.source, FIB_PARAMETER.source + 4)), 0x0a_01_02_04),
      pool.all([equals(given[FIB_PARAMETER.source]!, 0x20), equals(given[FIB_PARAMETER.source + 1]!, 0x01)]),
    ],
  ];
}

export function fibWorld({ result, read, written }: Answer, evaluator: Evaluator): World {
  const given = read[0];
  const told = written[0];
  if (result === undefined || given === undefined || told === undefined) return {};
  const code = Number(BigInt.asIntN(32, evaluator.value(result)));
  const bytes = (from: readonly Term[], at: number, size: number): Uint8Array =>
    Uint8Array.from({ length: size }, (_, index) => Number(evaluator.value(from[at + index]!)));
  const number = (from: readonly Term[], at: number, size: number): number => {
    let value = 0;
    for (const one of bytes(from, at, size).reverse()) value = value * 256 + one;
    return value;
  };
  const isIpv4 = number(given, FIB_PARAMETER.family, 1) === AF_INET;
  const address = bytes(given, FIB_PARAMETER.destination, 16);
  const text = isIpv4 ? ipv4ToText(address) : ipv6ToText(address);
  const ingress = number(given, FIB_PARAMETER.ifindex, 4);
  const egress = code === BPF_FIB_LKUP_RET_SUCCESS ? number(told, FIB_PARAMETER.ifindex, 4) : EGRESS;
  const device = (ifindex: number, mac: Uint8Array, forwarding: boolean): Device => ({
    ifindex,
    name: `dev${ifindex}`,
    mac,
    mtu: 1500,
    forwarding,
  });
  const sourceMac =
    code === BPF_FIB_LKUP_RET_SUCCESS
      ? bytes(told, FIB_PARAMETER.sourceMac, 6)
      : Uint8Array.of(2, 0, 0, 0, 0, 3);
  const devices = [
    device(ingress, ingress === egress ? sourceMac : INGRESS_MAC, code !== BPF_FIB_LKUP_RET_FWD_DISABLED),
  ];
  if (egress !== ingress) devices.push(device(egress, sourceMac, true));
  const to = `${text}/${isIpv4 ? 32 : 128}`;
  const type = rejectingType(code);
  const mtu = number(given, FIB_PARAMETER.totalLength, 2) - 1;
  const routes: Route[] =
    code === BPF_FIB_LKUP_RET_NOT_FWDED
      ? []
      : type !== undefined
        ? [{ to, type }]
        : [{ to, ifindex: egress, ...(code === BPF_FIB_LKUP_RET_FRAG_NEEDED ? { mtu } : {}) }];
  return {
    devices,
    routes,
    ...(code === BPF_FIB_LKUP_RET_SUCCESS
      ? {
          neighbours: [{ ifindex: egress, address: text, mac: bytes(told, FIB_PARAMETER.destinationMac, 6) }],
        }
      : {}),
  };
}
