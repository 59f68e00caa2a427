/** Findings as workflow commands, which GitHub shows on the lines of a pull request. */
import { summaryOf } from './also.ts';
import type { JudgedProgram, NamedFinding } from './judged.ts';

const COMMANDS = { error: 'error', warning: 'warning', info: 'notice' } as const;

/** A line for each finding that is not accepted, and one for each program that is incomplete. */
export function githubLines(judged: readonly JudgedProgram[]): string[] {
  return judged.flatMap(({ program, checked, findings }) => [
    ...findings.filter(({ accepted }) => accepted === undefined).map(findingLine),
    ...(checked.verdict === 'incomplete'
      ? [command('warning', { title: `xdpsim: ${program.name} incomplete` }, checked.reason)]
      : []),
  ]);
}

function findingLine({ finding, path, line }: NamedFinding): string {
  const { severity, invariant } = finding;
  return command(
    COMMANDS[severity],
    { file: path, line: String(line), title: `xdpsim: ${invariant}` },
    summaryOf(finding),
  );
}

/** `::error file=a.c,line=3,title=…::message` (docs.github.com, Workflow commands); escaped as `@actions/core` does. */
function command(name: string, properties: Readonly<Record<string, string>>, message: string): string {
  const own = Object.entries(properties).map(
    ([key, value]) => `${key}=${escaped(value).replaceAll(':', '%3A').replaceAll(',', '%2C')}`,
  );
  return `::${name} ${own.join(',')}::${escaped(message)}`;
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
