/**
 * Parameters of a lookup that the program never wrote. The kernel reads those of `struct bpf_fib_lookup` that the flags ask for,
 * whatever the program meant: protocol and ports choose between routes where rules or several next hops do
 * (`bpf_ipv4_fib_lookup`, net/core/filter.c). A world has no such rules, so that no outcome shows it.
 */
import {
  AF_INET,
  BPF_FIB_LOOKUP_MARK,
  BPF_FIB_LOOKUP_SRC,
  BPF_FIB_LOOKUP_TBID,
  FIB_PARAMETER,
} from '../../sim/runtime/fib.ts';
import { type CallRemark, lineOf, placeOf, type TracedRun } from './call-remark.ts';
import { type LookedUp, lookupsOf } from './looked-up.ts';

export function lookupGarbage(run: TracedRun): CallRemark[] {
  return lookupsOf(run).flatMap((lookup) => {
    const { unwritten } = lookup.step.call;
    const names = readParameters(lookup)
      .filter(([, from, to]) => unwritten.some((at) => at >= from && at < to))
      .map(([name]) => name);
    return names.length === 0 ? [] : [faultOf(lookup, names)];
  });
}

type Range = readonly [name: string, from: number, to: number];

/** What the helper reads of the parameters. */
function readParameters({ asked, flags }: LookedUp): Range[] {
  const isV4 = asked[FIB_PARAMETER.family] === AF_INET;
  const { l4Protocol, sport, dport, totalLength, ifindex, tos, source, destination } = FIB_PARAMETER;
  const [prefix, size] = isV4 ? ['ipv4', 4] : ['ipv6', 16];
  const range = (name: string, at: number, length: number): Range => [name, at, at + length];
  return [
    range('family', FIB_PARAMETER.family, 1),
    range('l4_protocol', l4Protocol, 1),
    range('sport', sport, 2),
    range('dport', dport, 2),
    range('tot_len', totalLength, 2),
    range('ifindex', ifindex, 4),
    isV4 ? range('tos', tos, 1) : range('flowinfo', tos, 4),
    // With this flag, the source is what is asked for.
    ...((flags & BPF_FIB_LOOKUP_SRC) === 0 ? [range(`${prefix}_src`, source, size)] : []),
    range(`${prefix}_dst`, destination, size),
    ...((flags & BPF_FIB_LOOKUP_TBID) === 0 ? [] : [range('tbid', FIB_PARAMETER.vlanProto, 4)]),
    ...((flags & BPF_FIB_LOOKUP_MARK) === 0 ? [] : [range('mark', FIB_PARAMETER.sourceMac, 4)]),
  ];
}

function faultOf({ step }: LookedUp, names: readonly string[]): CallRemark {
  const list = names.join(', ');
  return {
    place: `${placeOf(step)} garbage`,
    fault: {
      breach: {
        invariant: 'lookup/not-cleared',
        at: 0,
        size: 0,
        expected: 'parameters that the program wrote',
        got: `bytes of the stack as ${list}`,
        sentence: `bpf_fib_lookup reads ${list}, which the program never wrote: whatever the stack held before`,
      },
      ...lineOf(step),
    },
  };
}
