/**
 * What becomes of the MAC addresses of a lookup. Whoever redirects a frame to the device of a route writes the next hop's address
 * into it, unless the kernel does (`bpf_redirect_neigh`); and where the kernel knows none (BPF_FIB_LKUP_RET_NO_NEIGH), there
 * is none to write. A program that writes yet other addresses has them from elsewhere, and may be right.
 */
import { macToText } from '../../sim/packet/addresses.ts';
import {
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LOOKUP_SKIP_NEIGH,
  FIB_PARAMETER,
} from '../../sim/runtime/fib.ts';
import { type CallRemark, lineOf, placeOf, type TracedRun } from './call-remark.ts';
import {
  deviceOf,
  goesBackOut,
  goesThere,
  isAbout,
  isAboutReverse,
  isAt,
  type LookedUp,
  lookupsOf,
} from './looked-up.ts';

const MAC = 6;

/** One remark at the most for a run: of the lookup that the frame follows. */
export function lookupMacs(run: TracedRun): CallRemark[] {
  const lookups = lookupsOf(run);
  const last = lookups.findLast(({ result }) => result === BPF_FIB_LKUP_RET_SUCCESS) ?? lookups.at(-1);
  if (last === undefined || run.left.length < 2 * MAC) return [];
  const remark = isResolved(last) ? ofResolved(run, last) : ofUnresolved(run, last);
  return remark === undefined ? [] : [remark];
}

/** Has the kernel filled MAC addresses in? */
function isResolved({ result, flags }: LookedUp): boolean {
  return result === BPF_FIB_LKUP_RET_SUCCESS && (flags & BPF_FIB_LOOKUP_SKIP_NEIGH) === 0;
}

function ofResolved(run: TracedRun, lookup: LookedUp): CallRemark | undefined {
  const { came, left } = run;
  const { answered } = lookup;
  const next = answered.subarray(FIB_PARAMETER.destinationMac, FIB_PARAMETER.destinationMac + MAC);
  const own = answered.subarray(FIB_PARAMETER.sourceMac, FIB_PARAMETER.sourceMac + MAC);
  const hasBoth = isAt(left, 0, next) && isAt(left, MAC, own);
  if (hasBoth && goesBackOut(run, lookup)) return otherDevice(lookup);
  if (!goesThere(run, lookup)) return undefined;
  // Who looks the way back up compares devices with it, and has the addresses from elsewhere.
  if (hasBoth && isAboutReverse(lookup, left) && isAboutReverse(lookup, came)) return exchanged(lookup);
  if (!isAbout(lookup, left) && !isAbout(lookup, came)) return undefined;
  if (isAt(left, 0, own) && isAt(left, MAC, next) && !isAt(own, 0, next))
    return fault(lookup, 'lookup/macs-exchanged', 0, next, left.subarray(0, MAC), EXCHANGED);
  if (isAt(left, 0, came.subarray(0, MAC)) && !isAt(left, 0, next))
    return fault(lookup, 'lookup/mac-left', 0, next, left.subarray(0, MAC), TO_ITSELF);
  if (!isAt(left, 0, next)) return undefined;
  if (isAt(left, MAC, came.subarray(MAC, 2 * MAC)) && !isAt(left, MAC, own))
    return fault(lookup, 'lookup/source-mac-left', MAC, own, left.subarray(MAC, 2 * MAC), FROM_OTHERS);
  return undefined;
}

/** The frame has the addresses of the route, and goes where it came from. */
function otherDevice(lookup: LookedUp): CallRemark {
  const { step, asked, answered } = lookup;
  const breach = {
    ...{ invariant: 'lookup/device-left', at: 0, size: 2 * MAC },
    ...{ expected: `device ${deviceOf(answered)}`, got: `device ${deviceOf(asked)}` },
    sentence: `bpf_fib_lookup gave the device ${deviceOf(answered)}, and the frame goes out of ${deviceOf(asked)}, where it came in, with the MAC addresses for the other one`,
  };
  return { place: `${placeOf(step)} ${breach.invariant}`, fault: { breach, ...lineOf(step) } };
}

/** The frame goes where the packet came from: the lookup took source and destination for each other. */
function exchanged(lookup: LookedUp): CallRemark {
  const { step } = lookup;
  const breach = {
    ...{ invariant: 'lookup/addresses-exchanged', at: 0, size: MAC },
    ...{ expected: 'the way to its destination', got: 'the way to its source' },
    sentence:
      'the route was looked up from the packet’s destination to its source, and the frame goes that way',
  };
  return { place: `${placeOf(step)} ${breach.invariant}`, fault: { breach, ...lineOf(step) } };
}

const EXCHANGED =
  'the frame goes to the device of the route with the device’s own MAC address as its destination, and the next hop’s as its source';
const TO_ITSELF =
  'the frame goes to the device of the route with the destination MAC address that it came with, not the next hop’s';
const FROM_OTHERS =
  'the frame goes to the device of the route with the source MAC address that it came with, not the device’s own';

function ofUnresolved(run: TracedRun, lookup: LookedUp): CallRemark | undefined {
  const { came, left } = run;
  if (!goesThere(run, lookup)) return undefined;
  const isZero = isAt(left, 0, NOBODY) && !isAt(came, 0, NOBODY);
  const hasRoute = lookup.result === BPF_FIB_LKUP_RET_NO_NEIGH || lookup.result === BPF_FIB_LKUP_RET_SUCCESS;
  const isLeft = hasRoute && isAbout(lookup, left) && isAt(left, 0, came.subarray(0, MAC));
  if (!isZero && !isLeft) return undefined;
  const { result } = lookup;
  const why = result === BPF_FIB_LKUP_RET_SUCCESS ? 'asked for no neighbour' : `returned ${result}`;
  const sentence = `bpf_fib_lookup ${why}, and filled no MAC address in, but the frame goes to the device of the route all the same`;
  return fault(lookup, 'lookup/no-neighbour', 0, undefined, left.subarray(0, MAC), sentence);
}

const NOBODY = new Uint8Array(MAC);

function fault(
  { step }: LookedUp,
  invariant: string,
  at: number,
  expected: Uint8Array | undefined,
  got: Uint8Array,
  sentence: string,
): CallRemark {
  return {
    place: `${placeOf(step)} ${invariant}`,
    fault: {
      breach: {
        invariant,
        at,
        size: MAC,
        expected: expected === undefined ? 'a MAC address that is known' : macToText(expected),
        got: macToText(got),
        sentence,
      },
      ...lineOf(step),
    },
  };
}
