/**
 * Which call left a checksum of 0 alone. `bpf_l4_csum_replace` (net/core/filter.c) does nothing where the field is 0 and
 * BPF_F_MARK_MANGLED_0 is given, whatever the protocol: nothing was written, and the line to blame is that of the call.
 */

import type { RunTrace, TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { checksumCover } from '../explain/checksum-site.ts';
import type { SourcePlaceWithText } from '../outcome.ts';
import type { Divergence } from '../report.ts';
import { sourceOf, traceOf } from './probe.ts';

const MARK_MANGLED_0 = 0x20n;

/** Undefined where no such call was made of this field: the program looked at it itself. */
export async function lineLeavingZero(
  program: Program,
  { case: shown, finding: { fault, got } }: Divergence,
): Promise<SourcePlaceWithText | undefined> {
  if (fault === undefined || got === undefined) return undefined;
  const field = checksumCover(got.packet, fault.layer, fault.depth)?.field;
  const trace = field === undefined ? undefined : await traceOf(program, shown);
  const step = trace === undefined ? undefined : callLeavingZero(trace, field!.from);
  return step?.source === undefined || step.source.line === 0 ? undefined : sourceOf(step.source);
}

/** The first call with the flag for the checksum at this place of the frame. */
export function callLeavingZero({ steps }: RunTrace, at: number): TraceStep | undefined {
  return steps.find(({ call }) => {
    if (call?.name !== 'bpf_l4_csum_replace') return false;
    const [, offset, , , flags] = call.arguments;
    return BigInt.asUintN(32, offset!) === BigInt(at) && (flags! & MARK_MANGLED_0) !== 0n;
  });
}
