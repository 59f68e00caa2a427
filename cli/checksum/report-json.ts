/** What was found in captures, as `xdpsim checksum --json` prints it; its schema is published. */
import * as v from 'valibot';
import { linkTypeName } from '../../corpus/formats/link-type.ts';
import { REPORTED_STATUSES, type ReportedStatus } from '../../verify/captures/fault.ts';
import { CHECKSUM_LAYERS, isRightKnown } from '../../verify/oracle/found.ts';
import type { FileReport } from './check-file.ts';
import { hex } from './report-text.ts';

const amount = v.pipe(v.number(), v.integer(), v.minValue(0));
const hexNumber = v.pipe(v.string(), v.regex(/^0x[0-9a-f]{4,8}$/));

const faultShape = v.object({
  packet: v.pipe(v.number(), v.integer(), v.minValue(1)),
  layer: v.string(),
  depth: amount,
  status: v.picklist(REPORTED_STATUSES),
  got: hexNumber,
  /** Absent where nobody knows what should stand there. */
  expected: v.optional(hexNumber),
  source: v.optional(v.string()),
  destination: v.optional(v.string()),
  sourcePort: v.optional(amount),
  destinationPort: v.optional(amount),
  cause: v.optional(v.object({ id: v.string(), sentence: v.string() })),
  reassembled: v.optional(v.literal(true)),
});

const layerShape = v.object({
  good: amount,
  bad: amount,
  illegal: amount,
  absent: amount,
  unverifiable: amount,
  offload: amount,
});

const fileShape = v.object({
  file: v.string(),
  packets: amount,
  /** With `--filter`: how many of them matched. */
  matched: v.optional(amount),
  layers: v.record(v.string(), layerShape),
  faults: v.array(faultShape),
  faultCount: amount,
  flows: v.array(
    v.object({
      flow: v.string(),
      layer: v.string(),
      faults: amount,
      firstPacket: amount,
      difference: v.optional(hexNumber),
    }),
  ),
  unexamined: v.record(v.string(), amount),
  skipped: v.array(v.object({ linkType: amount, name: v.string(), packets: amount })),
  largePackets: amount,
  reassembled: amount,
  incompleteFragments: amount,
  error: v.optional(v.object({ message: v.string(), exitCode: amount })),
});

export const checksumReportShape = v.object({
  version: v.literal(1),
  files: v.array(fileShape),
});

export type ChecksumReport = v.InferOutput<typeof checksumReportShape>;

export function reportJson(reports: readonly FileReport[]): ChecksumReport {
  return { version: 1, files: reports.map(fileJson) };
}

function fileJson({ file, checker, error }: FileReport): ChecksumReport['files'][number] {
  const row = (layer: string): Record<ReportedStatus, number> =>
    Object.fromEntries(REPORTED_STATUSES.map((status) => [status, checker.count(layer, status)])) as Record<
      ReportedStatus,
      number
    >;
  return {
    file,
    packets: checker.packets,
    ...(checker.filteredOut === 0 ? {} : { matched: checker.packets - checker.filteredOut }),
    layers: Object.fromEntries(CHECKSUM_LAYERS.map((layer) => [layer, row(layer)])),
    faults: checker.faults.map(({ got, expected, ...fault }) => ({
      ...fault,
      got: hex(got, fault.layer),
      ...(isRightKnown({ got, expected }) ? { expected: hex(expected, fault.layer) } : {}),
    })),
    faultCount: checker.faultCount,
    flows: checker.flows.list().map(({ difference, ...flow }) => ({
      ...flow,
      ...(difference <= 0 ? {} : { difference: hex(difference) }),
    })),
    unexamined: Object.fromEntries(checker.unexamined),
    skipped: [...checker.skipped].map(([linkType, packets]) => ({
      linkType,
      name: linkTypeName(linkType),
      packets,
    })),
    largePackets: checker.largePackets,
    reassembled: checker.reassembled,
    incompleteFragments: checker.incompleteFragments,
    ...(error === undefined ? {} : { error: { message: error.message, exitCode: error.exitCode } }),
  };
}
