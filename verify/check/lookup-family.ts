/**
 * Whether the family of a lookup is that of the address it asks for. Addresses of both families share their place in
 * `struct bpf_fib_lookup`: the kernel takes what stands there for one of the family that it is told.
 */
import { AF_INET, AF_INET6, FIB_PARAMETER } from '../../sim/runtime/fib.ts';
import { type CallRemark, lineOf, placeOf, type TracedRun } from './call-remark.ts';
import { type Addresses, addressesOfFrame, isAt, type LookedUp, lookupsOf } from './looked-up.ts';

/** So many addresses have to be looked up under another family. */
const NEEDED = 2;
const NAMES: Readonly<Record<number, string>> = { [AF_INET]: 'AF_INET', [AF_INET6]: 'AF_INET6' };

/** What is right and wrong about the family of each lookup that asks for an address of the packet. */
export function lookupFamilies(run: TracedRun): CallRemark[] {
  const lookups = lookupsOf(run);
  if (lookups.length === 0) return [];
  const frames = [run.came, run.left].flatMap((frame) => addressesOfFrame(frame) ?? []);
  return lookups.flatMap((lookup) => {
    const asked = frames.filter((one) => asksFor(lookup, one));
    const [first] = asked;
    if (first === undefined) return [];
    const family = lookup.asked[FIB_PARAMETER.family]!;
    const place = `${placeOf(lookup.step)} family ${first.family}`;
    return asked.some((one) => one.family === family) ? [{ place }] : [faultOf(lookup, place, first)];
  });
}

function asksFor({ asked }: LookedUp, { destination }: Addresses): boolean {
  return destination.some((byte) => byte !== 0) && isAt(asked, FIB_PARAMETER.destination, destination);
}

function faultOf({ asked, step }: LookedUp, place: string, { family, destination }: Addresses): CallRemark {
  const told = asked[FIB_PARAMETER.family]!;
  const [expected, got] = [nameOf(family), nameOf(told)];
  const effect = told in NAMES ? 'the route of something else is looked up' : 'every lookup fails';
  return {
    place,
    fault: {
      evidence: { value: Buffer.from(destination).toString('hex'), needed: NEEDED },
      breach: {
        invariant: 'lookup/family',
        at: 0,
        size: 0,
        expected,
        got,
        sentence: `bpf_fib_lookup got an ${family === AF_INET ? 'IPv4' : 'IPv6'} address with the family ${got}: ${effect}`,
      },
      ...lineOf(step),
    },
  };
}

function nameOf(family: number): string {
  return NAMES[family] ?? `${family}`;
}
