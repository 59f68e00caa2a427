/** One call of `bpf_fib_lookup` as a trace shows it: what was asked, what came back, and whether the frame went that way. */
import { DELIVERY, deliveryOf } from '../../sim/runtime/delivery.ts';
import { AF_INET, AF_INET6, FIB_PARAMETER } from '../../sim/runtime/fib.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { HEADER, isIp } from '../oracle/found.ts';
import { HeaderList } from '../oracle/header-list.ts';
import { type CallStep, callsOf, type TracedRun } from './call-remark.ts';

export const FIB_LOOKUP = 'bpf_fib_lookup';
const PARAMETERS_SIZE = 64;

export interface LookedUp {
  readonly step: CallStep;
  /** The parameters as they were passed, and as they came back. */
  readonly asked: Uint8Array;
  readonly answered: Uint8Array;
  /** BPF_FIB_LOOKUP_* */
  readonly flags: number;
  /** BPF_FIB_LKUP_RET_*, or an error below 0. */
  readonly result: number;
}

/** The lookups of a run, in order; not those whose parameters nobody can read. */
export function lookupsOf(run: TracedRun): LookedUp[] {
  return callsOf(run, FIB_LOOKUP).flatMap((step) => {
    const { given: asked, handedBack: answered, arguments: values, result } = step.call;
    if (asked === undefined || answered === undefined || result === undefined) return [];
    if (asked.length < PARAMETERS_SIZE) return [];
    return [
      { step, asked, answered, flags: Number(values[3] ?? 0n), result: Number(BigInt.asIntN(32, result)) },
    ];
  });
}

/** The device that a lookup names. */
export function deviceOf(parameters: Uint8Array): number {
  return new DataView(parameters.buffer, parameters.byteOffset).getUint32(FIB_PARAMETER.ifindex, true);
}

/**
 * Did the frame go to the device that a lookup gave, with the MAC addresses that the program left in it? `bpf_redirect_neigh` writes
 * its own; where XDP_TX sends a frame back, that is the device which was asked about.
 */
export function goesThere(run: TracedRun, { asked, answered }: LookedUp): boolean {
  const device = deviceOf(answered);
  const delivery = deliveryOf(run.hook, run.action);
  if (delivery === DELIVERY.sentBack) return device === deviceOf(asked);
  return delivery === DELIVERY.redirected && targetOf(run, TARGET_ARGUMENTS) === device;
}

/** Was it `bpf_redirect` that sent the frame out of the device which was asked about, and gave the lookup another one? */
export function goesBackOut(run: TracedRun, { asked, answered }: LookedUp): boolean {
  if (deliveryOf(run.hook, run.action) !== DELIVERY.redirected) return false;
  return deviceOf(answered) !== deviceOf(asked) && targetOf(run, { bpf_redirect: 0 }) === deviceOf(asked);
}

/** Where the last call of a run sent the frame; undefined where it was another helper than these. */
function targetOf({ trace }: TracedRun, places: Readonly<Record<string, number>>): number | undefined {
  const call = trace.steps.findLast(({ call: one }) => one?.name.startsWith('bpf_redirect'))?.call;
  const target = call?.arguments[places[call.name] ?? -1];
  return target === undefined ? undefined : Number(BigInt.asUintN(32, target));
}

/** Of a map of devices, the key: where it is a lookup's device, the map has each under its own number. */
const TARGET_ARGUMENTS: Readonly<Record<string, number>> = { bpf_redirect: 0, bpf_redirect_map: 1 };

/** An IP address in a frame's first IP header, with where it stands in parameters of its family. */
export interface Addresses {
  readonly family: typeof AF_INET | typeof AF_INET6;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** The addresses of a frame's first IP header; undefined: it has none. */
export function addressesOfFrame(frame: Uint8Array): Addresses | undefined {
  const headers = new HeaderList();
  verifyChecksums(frame, 0, frame.length, headers);
  for (let row = 0; row < headers.count; row++) {
    const kind = headers.kind[row]!;
    if (!isIp(kind)) continue;
    const isV4 = kind === HEADER.ipv4;
    const [at, size] = isV4 ? [12, 4] : [8, 16];
    const from = headers.start[row]! + at;
    if (from + 2 * size > frame.length) return undefined;
    return {
      family: isV4 ? AF_INET : AF_INET6,
      source: frame.subarray(from, from + size),
      destination: frame.subarray(from + size, from + 2 * size),
    };
  }
  return undefined;
}

/** Does a lookup ask for the way to where a frame goes? */
export function isAbout({ asked }: LookedUp, frame: Uint8Array): boolean {
  const addresses = addressesOfFrame(frame);
  if (addresses === undefined || addresses.family !== asked[FIB_PARAMETER.family]) return false;
  return isAt(asked, FIB_PARAMETER.destination, addresses.destination);
}

/** Does a lookup ask for the way from where a frame goes to where it comes from? */
export function isAboutReverse({ asked }: LookedUp, frame: Uint8Array): boolean {
  const addresses = addressesOfFrame(frame);
  if (addresses === undefined || addresses.family !== asked[FIB_PARAMETER.family]) return false;
  const { source, destination } = addresses;
  if (Buffer.compare(source, destination) === 0) return false;
  return isAt(asked, FIB_PARAMETER.source, destination) && isAt(asked, FIB_PARAMETER.destination, source);
}

/** Do these bytes stand at a place of others? */
export function isAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(at, at + wanted.length), wanted) === 0;
}
