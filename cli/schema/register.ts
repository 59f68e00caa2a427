/** The schemas that are published as JSON Schema: one line each. */
import { caseHeaderShape, stimulusShape } from '../../corpus/cases/case-header-schema.ts';
import { worldFileShape } from '../../sim/ebpf/world-file/shape.ts';
import { scenarioShape } from '../../sim/network/scenario-shape.ts';
import type { Schema } from '../../sim/runtime/schema.ts';
import { jsonWorld } from '../../sim/runtime/world-schema.ts';
import { benchReportShape } from '../bench/report-json.ts';
import { baselineShape } from '../check/baseline.ts';
import { checkReportShape } from '../check/report-json.ts';
import { againstReportShape } from '../checksum/against.ts';
import { checksumReportShape } from '../checksum/report-json.ts';
import { configShape } from '../config/shape.ts';
import { diffShape } from '../diff/report-json.ts';
import { typedRows } from '../input/map-file-schema.ts';
import { proveAgainstShape } from '../prove/against-json.ts';
import { proveReportShape } from '../prove/report-json.ts';
import { mutantsShape } from '../verify/mutants-json.ts';

export interface PublishedSchema {
  /** Of the file in docs/schema/, without `.json`. */
  readonly name: string;
  readonly title: string;
  readonly schema: Schema<unknown>;
}

export const publishedSchemas: readonly PublishedSchema[] = [
  { name: 'scenario', title: 'A scenario for xdpsim lab run', schema: scenarioShape },
  { name: 'map', title: 'The contents of a map, for --map NAME=FILE', schema: typedRows },
  { name: 'world-file', title: 'The world around programs, for --world FILE', schema: worldFileShape },
  { name: 'world', title: 'A world in a saved case: maps, devices, routes, globals', schema: jsonWorld },
  { name: 'case-header', title: 'The comment of a case file’s section', schema: caseHeaderShape },
  { name: 'bench', title: 'What xdpsim bench --json prints, and --compare reads', schema: benchReportShape },
  { name: 'check', title: 'The report of xdpsim check --json', schema: checkReportShape },
  { name: 'checksum', title: 'What xdpsim checksum --json prints', schema: checksumReportShape },
  {
    name: 'checksum-against',
    title: 'What xdpsim checksum --against --json prints',
    schema: againstReportShape,
  },
  { name: 'baseline', title: 'Accepted findings of xdpsim check', schema: baselineShape },
  { name: 'config', title: 'The configuration file of a project', schema: configShape },
  { name: 'diff', title: 'The report of xdpsim diff --json', schema: diffShape },
  { name: 'prove', title: 'The report of xdpsim prove --json', schema: proveReportShape },
  { name: 'mutants', title: 'The report of xdpsim verify --mutants --json', schema: mutantsShape },
  { name: 'prove-against', title: 'The report of xdpsim prove --against --json', schema: proveAgainstShape },
  { name: 'stimulus', title: 'The comment of a packet in a case file', schema: stimulusShape },
];
