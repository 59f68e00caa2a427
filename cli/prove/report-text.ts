/** The report of `prove` as text. */
import type { RunOptions } from '../../verify/explain/command.ts';
import { closing, explain } from '../../verify/explain/explain.ts';
import type { BranchWay } from '../../verify/prove/branches.ts';
import type { Property } from '../../verify/prove/property.ts';
import { SEEN } from '../../verify/prove/show-refutation.ts';
import type { Terminal } from '../terminal.ts';
import { treeLines } from './path-tree.ts';
import { count, type ProveReport, placeText } from './report.ts';

/** Lines of the path tree, unless all are asked for. */
const TREE_LINES = 60;

export interface ProveTextOptions {
  readonly allPaths: boolean;
  /** How the run was started, for the commands that repeat a finding. */
  readonly run: RunOptions;
}

export function proveLines(report: ProveReport, options: ProveTextOptions, terminal: Terminal): string[] {
  const { proof, paths, program } = report;
  const { branches, counts, seconds } = proof;
  const lines = [
    terminal.style('bold', program),
    `  ${number(paths.length, 'path')}${packetsText(paths.length, paths.filter((one) => one.confirmed).length)}`,
    `  ${number(branches.length, 'branch', 'branches')}: ${count(branches, 'reached')} reached, ${count(branches, 'unreachable')} unreachable, ${count(branches, 'undecided')} undecided`,
    `  ${seconds.toFixed(1)} s, ${number(counts.queries, 'solver query', 'solver queries')} (${(counts.solverTime / 1000).toFixed(1)} s)`,
  ];
  if (proof.cut !== undefined)
    lines.push(terminal.style('yellow', `  not every path was followed: ${proof.cut}`));
  lines.push(...branchLines('unreachable', branches), ...branchLines('undecided', branches));
  for (const property of proof.properties) {
    const style = property.status === 'proved' ? 'green' : property.status === 'refuted' ? 'red' : 'yellow';
    const reason = property.reason === undefined ? '' : `: ${property.reason}`;
    const severity =
      property.status === 'refuted' && property.severity !== 'error' ? ` (${property.severity})` : '';
    lines.push(`  ${terminal.style(style, `${property.invariant} ${property.status}`)}${severity}${reason}`);
    lines.push(...refutationLines(property, report, options.run, terminal));
    if (property.confirmedBy.length > 0) lines.push(`    shown by ${property.confirmedBy.join(', ')}`);
    if (property.source !== undefined) lines.push(`    ${placeText(property.source)}`);
  }
  const tree = treeLines(
    paths.map(({ words, outcome }) => ({ words, end: outcome })),
    proof.cut === undefined,
  );
  const shown = options.allPaths ? tree : tree.slice(0, TREE_LINES);
  lines.push(
    '  paths (of the lines in one column, the first that holds)',
    ...shown.map((one) => `    ${one}`),
  );
  if (shown.length < tree.length)
    lines.push(`    … ${tree.length - shown.length} lines more (--all-paths shows them)`);
  lines.push('  assuming that', ...proof.assumptions.map((one) => `    ${one}`));
  return lines;
}

/** What refutes a property, where its case is, and the commands that repeat it. */
function refutationLines(
  { invariant, divergence, witness }: Property,
  { of: program, saved }: ProveReport,
  run: RunOptions,
  terminal: Terminal,
): string[] {
  const kept = saved.get(invariant) ?? {};
  if (divergence !== undefined) {
    const shown = explain(program, { ...divergence, ...kept }, { style: terminal.style, run });
    return shown.map((line) => (line === '' ? '' : `    ${line}`));
  }
  if (witness === undefined) return [];
  const { packet } = witness.stimulus;
  const lines = [`packet ${hex(packet)}`, ...closing(program, { ...kept, seen: SEEN }, run)];
  return lines.map((line) => `    ${line}`);
}

function packetsText(paths: number, confirmed: number): string {
  if (paths === 0) return '';
  if (paths === 1 && confirmed === 1) return ', with a packet that takes it, confirmed in the machine';
  if (confirmed === paths) return `, each with a packet that takes it: ${confirmed} confirmed in the machine`;
  return `, ${confirmed} of them with a packet that takes it, confirmed in the machine`;
}

function number(value: number, one: string, many: string = `${one}s`): string {
  return `${value} ${value === 1 ? one : many}`;
}

function branchLines(status: 'unreachable' | 'undecided', branches: readonly BranchWay[]): string[] {
  const rows = branches.filter((one) => one.status === status);
  if (rows.length === 0) return [];
  return [
    `  ${status}`,
    ...rows.flatMap(({ source, slot, taken, reason, because, function: name }) => {
      const place = source === undefined ? `${name}, instruction ${slot}` : placeText(source);
      const others = because.filter((one) => one.line !== source?.line || one.file !== source.file);
      return [
        `    ${place}: the jump ${taken ? 'taken' : 'not taken'}: ${reason ?? ''}`,
        ...others.map((one) => `      ${placeText(one)}`),
      ];
    }),
  ];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
