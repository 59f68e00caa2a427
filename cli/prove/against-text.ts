/** The report of `prove --against` for a person. */
import { changesOf } from '../../verify/diff/describe.ts';
import { constantsText } from '../../verify/prove/constants.ts';
import { classLines } from '../diff/report-text.ts';
import type { Terminal } from '../terminal.ts';
import { count } from '../terminal.ts';
import type { AgainstProgram, AgainstReport } from './against.ts';
import { framesText, kernelsText, longerText } from './claim.ts';

export function againstLines(
  { old, new: next, unpaired, programs }: AgainstReport,
  terminal: Terminal,
): string[] {
  return [
    terminal.style('bold', `old: ${old}`),
    terminal.style('bold', `new: ${next}`),
    ...unpaired.map((sentence) => terminal.style('red', `✗ ${sentence}`)),
    ...programs.flatMap((one) => programLines(one, terminal)),
  ];
}

function programLines(program: AgainstProgram, terminal: Terminal): string[] {
  const { name, verdict, reason, proof, report, confirmedBy, saved, words } = program;
  if (proof === undefined) return [`= ${name}: ${reason}`];
  const { paths, pairs, counts, seconds } = proof;
  const effort = `${some(paths, 'path')}, ${some(pairs, 'pair')}, ${some(counts.queries, 'solver query', 'solver queries')}, ${seconds.toFixed(1)} s`;
  const sign = { pass: '=', fail: '✗', incomplete: '?' }[verdict];
  const style = { pass: 'green', fail: 'red', incomplete: 'yellow' } as const;
  const lines = [terminal.style(style[verdict], `${sign} ${name}: ${sentence(program)}`), `  ${effort}`];
  if (verdict === 'fail' && report !== undefined) {
    for (const [index, one] of report.classes.entries()) {
      const shown = { name, verdict: 'differs', report, saved, words } as const;
      lines.push('', ...classLines(shown, one, index, terminal, false));
      lines.push(`   confirmed by ${(confirmedBy[index] ?? []).join(', ')}`);
    }
  } else if (verdict === 'incomplete') lines.push(`  ${reason}`);
  if (verdict === 'pass') {
    for (const line of [kernelsText(proof), longerText(proof)])
      if (line !== undefined) lines.push(`  ${line}`);
  }
  if (verdict !== 'fail') lines.push('  assuming that', ...proof.assumptions.map((one) => `    ${one}`));
  return lines;
}

function some(number: number, one: string, many: string = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function sentence({ verdict, proof, report }: AgainstProgram): string {
  if (verdict === 'pass')
    return `proved equal for ${framesText(proof!)}${constantsText(proof!.constants, 'objects')}: the same action, bytes, metadata, redirect and contents of maps`;
  if (verdict === 'incomplete' && proof?.unseen !== undefined)
    return 'packets are treated differently, in what no run shows';
  if (verdict === 'incomplete') return 'not known whether all packets are treated alike';
  const classes = report?.classes ?? [];
  const what = classes.map((one) => changesOf(report!.pair, one)[0]?.what ?? one.finding.field);
  return `packets are treated differently: ${what.join(', ')}`;
}
